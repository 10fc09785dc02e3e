from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest

from riqa.data.adapters import NAMES, load, read_catalogue
from riqa.data.manifest import COLUMNS
from tests.data.expect import items, refused
from tests.data.layouts import (
    FIVES_ROWS,
    write_deepdrid,
    write_eyeq,
    write_eyeq_d,
    write_fives,
    write_image,
    write_mshf,
    write_table,
)

TRAIN = {f"{patient}_{eye}": "good" for patient in range(10, 40) for eye in ("left", "right")}
WRITE = {
    "eyeq": lambda root: write_eyeq(root, TRAIN, {"871_right": "reject"}),
    "eyeq_d": lambda root: (
        write_eyeq_d(root, [("871_right", 0, 0, 1, 0), ("5_left", 1, 0, 0, 1)]),
        [write_image(root / "test" / f"{stem}.jpeg") for stem in ("871_right", "5_left")],
    ),
    "mshf": lambda root: write_mshf(root, folder="", png_in_ai_use=()),
    "deepdrid": write_deepdrid,
    "fives": lambda root: write_fives(root, FIVES_ROWS | {"test": [("A", 21, 1, 1, 1)]}),
    "table": write_table,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_becomes_the_one_manifest_and_what_is_missing_is_listed(tmp_path, name):
    WRITE[name](tmp_path)
    catalogue, dataset = read_catalogue(name, tmp_path), load(name, tmp_path, strict=True)
    assert tuple(dataset.manifest.columns) == COLUMNS
    assert catalogue.findings == dataset.findings
    assert (catalogue.name, len(catalogue.manifest)) == (dataset.name, len(dataset.manifest))
    assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])
    same, *others = [load(name, tmp_path, seed=seed).manifest["split"].tolist() for seed in (0, 1, 2)]
    assert same == dataset.manifest["split"].tolist()
    drawn = name in ("eyeq", "mshf", "fives", "table")
    assert any(split != same for split in others) == drawn
    lost, stem = dataset.manifest["image_id"].iloc[0], Path(dataset.manifest["path"].iloc[0]).stem
    for path in tmp_path.rglob(f"{stem}.*"):
        path.unlink()
    assert items(load(name, tmp_path), "images-missing") == (stem,)
    with refused(f"1 of {len(catalogue.manifest)} labelled images are missing, e.g. {lost}"):
        load(name, tmp_path, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_folder_that_is_not_there_or_empty_or_barred_is_refused_in_a_line(tmp_path, monkeypatch, name):
    for root in (tmp_path / "nowhere", tmp_path):
        with refused(str(root)):
            read_catalogue(name, root)
    with refused("no dataset named 'EyeQ'; there are eyeq, eyeq_d, mshf, deepdrid, fives, table"):
        read_catalogue("EyeQ", tmp_path)

    def barred(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self / "labels"))

    for method in ("is_file", "is_dir", "iterdir"):
        monkeypatch.setattr(Path, method, barred)
    with refused("labels: no permission to read it; ask its owner"):
        load(name, tmp_path)


def test_a_folder_and_its_labels_are_found_however_their_accents_are_written(tmp_path):
    root = write_table(tmp_path / normalize("NFD", "Größe"))
    (root / "labels.csv").rename(root / normalize("NFD", "Qualität.csv"))
    description = (root / "dataset.yaml").read_text(encoding="utf-8").replace("labels.csv", "Qualität.csv")
    (root / "dataset.yaml").write_text(description, encoding="utf-8")
    assert len(load("table", tmp_path / "Größe", strict=True).manifest) == 40


def change(path, cells, sheet=None):
    """Change cells, (row, column) -> value, of a CSV file or of one sheet of an Excel file; "" has no sheet."""
    if path.suffix == ".csv":
        sheets = {None: pd.read_csv(path, header=None, dtype=object)}
    else:
        sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object)
    for cell, value in cells.items():
        sheets[sheet or next(iter(sheets))].iat[cell] = value
    if path.suffix == ".csv":
        sheets[None].to_csv(path, header=False, index=False)
        return
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, header=False, index=False)


EYEQ, EYEQ_D = "Label_EyeQ_train.csv", "EyeQ-D-Quality-Details.csv"
READERS, AGREED = "Individual_scores.xlsx.xlsx", "MSHF_quality_scores.xlsx"
DEEPDRID, CHALLENGE = "regular-fundus-training.csv", "Challenge2_labels.xlsx"
FIVES = "Quality Assessment.xlsx"


