import os
import unicodedata

import pandas as pd
import pytest

from riqa.data.adapters.named import match_named
from riqa.names import to_path
from tests.data.expect import refused

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Größe") for form in ("NFC", "NFD"))


@pytest.fixture
def match(tmp_path):
    """Match names with files, which are made; return the path of each name and what is said."""

    def match(names, files, own=()):
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        table = pd.DataFrame({"named": names, "stem": names})
        findings = match_named(table, tmp_path, tmp_path / "labels.csv", "clinic", own)
        paths = [None if pd.isna(path) else path for path in table["path"]]
        return paths, {finding.code: finding.items for finding in findings}

    return match


def test_an_ending_that_is_given_means_that_file_and_none_the_only_file_of_that_name(match):
    paths, said = match(["a/1.tif", "a/2.jpg"], ["a/1.jpg", "a/1.tif", "a/1.png", "a/2.jpg", "a/2.tif"])
    assert paths == ["a/1.tif", "a/2.jpg"]
    assert said == {"images-unlabelled": ("a/1.jpg", "a/1.png", "a/2.tif")}
    assert match(["1.tif", "1.jpg"], ["1.jpg", "1.tif"])[0] == ["1.tif", "1.jpg"]  # two images of a stem
    assert match(["3", "a/4.b"], ["3.webp", "a/4.b.tif"])[0] == ["3.webp", "a/4.b.tif"]
    with refused("labels.csv: image 3 may be any of 2 files (3.jpg, 3.webp); write"):
        match(["3"], ["3.jpg"])


def test_case_of_endings_does_not_matter_unless_it_tells_two_files_apart(match):
    assert match(["1.jpg", "2.TIF"], ["1.JPG", "2.tif"])[0] == ["1.JPG", "2.tif"]
    assert match(["1.jpg"], ["1.jpg"])[0] == ["1.jpg"]
    with refused("any of 2 files (1.JPG, 1.jpg)"):
        match(["1.Jpg"], [])


def test_another_ending_is_taken_with_a_warning_if_no_other_row_means_it(match):
    paths, said = match(["1.jpg", "2.tif", "2.jpg"], ["1.png", "2.jpg"])
    assert paths == ["1.png", None, "2.jpg"]
    assert said == {"images-renamed": ("1.jpg is 1.png",), "images-missing": ("2.tif",)}
    with refused("image 1.jpg may be any of 2 files (1.bmp, 1.png)"):
        match(["1.jpg"], ["1.bmp"])


def test_an_image_with_an_ending_that_is_not_read_is_there(match):
    paths, said = match(["1.heic", "2", "3.jpg", "4"], ["1.heic", "1.jpg", "2.dcm", "3.jpg"])
    assert paths == [None, None, "3.jpg", None]
    assert said["images-unread"] == ("1.heic", "2.dcm")
    assert said["images-missing"] == ("4",)


@pytest.mark.parametrize("on_disk", [COMPOSED, DECOMPOSED])
def test_composed_and_decomposed_names_are_equal(match, on_disk):
    files = [f"{on_disk}/{on_disk}.jpg", f"{on_disk}_2.jpg"]  # as they are written on the disk, to be opened
    assert match([f"{COMPOSED}/{COMPOSED}.jpg", f"{COMPOSED}_2"], files) == (files, {})


def test_a_name_without_folder_is_found_where_it_is_unique(match):
    files = ["p/one/1.jpg", "p/two/2.png", "q/two/3.png", "p/two/3.png", "4.jpg", "p/4.jpg"]
    paths, said = match(["1.jpg", "2", "q/two/3", "4", "gone"], files)
    assert paths == ["p/one/1.jpg", "p/two/2.png", "q/two/3.png", "4.jpg", None]
    assert said["images-elsewhere"] == ("1.jpg is p/one/1.jpg", "2 is p/two/2.png")
    assert said["images-missing"] == ("gone",)
    assert match(["two/2.png"], [])[0] == ["p/two/2.png"]
    with refused("image 3 may be any of 2 files (p/two/3.png, q/two/3.png)"):
        match(["3"], [])


def test_a_hidden_image_that_is_named_in_full_is_used_and_nothing_is_guessed(match):
    assert match([".old/1.jpg", ".2.jpg"], [".old/1.jpg", ".2.jpg"])[0] == [".old/1.jpg", ".2.jpg"]
    files = ["labels.csv", "dataset.yaml", "notes.txt"]
    paths, said = match(["1.jpg"], files, ["./labels.csv", "dataset.yaml"])
    assert paths == [None]
    assert said == {"images-missing": ("1.jpg",), "passed-over": (".2.jpg", ".old", "notes.txt")}
    with refused("any of 7 files (a0/1.jpg, a1/1.jpg, ", "a4/1.jpg, ...)"):
        match(["1"], [f"a{k}/1.jpg" for k in range(7)])
    with refused("images a1/1.jpg and a1/1 are the same file, a1/1.jpg; remove one row"):
        match(["a1/1.jpg", "a1/1"], [])
    with refused("any of 2 files ", " look alike ", " rename one"):
        match([f"{COMPOSED}.jpg"], [f"{COMPOSED}.jpg", f"{DECOMPOSED}.jpg"])


def test_names_that_are_not_utf8_are_matched_as_windows_wrote_them(match):
    name = os.fsdecode(b"M\xfcller/2.jpg")
    written = "M\0fcller/2.jpg"  # as tables and parquet files can hold it
    assert match(["1.jpg", "2.jpg"], ["1.jpg", name])[0] == ["1.jpg", written]
    assert match(["Müller/2.jpg"], [name])[0] == [written]
    assert os.fsencode(to_path(written)) == b"M\xfcller/2.jpg"
