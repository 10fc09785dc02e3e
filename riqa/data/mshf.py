"""MSHF: three details and overall quality, judged by three experts (Jin et al., Scientific Data 2023).

The paper's details set: its Teacher learns from it (section 3.1). The folder, from figshare (21507564), is

    MSHF dataset 2.0/
      Original/<group>/<group>-N.jpg   groups DR-XJU, DR-ZJU, Glaucoma, Healthy, Local1, Local2, UWF-mosaic
      AI-use/{train,test}/             the official split of all 1,302 images
      Individual_scores.xlsx.xlsx      what three experts said
      MSHF_quality_scores.xlsx         what they agreed on, one sheet per group

The paper leaves out the 500 ultra-wide-field mosaics; 642 images for training and 160 for testing remain.

Beware: the agreed sheet of DR-ZJU is an all-zero table of all images, names differ in their ending between
folders, and DR-XJU is published at thumbnail size with a cut field of view. Overall quality is binary.
"""

from pathlib import Path

import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import grouped_stratified_split
from riqa.data.mshf_scores import DIMENSIONS, read_agreed, read_readers
from riqa.data.sheets import find_file
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

PUBLISHED = {"train": {"all": 642}, "test": {"all": 160}}
"""Section 3.1 of the paper; the counts of classes were not published."""

VALIDATION = 65
"""Training images held out in the paper, which calls them 10 %: of 642 that would be 64."""

CITATION = "jin2023mshf"
LICENCE = "CC BY 4.0"

GROUPS = ("DR-XJU", "DR-ZJU", "Glaucoma", "Healthy", "Local1", "Local2")
"""The groups that the paper uses; both Local are of the portable camera."""

ULTRA_WIDE = "UWF-mosaic"

_READERS = ("Individual_scores.xlsx.xlsx", "Individual_scores.xlsx")
_AGREED = "MSHF_quality_scores.xlsx"
_FOLDER = "MSHF dataset 2.0"
_ADVICE = "download MSHF dataset 2.0 again from figshare (21507564)"


def read_mshf(root: Path | str, *, seed: int = 0) -> Catalogue:
    """Read the scores, the official split, and which of the images are in the folder.

    A label is what MSHF's readers agreed on, or, where the agreed sheet has no score, their majority. Without
    the folder AI-use the images are assigned to parts as large as the official ones. Of the training part 65
    images in 642 are held out, stratified by the three details together; the paper does not say how.

    Args:
        root: The folder that holds the two score files, or its parent.
        seed: Seed of the assignment.

    Raises:
        InputError: If a score file is missing or cannot be understood, holds a score other than 0 and 1, or
            names an image of no known group.
    """
    base = _base(Path(root))
    readers_file = find_file(base, *_READERS)
    ratings = read_readers(readers_file, _ADVICE)
    agreed, findings = read_agreed(find_file(base, _AGREED), _ADVICE)
    majority = ratings.groupby(["image_id", "item"])["score"].mean().unstack()
    majority = (majority > 0.5).astype(float).where(majority.notna() & (majority != 0.5))
    stems = pd.Index(dict.fromkeys([*ratings["image_id"], *agreed.index]))
    groups = pd.Series(stems, stems).map(_group)
    if groups.isna().any():
        names = ", ".join((*GROUPS, ULTRA_WIDE))
        name = groups.index[groups.isna()][0]
        raise InputError(f"{base}: image {name} is of no known group ({names}); correct its name")
    wide = groups == ULTRA_WIDE
    if wide.any():
        text = f"{wide.sum()} ultra-wide-field mosaics are left out, as in the paper (section 3.1)"
        findings.append(Finding("ultra-wide-left-out", "info", text))
    groups = groups[~wide]
    labels = agreed.reindex(groups.index).combine_first(majority.reindex(groups.index))[list(DIMENSIONS)]
    findings += _compare(agreed, majority, labels)
    table = labels.rename_axis("image_id").reset_index().assign(stem=groups.index, source=groups.to_numpy())
    # Nobody knows who is on a photograph; each stands for a person of its own.
    table = table.assign(dataset="mshf", patient_id=table["image_id"], eye="unknown", view="unknown")
    text = "there is no patient id: whether photographs of a person lie in several splits cannot be checked"
    findings.append(Finding("patients-unknown", "warning", text))
    findings += _find_images(base, table)
    findings += _split(base, table, seed)
    return Catalogue(
        name="mshf",
        root=base,
        table=table,
        n_classes=2,
        citation=CITATION,
        licence=LICENCE,
        findings=tuple(findings),
        published=PUBLISHED,
        ratings=ratings[ratings["image_id"].isin(groups.index)].reset_index(drop=True),
    )


