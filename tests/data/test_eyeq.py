import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from riqa.data.catalogue import to_dataset
from riqa.data.eyeq import PUBLISHED, flipped_by_counts, read_eyeq
from riqa.errors import InputError
from riqa.labels import class_names
from tests.data.layouts import write_eyeq_d


def load_eyeq(root, **options):
    return to_dataset(read_eyeq(root, **options))


def write_labels(root, part, names, qualities):
    """Write a label file in EyeQ's layout: unnamed index, image, quality, DR_grade."""
    frame = pd.DataFrame({"image": names, "quality": qualities, "DR_grade": 0})
    frame.to_csv(root / f"Label_EyeQ_{part}.csv")


def write_images(folder, names):
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / name)


@pytest.fixture
def root(tmp_path):
    """Return EyeQ with 20 patients, both eyes each, of which the training part is on disk."""
    names = [f"{patient}_{eye}.jpeg" for patient in range(10, 30) for eye in ("left", "right")]
    write_labels(tmp_path, "train", names, [0, 0, 0, 1, 2] * 8)
    write_labels(tmp_path, "test", ["90_left.jpeg", "91_left.jpeg", "92_left.jpeg"], [0, 1, 2])
    write_images(tmp_path / "train", names)
    return tmp_path


def test_reversed_code_is_turned(root):
    manifest = load_eyeq(root).manifest.set_index("image_id")
    # EyeQ's file says 0 for the good 10_left, 1 for the usable 11_right, 2 for the rejected 12_left.
    names = [class_names(3)[int(manifest.loc[i, "overall"])] for i in ("10_left", "11_right", "12_left")]
    assert names == ["good", "usable", "reject"]


def test_images_are_joined_on_the_stem(root):
    (root / "train" / "10_left.jpeg").rename(root / "train" / "10_left.png")
    (root / "train" / "11_left.jpeg").rename(root / "train" / "11_left.JPG")
    manifest = load_eyeq(root).manifest.set_index("image_id")
    assert manifest.loc["10_left", "path"] == "train/10_left.png"
    assert manifest.loc["11_left", "path"] == "train/11_left.JPG"


def test_patient_and_eye_come_from_the_name(root):
    row = load_eyeq(root).manifest.set_index("image_id").loc["11_right"]
    assert (row["patient_id"], row["eye"], row["source"], row["dataset"]) == (
        "11",
        "right",
        "EyePACS",
        "eyeq",
    )


def test_training_images_alone_are_dealt_by_patient(root):
    manifest = load_eyeq(root).manifest
    assert manifest.groupby("patient_id")["split"].nunique().max() == 1
    assert manifest["split"].value_counts().to_dict() == {"train": 24, "test": 12, "val": 4}


def test_fractions_and_seed_are_alive(root):
    shares = {"train": 0.2, "val": 0.2, "test": 0.6}
    counts = load_eyeq(root, fractions=shares).manifest["split"].value_counts()
    assert counts.to_dict() == {"train": 8, "val": 8, "test": 24}
    splits = [load_eyeq(root, seed=seed).manifest["split"] for seed in (0, 1)]
    assert (splits[0] != splits[1]).any()


def test_own_test_images_stay_the_test_split(root):
    write_images(root / "test", ["90_left.jpeg", "91_left.jpeg", "92_left.jpeg"])
    manifest = load_eyeq(root, validation=0.25).manifest
    assert set(manifest.loc[manifest["split"] == "test", "image_id"]) == {"90_left", "91_left", "92_left"}
    assert manifest["split"].value_counts().to_dict() == {"train": 30, "val": 10, "test": 3}
    assert manifest.groupby("patient_id")["split"].nunique().max() == 1


def test_partial_download_is_loaded_and_reported(root):
    for patient in range(20, 30):
        (root / "train" / f"{patient}_left.jpeg").unlink()
    write_images(root / "train", ["777_left.jpeg", "10_left.png"])
    dataset = load_eyeq(root)
    assert len(dataset.manifest) == 30
    findings = " | ".join(map(str, dataset.findings))
    assert "train: 10 of 40 labelled images are not there" in findings
    assert "train: 1 images have no label and are left out, e.g. 777_left" in findings
    assert "two endings, e.g. 10_left" in findings
    assert dataset.manifest.set_index("image_id").loc["10_left", "path"] == "train/10_left.jpeg"


def test_label_file_of_the_test_part_is_not_needed_without_its_images(root):
    (root / "Label_EyeQ_test.csv").unlink()
    assert len(load_eyeq(root).manifest) == 40
    write_images(root / "test", ["90_left.jpeg"])
    with pytest.raises(InputError, match=r"Label_EyeQ_test\.csv does not exist"):
        load_eyeq(root)


def assert_refused(root, *parts):
    """Check that loading fails with one line that holds all parts."""
    with pytest.raises(InputError) as caught:
        load_eyeq(root)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_missing_and_empty_folders(root, tmp_path):
    assert_refused(tmp_path / "nowhere", "nowhere does not exist")
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", "empty is empty", "put Label_EyeQ_train.csv")
    for path in (root / "train").iterdir():
        path.unlink()
    assert_refused(root, "holds none of the 43 labelled images")
    (root / "Label_EyeQ_train.csv").unlink()
    assert_refused(root, "Label_EyeQ_train.csv does not exist", "download it")


