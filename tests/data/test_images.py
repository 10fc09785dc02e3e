"""Which images are there of those that labels name, and what a dataset is made of."""

import os

import pandas as pd

from riqa.data.catalogue import to_dataset
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import Dataset
from riqa.data.walk import PassedOver
from riqa.names import to_path
from tests.data.layouts import write_image
from tests.data.photographs import manifest


def test_images_are_found_by_stem_the_preferred_ending_first_also_beside_the_root(tmp_path):
    for name in ("a.png", "a.JPG", "b.tif", "._a.jpg", "deep/c.jpg", "notes.txt"):
        write_image(tmp_path / "images" / name)
    flat = {"a": ["images/a.JPG", "images/a.png"], "b": ["images/b.tif"]}
    assert images_by_stem(tmp_path, "images", PassedOver()) == flat
    assert set(images_by_stem(tmp_path, "images", PassedOver(), nested=True)) == {"a", "b", "c"}
    assert images_by_stem(tmp_path, "nowhere", PassedOver()) == {}
    (tmp_path / "other").mkdir()
    assert images_by_stem(tmp_path / "other", "../images", PassedOver())["b"] == ["../images/b.tif"]


def test_what_does_not_match_or_was_passed_over_is_said(tmp_path):
    (tmp_path / "train" / ".hidden").mkdir(parents=True)
    for name in ("a.jpg", "b.heic", ".hidden/c.jpg", "notes.txt", "d.jpg", "d.png", "z.jpg"):
        (tmp_path / "train" / name).touch()
    passed, table = PassedOver(), pd.DataFrame({"stem": ["a", "b", "c", "d"]})
    images = images_by_stem(tmp_path, "train", passed, nested=True)
    findings = match_images(table, images, "train", passed)
    assert table["path"].dropna().to_dict() == {0: "train/a.jpg", 3: "train/d.jpg"}
    assert {finding.code: (finding.severity, finding.items) for finding in findings} == {
        "images-missing": ("warning", ("c",)),
        "images-unread": ("warning", ("train/b.heic",)),
        "images-unlabelled": ("info", ("z",)),
        "images-doubled": ("info", ("d",)),
        "passed-over": ("info", ("train/.hidden", "train/b.heic", "train/notes.txt")),
    }
    assert findings[1].message == (
        "train: 1 of 4 labelled images are there with an ending that is not read, e.g. train/b.heic, and are "
        "left out; save them as .png or .tif"
    )
    assert match_images(table[:1].copy(), {"a": ["a.jpg"]}, "train", PassedOver()) == []


def test_an_image_whose_name_windows_packed_is_found_and_leads_back(tmp_path):
    odd = os.fsdecode(b"M\xfcller")
    write_image(tmp_path / odd / "a.png")
    (tmp_path / odd / "a.png").rename(tmp_path / odd / f"{odd}.png")
    images, table = images_by_stem(tmp_path, odd, PassedOver()), pd.DataFrame({"stem": ["Müller", "b"]})
    findings = match_images(table, images, "train", PassedOver())
    assert [finding.items for finding in findings] == [("b",)]
    assert table["path"][0] == "M\0fcller/M\0fcller.png"  # as a table can hold it
    assert os.fsencode(to_path(table["path"][0])) == b"M\xfcller/M\xfcller.png"
    assert (tmp_path / to_path(table["path"][0])).is_file()


def test_images_that_are_there_are_kept_with_their_ratings_and_unknown_columns_filled(tmp_path):
    table, findings = manifest().assign(further=1), (Finding("f", "warning", "odd"),)
    table.loc[5, "path"] = None
    ratings = pd.DataFrame({"image_id": table["image_id"], "rater": "a", "item": "overall", "score": 1})
    dataset = to_dataset(Dataset("x", tmp_path, table, 3, "c", "l", findings, ratings))
    assert dataset.manifest["image_id"].tolist() == [f"i{k}" for k in range(12) if k != 5]
    assert dataset.ratings["image_id"].tolist() == dataset.manifest["image_id"].tolist()
    assert (dataset.citation, dataset.licence, dataset.findings) == ("c", "l", findings)
    table = manifest().drop(columns=["overall", "contrast"])
    bare = to_dataset(Dataset("x", tmp_path, table, None, "c", "l"), strict=True).manifest
    assert bare[["overall", "contrast"]].isna().all(axis=None)
