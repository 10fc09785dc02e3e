import threading
import time

import numpy as np
import pytest
from PIL import Image

from riqa.assess import photographs as module
from riqa.assess.photographs import Photograph, Unreadable, find_images, read_ahead
from riqa.data.fov import read_and_crop
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


@pytest.mark.parametrize(("threads", "ahead"), [(1, 5), (3, 5), (3, 2)])
def test_so_many_are_read_side_by_side_and_no_more_ahead(monkeypatch, tmp_path, threads, ahead):
    lock, running, most, begun = threading.Lock(), 0, 0, 0

    def read(path, size):
        nonlocal running, most, begun
        with lock:
            running, begun = running + 1, begun + 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return Photograph(path, None)

    monkeypatch.setattr(module, "_read", read)
    for taken, _ in enumerate(read_ahead([tmp_path] * 12, 32, threads=threads, ahead=ahead)):
        assert begun <= taken + ahead
    assert begun == 12
    assert most == min(threads, ahead)


def test_who_stops_taking_stops_the_reading(monkeypatch, tmp_path):
    begun = []
    monkeypatch.setattr(module, "_read", lambda path, size: begun.append(path) or Photograph(path, None))
    reading = read_ahead([tmp_path] * 50, 32, threads=1, ahead=3)
    next(reading)
    reading.close()
    assert len(begun) <= 4


@pytest.mark.parametrize("knobs", [{"threads": 0}, {"ahead": 0}])
def test_less_than_one_is_refused(tmp_path, knobs):
    with pytest.raises(ValueError, match="at least 1"):
        next(read_ahead([tmp_path], 32, **knobs))