def test_label_file_without_its_columns(root):
    frame = pd.read_csv(root / "Label_EyeQ_train.csv").rename(columns={"quality": "Quality"})
    frame.to_csv(root / "Label_EyeQ_train.csv")
    assert_refused(root, "Label_EyeQ_train.csv lacks the column(s) quality", "it has:", "Quality")


def test_label_file_that_is_empty_or_no_csv(root):
    path = root / "Label_EyeQ_train.csv"
    path.write_text(",image,quality,DR_grade\n")
    assert_refused(root, "Label_EyeQ_train.csv holds no label")
    path.write_text("")
    assert_refused(root, "Label_EyeQ_train.csv cannot be read as CSV")
    path.write_bytes(b"\xff\xfe\x00image,quality\n\x80\x81")
    assert_refused(root, "Label_EyeQ_train.csv")


@pytest.mark.parametrize("quality", [3, "", "good", 0.5])
def test_label_outside_its_code(root, quality):
    write_labels(root, "train", ["10_left.jpeg", "11_left.jpeg"], [0, quality])
    assert_refused(root, "Label_EyeQ_train.csv: image 11_left has quality", "0, 1, 2")


def test_image_named_or_labelled_wrongly(root):
    write_labels(root, "train", ["10_left.jpeg", "portrait.jpeg"], [0, 0])
    assert_refused(root, "image portrait is not named")
    write_labels(root, "train", ["10_left.jpeg", "10_left.png"], [0, 2])
    assert_refused(root, "image 10_left is labelled twice")


def found(catalogue, code):
    """Return the finding of a code, or None."""
    return next((finding for finding in catalogue.findings if finding.code == code), None)


def test_file_that_was_flipped_before_is_told_by_eyeq_d(root):
    # 90_left is good, 91_left usable and 92_left rejected, which EyeQ's files say with 0, 1, 2.
    for place in (root, root / "data", root.parent / "eyeq-d", root.parent / "eyeq_d"):
        path = write_eyeq_d(
            place, [("90_left", 2, 1, 1, 1), ("91_left", 1, 0, 1, 1), ("92_left", 0, 0, 0, 0)]
        )
        catalogue = read_eyeq(root)
        assert "all 3 labels" in found(catalogue, "labels-agree-with-eyeq-d").message
        assert found(catalogue, "labels-already-flipped") is None
        write_labels(root, "test", ["90_left.jpeg", "91_left.jpeg", "92_left.jpeg"], [2, 1, 0])
        finding = found(read_eyeq(root), "labels-already-flipped")
        assert "3 of 3 equal EyeQ-D's as they stand, 1 after turning them" in finding.message
        assert_refused(root, "already flipped", "download it again")
        write_labels(root, "test", ["90_left.jpeg", "91_left.jpeg", "92_left.jpeg"], [0, 1, 2])
        (path / "EyeQ-D-Quality-Details.csv").unlink()


def test_single_disagreement_with_eyeq_d_is_no_flip(root):
    write_eyeq_d(root, [("90_left", 2, 1, 1, 1), ("91_left", 2, 0, 1, 1), ("92_left", 0, 0, 0, 0)])
    finding = found(read_eyeq(root), "labels-unlike-eyeq-d")
    assert (finding.severity, finding.items) == ("warning", ("91_left",))


def test_complete_file_that_was_flipped_before_is_told_by_its_counts():
    published = PUBLISHED["train"]
    right = pd.Series(np.repeat([0.0, 1.0, 2.0], [published[name] for name in class_names(3)]))
    assert flipped_by_counts(right, "train") == []
    finding = flipped_by_counts(2 - right, "train")[0]
    assert finding.severity == "error"
    assert "says 2 of 8347 images, as many as are good" in finding.message
    assert flipped_by_counts(2 - right[:-1], "train") == []


def test_images_that_upstream_fails_on_are_named_if_there(root):
    names = [*(f"{patient}_left.jpeg" for patient in range(10, 30)), "15337_left.jpeg", "40764_right.jpeg"]
    write_labels(root, "train", names, [0, 2] * 11)
    write_images(root / "train", names[:-1])
    assert found(read_eyeq(root), "preprocessing-fails").items == ("15337_left",)
    assert found(read_eyeq(root), "code-reversed").severity == "info"


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs the published label files")
def test_published_labels(tmp_path):
    data = Path(os.environ["RIQA_DATA"])
    for part in ("train", "test"):
        shutil.copy(data / "eyeq" / f"Label_EyeQ_{part}.csv", tmp_path)
    table = read_eyeq(tmp_path).table
    assert table["split"].value_counts().to_dict() == {"train": 11289, "val": 1254, "test": 16249}
    for split, published in PUBLISHED.items():
        rows = table["split"].isin(("train", "val")) == (split == "train")
        counts = {name: int((table.loc[rows, "overall"] == k).sum()) for k, name in enumerate(class_names(3))}
        assert counts | {"all": int(rows.sum())} == published
    assert table.groupby("patient_id")["split"].nunique().max() == 1
    labels = pd.read_csv(tmp_path / "Label_EyeQ_train.csv", index_col=0)
    labels.assign(quality=2 - labels["quality"]).to_csv(tmp_path / "Label_EyeQ_train.csv")
    assert found(read_eyeq(tmp_path), "labels-already-flipped").items == ("Label_EyeQ_train.csv",)
