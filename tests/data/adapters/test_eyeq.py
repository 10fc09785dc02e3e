import shutil

import numpy as np
import pandas as pd
import pytest

from riqa.data.adapters.eyeq import flipped_by_counts, read_eyeq, read_eyeq_d
from riqa.data.catalogue import to_dataset
from riqa.data.published import BY_DR_GRADE, CALLED_BAD, COUNTS
from riqa.labels import DETAILS, class_names
from tests.data.expect import REAL, finding, items, needs_data, refused, rows_of
from tests.data.layouts import write_eyeq, write_eyeq_d, write_eyeq_labels, write_image

TRAIN = [f"{patient}_{eye}" for patient in range(10, 30) for eye in ("left", "right")]
TEST = {"90_left": "good", "91_left": "usable", "92_left": "reject"}
FLIPPED = {"90_left": "reject", "91_left": "usable", "92_left": "good"}
AGREEING = [("90_left", 2, 1, 1, 1), ("91_left", 1, 0, 1, 1), ("92_left", 0, 0, 0, 0)]
CLASSES = ("good", "good", "good", "usable", "reject")


def write_images(root, part, names):
    for name in names:
        write_image(root / part / name)


@pytest.fixture
def root(tmp_path):
    """Return EyeQ with 20 patients, both eyes each, of which the training part is on disk."""
    write_eyeq(tmp_path, {stem: CLASSES[k % 5] for k, stem in enumerate(TRAIN)}, TEST, images=False)
    write_images(tmp_path, "train", [f"{stem}.jpeg" for stem in TRAIN])
    return tmp_path


def load(root):
    return rows_of(to_dataset(read_eyeq(root)))


def test_reversed_code_is_turned_and_names_are_joined_on_the_stem(root):
    (root / "train" / "10_left.jpeg").rename(root / "train" / "10_left.png")
    (root / "train" / "11_left.jpeg").rename(root / "train" / "11_left.JPG")
    rows = load(root)
    # EyeQ's file says 0 for the good 10_left, 1 for the usable 11_right, 2 for the rejected 12_left.
    names = [class_names(3)[int(rows.loc[i, "overall"])] for i in ("10_left", "11_right", "12_left")]
    assert names == ["good", "usable", "reject"]
    assert rows.loc[["10_left", "11_left"], "path"].tolist() == ["train/10_left.png", "train/11_left.JPG"]
    row = rows.loc["11_right", ["patient_id", "eye", "source", "dataset"]]
    assert row.tolist() == ["11", "right", "EyePACS", "eyeq"]
    assert finding(read_eyeq(root), "code-reversed").severity == "info"


def test_training_images_alone_are_dealt_by_patient_and_own_test_images_stay(root):
    dealt = load(root)
    assert dealt.groupby("patient_id")["split"].nunique().max() == 1
    assert dealt["split"].value_counts().to_dict() == {"train": 24, "test": 12, "val": 4}
    write_images(root, "test", [f"{stem}.jpeg" for stem in TEST])
    rows = load(root)
    assert set(rows.index[rows["split"] == "test"]) == set(TEST)
    assert rows["split"].value_counts().to_dict() == {"train": 36, "val": 4, "test": 3}
    assert rows.groupby("patient_id")["split"].nunique().max() == 1


def test_partial_download_is_loaded_and_reported(root):
    for patient in range(20, 30):
        (root / "train" / f"{patient}_left.jpeg").unlink()
    stems = [*TRAIN, "15337_left", "40764_right"]  # two that upstream fails on, one of them there
    labels = {stem: CLASSES[k % 5] for k, stem in enumerate(stems)}
    write_eyeq_labels(root, "train", labels)
    write_images(root, "train", ["777_left.jpeg", "10_left.png", "15337_left.jpeg"])
    dataset = to_dataset(read_eyeq(root))
    assert len(dataset.manifest) == 31
    said = " | ".join(one.message for one in dataset.findings)
    assert "train: 11 of 42 labelled images are not there" in said
    assert "train: 1 images have no label and are left out, e.g. 777_left" in said
    assert "two endings, e.g. 10_left" in said
    assert items(dataset, "preprocessing-fails") == ("15337_left",)
    assert dataset.manifest["path"].iloc[0] == "train/10_left.jpeg"


