"""DeepDRiD: overall quality of regular fundus photographs, two views per eye (Liu et al., Patterns 2022).

The paper's binary overall set (sections 3.1 and 4.1). The folder, from GitHub (deepdrdoc/DeepDRiD) or Zenodo
(8248825), is

    regular_fundus_images/
      regular-fundus-training/         regular-fundus-training.csv    Images/<patient>/<image>.jpg
      regular-fundus-validation/       regular-fundus-validation.csv  Images/...
      Online-Challenge1&2-Evaluation/  Challenge2_labels.xlsx         Images/...   (the test set)

Beware: overall quality is a verdict on an eye that was copied to its two views, the column `image_path` leads
nowhere, and illumination and contrast have no label, so details stay unknown.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.findings import Finding, found
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import Dataset
from riqa.data.published import TERMS
from riqa.data.sheets import decode, find_file, read_labels, refuse, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

_PARTS = {
    "train": ("regular-fundus-training", "regular-fundus-training.csv"),
    "val": ("regular-fundus-validation", "regular-fundus-validation.csv"),
    "test": ("Online-Challenge1&2-Evaluation", "Challenge2_labels.xlsx"),
}
_FOLDER = "regular_fundus_images"
_ADVICE = "download it again from GitHub (deepdrdoc/DeepDRiD)"
_SCORES = ["Clarity", "Field definition", "Artifact"]
_GRADES = ("left_eye_DR_Level", "right_eye_DR_Level")
_NAMED = r"^(?P<patient_id>\d+)_(?P<eye>[lr])(?P<view>\d+)$"
_WHITE_SURROUND = ("27", "96", "120", "130", "330")  # patients, as reported by users of the set


def read_deepdrid(root: Path, *, seed: int = 0) -> Dataset:
    """Read the labels of the three parts, and which of their images are in the folder or in the one below it.

    The paper keeps the published split into 1,200, 400 and 400 images (section 3.1).
    """
    base = root / _FOLDER if (root / _FOLDER).is_dir() else root
    if not any((base / folder).is_dir() for folder, _ in _PARTS.values()):
        first = _PARTS["train"][0]
        raise InputError(f"{base} holds no folder {first}; give the folder {_FOLDER} of DeepDRiD")
    findings, tables = [], []
    for split, (folder, name) in _PARTS.items():
        path, passed = find_file(base / folder, name), PassedOver()
        if not path.is_file():
            text = f"{folder}/{name} is not there, and without it the {split} split is empty; {_ADVICE}"
            findings.append(Finding("labels-missing", "error", text, (f"{folder}/{name}",)))
            continue
        tables.append(_read_part(path).assign(split=split))
        images = images_by_stem(base, f"{folder}/Images", passed, nested=True)
        findings += match_images(tables[-1], images, split, passed)
    if not tables:
        raise InputError(f"{base}: none of the three label files is there; {_ADVICE}")
    table = pd.concat(tables, ignore_index=True)
    table = table.assign(dataset="deepdrid", source="DeepDRiD", **dict.fromkeys(DETAILS, np.nan))
    findings = (*findings, _eye_level(table), _laterality(table), *_oddities(table))
    return Dataset("deepdrid", base, table, 2, *TERMS["deepdrid"], findings)


def _read_part(path: Path) -> pd.DataFrame:
    """Return one row per image: names, overall quality, the three sub-scores, and which eye was graded."""
    labels = read_labels(path, ("image_id", "Overall quality", *_SCORES), _ADVICE)
    stems = labels["image_id"].fillna("").str.strip()
    table = stems.str.extract(_NAMED)
    odd = f"{path}: image {{}} is not named <patient>_<l or r><view>; correct the name"
    refuse(stems[table["eye"].isna()].map(repr), odd)
    refuse_twice(stems, path)
    told = pd.to_numeric(labels.get("patient_id", table["patient_id"]), errors="coerce")
    other = told != table["patient_id"].astype(float)
    refuse(stems[other], f"{path}: image {{}} has another patient_id; correct one of them")
    table["eye"] = table["eye"].map({"l": "left", "r": "right"})
    table["overall"] = decode(labels["Overall quality"], stems, {0: 0, 1: 1}, path)
    table[_SCORES] = labels[_SCORES].apply(pd.to_numeric, errors="coerce")
    # Which eye a row's grade of retinopathy is about; unknown where columns are blank or not there.
    both = set(_GRADES) <= set(labels)
    left, right = labels.reindex(columns=_GRADES).notna().to_numpy().T & both
    table["graded"] = np.select([left & ~right, right & ~left], ["left", "right"], "")
    return table.assign(image_id=stems, stem=stems)


def _oddities(table: pd.DataFrame) -> list[Finding]:
    """Return what is known to mislead in single images."""
    ids, white = table["image_id"], table[table["patient_id"].isin(_WHITE_SURROUND)]
    noisy = (table["Clarity"] == 10) & (table["Artifact"] == 0) & (table["overall"] == 0)
    best = f"{{n}} of {len(table)} images have the best clarity, no artifact, and are bad overall"
    view = "{n} images are numbered otherwise than view 1 and 2; the number is kept as the view"
    surround = f"{{n}} images are of patients ({', '.join(white['patient_id'].unique())}) reported to have "
    surround += "a white surround with a burnt-in index; look at their crops"
    return [
        *found("label-noise", "info", ids[noisy], best),
        *found("views-renumbered", "info", ids[~table["view"].isin(["1", "2"])], view),
        *found("white-surround", "info", white["image_id"], surround),
    ]


def _eye_level(table: pd.DataFrame) -> Finding:
    """Count by split the eyes whose views share the overall label, and those that share all sub-scores."""
    parts, contradict = [], []
    for split, rows in table.groupby("split", sort=False):
        alike = rows.groupby(["patient_id", "eye"])[["overall", *_SCORES]].nunique() == 1
        scores, overall = alike[_SCORES].all(axis=1).sum(), alike["overall"]
        parts.append(f"{split} {overall.sum()} of {len(alike)} eyes (all sub-scores: {scores})")
        contradict += map("_".join, overall.index[~overall])
    text = "overall quality belongs to the eye and was copied to its views: they share it in "
    text += f"{', '.join(parts)}; report results per eye beside those per image"
    return Finding("eye-level-labels", "info", text, tuple(contradict))


def _laterality(table: pd.DataFrame) -> Finding:
    """Compare left and right in the names with the eye that was graded."""
    tell = table[table["graded"] != ""]
    wrong = tell[tell["graded"] != tell["eye"]]
    if tell.empty:
        text = "whether left and right in the names are right cannot be checked: no eye's grade is filled in"
        return Finding("laterality-unchecked", "info", text)
    if wrong.empty:
        text = f"left and right in the names agree with the graded eye in all {len(tell)} images that tell"
        return Finding("laterality-checked", "info", text)
    patients = ", ".join(wrong["patient_id"].unique())
    text = f"{len(wrong)} of the {len(tell)} images that tell (patients {patients}) are named for one eye"
    text += " and graded for the other; the name is used"
    return Finding("laterality-contradiction", "warning", text, tuple(wrong["image_id"]))
