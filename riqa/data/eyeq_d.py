"""EyeQ-D: details of 160 test images of EyeQ, by majority of odd panels of eight experts (section 3.1).

Released with the paper (ltelesco/Semi-Supervised-Multi-Task-Learning-...); the folder is

    EyeQ-D-Quality-Details.csv   file_name, overall_quality, illumination, clarity, contrast (or in data/)
    test/ or images/             the photographs, which are EyeQ's; the folder eyeq/test beside it will do

The code is that of `riqa.labels` already, unlike EyeQ's. Overall quality is EyeQ's label reversed in all
160 rows, so it is no second opinion. The single experts' labels were never released.
"""

from pathlib import Path

import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.eyeq import EYEQ_D_LABELS, compare_with_eyeq_d, read_label_file, split_names
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.sheets import decode, find_file, read_labels
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

PUBLISHED = {"test": {"reject": 33, "usable": 49, "good": 78, "all": 160}}
"""Counted from the label file."""

CALLED_BAD = {
    "reject": {"illumination": 32, "clarity": 27, "contrast": 29},
    "usable": {"illumination": 44, "clarity": 9, "contrast": 22},
    "good": {"illumination": 30, "clarity": 3, "contrast": 4},
}
"""How many photographs of each overall class the panels call bad in each detail, of those in `PUBLISHED`.

Counted from the label file. As shares they are the nine numbers by which a Teacher's level can be set.
"""

CITATION = "telesco2025semi"
LICENCE = "Labels: see the paper's repository. Images: rules of the Kaggle competition."

_PLACES = ("test", "images", "../eyeq/test")
_ADVICE = "download it from the paper's repository (data/)"


def read_eyeq_d(root: Path | str, *, seed: int = 0) -> Catalogue:
    """Read the labels, all of the test split, and which images are in the folder or in EyeQ's beside it.

    Args:
        root: Folder with the label file, or with `data/` that holds it.
        seed: Not used; every adapter takes it.

    Raises:
        InputError: If the label file is missing or unreadable, lacks a column, holds a label outside its
            code, or names an image twice or otherwise than patient and eye.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give the folder with {EYEQ_D_LABELS}")
    path = find_file(root, EYEQ_D_LABELS)
    path = path if path.is_file() or not (root / "data").is_dir() else find_file(root / "data", EYEQ_D_LABELS)
    columns = {"overall_quality": "overall", **{name: name for name in DETAILS}}
    labels = read_labels(path, ("file_name", *columns), _ADVICE)
    stems = labels["file_name"].fillna("").map(lambda name: Path(name).stem)
    table = split_names(stems, path)
    for column, name in columns.items():
        code = {0: 0, 1: 1, 2: 2} if name == "overall" else {0: 0, 1: 1}
        table[name] = decode(labels[column], stems, code, path)
    table = table.assign(dataset="eyeq_d", view="unknown", source="EyePACS", split="test")
    images: dict[str, list[str]] = {}
    named, passed = set(stems), PassedOver()
    for place in _PLACES:
        for stem, paths in images_by_stem(root, place, passed=passed).items():
            if stem in named:  # the rest of EyeQ is no image without a label
                images.setdefault(stem, paths)
    findings = match_images(table, images, "EyeQ-D", passed)
    findings += _compare(root, table)
    return Catalogue(
        name="eyeq_d",
        root=root,
        table=table,
        n_classes=3,
        citation=CITATION,
        licence=LICENCE,
        findings=tuple(findings),
        published=PUBLISHED,
    )


def _compare(root: Path, table: pd.DataFrame) -> list[Finding]:
    """Compare overall quality with EyeQ's label file, where it is near."""
    text = "overall quality is EyeQ's own label, reversed: agreement with EyeQ is no evidence for either"
    findings = [Finding("overall-not-independent", "info", text)]
    for place in ("", "../eyeq"):
        path = find_file(root / place, "Label_EyeQ_test.csv")
        if path.is_file():
            overall = read_label_file(path).set_index("stem")["overall"]
            return findings + compare_with_eyeq_d(overall, table.set_index("stem")["overall"])
    return findings
