"""EyeQ: overall quality (Fu et al., MICCAI 2019) of photographs of the EyePACS competition.

The paper's overall set in three classes (section 3.1). Labels come from the EyeQ repository, images from
Kaggle's "diabetic-retinopathy-detection"; the folder is

    Label_EyeQ_train.csv  Label_EyeQ_test.csv   header ",image,quality,DR_grade"
    train/<patient>_<eye>.jpeg   test/<patient>_<eye>.jpeg   (or .jpg, .png; any part of the images)

Beware: the label files say 0 = good, 1 = usable, 2 = reject, the reverse of the code used here.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import grouped_stratified_split
from riqa.data.sheets import decode, find_file, read_labels, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import class_names

CODE = {0: 2, 1: 1, 2: 0}
"""EyeQ's code of overall quality -> the code of `riqa.labels`."""

PUBLISHED = {
    "train": {"good": 8347, "usable": 1876, "reject": 2320, "all": 12543},
    "test": {"good": 8471, "usable": 4558, "reject": 3220, "all": 16249},
}
"""Counted from the label files (the repository's page prints 1,896 for usable in train, a typo)."""

CITATION = "fu2019evaluation"
LICENCE = "Labels: see the EyeQ repository. Images: rules of the Kaggle competition."

UNREADABLE = ("15337_left", "40764_right", "13227_left", "26250_left", "5371_left")
"""Images at which the preprocessing of the EyeQ repository is known to fail."""

EYEQ_D_LABELS = "EyeQ-D-Quality-Details.csv"

_EYEQ_D_PLACES = ("", "data", "../eyeq-d", "../eyeq-d/data", "../eyeq_d", "../eyeq_d/data")
_FRACTIONS = {"train": 0.6, "val": 0.1, "test": 0.3}
_NAMED = r"^(?P<patient_id>\d+)_(?P<eye>left|right)$"
_ADVICE = "download it again from the EyeQ repository (HzFu/EyeQ, data/)"


