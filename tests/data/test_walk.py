import os
from pathlib import Path
from unicodedata import normalize

import pytest
from PIL import Image

from riqa.data.read import read_photograph
from riqa.data.walk import PassedOver, as_on_disk, composed, is_read, walk_images
from tests.powers import python_without_powers


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_searched_to_the_bottom_in_order_and_called_as_asked(tmp_path):
    touch(tmp_path, "b/2.jpg", "a.PNG", "b/deep/1.tif", "b-1.bmp", "notes.txt")
    found = ["a.PNG", "b/2.jpg", "b/deep/1.tif", "b-1.bmp"]
    assert walk_images(tmp_path, "", PassedOver()) == found
    assert walk_images(tmp_path, "x/y", PassedOver()) == [f"x/y/{name}" for name in found]
    assert walk_images(tmp_path, ".", PassedOver(), nested=False) == ["./a.PNG", "./b-1.bmp"]
    assert walk_images(tmp_path / "gone", "", PassedOver()) == []
    assert walk_images(tmp_path / "a.PNG", "", PassedOver()) == []


def test_what_systems_keep_and_other_endings_are_passed_over_and_counted(tmp_path):
    names = ".Trash-0 .ipynb_checkpoints @eaDir #recycle $RECYCLE.BIN __MACOSX lost+found"
    hidden = names.split(" ")
    touch(tmp_path, "1.jpg", *(f"{name}/old.jpg" for name in hidden), "._1.jpg", "Thumbs.db")
    passed = PassedOver()
    assert walk_images(tmp_path, "", passed) == ["1.jpg"]
    assert passed.hidden == sorted([*hidden, "._1.jpg", "Thumbs.db"])
    assert str(passed) == "9 hidden or of the system (#recycle, $RECYCLE.BIN, .Trash-0, ...)"
    # A folder that is named is searched, whatever its name.
    assert walk_images(tmp_path / ".Trash-0", "", PassedOver()) == ["old.jpg"]
    touch(tmp_path / "b", "1.jpg", "2.heic", "3.HEIC", "scan", "notes.txt")
    for nested in (True, False):
        passed = PassedOver()
        assert walk_images(tmp_path / "b", "", passed, nested) == ["1.jpg"]
        assert str(passed) == (
            "4 with an ending that is not read (.heic 2, .txt 1, none 1, e.g. 2.heic, 3.HEIC, notes.txt, ...)"
        )
    assert [one.code for one in passed.findings("x")] == ["passed-over"]
    assert PassedOver().findings("x") == []


def test_every_ending_that_pillow_opens_is_read_and_no_document(tmp_path):
    image = Image.new("RGB", (8, 8), (90, 40, 10))
    colour = "jpg JPEG jfif jpe png tif tiff bmp gif webp ppm pnm jp2 j2k tga pcx sgi avif ico"
    modes = dict.fromkeys(colour.split(" "), "RGB") | {"pgm": "L", "pbm": "1"}
    for ending, mode in modes.items():
        path = tmp_path / f"1.{ending}"
        image.convert(mode).save(path)
        assert is_read(path.name), ending
        assert read_photograph(path).shape == (8, 8, 3)
    for ending in ("pdf", "eps", "ps", "svg", "wmf", "h5", "mpg", "txt", "csv", "heic", "dcm"):
        assert not is_read(f"1.{ending}"), ending
    assert not is_read("scan")
    assert not is_read(".jpg")


@pytest.mark.parametrize(("written", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_path_is_found_in_either_form(tmp_path, written, asked):
    assert composed(normalize(written, "Größe_é")) == normalize("NFC", "Größe_é")
    assert composed("M\udcfcller") == "Müller"  # as Windows packs it
    there, named = (tmp_path / normalize(form, "Größe/é.jpg") for form in (written, asked))
    touch(tmp_path, there.relative_to(tmp_path))
    assert as_on_disk(named) == as_on_disk(there) == there
    for gone in (tmp_path / "gone" / "é.jpg", Path("gone.jpg"), there.with_name("o.jpg"), there / "x.jpg"):
        assert as_on_disk(gone) == gone
    named.parent.mkdir()
    assert as_on_disk(named) == named  # two folders that look alike


def test_links_are_followed_once_and_never_in_a_circle(tmp_path):
    touch(tmp_path, "photos/z/1.jpg", "elsewhere/2.jpg", "elsewhere/deep/3.jpg", "4.jpg")
    photos = tmp_path / "photos"
    links = {
        "2024": "../elsewhere",
        "again": "../elsewhere/deep",
        "a": "z",
        "here": ".",
        "up": "..",
        "z/up": "..",
    }
    links |= {"../elsewhere/back": "../photos", "5.jpg": "../4.jpg"}
    links |= {"gone.jpg": "nowhere.jpg", "self.jpg": "self.jpg"}
    for name, target in links.items():
        (photos / name).symlink_to(target)
    os.mkfifo(photos / "pipe.jpg")
    passed = PassedOver()
    found = walk_images(photos, "", passed)
    assert found == ["2024/2.jpg", "2024/deep/3.jpg", "5.jpg", "z/1.jpg"]
    assert passed.circles == ["here", "up", "z/up"]
    assert passed.broken == ["gone.jpg", "pipe.jpg", "self.jpg"]
    told = "3 linked back to a folder above (here, up, up), 3 that are no files or lead to none"
    assert told in str(passed)
    (tmp_path / "link").symlink_to("photos")  # the folder to search may be a link itself
    assert walk_images(tmp_path / "link", "", PassedOver()) == found
    # A folder above another may be linked, too, and names may be no UTF-8.
    touch(tmp_path, "data/1.jpg", "data/x/2.jpg", os.fsdecode(b"root/M\xfcller/\xe9.jpg"))
    (tmp_path / "root" / "a").symlink_to("../data/x")
    (tmp_path / "root" / "b").symlink_to("../data")
    passed = PassedOver()
    odd, *found = walk_images(tmp_path / "root", "", passed)
    assert (os.fsencode(odd), found, passed.circles) == (b"M\xfcller/\xe9.jpg", ["a/2.jpg", "b/1.jpg"], [])


def test_a_folder_that_cannot_be_entered_is_named(tmp_path):
    touch(tmp_path, "1.jpg", "locked/2.jpg")
    (tmp_path / "into").symlink_to("locked/2.jpg")
    (tmp_path / "locked").chmod(0)
    code = (
        "import sys; from pathlib import Path; from riqa.data.walk import *; passed = PassedOver();"
        "print(walk_images(Path(sys.argv[1]), '', passed), passed.barred, passed.broken);"
        "print(*(one.message for one in passed.findings('clinic')))"
    )
    try:
        told = python_without_powers("-c", code, str(tmp_path))
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert told.stdout.splitlines() == [
        "['1.jpg'] {'locked': 'no permission to enter it'} ['into']",
        "clinic: 1 folder(s) cannot be entered, and what they hold is left out, e.g. locked: no permission "
        "to enter it clinic: passed over: 1 that are no files or lead to none (into)",
    ]