@pytest.mark.parametrize(
    ("name", "file", "sheet", "cells", "message"),
    [
        *(("eyeq", EYEQ, "", {(2, 2): q}, "image 10_right has quality ") for q in (3, "", "good", 0.5)),
        ("eyeq", EYEQ, "", {(2, 2): 3}, "legal: 0, 1, 2; correct it"),
        ("eyeq", EYEQ, "", {(1, 1): "portrait.jpeg"}, "image portrait is not named"),
        ("eyeq", EYEQ, "", {(2, 1): "10_left.png"}, "image 10_left is labelled twice"),
        ("eyeq", EYEQ, "", {(0, 2): "Quality"}, "lacks the column(s) quality (it has: image, Quality, "),
        ("eyeq_d", EYEQ_D, "", {(1, 1): 3}, "image 871_right has overall_quality 3; legal: 0, 1, 2"),
        ("eyeq_d", EYEQ_D, "", {(2, 3): 2}, "image 5_left has clarity 2; legal: 0, 1"),
        ("mshf", READERS, "", {(2, 7): 2}, "image DR-XJU-1 has clarity 2; legal: 0, 1"),
        ("mshf", READERS, "", {(1, 2): "sharp"}, "once per expert: illumination 3 times, clarity 2 times"),
        ("mshf", READERS, "", {(2, 0): "Camera-1.jpg"}, "image Camera-1 is of no known group"),
        ("mshf", AGREED, "Local2", {(0, 3): "x"}, "sheet Local2 must have one column contrast"),
        ("mshf", AGREED, "Local2", {(1, 0): "Local2-2.jpg"}, "image Local2-2 is listed twice"),
        ("mshf", AGREED, "Local2", {(1, 0): "Local1-1.jpg"}, "image Local1-1 has different scores in two"),
        ("deepdrid", DEEPDRID, "", {(1, 3): 2}, "image 1_l1 has Overall quality 2; legal: 0, 1"),
        ("deepdrid", DEEPDRID, "", {(1, 1): "1_x1"}, "image '1_x1' is not named"),
        ("deepdrid", DEEPDRID, "", {(2, 1): "1_l1"}, "image 1_l1 is labelled twice"),
        ("deepdrid", DEEPDRID, "", {(1, 0): 9}, "image 1_l1 has another patient_id"),
        ("deepdrid", CHALLENGE, "", {(0, 1): "Overall"}, "lacks the column(s) Overall quality (it has: im"),
        ("fives", FIVES, "Train", {(1, 2): 2}, "image 1_A has IC 2; legal: 0, 1"),
        ("fives", FIVES, "Train", {(1, 3): None}, "image 1_A has Blur nan; legal: 0, 1"),
        ("fives", FIVES, "Train", {(1, 4): "good"}, "image 1_A has LC good; legal: 0, 1"),
        ("fives", FIVES, "Train", {(1, 0): "X"}, "sheet Train, row 2 has Disease X and Number 1"),
        ("fives", FIVES, "Train", {(1, 1): 0}, "row 2 has Disease A and Number 0; legal: A, D"),
        ("fives", FIVES, "Train", {(1, 1): "7a"}, "row 2 has Disease A and Number 7a; legal"),
        ("fives", FIVES, "Train", {(2, 1): 1}, "image Train 1_A is labelled twice"),
        ("fives", FIVES, "Train", {(0, 4): "C"}, "lacks the column(s) LC (it has: Disease, "),
    ],
)
def test_labels_that_cannot_be_understood_are_refused_in_a_line(tmp_path, name, file, sheet, cells, message):
    WRITE[name](tmp_path)
    (path,) = tmp_path.rglob(file)
    change(path, cells, sheet)
    with refused(message, "" if "group" in message else file):
        read_catalogue(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("eyeq", EYEQ, "lacks the column(s) image, quality"),
        ("eyeq_d", EYEQ_D, "lacks the column(s) file_name"),
        *((name, file, "cannot be read as an Excel file") for name, file in (
            ("mshf", AGREED), ("mshf", READERS), ("deepdrid", CHALLENGE), ("fives", FIVES))),
    ],
)  # fmt: skip
def test_label_files_that_are_no_tables_or_missing_are_refused(tmp_path, name, file, message):
    WRITE[name](tmp_path)
    (path,) = tmp_path.rglob(file)
    path.write_text("no table")
    with refused(file, message):
        read_catalogue(name, tmp_path)
    path.unlink()
    if name != "deepdrid":  # which leaves a split empty, see its own tests
        with refused(file, "holds no " if name == "fives" else "does not exist; download"):
            read_catalogue(name, tmp_path)
