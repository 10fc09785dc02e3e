import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa.data.audit import Part, audit, compare_with_published, divide
from riqa.data.findings import Finding
from riqa.data.manifest import Dataset
from riqa.data.published import COUNTS
from tests.data.expect import REAL, finding, needs_data
from tests.data.layouts import small_eyeq, write_eyeq_d, write_table


@pytest.fixture
def eyeq(tmp_path):
    return small_eyeq(tmp_path / "eyeq")


def codes_of(report):
    return [finding.code for finding in report.findings]


def test_a_sound_folder_is_usable_and_counted_and_its_json_complete(eyeq):
    report = audit("eyeq", eyeq)
    counts = report.counts("there")
    assert counts == report.counts("labelled")
    assert list(counts) == ["train", "val", "test"]
    assert counts["test"] == {"reject": 4, "usable": 4, "good": 8}
    train, val = counts["train"], counts["val"]
    assert {name: train[name] + val[name] for name in train} == {"reject": 10, "usable": 10, "good": 20}
    assert (report.status(), report.status(strict=True)) == (0, 1)  # these counts are not the published ones
    assert finding(report, "image-sizes").message.startswith("sizes in pixels: all 16 x 12")
    told = json.loads(json.dumps(report.to_json()))
    assert list(told) == ["dataset", "usable", "counts", "labelled", "published", "findings"]
    assert told["published"]["train"] == {"good": 8347, "usable": 1876, "reject": 2320, "all": 12543}
    assert {tuple(found) for found in told["findings"]} == {("code", "severity", "message", "items")}


def test_without_images_the_labels_are_reported_first_and_an_empty_split_is_not_usable(eyeq, tmp_path):
    rows = [("10_left", 2, 1, 1, 1), ("11_right", 0, 0, 0, 0), ("12_left", 0, 0, 1, 1)]
    assert audit("eyeq_d", tmp_path).status() == 2  # what cannot be read is a finding
    report = audit("eyeq_d", write_eyeq_d(tmp_path / "eyeq_d", rows))
    assert report.counts("labelled") == {"test": {"reject": 2, "usable": 0, "good": 1}}
    assert report.counts("there") == {"test": {"reject": 0, "usable": 0, "good": 0}}
    assert codes_of(report).index("counts-differ") < codes_of(report).index("no-images")
    assert (report.usable, report.status()) == (False, 2)
    for path in (eyeq / "test").iterdir():
        if path.stem != "200_left":
            path.unlink()
    assert audit("eyeq", eyeq, images=False).usable
    for path in (eyeq / "train").iterdir():
        path.unlink()
    assert "split would be empty" in finding(audit("eyeq", eyeq), "not-usable").message


def test_patients_across_splits_are_an_error(tmp_path):
    root = write_table(tmp_path)
    labels = pd.read_csv(root / "labels.csv", dtype=str)
    labels["part"] = ["train", "test"] + ["train", "train", "test", "test", "val", "val"] * 6 + ["train"] * 2
    labels.to_csv(root / "labels.csv", index=False)
    description = (root / "dataset.yaml").read_text().replace("grade, clarity", "grade, split: part, clarity")
    (root / "dataset.yaml").write_text(description)
    report = audit("table", root)
    told = finding(report, "patients-across-splits")
    assert (told.severity, told.items, report.status()) == ("error", ("p0",), 2)


PUBLISHED = {"train": {"bad": 5, "good": 5, "all": 10}, "test": {"bad": 1, "good": 1, "all": 2}}
WITH_VAL = PUBLISHED | {"train": {"bad": 3, "good": 4, "all": 7}, "val": {"bad": 2, "good": 1, "all": 3}}
TRAIN = [("train", 0, True)] * 3 + [("train", 1, True)] * 4
VAL = [("val", 0, True)] * 2 + [("val", 1, True)] * 1
TEST = [("test", 0, True), ("test", 1, True)]
DEALT = [("train", 0, True)] * 3 + [("val", 0, True)] * 2 + [("test", 1, True)] * 5
OWN = (Finding("own-splits", "warning", "dealt here"),)


@pytest.fixture
def parts(monkeypatch):
    """Divide a catalogue of (split, overall, there) rows, of a set with published counts."""

    def parts(rows, published=PUBLISHED, findings=()):
        monkeypatch.setitem(COUNTS, "toy", published)
        table = pd.DataFrame(rows, columns=["split", "overall", "there"])
        table = table.assign(path=["a.png" if there else None for there in table["there"]])
        return divide(Dataset("toy", Path("toy"), table, 2, "none", "none", findings))

    return parts


@pytest.mark.parametrize(
    ("rows", "published", "findings", "code", "said"),
    [
        (TRAIN + VAL + TEST, PUBLISHED, (), "", ""),  # the published training part includes validation images
        (TRAIN + VAL + TEST, WITH_VAL, (), "", ""),
        (TRAIN + TEST, PUBLISHED, (), "counts-differ", "all: 7 labelled, 10 published"),
        (
            [*TRAIN[1:], ("train", 1, True), *VAL, *TEST], PUBLISHED, (), "counts-differ",
            "train and val: the labels differ from what was published (bad: 4 labelled, 5 published; good: 6 l",
        ),
        (
            [*TRAIN[1:], ("train", 0, False), *VAL, *TEST], PUBLISHED, (), "partial-download",
            "9 of 10 images are there (bad 4 of 5, good 5 of 5)",
        ),
        (TRAIN + VAL, PUBLISHED, (), "part-missing", "test: none of the 2 published images is labelled"),
        # own splits are compared together, with one published part or several
        (DEALT, PUBLISHED, OWN, "", ""),
        (DEALT + TEST, PUBLISHED, OWN, "", ""),
        (DEALT[1:], PUBLISHED, OWN, "counts-differ", "all splits: the labels differ"),
        (DEALT, {}, OWN, "", ""),
    ],
)  # fmt: skip
def test_counts_are_compared_with_the_published_ones(parts, rows, published, findings, code, said):
    found = [one for part in parts(rows, published, findings) for one in compare_with_published(part)]
    assert [one.code for one in found] == [code][: len(code)]
    assert all(said in one.message for one in found)


def test_parts_hold_what_was_published_together_and_unlabelled_images_apart(parts):
    told = {part.name: part for part in parts(TRAIN + VAL + TEST)}
    assert told["train and val"].labelled == {"bad": 5, "good": 5, "all": 10}
    assert told["train"].published == {}
    (part,) = parts([("train", np.nan, True), ("train", 1, True)], {})
    assert part == Part("train", {"all": 2, "bad": 0, "good": 1, "unlabelled": 1}, part.labelled, {})


@needs_data
def test_real_thumbnails_and_label_files_without_images():
    report = audit("eyeq", REAL / "eyeq", jobs=2)
    assert report.status() == 0
    counts = pd.DataFrame(report.counts("there")).sum(axis=1).to_dict()
    assert counts == {"good": 1201, "usable": 265, "reject": 349}
    assert "1815 of 12543 images are there" in finding(report, "partial-download").message
    bad = ("counts-differ", "images-unreadable", "near-duplicates", "near-duplicates-across-splits")
    assert not set(codes_of(report)).intersection(bad)
    details, eyes = audit("eyeq_d", REAL / "eyeq-d"), audit("deepdrid", REAL / "deepdrid")
    assert details.counts("labelled") == {"test": {"reject": 33, "usable": 49, "good": 78}}
    assert eyes.counts("labelled") == {"train": {"bad": 624, "good": 576}}
    assert (details.status(), eyes.status()) == (2, 2)
    assert "counts-differ" not in codes_of(details) + codes_of(eyes)