def test_missing_folders_and_label_files(root, tmp_path):
    (root / "Label_EyeQ_test.csv").unlink()
    assert len(load(root)) == 40  # that of the test part is not needed without its images
    write_images(root, "test", ["90_left.jpeg"])
    with refused("Label_EyeQ_test.csv does not exist"):
        read_eyeq(root)
    (tmp_path / "empty").mkdir()
    with refused("empty is empty", "put Label_EyeQ_train.csv"):
        read_eyeq(tmp_path / "empty")
    shutil.rmtree(root / "train")
    shutil.rmtree(root / "test")
    with refused("holds none of the 40 labelled images"):
        load(root)
    (root / "Label_EyeQ_train.csv").unlink()
    with refused("Label_EyeQ_train.csv does not exist", "download it"):
        read_eyeq(root)


def test_file_that_was_flipped_before_is_told_by_eyeq_d(root):
    for place in (root, root / "data", root.parent / "eyeq-d", root.parent / "eyeq_d"):
        path = write_eyeq_d(place, AGREEING)
        catalogue = read_eyeq(root)
        assert "all 3 labels" in finding(catalogue, "labels-agree-with-eyeq-d").message
        assert finding(catalogue, "labels-already-flipped") is None
        write_eyeq_labels(root, "test", FLIPPED)
        with refused("already flipped: 3 of 3 equal EyeQ-D's as they stand, 1 after turning them; download"):
            load(root)
        write_eyeq_labels(root, "test", TEST)
        (path / "EyeQ-D-Quality-Details.csv").unlink()
    write_eyeq_d(root, [AGREEING[0], ("91_left", 2, 0, 1, 1), AGREEING[2]])
    told = finding(read_eyeq(root), "labels-unlike-eyeq-d")  # a single disagreement is no flip
    assert (told.severity, told.items) == ("warning", ("91_left",))


def test_complete_file_that_was_flipped_before_is_told_by_its_counts():
    published = COUNTS["eyeq"]["train"]
    right = pd.Series(np.repeat([0.0, 1.0, 2.0], [published[name] for name in class_names(3)]))
    (told,) = flipped_by_counts(2 - right, "train")
    assert told.severity == "error"
    assert "says 2 of 8347 images, as many as are good" in told.message
    assert flipped_by_counts(right, "train") == flipped_by_counts(2 - right[:-1], "train") == []


@pytest.fixture
def beside(tmp_path):
    """Return EyeQ-D beside a folder with EyeQ."""
    write_images(tmp_path, "eyeq/test", [f"{stem}.jpeg" for stem in (*TEST, "5_left")])
    write_eyeq_labels(tmp_path / "eyeq", "test", TEST | {"5_left": "good"})
    return write_eyeq_d(tmp_path / "eyeq-d", AGREEING)


def test_code_of_eyeq_d_is_not_turned_and_images_are_those_of_eyeq_beside(beside):
    dataset = to_dataset(read_eyeq_d(beside))
    rows = rows_of(dataset)
    assert {stem: class_names(3)[int(code)] for stem, code in rows["overall"].items()} == TEST
    assert rows.loc["91_left", list(DETAILS)].tolist() == [0, 1, 1]
    row = rows.loc["90_left", ["path", "patient_id", "eye", "source", "split"]]
    assert row.tolist() == ["../eyeq/test/90_left.jpeg", "90", "left", "EyePACS", "test"]
    assert all((dataset.root / path).is_file() for path in rows["path"])
    assert finding(dataset, "images-unlabelled") is None
    assert finding(dataset, "overall-not-independent").severity == "info"
    assert "all 3 labels" in finding(dataset, "labels-agree-with-eyeq-d").message
    write_eyeq_labels(beside.parent / "eyeq", "test", FLIPPED)
    told = finding(read_eyeq_d(beside), "labels-already-flipped")
    assert told.severity == "error"
    assert "3 of 3 equal EyeQ-D's as they stand, 1 after" in told.message


