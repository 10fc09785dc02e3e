import shutil

import pandas as pd
import pytest

from riqa.data.adapters.deepdrid import read_deepdrid
from riqa.data.catalogue import to_dataset
from riqa.data.published import COUNTS
from riqa.labels import DETAILS, class_names
from tests.data.expect import REAL, finding, items, needs_data, refused
from tests.data.layouts import DEEPDRID_PARTS, deepdrid_rows, write_deepdrid, write_image


def edit(base, part, **columns):
    """Change columns of the label file of a part."""
    path = base.joinpath(*DEEPDRID_PARTS[part])
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def with_rows(root, **parts):
    rows = {"train": deepdrid_rows([1]), "val": deepdrid_rows([2]), "test": deepdrid_rows([3])}
    return read_deepdrid(write_deepdrid(root, rows | parts))


@pytest.fixture
def base(tmp_path):
    return write_deepdrid(tmp_path)


def test_published_split_and_paths_from_patient_and_image_and_not_from_image_path(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_deepdrid(root))
        rows = dataset.manifest.set_index("image_id")
        assert rows["split"].value_counts().to_dict() == {"train": 20, "val": 8, "test": 8}
        assert dataset.n_classes == 2
        assert all((dataset.root / path).is_file() for path in rows["path"])
        assert rows.loc["2_r1", "path"] == "regular-fundus-training/Images/2/2_r1.jpg"
        assert rows.loc["347_l2", "path"] == "Online-Challenge1&2-Evaluation/Images/347/347_l2.jpg"
        assert rows.loc["77_r4", ["patient_id", "eye", "view"]].tolist() == ["77", "right", "4"]
        assert rows.loc["1_l2", ["patient_id", "eye", "view"]].tolist() == ["1", "left", "2"]
        assert rows[list(DETAILS)].isna().all(axis=None)


def test_columns_are_read_by_name_and_patient_of_the_test_set_from_the_image(tmp_path):
    rows = deepdrid_rows([400]).assign(**{"Overall quality": [1, 1, 0, 0]})
    # By position, the test file's second column would do, but clarity and artifact would be exchanged.
    rows[["Clarity", "Artifact"]] = [[10, 1], [10, 1], [10, 0], [4, 0]]
    catalogue = with_rows(tmp_path, test=rows)
    test = catalogue.table[catalogue.table["split"] == "test"].set_index("image_id")
    assert test["overall"].to_dict() == {"400_l1": 1, "400_l2": 1, "400_r1": 0, "400_r2": 0}
    assert set(test["patient_id"]) == {"400"}
    assert set(items(catalogue, "label-noise")) & set(test.index) == {"400_r1"}


def test_eye_level_labels_are_counted(tmp_path):
    rows = deepdrid_rows([1, 4])  # 1_left, 1_right, 4_left, 4_right
    rows["Overall quality"] = [1, 1, 0, 0, 1, 0, 1, 1]
    rows["Clarity"] = rows["Field definition"] = [4, 4, 6, 6, 8, 8, 1, 1]
    rows["Artifact"] = [0, 0, 1, 4, 0, 0, 1, 1]
    told = finding(with_rows(tmp_path, train=rows), "eye-level-labels")
    assert "train 3 of 4 eyes (all sub-scores: 3)" in told.message
    assert told.items == ("4_left",)


def test_names_that_contradict_the_graded_eye_are_listed_if_grades_are_there(base):
    told = finding(read_deepdrid(base), "laterality-contradiction")
    assert (told.severity, told.items) == ("warning", ("56_r3", "56_l3"))
    assert "patients 56)" in told.message
    # 56 was graded for the two eyes that its rows go by, and so its names share no label in either eye.
    assert {"56_left", "56_right"} <= set(items(read_deepdrid(base), "eye-level-labels"))
    for part in ("train", "val"):
        edit(base, part, left_eye_DR_Level=None, right_eye_DR_Level=None)
    catalogue = read_deepdrid(base)
    assert finding(catalogue, "laterality-contradiction") is None
    assert "cannot be checked" in finding(catalogue, "laterality-unchecked").message


def test_odd_views_and_white_surrounds_are_named(base):
    catalogue = read_deepdrid(base)
    odd = {"77_l3", "77_l4", "77_r3", "77_r4", "56_l3", "56_r3"}
    assert set(items(catalogue, "views-renumbered")) == odd
    white = items(catalogue, "white-surround")
    assert len(white) == 8
    assert {item.split("_")[0] for item in white} == {"27", "330"}


def test_partial_download_and_part_without_labels(base):
    shutil.rmtree(base / "regular-fundus-training" / "Images" / "1")
    catalogue = read_deepdrid(base)
    assert items(catalogue, "images-missing") == ("1_l1", "1_l2", "1_r1", "1_r2")
    assert len(to_dataset(catalogue).manifest) == 32
    with refused("4 of 36 labelled images are missing"):
        to_dataset(catalogue, strict=True)
    with refused("holds no folder regular-fundus-training"):
        read_deepdrid(base / "nowhere")
    base.joinpath(*DEEPDRID_PARTS["test"]).unlink()
    catalogue = read_deepdrid(base)
    assert finding(catalogue, "labels-missing").severity == "error"
    with refused("Challenge2_labels.xlsx is not there", "the test split is empty"):
        to_dataset(catalogue)


def test_other_files_of_the_archive_do_not_disturb(base):
    folder = base / "regular-fundus-training"
    write_image(folder / "Images" / "1" / "._1_l1.jpg")
    pd.DataFrame({"image_id": ["1_l1"]}).to_csv(folder / "regular-fundus-source-training.csv")
    assert finding(read_deepdrid(base), "images-unlabelled") is None


@needs_data
def test_published_training_labels():
    catalogue = read_deepdrid(REAL / "deepdrid")
    table = catalogue.table
    counts = table["overall"].map(dict(enumerate(class_names(2)))).value_counts().to_dict()
    assert counts | {"all": len(table)} == COUNTS["deepdrid"]["train"]
    assert table["patient_id"].nunique() == 300
    told = finding(catalogue, "eye-level-labels")
    assert "train 595 of 600 eyes (all sub-scores: 50)" in told.message
    # The five are those of the patients whose names contradict the graded eye.
    assert {item.split("_")[0] for item in told.items} == {"56", "164", "167"}
    assert len(items(catalogue, "white-surround")) == 20
