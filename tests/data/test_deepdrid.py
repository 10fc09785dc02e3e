import os
from pathlib import Path

import pandas as pd
import pytest

from riqa.data.catalogue import to_dataset
from riqa.data.deepdrid import PUBLISHED, read_deepdrid
from riqa.errors import InputError
from riqa.labels import class_names
from tests.data.layouts import DEEPDRID_PARTS, deepdrid_rows, write_deepdrid, write_image


def found(catalogue, code):
    """Return the finding of a code, or None."""
    return next((finding for finding in catalogue.findings if finding.code == code), None)


def edit(base, part, **columns):
    """Change columns of the label file of a part."""
    path = base.joinpath(*DEEPDRID_PARTS[part])
    excel = path.suffix == ".xlsx"
    frame = (pd.read_excel(path) if excel else pd.read_csv(path)).assign(**columns)
    frame.to_excel(path, index=False) if excel else frame.to_csv(path, index=False)


@pytest.fixture
def base(tmp_path):
    return write_deepdrid(tmp_path)


def test_published_split_and_both_folders(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_deepdrid(root))
        assert dataset.manifest["split"].value_counts().to_dict() == {"train": 20, "val": 8, "test": 8}
        assert dataset.n_classes == 2
        assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])


def test_path_comes_from_patient_and_image_and_not_from_image_path(base):
    manifest = to_dataset(read_deepdrid(base)).manifest.set_index("image_id")
    assert manifest.loc["2_r1", "path"] == "regular-fundus-training/Images/2/2_r1.jpg"
    assert manifest.loc["347_l2", "path"] == "Online-Challenge1&2-Evaluation/Images/347/347_l2.jpg"


def test_columns_are_read_by_name_and_patient_of_the_test_set_from_the_image(tmp_path):
    rows = deepdrid_rows([400]).assign(**{"Overall quality": [1, 1, 0, 0]})
    # By position, the test file's second column would do, but clarity and artifact would be exchanged.
    rows[["Clarity", "Artifact"]] = [[10, 1], [10, 1], [10, 0], [4, 0]]
    base = write_deepdrid(tmp_path, {"train": deepdrid_rows([1]), "val": deepdrid_rows([2]), "test": rows})
    catalogue = read_deepdrid(base)
    test = catalogue.table[catalogue.table["split"] == "test"].set_index("image_id")
    assert test["overall"].to_dict() == {"400_l1": 1, "400_l2": 1, "400_r1": 0, "400_r2": 0}
    assert set(test["patient_id"]) == {"400"}
    assert "400_r1" in found(catalogue, "label-noise").items
    assert not {"400_l1", "400_r2"} & set(found(catalogue, "label-noise").items)


def test_eye_and_view_come_from_the_name_and_details_are_unknown(base):
    table = read_deepdrid(base).table.set_index("image_id")
    assert table.loc["77_r4", ["patient_id", "eye", "view"]].tolist() == ["77", "right", "4"]
    assert table.loc["1_l2", ["patient_id", "eye", "view"]].tolist() == ["1", "left", "2"]
    assert table[["illumination", "clarity", "contrast"]].isna().all(axis=None)


def test_eye_level_labels_are_counted(tmp_path):
    rows = deepdrid_rows([1, 2])  # 1_left, 1_right, 2_left, 2_right
    rows["Overall quality"] = [1, 1, 0, 0, 1, 0, 1, 1]
    rows["Clarity"] = rows["Field definition"] = [4, 4, 6, 6, 8, 8, 1, 1]
    rows["Artifact"] = [0, 0, 1, 4, 0, 0, 1, 1]
    base = write_deepdrid(tmp_path, {"train": rows, "val": deepdrid_rows([3]), "test": deepdrid_rows([4])})
    finding = found(read_deepdrid(base), "eye-level-labels")
    assert "train 3 of 4 eyes (all sub-scores: 3)" in finding.message
    assert finding.items == ("2_left",)


def test_names_that_contradict_the_graded_eye_are_listed(base):
    finding = found(read_deepdrid(base), "laterality-contradiction")
    assert finding.severity == "warning"
    assert finding.items == ("56_r3", "56_l3")
    assert "patients 56)" in finding.message
    # 56 was graded for the two eyes that its rows go by, and so its names share no label in either eye.
    assert {"56_left", "56_right"} <= set(found(read_deepdrid(base), "eye-level-labels").items)