def test_own_images_come_first_and_labels_may_lie_in_data(beside):
    (beside / "data").mkdir()
    (beside / "EyeQ-D-Quality-Details.csv").rename(beside / "data" / "EyeQ-D-Quality-Details.csv")
    write_image(beside / "images" / "91_left.png")
    write_image(beside / "test" / "92_left.jpg")
    paths = rows_of(read_eyeq_d(beside))["path"].tolist()
    assert paths == ["../eyeq/test/90_left.jpeg", "images/91_left.png", "test/92_left.jpg"]


@needs_data
def test_published_labels_of_eyeq(tmp_path):
    for part in ("train", "test"):
        shutil.copy(REAL / "eyeq" / f"Label_EyeQ_{part}.csv", tmp_path)
    table = read_eyeq(tmp_path).manifest
    assert table["split"].value_counts().to_dict() == {"train": 11289, "val": 1254, "test": 16249}
    for split, published in COUNTS["eyeq"].items():
        rows = table["split"].isin(("train", "val")) == (split == "train")
        counts = {name: int((table.loc[rows, "overall"] == k).sum()) for k, name in enumerate(class_names(3))}
        assert counts | {"all": int(rows.sum())} == published
    assert table.groupby("patient_id")["split"].nunique().max() == 1
    labels = pd.read_csv(tmp_path / "Label_EyeQ_train.csv", index_col=0)
    labels.assign(quality=2 - labels["quality"]).to_csv(tmp_path / "Label_EyeQ_train.csv")
    assert items(read_eyeq(tmp_path), "labels-already-flipped") == ("Label_EyeQ_train.csv",)


def test_photographs_by_grade_of_disease_are_all_photographs():
    for part, by_class in BY_DR_GRADE.items():
        sums = {name: sum(by_grade) for name, by_grade in by_class.items()}
        assert sums | {"all": sum(sums.values())} == COUNTS["eyeq"][part]
        share = {grade: of["reject"] / of.sum() for grade, of in pd.DataFrame(by_class).iterrows()}
        assert min(share, key=share.get) == 1  # what the page says of mild and of proliferative disease
        assert max(share, key=share.get) == 4
        assert share[4] > 0.5 > 0.2 > share[0]


@needs_data
@pytest.mark.parametrize("part", ["train", "test"])
def test_published_photographs_by_grade_of_disease(part):
    labels = pd.read_csv(REAL / "eyeq" / f"Label_EyeQ_{part}.csv")
    named = labels["quality"].map({0: "good", 1: "usable", 2: "reject"})
    counted = pd.crosstab(labels["DR_grade"], named)
    assert {name: tuple(counted[name]) for name in counted} == BY_DR_GRADE[part]


@needs_data
def test_published_labels_of_eyeq_d():
    catalogue = read_eyeq_d(REAL / "eyeq-d")
    table = catalogue.manifest
    named = table["overall"].map(dict(enumerate(class_names(3))))
    assert named.value_counts().to_dict() | {"all": len(table)} == COUNTS["eyeq_d"]["test"]
    assert "all 160 labels" in finding(catalogue, "labels-agree-with-eyeq-d").message
    assert not table[list(DETAILS)].isna().any(axis=None)
    assert (table[list(DETAILS)] == 0).groupby(named).sum().T.to_dict() == CALLED_BAD


def test_the_nine_numbers_are_those_that_are_quoted():
    quoted = {"illumination": (0.970, 0.898, 0.385), "clarity": (0.818, 0.184, 0.038)}
    quoted["contrast"] = (0.879, 0.449, 0.051)
    for detail, shares in quoted.items():
        counted = [CALLED_BAD[name][detail] / COUNTS["eyeq_d"]["test"][name] for name in class_names(3)]
        assert counted == pytest.approx(shares, abs=5e-4)
