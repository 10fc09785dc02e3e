from pathlib import Path
from unicodedata import normalize

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
    catalogue, again = (read_catalogue(name, tmp_path, seed=3) for _ in range(2))
    assert catalogue.table.equals(again.table)
    assert catalogue.findings == again.findings
    dataset = load(name, tmp_path, seed=3, strict=True)
    assert tuple(dataset.manifest.columns) == COLUMNS
    assert len(dataset.manifest) == len(catalogue.table)
    assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])
    assert dataset.name == catalogue.name
    assert set(catalogue.published) <= {"train", "val", "test"}
    splits = [load(name, tmp_path, seed=seed).manifest["split"].tolist() for seed in range(4)]
    drawn = name in ("eyeq", "mshf", "fives", "table")
    assert any(split != splits[0] for split in splits) == drawn
    lost, stem = dataset.manifest["image_id"].iloc[0], Path(dataset.manifest["path"].iloc[0]).stem
    for path in tmp_path.rglob(f"{stem}.*"):
        path.unlink()
    assert items(load(name, tmp_path), "images-missing") == (stem,)
    with refused(f"1 of {len(catalogue.table)} labelled images are missing, e.g. {lost}"):
        load(name, tmp_path, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_folder_that_is_not_there_or_empty_or_barred_is_refused_in_a_line(tmp_path, monkeypatch, name):
    for root in (tmp_path / "nowhere", tmp_path):
        with refused(str(root)):
            read_catalogue(name, root)

    def barred(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self / "labels"))

    for method in ("is_file", "is_dir", "iterdir"):
        monkeypatch.setattr(Path, method, barred)
    with refused("labels: no permission to read it; ask its owner"):
        load(name, tmp_path)


def test_unknown_name_lists_those_there_are():
    with refused("no dataset named 'EyeQ'; there are eyeq, eyeq_d, mshf, deepdrid, fives, table"):
        read_catalogue("EyeQ", ".")


def test_a_folder_and_its_labels_are_found_however_their_accents_are_written(tmp_path):
    root = write_table(tmp_path / normalize("NFD", "Größe"))
    (root / "labels.csv").rename(root / normalize("NFD", "Qualität.csv"))
    description = (root / "dataset.yaml").read_text(encoding="utf-8").replace("labels.csv", "Qualität.csv")
    (root / "dataset.yaml").write_text(description, encoding="utf-8")
    assert len(load("table", tmp_path / "Größe", strict=True).manifest) == 40