def test_laterality_cannot_be_checked_without_grades(base):
    for part in ("train", "val"):
        edit(base, part, left_eye_DR_Level=None, right_eye_DR_Level=None)
    catalogue = read_deepdrid(base)
    assert found(catalogue, "laterality-contradiction") is None
    assert "cannot be checked" in found(catalogue, "laterality-unchecked").message


def test_odd_views_and_white_surrounds_are_named(base):
    catalogue = read_deepdrid(base)
    assert set(found(catalogue, "views-renumbered").items) == {
        *("77_l3", "77_l4", "77_r3", "77_r4"),
        *("56_l3", "56_r3"),
    }
    white = found(catalogue, "white-surround")
    assert len(white.items) == 8
    assert {item.split("_")[0] for item in white.items} == {"27", "330"}


def test_partial_download(base):
    for path in (base / "regular-fundus-training" / "Images" / "1").iterdir():
        path.unlink()
    catalogue = read_deepdrid(base)
    assert found(catalogue, "images-missing").items == ("1_l1", "1_l2", "1_r1", "1_r2")
    assert len(to_dataset(catalogue).manifest) == 32
    with pytest.raises(InputError, match="4 of 36 labelled images are missing"):
        to_dataset(catalogue, strict=True)


def test_part_without_labels_leaves_a_split_empty(base):
    base.joinpath(*DEEPDRID_PARTS["test"]).unlink()
    catalogue = read_deepdrid(base)
    assert found(catalogue, "labels-missing").severity == "error"
    with pytest.raises(InputError, match=r"Challenge2_labels\.xlsx is not there.*test split"):
        to_dataset(catalogue)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Overall quality": 2}, "image 1_l1 has Overall quality 2; legal: 0, 1"),
        ({"image_id": "1_x1"}, "image '1_x1' is not named"),
        ({"image_id": "1_l1"}, "image 1_l1 is labelled twice"),
        ({"patient_id": 9}, "image 1_l1 has another patient_id"),
    ],
)
def test_wrong_labels_are_refused_in_a_line(base, change, message):
    edit(base, "train", **change)
    with pytest.raises(InputError, match=message) as caught:
        read_deepdrid(base)
    assert "regular-fundus-training.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_label_file_that_is_no_table(base, tmp_path):
    path = base.joinpath(*DEEPDRID_PARTS["test"])
    path.write_text("not a workbook")
    with pytest.raises(InputError, match=r"Challenge2_labels\.xlsx cannot be read as an Excel file"):
        read_deepdrid(base)
    pd.DataFrame({"image_id": ["1_l1"]}).to_excel(path, index=False)
    with pytest.raises(InputError, match=r"lacks the column\(s\) Overall quality, Clarity"):
        read_deepdrid(base)
    with pytest.raises(InputError, match="holds no folder regular-fundus-training"):
        read_deepdrid(tmp_path / "nowhere")


def test_other_files_of_the_archive_do_not_disturb(base):
    folder = base / "regular-fundus-training"
    write_image(folder / "Images" / "1" / "._1_l1.jpg")
    pd.DataFrame({"image_id": ["1_l1"]}).to_csv(folder / "regular-fundus-source-training.csv")
    assert found(read_deepdrid(base), "images-unlabelled") is None


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs the published label files")
def test_published_training_labels():
    catalogue = read_deepdrid(Path(os.environ["RIQA_DATA"]) / "deepdrid")
    counts = catalogue.table["overall"].value_counts()
    names = class_names(2)
    assert {names[int(code)]: n for code, n in counts.items()} | {"all": len(catalogue.table)} == PUBLISHED[
        "train"
    ]
    assert catalogue.table["patient_id"].nunique() == 300
    finding = found(catalogue, "eye-level-labels")
    assert "train 595 of 600 eyes (all sub-scores: 50)" in finding.message
    # The five are those of the patients whose names contradict the graded eye.
    assert {item.split("_")[0] for item in finding.items} == {"56", "164", "167"}
    assert len(found(catalogue, "white-surround").items) == 20
