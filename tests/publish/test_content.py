import hashlib
import os

import pytest

from riqa.publish.content import (
    file_digest,
    listing_digest,
    read_json,
    tree_digests,
    write_if_changed,
    write_json,
    write_whole,
)


def test_write_if_changed_keeps_the_time_of_an_equal_file(tmp_path):
    page = tmp_path / "a" / "page.md"
    assert write_if_changed(page, "text")
    os.utime(page, (1, 1))
    assert not write_if_changed(page, b"text")
    assert page.stat().st_mtime == 1
    assert write_if_changed(page, "other")
    assert page.read_text() == "other"


def test_nothing_is_left_beside_a_written_file(tmp_path):
    write_whole(tmp_path / "x.txt", "1")
    write_json(tmp_path / "x.json", {"a": 1})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.json", "x.txt"]


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_a_json_file_that_was_cut_short_reads_as_none(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    assert read_json(tmp_path / "x.json") is None
    assert read_json(tmp_path / "missing.json") is None


def test_tree_digests_are_sha256_by_relative_path(tmp_path):
    write_whole(tmp_path / "b" / "two", "2")
    write_whole(tmp_path / "one", "1")
    write_whole(tmp_path / "left_out", "0")
    wanted = {"b/two": hashlib.sha256(b"2").hexdigest(), "one": hashlib.sha256(b"1").hexdigest()}
    assert tree_digests(tmp_path, skip=["left_out"]) == wanted
    assert list(tree_digests(tmp_path, skip=["left_out"])) == ["b/two", "one"]
    assert file_digest(tmp_path / "one") == wanted["one"]
    assert tree_digests(tmp_path / "missing") == {}


@pytest.mark.parametrize("change", ["size", "time", "name", "new"])
def test_listing_digest_sees_every_change_but_reads_nothing(tmp_path, change):
    write_whole(tmp_path / "a" / "one", "1")
    os.utime(tmp_path / "a" / "one", (1, 1))
    before = listing_digest(tmp_path)
    assert listing_digest(tmp_path) == before
    if change == "size":
        (tmp_path / "a" / "one").write_text("11")
        os.utime(tmp_path / "a" / "one", (1, 1))
    elif change == "time":
        os.utime(tmp_path / "a" / "one", (2, 2))
    elif change == "name":
        (tmp_path / "a" / "one").rename(tmp_path / "a" / "two")
    else:
        write_whole(tmp_path / "b", "")
    assert listing_digest(tmp_path) != before


def test_listing_digest_takes_links_that_lead_nowhere_and_names_that_are_no_text(tmp_path):
    before = listing_digest(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
    assert listing_digest(tmp_path) != before


def test_listing_digest_follows_links_but_not_round_and_round(tmp_path):
    data, disk = tmp_path / "data", tmp_path / "disk"
    write_whole(disk / "a" / "one", "1")
    data.mkdir()
    (data / "eyeq").symlink_to(disk)
    (disk / "a" / "round").symlink_to(disk)
    before = listing_digest(data)
    assert listing_digest(data) == before
    write_whole(disk / "a" / "two", "2")
    assert listing_digest(data) != before
