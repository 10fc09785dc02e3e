from pathlib import Path
from unicodedata import normalize

import pytest

from riqa.data.adapters import NAMES, load, read_catalogue
from riqa.data.manifest import COLUMNS
from riqa.errors import InputError
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


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Return a folder of every dataset in its publisher's layout."""
    root = tmp_path_factory.mktemp("data")
    write_eyeq(root / "eyeq", TRAIN, {"871_right": "reject"})
    write_eyeq_d(root / "eyeq_d", [("871_right", 0, 0, 1, 0)])
    write_mshf(root / "mshf")
    write_deepdrid(root / "deepdrid")
    write_fives(root / "fives")
    write_table(root / "table")
    return root


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_becomes_the_one_manifest(roots, name):
    catalogue = read_catalogue(name, roots / name)
    dataset = load(name, roots / name, strict=True)
    assert tuple(dataset.manifest.columns) == COLUMNS
    assert len(dataset.manifest) == len(catalogue.table)
    assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])
    assert dataset.name == catalogue.name
    assert set(catalogue.published) <= {"train", "val", "test"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_catalogue(roots, name):
    first, again = (read_catalogue(name, roots / name, seed=3) for _ in range(2))
    assert first.table.equals(again.table)
    assert first.findings == again.findings


@pytest.mark.parametrize("name", ["eyeq", "mshf", "fives", "table"])
def test_the_seed_is_alive_where_splits_are_dealt(roots, name):
    splits = [load(name, roots / name, seed=seed).manifest["split"].tolist() for seed in range(4)]
    assert any(split != splits[0] for split in splits)


@pytest.mark.parametrize("name", NAMES)
def test_missing_images_are_listed_and_refused_only_if_strict(tmp_path, name):
    build = {
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
    build[name](tmp_path)
    dataset = load(name, tmp_path, strict=True)
    lost = dataset.manifest["image_id"].iloc[0]
    stem = Path(dataset.manifest["path"].iloc[0]).stem
    for path in tmp_path.rglob(f"{stem}.*"):
        path.unlink()
    missing = [f for f in load(name, tmp_path).findings if f.code == "images-missing"]
    assert [finding.items for finding in missing] == [(stem,)]
    with pytest.raises(InputError, match=f"1 of .* labelled images are missing, e.g. {lost}"):
        load(name, tmp_path, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_folder_that_is_not_there_or_empty_is_refused_in_a_line(tmp_path, name):
    for root in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError) as caught:
            read_catalogue(name, root)
        assert "\n" not in str(caught.value)
        assert str(root) in str(caught.value)


def test_unknown_name_lists_those_there_are():
    with pytest.raises(
        InputError, match="no dataset named 'EyeQ'; there are eyeq, eyeq_d, mshf, deepdrid, fives, table"
    ):
        read_catalogue("EyeQ", ".")


def test_a_folder_and_its_labels_are_found_however_their_accents_are_written(tmp_path):
    root = write_table(tmp_path / normalize("NFD", "Größe"))
    (root / "labels.csv").rename(root / normalize("NFD", "Qualität.csv"))
    description = (root / "dataset.yaml").read_text(encoding="utf-8").replace("labels.csv", "Qualität.csv")
    (root / "dataset.yaml").write_text(description, encoding="utf-8")
    assert len(load("table", tmp_path / "Größe", strict=True).manifest) == 40


@pytest.mark.parametrize("name", NAMES)
def test_labels_that_nobody_lets_us_read_are_named(tmp_path, monkeypatch, name):
    def barred(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self / "labels"))

    for method in ("is_file", "is_dir", "iterdir"):
        monkeypatch.setattr(Path, method, barred)
    with pytest.raises(InputError, match=r"labels: no permission to read it; ask its owner"):
        load(name, tmp_path)
