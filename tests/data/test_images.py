import os

import pandas as pd

from riqa.data.images import images_by_stem, match_images
from riqa.data.walk import PassedOver
from riqa.names import to_path
from tests.data.layouts import write_image


def test_images_are_found_by_stem_the_preferred_ending_first(tmp_path):
    for name in ("a.png", "a.JPG", "b.tif", "._a.jpg", "deep/c.jpg"):
        write_image(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").touch()
    assert images_by_stem(tmp_path, "images") == {
        "a": ["images/a.JPG", "images/a.png"],
        "b": ["images/b.tif"],
    }
    assert set(images_by_stem(tmp_path, "images", nested=True)) == {"a", "b", "c"}
    assert images_by_stem(tmp_path, "nowhere") == {}


def test_folder_beside_the_root_gives_paths_that_lead_there(tmp_path):
    write_image(tmp_path / "eyeq" / "test" / "1_left.jpeg")
    (tmp_path / "other").mkdir()
    found = images_by_stem(tmp_path / "other", "../eyeq/test")
    assert found == {"1_left": ["../eyeq/test/1_left.jpeg"]}
    assert (tmp_path / "other" / found["1_left"][0]).is_file()


def test_what_does_not_match_is_said():
    table = pd.DataFrame({"stem": ["a", "b", "c"]})
    findings = match_images(table, {"a": ["a.jpg"], "c": ["c.jpg", "c.png"], "z": ["z.jpg"]}, "train")
    assert table["path"].tolist()[::2] == ["a.jpg", "c.jpg"]
    assert table["path"].isna().tolist() == [False, True, False]
    said = {finding.code: (finding.severity, finding.items) for finding in findings}
    assert said == {
        "images-missing": ("warning", ("b",)),
        "images-unlabelled": ("info", ("z",)),
        "images-doubled": ("info", ("c",)),
    }
    assert match_images(table[:1].copy(), {"a": ["a.jpg"]}, "train") == []


def test_what_was_passed_over_is_said_and_may_be_what_is_missing(tmp_path):
    for name in ("a.jpg", "b.heic", ".hidden/c.jpg", "notes.txt"):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "train" / name).touch()
    passed = PassedOver()
    images = images_by_stem(tmp_path, "train", nested=True, passed=passed)
    table = pd.DataFrame({"stem": ["a", "b", "c"]})
    findings = match_images(table, images, "train", passed)
    assert {finding.code: finding.items for finding in findings} == {
        "images-missing": ("c",),
        "images-unread": ("train/b.heic",),
        "passed-over": ("train/.hidden", "train/b.heic", "train/notes.txt"),
    }
    assert findings[1].message == (
        "train: 1 of 3 labelled images are there with an ending that is not read, e.g. train/b.heic, and are "
        "left out; save them as .png or .tif"
    )


def test_a_folder_whose_name_is_not_utf8_is_written_so_that_a_table_can_hold_it():
    table, path = pd.DataFrame({"stem": ["a"]}), os.fsdecode(b"\xfc/a.jpg")
    match_images(table, {"a": [path]}, "train")
    assert table["path"].tolist() == ["\0fc/a.jpg"]
    assert os.fsencode(to_path(table["path"][0])) == b"\xfc/a.jpg"


def test_an_image_whose_name_windows_packed_is_found_and_leads_back(tmp_path):
    odd = os.fsdecode(b"M\xfcller")
    write_image(tmp_path / odd / "a.png")
    (tmp_path / odd / "a.png").rename(tmp_path / odd / f"{odd}.png")
    images = images_by_stem(tmp_path, odd)
    assert list(images) == ["Müller"]
    table = pd.DataFrame({"stem": ["Müller", "b"]})
    assert [finding.items for finding in match_images(table, images, "train")] == [("b",)]
    assert table["path"][0] == "M\0fcller/M\0fcller.png"
    assert (tmp_path / to_path(table["path"][0])).is_file()