def read_eyeq(
    root: Path | str,
    *,
    fractions: Mapping[str, float] | None = None,
    validation: float = 0.1,
    seed: int = 0,
) -> Catalogue:
    """Read the labels, and which of their images are in the folder; a partial download is welcome.

    With images of both parts, EyeQ's own test set is the test split, and `validation` of the training
    images are the validation split: the paper holds out 1,254 images, 10 %, and does not say whether by
    patient, as is done here. With training images alone, as in the thumbnails that are shared publicly, the
    patients whose images are there are assigned to all three splits by `fractions`.

    Args:
        root: Folder with the label files and `train/`, `test/`.
        fractions: Shares of train, val and test when no test image is there; 0.6, 0.1, 0.3 by default.
        validation: Share of the training images held out when test images are there.
        seed: Seed of the assignment.

    Raises:
        InputError: If the folder, the label files or their columns are missing, a label lies outside EyeQ's
            code, or an image is labelled twice or named otherwise than patient and eye.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give the folder with the EyeQ label files")
    if not any(root.iterdir()):
        raise InputError(f"{root} is empty; put Label_EyeQ_train.csv and the folder train/ of images there")
    text = "the label files say 0 for good and 2 for reject; they are turned into 0 reject .. 2 good"
    findings, parts = [Finding("code-reversed", "info", text)], []
    for part in ("train", "test"):
        labels = root / f"Label_EyeQ_{part}.csv"
        passed = PassedOver()
        images = images_by_stem(root, part, passed=passed)
        if part == "test" and not labels.is_file() and not images:
            continue  # the training half alone is enough
        table = read_label_file(labels).assign(split=part)
        findings += flipped_by_counts(table["overall"], part)
        findings += match_images(table, images, part, passed)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    places = (find_file(root / place, EYEQ_D_LABELS) for place in _EYEQ_D_PLACES)
    reference = next((path for path in places if path.is_file()), None)
    if reference is not None:
        truth = read_labels(reference, ("file_name", "overall_quality"), "download it again, or move it away")
        overall = pd.to_numeric(truth["overall_quality"], errors="coerce")
        findings += compare_with_eyeq_d(
            table.set_index("stem")["overall"], overall.set_axis(truth["file_name"])
        )
    known = table.loc[table["path"].notna() & table["stem"].isin(UNREADABLE), "stem"]
    if len(known):
        text = f"{len(known)} of the images are known to fail in the preprocessing of the EyeQ repository"
        findings.append(Finding("preprocessing-fails", "info", text, tuple(known)))
    table = table.assign(dataset="eyeq", view="unknown", source="EyePACS")
    there, training = table["path"].notna(), table["split"] == "train"
    if (there & ~training).any() or not there.any():
        # Assigned before absent images are left out, so that a fuller download moves nobody to another split.
        rows, shares = training, {"train": 1 - validation, "val": validation}
    else:
        table = table[training]
        rows, shares = table["path"].notna(), dict(fractions or _FRACTIONS)
        text = "there is no test image, so the training patients that are there were assigned to three splits"
        findings.append(
            Finding("own-splits", "warning", text + "; scores do not compare with published ones")
        )
    table.loc[rows, "split"] = grouped_stratified_split(table[rows], shares, seed)
    return Catalogue(
        name="eyeq",
        root=root,
        table=table,
        n_classes=3,
        citation=CITATION,
        licence=LICENCE,
        findings=tuple(findings),
        published=PUBLISHED,
    )


def read_label_file(path: Path) -> pd.DataFrame:
    """Read one of EyeQ's label files.

    Returns:
        A row an image: image_id and stem (its name without ending), patient_id, eye, and overall in the code
        of `riqa.labels`.

    Raises:
        InputError: If the file is missing, unreadable or empty, lacks a column, holds a label outside EyeQ's
            code, or names an image twice or otherwise than patient and eye.
    """
    labels = read_labels(path, ("image", "quality"), _ADVICE)
    stems = labels["image"].fillna("").map(lambda name: Path(name).stem)
    overall = decode(labels["quality"], stems, CODE, path)
    table = split_names(stems, path)
    return table.assign(overall=overall)


def split_names(stems: pd.Series, path: Path) -> pd.DataFrame:
    """Return image_id, stem, patient_id and eye of images of EyePACS; refuse other names and doubles."""
    parts = stems.str.extract(_NAMED)
    if parts["eye"].isna().any():
        name = stems[parts["eye"].isna()].iloc[0]
        raise InputError(f"{path}: image {name} is not named <patient>_<left or right>; correct the name")
    refuse_twice(stems, path)
    return parts.assign(image_id=stems, stem=stems)


def flipped_by_counts(overall: pd.Series, part: str) -> list[Finding]:
    """Find a complete label file whose classes have the published numbers in reverse order.

    Args:
        overall: All labels of the file, in the code of `riqa.labels`.
        part: Which file, "train" or "test".
    """
    published = PUBLISHED[part]
    counts = {name: int((overall == code).sum()) for code, name in enumerate(class_names(3))}
    if (counts["good"], counts["usable"], counts["reject"]) != tuple(
        published[name] for name in ("reject", "usable", "good")
    ):
        return []
    name = f"Label_EyeQ_{part}.csv"
    text = (
        f"{name} was already flipped: it says 2 of {counts['reject']} images, as many as are good; {_ADVICE}"
    )
    return [Finding("labels-already-flipped", "error", text, (name,))]


def compare_with_eyeq_d(overall: pd.Series, reference: pd.Series) -> list[Finding]:
    """Compare EyeQ's labels with those that EyeQ-D gives the same images; published, they agree in all 160.

    Args:
        overall: EyeQ's labels by stem, in the code of `riqa.labels`.
        reference: EyeQ-D's labels by stem, in the same code.

    Returns:
        At most one finding: agreement, disagreement, or that EyeQ's files were flipped before.
    """
    both = overall.index.intersection(reference.index)
    if both.empty:
        return []
    ours, theirs = overall[both], reference[both]
    agree, flipped = int((ours == theirs).sum()), int((2 - ours == theirs).sum())
    if flipped > agree:
        text = (
            f"EyeQ's labels were already flipped: {flipped} of {len(both)} equal EyeQ-D's as they stand, "
            f"{agree} after turning them; {_ADVICE}"
        )
        return [Finding("labels-already-flipped", "error", text)]
    if agree < len(both):
        text = f"{len(both) - agree} of {len(both)} labels differ from those of EyeQ-D; published, none does"
        return [Finding("labels-unlike-eyeq-d", "warning", text, tuple(both[ours != theirs]))]
    text = f"all {len(both)} labels of images that EyeQ-D has agree with it once they are turned"
    return [Finding("labels-agree-with-eyeq-d", "info", text)]