def _base(root: Path) -> Path:
    """Return the folder that holds the score files: `root` or the one below it."""
    for folder in (root, root / _FOLDER):
        if any(find_file(folder, name).is_file() for name in (*_READERS, _AGREED)):
            return folder
    raise InputError(f"{root} holds neither {_READERS[0]} nor {_AGREED}; give the folder {_FOLDER}")


def _group(stem: str) -> str | None:
    """Return the group that an image's name begins with, or None."""
    return next((g for g in (*GROUPS, ULTRA_WIDE) if stem.casefold().startswith(f"{g}-".casefold())), None)


def _compare(agreed: pd.DataFrame, majority: pd.DataFrame, labels: pd.DataFrame) -> list[Finding]:
    """Return findings on the experts' majority, where it differs from the agreed scores, and missing ones."""
    findings = []
    alone = [stem for stem in labels.index if stem not in agreed.index]
    if alone:
        text = f"{len(alone)} images have no agreed score; the majority of the three experts is their label"
        findings.append(Finding("readers-majority", "info", text, tuple(alone)))
    both = agreed.index.intersection(labels.index).intersection(majority.index)
    one, other = agreed.loc[both, list(DIMENSIONS)], majority.loc[both, list(DIMENSIONS)]
    differ = both[((one != other) & one.notna() & other.notna()).any(axis=1)]
    if len(differ):
        text = (
            f"{len(differ)} images have agreed scores unlike the experts' majority; the agreed ones are used"
        )
        findings.append(Finding("agreed-unlike-majority", "info", text, tuple(differ)))
    unknown = labels.index[labels.isna().any(axis=1)]
    if len(unknown):
        text = f"{len(unknown)} images lack a score of a quality; it stays unknown"
        findings.append(Finding("scores-missing", "warning", text, tuple(unknown)))
    return findings


def _find_images(base: Path, table: pd.DataFrame) -> list[Finding]:
    """Fill `path` and `official`, the split by the folder; files in Original come before those in AI-use."""
    passed = PassedOver()
    original = images_by_stem(base, "Original", nested=True, passed=passed)
    parts = {
        split: images_by_stem(base, f"AI-use/{split}", nested=True, passed=passed)
        for split in ("train", "test")
    }
    both = sorted(set(parts["train"]) & set(parts["test"]))
    used = parts["train"] | parts["test"]
    images = {stem: paths for stem, paths in (used | original).items() if _group(stem) != ULTRA_WIDE}
    findings = match_images(table, images, "MSHF", passed)
    split = {stem: name for name, stems in parts.items() for stem in stems}
    table["official"] = table["stem"].map(split)
    shared = sorted(set(original) & set(used) & set(images))
    unlike = [stem for stem in shared if Path(original[stem][0]).suffix != Path(used[stem][0]).suffix]
    if unlike:
        text = (
            f"{len(unlike)} images have another ending in AI-use than in Original; names are joined by stem"
        )
        findings.append(Finding("endings-differ", "info", text, tuple(unlike)))
    if both:
        text = f"{len(both)} images lie in AI-use/train and in AI-use/test, e.g. {both[0]}; {_ADVICE}"
        findings.append(Finding("images-in-two-splits", "error", text, tuple(both)))
    return findings


def _split(base: Path, table: pd.DataFrame, seed: int) -> list[Finding]:
    """Fill `split`: the official one if it is there, else a drawn one; then hold out validation images."""
    findings = []
    if table["official"].notna().any():
        table["split"] = table["official"]
        lost = table["split"].isna()
        if lost.any():
            text = f"{lost.sum()} images are not in AI-use, so their split is unknown; they are left out"
            findings.append(Finding("split-unknown", "warning", text, tuple(table.loc[lost, "stem"])))
            table.loc[lost, "path"] = None
    else:
        n_train, n_test = (PUBLISHED[part]["all"] for part in ("train", "test"))
        shares = {"train": n_train / (n_train + n_test), "test": n_test / (n_train + n_test)}
        table["split"] = grouped_stratified_split(table, shares, seed, DETAILS)
        text = f"{base / 'AI-use'} is not there, so the images were assigned to parts of the official sizes"
        findings.append(
            Finding("own-splits", "warning", text + "; scores do not compare with published ones")
        )
    training = table["split"] == "train"
    share = VALIDATION / PUBLISHED["train"]["all"]
    shares = {"train": 1 - share, "val": share}
    table.loc[training, "split"] = grouped_stratified_split(table[training], shares, seed, DETAILS)
    return findings
