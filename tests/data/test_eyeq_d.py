import os
from pathlib import Path

import pandas as pd
import pytest

from riqa.data.catalogue import to_dataset
from riqa.data.eyeq_d import CALLED_BAD, PUBLISHED, read_eyeq_d
from riqa.errors import InputError
from riqa.labels import class_names
from tests.data.layouts import write_eyeq_d, write_eyeq_labels, write_image

ROWS = [("871_right", 0, 0, 1, 0), ("18_left", 1, 1, 0, 1), ("44_left", 2, 0, 1, 1)]
EYEQ = {"871_right": "reject", "18_left": "usable", "44_left": "good", "5_left": "good"}


def found(catalogue, code):
    """Return the finding of a code, or None."""
    return next((finding for finding in catalogue.findings if finding.code == code), None)


@pytest.fixture
def root(tmp_path):
    """Return EyeQ-D beside a folder with EyeQ."""
    write_eyeq_labels(tmp_path / "eyeq", "test", EYEQ)
    for stem in EYEQ:
        write_image(tmp_path / "eyeq" / "test" / f"{stem}.jpeg")
    return write_eyeq_d(tmp_path / "eyeq-d", ROWS)


def test_code_is_not_turned(root):
    table = read_eyeq_d(root).table.set_index("image_id")
    names = [class_names(3)[int(table.loc[stem, "overall"])] for stem, *_ in ROWS]
    assert names == ["reject", "usable", "good"]
    assert table.loc["871_right", ["illumination", "clarity", "contrast"]].tolist() == [0, 1, 0]


def test_all_are_test_images_of_eyeq_found_in_the_folder_beside(root):
    dataset = to_dataset(read_eyeq_d(root))
    assert set(dataset.manifest["split"]) == {"test"}
    assert dataset.manifest["path"].tolist()[0] == "../eyeq/test/871_right.jpeg"
    assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])
    assert found(dataset, "images-unlabelled") is None
    row = dataset.manifest.set_index("image_id").loc["871_right"]
    assert (row["patient_id"], row["eye"], row["source"]) == ("871", "right", "EyePACS")


def test_own_images_come_first_and_labels_may_lie_in_data(root):
    (root / "data").mkdir()
    (root / "EyeQ-D-Quality-Details.csv").rename(root / "data" / "EyeQ-D-Quality-Details.csv")
    write_image(root / "images" / "18_left.png")
    write_image(root / "test" / "44_left.jpg")
    table = read_eyeq_d(root).table.set_index("image_id")
    assert table["path"].to_dict() == {
        "871_right": "../eyeq/test/871_right.jpeg",
        "18_left": "images/18_left.png",
        "44_left": "test/44_left.jpg",
    }


def test_agreement_with_eyeq_is_no_evidence_and_a_flipped_eyeq_is_told(root):
    catalogue = read_eyeq_d(root)
    assert found(catalogue, "overall-not-independent").severity == "info"
    assert "all 3 labels" in found(catalogue, "labels-agree-with-eyeq-d").message
    swap = {"good": "reject", "reject": "good", "usable": "usable"}
    write_eyeq_labels(root.parent / "eyeq", "test", {stem: swap[name] for stem, name in EYEQ.items()})
    finding = found(read_eyeq_d(root), "labels-already-flipped")
    assert finding.severity == "error"
    assert "3 of 3 equal EyeQ-D's as they stand, 1 after" in finding.message


def test_missing_images_and_wrong_labels(root):
    (root.parent / "eyeq" / "test" / "18_left.jpeg").unlink()
    assert found(read_eyeq_d(root), "images-missing").items == ("18_left",)
    write_eyeq_d(root, [*ROWS, ("7_left", 3, 0, 0, 0)])
    with pytest.raises(InputError, match="image 7_left has overall_quality 3; legal: 0, 1, 2"):
        read_eyeq_d(root)
    write_eyeq_d(root, [*ROWS, ("7_left", 2, 0, 2, 0)])
    with pytest.raises(InputError, match="image 7_left has clarity 2; legal: 0, 1"):
        read_eyeq_d(root)
    (root / "EyeQ-D-Quality-Details.csv").unlink()
    with pytest.raises(InputError, match=r"EyeQ-D-Quality-Details\.csv does not exist; download"):
        read_eyeq_d(root)
    with pytest.raises(InputError, match="does not exist or is no folder"):
        read_eyeq_d(root / "nowhere")


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs the published label files")
def test_published_labels():
    catalogue = read_eyeq_d(Path(os.environ["RIQA_DATA"]) / "eyeq-d")
    counts = {name: int((catalogue.table["overall"] == k).sum()) for k, name in enumerate(class_names(3))}
    assert counts | {"all": len(catalogue.table)} == PUBLISHED["test"]
    bad = catalogue.table["illumination"] == 0
    assert (bad.sum(), (bad & (catalogue.table["overall"] == 2)).sum()) == (106, 30)
    assert "all 160 labels" in found(catalogue, "labels-agree-with-eyeq-d").message
    assert not pd.isna(catalogue.table[["illumination", "clarity", "contrast"]]).any(axis=None)


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs the published label files")
def test_the_nine_numbers_are_counted_again_from_the_label_file():
    rows = pd.read_csv(Path(os.environ["RIQA_DATA"]) / "eyeq-d" / "EyeQ-D-Quality-Details.csv")
    for code, name in enumerate(class_names(3)):
        own = rows[rows["overall_quality"] == code]
        assert {detail: int((own[detail] == 0).sum()) for detail in CALLED_BAD[name]} == CALLED_BAD[name]


def test_the_nine_numbers_are_those_that_are_quoted():
    quoted = {"illumination": (0.970, 0.898, 0.385), "clarity": (0.818, 0.184, 0.038)}
    quoted["contrast"] = (0.879, 0.449, 0.051)
    for detail, shares in quoted.items():
        counted = [CALLED_BAD[name][detail] / PUBLISHED["test"][name] for name in class_names(3)]
        assert counted == pytest.approx(shares, abs=5e-4)
