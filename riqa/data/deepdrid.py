"""DeepDRiD: overall quality of regular fundus photographs, two views per eye (Liu et al., Patterns 2022).

The paper's binary overall set (sections 3.1 and 4.1). The folder, from GitHub (deepdrdoc/DeepDRiD) or Zenodo
(8248825), is

    regular_fundus_images/
      regular-fundus-training/         regular-fundus-training.csv    Images/<patient>/<image>.jpg
      regular-fundus-validation/       regular-fundus-validation.csv  Images/...
      Online-Challenge1&2-Evaluation/  Challenge2_labels.xlsx         Images/...   (the test set)

Beware: overall quality is a verdict on an eye that was copied to its two views (see
`riqa.evaluate.metrics.aggregate_eyes`), the column `image_path` leads nowhere, and illumination and contrast
have no label, so details stay unknown.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.sheets import decode, find_file, read_labels, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

PUBLISHED = {
    "train": {"bad": 624, "good": 576, "all": 1200},
    "val": {"bad": 218, "good": 182, "all": 400},
    "test": {"bad": 220, "good": 180, "all": 400},
}
"""Counted from the label files."""

CITATION = "liu2022deepdrid"
LICENCE = "CC BY-SA 4.0"

PARTS = {
    "train": ("regular-fundus-training", "regular-fundus-training.csv"),
    "val": ("regular-fundus-validation", "regular-fundus-validation.csv"),
    "test": ("Online-Challenge1&2-Evaluation", "Challenge2_labels.xlsx"),
}
"""Split -> its folder and label file."""

WHITE_SURROUND = ("27", "96", "120", "130", "330")
"""Patients whose photographs are reported to have a white surround with a burnt-in index."""

_FOLDER = "regular_fundus_images"
_ADVICE = "download it again from GitHub (deepdrdoc/DeepDRiD)"
_SCORES = ("Clarity", "Field definition", "Artifact")
_GRADES = {"left": "left_eye_DR_Level", "right": "right_eye_DR_Level"}
_IMAGE = r"^(?P<patient_id>\d+)_(?P<eye>[lr])(?P<view>\d+)$"


def read_deepdrid(root: Path | str, *, seed: int = 0) -> Catalogue:
    """Read the labels of the three published parts, and which of their images are in the folder.

    The paper keeps the published split into 1,200, 400 and 400 images (section 3.1).

    Args:
        root: The folder `regular_fundus_images`, or its parent.
        seed: Not used; every adapter takes it.

    Raises:
        InputError: If there is no label file, or one cannot be read, lacks a column, holds a label outside
            its code, or names an image twice or otherwise than <patient>_<l or r><view>.
    """
    base = Path(root)
    base = base / _FOLDER if (base / _FOLDER).is_dir() else base
    if not any((base / folder).is_dir() for folder, _ in PARTS.values()):
        raise InputError(f"{base} holds no folder {PARTS['train'][0]}; give the folder {_FOLDER} of DeepDRiD")
    findings, tables = [], []
    for split, (folder, name) in PARTS.items():
        path = find_file(base / folder, name)
        passed = PassedOver()
        images = images_by_stem(base, f"{folder}/Images", nested=True, passed=passed)
        if not path.is_file():
            text = f"{folder}/{name} is not there, and without it the {split} split is empty; {_ADVICE}"
            findings.append(Finding("labels-missing", "error", text, (f"{folder}/{name}",)))
            continue
        table = _read_part(path).assign(split=split)
        findings += match_images(table, images, split, passed)
        tables.append(table)
    if not tables:
        raise InputError(f"{base}: none of the three label files is there; {_ADVICE}")
    table = pd.concat(tables, ignore_index=True)
    table = table.assign(dataset="deepdrid", source="DeepDRiD", **dict.fromkeys(DETAILS, np.nan))
    return Catalogue(
        name="deepdrid",
        root=base,
        table=table,
        n_classes=2,
        citation=CITATION,
        licence=LICENCE,
        findings=(*findings, *_traps(table)),
        published=PUBLISHED,
    )


def _read_part(path: Path) -> pd.DataFrame:
    """Return one row per image: names, overall quality, the three sub-scores, and which eye was graded."""
    labels = read_labels(path, ("image_id", "Overall quality", *_SCORES), _ADVICE)
    stems = labels["image_id"].fillna("").str.strip()
    table = stems.str.extract(_IMAGE)
    if table["eye"].isna().any():
        name = stems[table["eye"].isna()].iloc[0]
        raise InputError(f"{path}: image {name!r} is not named <patient>_<l or r><view>; correct the name")
    refuse_twice(stems, path)
    if "patient_id" in labels:
        other = pd.to_numeric(labels["patient_id"], errors="coerce") != table["patient_id"].astype(float)
        if other.any():
            raise InputError(
                f"{path}: image {stems[other].iloc[0]} has another patient_id; correct one of them"
            )
    table["eye"] = table["eye"].map({"l": "left", "r": "right"})
    table["overall"] = decode(labels["Overall quality"], stems, {0: 0, 1: 1}, path)
    for name in _SCORES:
        table[name] = pd.to_numeric(labels[name], errors="coerce")
    # Which eye a row's grade of retinopathy is about; unknown where the columns are blank or not there.
    filled = {eye: labels[column].notna() for eye, column in _GRADES.items() if column in labels}
    one = filled["left"] ^ filled["right"] if len(filled) == 2 else pd.Series(False, labels.index)
    table["graded"] = np.where(filled["left"], "left", "right") if len(filled) == 2 else None
    table["graded"] = table["graded"].where(one, None)
    return table.assign(image_id=stems, stem=stems)


def _traps(table: pd.DataFrame) -> list[Finding]:
    """Return what is known to mislead in the labels that were read."""
    findings = [_eye_level(table), _laterality(table)]
    noisy = table[(table["Clarity"] == 10) & (table["Artifact"] == 0) & (table["overall"] == 0)]
    if len(noisy):
        text = f"{len(noisy)} of {len(table)} images have the best clarity, no artifact, and are bad overall"
        findings.append(Finding("label-noise", "info", text, tuple(noisy["image_id"])))
    odd = table.loc[~table["view"].isin(["1", "2"]), "image_id"]
    if len(odd):
        text = f"{len(odd)} images are numbered otherwise than view 1 and 2; the number is kept as the view"
        findings.append(Finding("views-renumbered", "info", text, tuple(odd)))
    white = table[table["patient_id"].isin(WHITE_SURROUND)]
    if len(white):
        text = (
            f"{len(white)} images are of patients ({', '.join(white['patient_id'].unique())}) reported to "
            "have a white surround with a burnt-in index; look at their crops"
        )
        findings.append(Finding("white-surround", "info", text, tuple(white["image_id"])))
    return findings


def _eye_level(table: pd.DataFrame) -> Finding:
    """Count by split the eyes whose views share the overall label, and those that share all sub-scores."""
    parts, contradict = [], []
    for split, rows in table.groupby("split", sort=False):
        eyes = rows.groupby(["patient_id", "eye"])
        overall = eyes["overall"].nunique() == 1
        scores = (eyes[list(_SCORES)].nunique() == 1).all(axis=1)
        parts.append(f"{split} {overall.sum()} of {len(overall)} eyes (all sub-scores: {scores.sum()})")
        contradict += [f"{patient}_{eye}" for patient, eye in overall.index[~overall]]
    text = (
        "overall quality belongs to the eye and was copied to its views: they share it in "
        f"{', '.join(parts)}; report results per eye beside those per image"
    )
    return Finding("eye-level-labels", "info", text, tuple(contradict))


def _laterality(table: pd.DataFrame) -> Finding:
    """Compare left and right in the names with the eye that was graded."""
    known = table["graded"].notna()
    if not known.any():
        text = "whether left and right in the names are right cannot be checked: no eye's grade is filled in"
        return Finding("laterality-unchecked", "info", text)
    wrong = table[known & (table["graded"] != table["eye"])]
    if wrong.empty:
        text = f"left and right in the names agree with the graded eye in all {known.sum()} images that tell"
        return Finding("laterality-checked", "info", text)
    patients = ", ".join(wrong["patient_id"].unique())
    text = (
        f"{len(wrong)} of the {known.sum()} images that tell (patients {patients}) are named for one eye and "
        "graded for the other; the name is used"
    )
    return Finding("laterality-contradiction", "warning", text, tuple(wrong["image_id"]))
