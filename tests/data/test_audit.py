import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa.data.audit import Part, audit, compare_with_published, divide
from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from tests.data.layouts import deepdrid_rows, write_deepdrid, write_eyeq_d, write_mshf, write_table
from tests.data.reports import found, one, small_eyeq

real = pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="RIQA_DATA names no folder of real data")


@pytest.fixture
def eyeq(tmp_path):
    return small_eyeq(tmp_path / "eyeq")


def test_a_sound_folder_is_usable_and_counted(eyeq):
    report = audit("eyeq", eyeq)
    assert report.usable
    assert report.counts == report.labelled
    assert list(report.counts) == ["train", "val", "test"]
    assert report.counts["test"] == {"reject": 4, "usable": 4, "good": 8}
    train, val = report.counts["train"], report.counts["val"]
    assert {name: train[name] + val[name] for name in train} == {"reject": 10, "usable": 10, "good": 20}
    assert (report.status(), report.status(strict=True)) == (0, 1)  # these counts are not the published ones
    assert one(report, "image-sizes").message.startswith("sizes in pixels: all 16 x 12")


def test_json_is_plain_and_complete(eyeq):
    told = audit("eyeq", eyeq, images=False).to_json()
    assert set(told) == {"dataset", "usable", "counts", "labelled", "published", "findings"}
    assert told["published"]["train"] == {"good": 8347, "usable": 1876, "reject": 2320, "all": 12543}
    for finding in told["findings"]:
        assert set(finding) == {"code", "severity", "message", "items"}
        assert isinstance(finding["items"], list)


def test_without_images_the_labels_are_reported_first(tmp_path):
    root = write_eyeq_d(
        tmp_path, [("10_left", 2, 1, 1, 1), ("11_right", 0, 0, 0, 0), ("12_left", 0, 0, 1, 1)]
    )
    report = audit("eyeq_d", root)
    assert report.labelled == {"test": {"reject": 2, "usable": 0, "good": 1}}
    assert report.counts == {"test": {"reject": 0, "usable": 0, "good": 0}}
    codes = [finding.code for finding in report.findings]
    assert codes.index("counts-differ") < codes.index("no-images")
    assert (report.usable, report.status()) == (False, 2)


@pytest.mark.parametrize("name", ["eyeq", "mshf", "nonsense"])
def test_what_cannot_be_read_is_a_finding(tmp_path, name):
    report = audit(name, tmp_path)
    assert report.status() == 2
    assert [finding.severity for finding in report.findings] == ["error"]


def test_an_empty_split_is_not_usable(eyeq):
    for path in (eyeq / "test").iterdir():
        if path.stem != "200_left":
            path.unlink()
    assert audit("eyeq", eyeq, images=False).usable
    frame = pd.read_csv(eyeq / "Label_EyeQ_train.csv", index_col=0)
    for image in frame["image"]:
        (eyeq / "train" / image).unlink()
    report = audit("eyeq", eyeq)
    assert "split would be empty" in one(report, "not-usable").message


def test_patients_across_splits_are_an_error(tmp_path):
    root = write_table(tmp_path)
    labels = pd.read_csv(root / "labels.csv", dtype=str)
    labels["part"] = ["train", "test"] + ["train", "train", "test", "test", "val", "val"] * 6 + ["train"] * 2
    labels.to_csv(root / "labels.csv", index=False)
    description = (root / "dataset.yaml").read_text().replace("grade, clarity", "grade, split: part, clarity")
    (root / "dataset.yaml").write_text(description)
    finding = one(audit("table", root), "patients-across-splits")
    assert (finding.severity, len(finding.items)) == ("error", 1)
    assert audit("table", root).status() == 2


