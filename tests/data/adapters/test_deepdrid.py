import shutil

import pandas as pd
import pytest

from riqa.data.adapters.deepdrid import read_deepdrid
from riqa.data.catalogue import to_dataset
from riqa.data.published import COUNTS
from riqa.labels import DETAILS, class_names
from tests.data.expect import REAL, finding, items, needs_data, refused, rows_of
from tests.data.layouts import DEEPDRID_PARTS, deepdrid_rows, write_deepdrid, write_image


@pytest.fixture
def base(tmp_path):
    return write_deepdrid(tmp_path)


def test_published_split_and_paths_from_patient_and_image_and_not_from_image_path(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_deepdrid(root))
        rows = rows_of(dataset)
        assert rows["split"].value_counts().to_dict() == {"train": 20, "val": 8, "test": 8}
        assert dataset.n_classes == 2
        assert rows.loc["2_r1", "path"] == "regular-fundus-training/Images/2/2_r1.jpg"
        assert rows.loc["347_l2", "path"] == "Online-Challenge1&2-Evaluation/Images/347/347_l2.jpg"
        assert rows.loc["77_r4", ["patient_id", "eye", "view"]].tolist() == ["77", "right", "4"]
        assert rows.loc["1_l2", ["patient_id", "eye", "view"]].tolist() == ["1", "left", "2"]
        assert rows[list(DETAILS)].isna().all(axis=None)


def test_columns_are_read_by_name_and_eye_level_labels_are_counted(tmp_path):
    train, test = deepdrid_rows([1, 4]), deepdrid_rows([400])  # 1_left, 1_right, 4_left, 4_right
    train["Overall quality"] = [1, 1, 0, 0, 1, 0, 1, 1]
    train["Clarity"] = train["Field definition"] = [4, 4, 6, 6, 8, 8, 1, 1]
    train["Artifact"] = [0, 0, 1, 4, 0, 0, 1, 1]
    # By position, the test file's second column would do, but clarity and artifact would be exchanged.
    test["Overall quality"] = [1, 1, 0, 0]
    test[["Clarity", "Artifact"]] = [[10, 1], [10, 1], [10, 0], [4, 0]]
    parts = {"train": train, "val": deepdrid_rows([2]), "test": test}
    catalogue = read_deepdrid(write_deepdrid(tmp_path, parts))
    rows = catalogue.manifest[catalogue.manifest["split"] == "test"].set_index("image_id")
    assert rows["overall"].to_dict() == {"400_l1": 1, "400_l2": 1, "400_r1": 0, "400_r2": 0}
    assert set(rows["patient_id"]) == {"400"}
    assert set(items(catalogue, "label-noise")) & set(rows.index) == {"400_r1"}
    told = finding(catalogue, "eye-level-labels")
    assert "train 3 of 4 eyes (all sub-scores: 3)" in told.message
    assert told.items[:1] == ("4_left",)


def test_names_that_contradict_the_graded_eye_odd_views_and_white_surrounds_are_listed(base):
    catalogue = read_deepdrid(base)
    told = finding(catalogue, "laterality-contradiction")
    assert (told.severity, told.items) == ("warning", ("56_r3", "56_l3"))
    assert "patients 56)" in told.message
    # 56 was graded for the two eyes that its rows go by, and so its names share no label in either eye.
    assert {"56_left", "56_right"} <= set(items(catalogue, "eye-level-labels"))
    odd = {"77_l3", "77_l4", "77_r3", "77_r4", "56_l3", "56_r3"}
    assert set(items(catalogue, "views-renumbered")) == odd
    white = items(catalogue, "white-surround")
    assert (len(white), {item.split("_")[0] for item in white}) == (8, {"27", "330"})
    for part in ("train", "val"):  # without grades
        path = base.joinpath(*DEEPDRID_PARTS[part])
        blank = {"left_eye_DR_Level": None, "right_eye_DR_Level": None}
        pd.read_csv(path).assign(**blank).to_csv(path, index=False)
    catalogue = read_deepdrid(base)
    assert finding(catalogue, "laterality-contradiction") is None
    assert "cannot be checked" in finding(catalogue, "laterality-unchecked").message


def test_partial_download_other_files_and_a_part_without_labels(base):
    folder = base / "regular-fundus-training"
    shutil.rmtree(folder / "Images" / "1")
    write_image(folder / "Images" / "2" / "._2_l1.jpg")
    pd.DataFrame({"image_id": ["1_l1"]}).to_csv(folder / "regular-fundus-source-training.csv")
    catalogue = read_deepdrid(base)
    assert items(catalogue, "images-missing") == ("1_l1", "1_l2", "1_r1", "1_r2")
    assert finding(catalogue, "images-unlabelled") is None
    assert len(to_dataset(catalogue).manifest) == 32
    with refused("holds no folder regular-fundus-training"):
        read_deepdrid(base / "nowhere")
    base.joinpath(*DEEPDRID_PARTS["test"]).unlink()
    with refused("Challenge2_labels.xlsx is not there", "the test split is empty"):
        to_dataset(read_deepdrid(base))
    for part in ("train", "val"):
        base.joinpath(*DEEPDRID_PARTS[part]).unlink()
    with refused("none of the three label files is there"):
        read_deepdrid(base)


@needs_data
def test_published_training_labels():
    catalogue = read_deepdrid(REAL / "deepdrid")
    table = catalogue.manifest
    counts = table["overall"].map(dict(enumerate(class_names(2)))).value_counts().to_dict()
    assert counts | {"all": len(table)} == COUNTS["deepdrid"]["train"]
    assert table["patient_id"].nunique() == 300
    told = finding(catalogue, "eye-level-labels")
    assert "train 595 of 600 eyes (all sub-scores: 50)" in told.message
    # The five are those of the patients whose names contradict the graded eye.
    assert {item.split("_")[0] for item in told.items} == {"56", "164", "167"}
    assert len(items(catalogue, "white-surround")) == 20
