import os
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image

from riqa.assess import photographs as module
from riqa.assess.photographs import Photograph, Unreadable, find_images, read_ahead
from riqa.data.fov import read_and_crop
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from tests.data.photographs import disc


@pytest.fixture
def folder(tmp_path):
    """Nine discs in two folders, a hidden image, a text, and an empty folder."""
    for k in range(9):
        place = tmp_path / ("b" if k % 2 else "a/deep")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disc(60, 80, radius=25, level=90 + k, seed=k)[0]).save(place / f"{k}.PNG")
    (tmp_path / "b" / ".hidden.png").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_folders_are_searched_in_order_and_files_taken_as_given(folder):
    paths, empty = find_images([folder / "b", folder / "b" / "notes.txt", folder / "a"])
    names = [path.relative_to(folder).as_posix() for path in paths]
    assert names == [
        *(f"b/{k}.PNG" for k in (1, 3, 5, 7)),
        "b/notes.txt",
        *(f"a/deep/{k}.PNG" for k in range(0, 9, 2)),
    ]
    assert empty == []


def test_a_file_named_twice_is_one(folder):
    paths, _ = find_images([folder / "b" / "3.PNG", folder, folder])
    assert len(paths) == 9
    assert paths[0].name == "3.PNG"


def test_a_file_named_from_here_and_from_the_root_is_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    paths, _ = find_images([Path("b/3.PNG"), folder / "b" / "3.PNG", folder / "b", Path(".")])
    assert len(paths) == 9
    assert [path.is_absolute() for path in paths] == [False] + 3 * [True] + 5 * [False]


def test_a_file_is_found_however_its_accents_are_written(folder):
    written = folder / "b" / normalize("NFD", "Größe.png")
    (folder / "b" / "3.PNG").rename(written)
    assert find_images([folder / "b" / "Größe.png"]) == ([written], [])


def test_what_is_passed_over_is_counted_once(folder):
    passed = PassedOver()
    assert len(find_images([folder, folder / "b"], passed)[0]) == 9
    assert str(passed) == (
        "1 hidden or of the system (.hidden.png), 1 with an ending that is not read (.txt 1, e.g. notes.txt)"
    )
    (folder / "c").mkdir()
    (folder / "c" / "scan.heic").touch()
    with pytest.raises(
        InputError, match=r"no image in .*; passed over: 1 with .* \(.heic 1, e.g. scan.heic\)"
    ):
        find_images([folder / "c"])


def test_a_folder_that_cannot_be_entered_is_told(folder, monkeypatch):
    def barred(place, real=os.scandir):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", place)
        return real(place)

    monkeypatch.setattr(os, "scandir", barred)
    paths, empty = find_images([folder / "b", folder / "a"])
    assert (len(paths), empty) == (4, [Unreadable(folder / "a" / "deep", "no permission to enter it")])
    with pytest.raises(InputError, match=r"no image in .*a/deep: no permission to enter it"):
        find_images([folder / "a"])


def test_an_empty_folder_is_told_and_alone_an_error(folder):
    paths, empty = find_images([folder / "empty", folder / "b"])
    assert (len(paths), [e.path.name for e in empty], empty[0].reason) == (
        4,
        ["empty"],
        "no image in this folder",
    )
    with pytest.raises(InputError, match=r"no image in .*empty; name photographs \(\.jpeg"):
        find_images([folder / "empty"])


def test_what_is_read_is_what_curation_would_crop_in_order(folder):
    (folder / "b" / "5.PNG").write_bytes(b"no image")
    Image.new("RGB", (80, 60)).save(folder / "b" / "7.PNG")
    paths = [*find_images([folder])[0], folder / "gone.png"]
    for threads, ahead in ((1, 1), (3, 4)):
        found = list(read_ahead(paths, 32, threads=threads, ahead=ahead))
        assert [one.path for one in found] == paths
        reasons = {one.path.name: one.reason for one in found if isinstance(one, Unreadable)}
        assert reasons == {"5.PNG": "not an image file", "gone.png": "file is missing"}
        crops = {one.path.name: one.crop for one in found if isinstance(one, Photograph)}
        assert crops.pop("7.PNG") is None
        assert len(crops) == 7
        for path in paths[:5]:
            assert np.array_equal(crops[path.name], read_and_crop(path, 32)[0])


def test_files_are_read_ahead_in_so_many_threads(monkeypatch, tmp_path):
    given = {}

    def noted(function, items, **knobs):
        given.update(knobs)
        return map(function, items)

    monkeypatch.setattr(module, "work_ahead", noted)
    assert [one.path for one in read_ahead([tmp_path], 32, threads=3, ahead=5)] == [tmp_path]
    assert given == {"threads": 3, "ahead": 5}