def test_the_other_layouts_are_read(tmp_path):
    mshf = audit("mshf", write_mshf(tmp_path / "mshf"))
    assert mshf.usable
    assert sum(mshf.counts["test"].values()) == sum(n // 5 for n in (6, 5, 3, 2, 4, 4))
    deepdrid = audit("deepdrid", write_deepdrid(tmp_path / "deepdrid"))
    assert deepdrid.usable
    assert len(one(deepdrid, "image-sizes").message) > 0
    rows = deepdrid_rows([301, 330], 1)["Overall quality"].value_counts()
    assert deepdrid.counts["val"] == {"bad": rows.get(0, 0), "good": rows.get(1, 0)}


def catalogue(rows, published, findings=()):
    """Return a catalogue of (split, overall, there) rows."""
    table = pd.DataFrame(rows, columns=["split", "overall", "there"])
    table = table.assign(path=["a.png" if there else None for there in table["there"]])
    return Catalogue("toy", Path("toy"), table, 2, "none", "none", findings, published)


TRAIN = [("train", 0, True)] * 3 + [("train", 1, True)] * 4
VAL = [("val", 0, True)] * 2 + [("val", 1, True)] * 1
PUBLISHED = {"train": {"bad": 5, "good": 5, "all": 10}, "test": {"bad": 1, "good": 1, "all": 2}}
TEST = [("test", 0, True), ("test", 1, True)]


def compared(rows, published=PUBLISHED, findings=()):
    """Return the findings of the comparison with what was published."""
    parts = divide(catalogue(rows, published, findings))
    return [finding for part in parts for finding in compare_with_published(part)]


def codes(*arguments):
    return [finding.code for finding in compared(*arguments)]


def test_validation_images_belong_to_the_published_training_part():
    assert codes(TRAIN + VAL + TEST) == []
    parts = {part.name: part for part in divide(catalogue(TRAIN + VAL + TEST, PUBLISHED))}
    assert parts["train and val"].labelled == {"bad": 5, "good": 5, "all": 10}
    assert parts["train"].published == {}
    with_val = PUBLISHED | {"train": {"bad": 3, "good": 4, "all": 7}, "val": {"bad": 2, "good": 1, "all": 3}}
    assert codes(TRAIN + VAL + TEST, with_val) == []


def test_one_label_more_or_of_another_class_differs():
    (finding,) = compared([*TRAIN[1:], ("train", 1, True), *VAL, *TEST])
    assert (finding.code, finding.severity) == ("counts-differ", "warning")
    assert finding.items == ("bad: 4 labelled, 5 published", "good: 6 labelled, 5 published")
    assert codes(TRAIN + TEST) == ["counts-differ"]


def test_a_partial_download_is_no_difference():
    (finding,) = compared([*TRAIN[1:], ("train", 0, False), *VAL, *TEST])
    assert (finding.code, finding.severity) == ("partial-download", "info")
    assert "9 of 10 images are there (bad 4 of 5, good 5 of 5)" in finding.message
    assert codes(TRAIN + VAL) == ["part-missing"]


def test_own_splits_are_compared_together():
    dealt = (Finding("own-splits", "warning", "dealt here"),)
    training = [("train", 0, True)] * 3 + [("val", 0, True)] * 2 + [("test", 1, True)] * 5
    assert codes(training, PUBLISHED, dealt) == codes(training + TEST, PUBLISHED, dealt) == []
    assert codes(training[1:], PUBLISHED, dealt) == ["counts-differ"]
    assert codes(training, {}, dealt) == []


def test_unlabelled_images_are_counted_apart():
    (part,) = divide(catalogue([("train", np.nan, True), ("train", 1, True)], {}))
    assert part == Part("train", {"all": 2, "bad": 0, "good": 1, "unlabelled": 1}, part.labelled, {})


@real
def test_real_thumbnails():
    report = audit("eyeq", Path(os.environ["RIQA_DATA"]) / "eyeq", jobs=2)
    assert report.status() == 0
    assert pd.DataFrame(report.counts).sum(axis=1).to_dict() == {"good": 1201, "usable": 265, "reject": 349}
    assert "1815 of 12543 images are there" in one(report, "partial-download").message
    bad = ("counts-differ", "images-unreadable", "near-duplicates", "near-duplicates-across-splits")
    assert not {finding.code for finding in report.findings}.intersection(bad)


@real
def test_real_label_files_without_images():
    data = Path(os.environ["RIQA_DATA"])
    details, eyes = audit("eyeq_d", data / "eyeq-d"), audit("deepdrid", data / "deepdrid")
    assert details.labelled == {"test": {"reject": 33, "usable": 49, "good": 78}}
    assert eyes.labelled == {"train": {"bad": 624, "good": 576}}
    assert (details.status(), eyes.status()) == (2, 2)
    assert not found(details, "counts-differ") + found(eyes, "counts-differ")
