import hashlib
import os
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from riqa.data import sources
from riqa.data.fetch import fetch
from riqa.data.sources import SOURCES, Download, Source
from riqa.errors import InputError


class Files(BaseHTTPRequestHandler):
    """Serves `server.files`, name -> bytes; a name that ends in -cut breaks off in the middle."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[: len(body) // 2 if self.path.endswith("-cut") else None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as running:
        running.files, running.asked = {}, []
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def offer(monkeypatch, server):
    """Return a function that makes `thing` something that can be fetched from the server."""

    def offer(path, body, checksum=None, name="labels.csv", keep=None):
        server.files[path] = body
        file = Download(server.url + path, name, checksum or hashlib.sha256(body).hexdigest(), keep)
        monkeypatch.setitem(SOURCES, "thing", Source("a thing", "free", "small", (file,), "done"))

    return offer


def zipped(tmp_path, members):
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as content:
        for name, text in members.items():
            content.writestr(name, text)
    return path.read_bytes()


def left(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_fetched_once(tmp_path, offer, server):
    offer("/labels", b"a,b\n1,2\n")
    to = tmp_path / "data" / "thing"
    assert fetch("thing", to) == [to / "labels.csv"]
    assert (to / "labels.csv").read_bytes() == b"a,b\n1,2\n"
    assert left(to) == ["labels.csv"]
    assert fetch("thing", to) == [to / "labels.csv"]
    assert server.asked == ["/labels"]  # the second time from the disk


def test_another_file_than_published_is_not_kept(tmp_path, offer):
    offer("/labels", b"hacked", checksum=hashlib.sha256(b"a,b\n1,2\n").hexdigest())
    with pytest.raises(InputError, match="checksum differs"):
        fetch("thing", tmp_path / "data" / "thing")
    assert left(tmp_path) == []


def test_a_broken_off_download_leaves_nothing(tmp_path, offer):
    offer("/labels-cut", b"a,b\n1,2\n" * 1000)
    with pytest.raises(InputError):
        fetch("thing", tmp_path / "thing")
    assert left(tmp_path) == []


def test_offline_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        file = Download(f"http://127.0.0.1:{closed.getsockname()[1]}/labels", "labels.csv", "0" * 64)
        monkeypatch.setitem(SOURCES, "thing", Source("a thing", "free", "small", (file,), "done"))
        with pytest.raises(InputError, match="cannot be reached") as error:
            fetch("thing", tmp_path / "thing")
    assert "\n" not in str(error.value)
    assert left(tmp_path) == []


def test_what_is_gone_says_its_status(tmp_path, offer, server):
    offer("/labels", b"x")
    server.files.clear()
    with pytest.raises(InputError, match="answers 404"):
        fetch("thing", tmp_path)


def test_a_changed_file_is_refused_and_kept(tmp_path, offer, server):
    offer("/labels", b"a,b\n1,2\n")
    (tmp_path / "labels.csv").write_bytes(b"flipped by hand")
    with pytest.raises(InputError, match="move it away"):
        fetch("thing", tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == b"flipped by hand"
    assert server.asked == []


def test_of_an_archive_only_its_folder_is_unpacked(tmp_path, offer, server):
    members = {"thing-1.1/tree/a/1.txt": "one", "thing-1.1/tree/2.txt": "two", "thing-1.1/other/3.txt": "no"}
    offer("/archive", zipped(tmp_path, members), name="archive.zip", keep="tree")
    to = tmp_path / "data"
    assert fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/2.txt", "tree/a", "tree/a/1.txt"]
    assert (to / "tree" / "a" / "1.txt").read_text() == "one"
    fetch("thing", to)
    assert server.asked == ["/archive"]


def test_unpacking_that_breaks_off_is_done_again_without_download(tmp_path, offer, server, monkeypatch):
    offer("/archive", zipped(tmp_path, {"x/tree/1.txt": "one"}), name="archive.zip", keep="tree")
    to = tmp_path / "data"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(InputError, match="No space left"):
        fetch("thing", to)
    assert not (to / "tree").exists()
    assert left(to) == ["archive.zip"]
    monkeypatch.undo()
    offer("/archive", (to / "archive.zip").read_bytes(), name="archive.zip", keep="tree")
    fetch("thing", to)
    assert left(to) == ["tree", "tree/1.txt"]
    assert len(server.asked) == 1


def test_an_archive_without_the_folder_is_said(tmp_path, offer):
    offer("/archive", zipped(tmp_path, {"x/1.txt": "one"}), name="archive.zip", keep="tree")
    with pytest.raises(InputError, match="holds no folder tree"):
        fetch("thing", tmp_path / "data")


def fake_bsdtar(folder, script):
    """Put a program bsdtar into `folder`, called as: bsdtar -xf ARCHIVE -C FOLDER."""
    folder.mkdir()
    (folder / "bsdtar").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bsdtar").chmod(0o755)
    return str(folder)


def test_a_rar_is_unpacked_by_bsdtar_where_there_is_one(tmp_path, offer, server, monkeypatch):
    offer("/archive", b"Rar!", name="thing.rar", keep="tree")
    to = tmp_path / "data"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"only bsdtar can unpack it; .*type: bsdtar -xf '.*thing.rar' -C '"):
        fetch("thing", to)
    assert left(to) == ["thing.rar"]
    monkeypatch.setenv("PATH", fake_bsdtar(tmp_path / "broken", "echo first; echo no RAR here >&2; exit 1"))
    with pytest.raises(InputError, match=r"cannot be unpacked \(no RAR here\); look at it by hand"):
        fetch("thing", to)
    assert left(to) == ["thing.rar"]
    script = 'PATH=/usr/bin:/bin; mkdir -p "$4/tree/a" && cp "$2" "$4/tree/a/1.png"'
    monkeypatch.setenv("PATH", fake_bsdtar(tmp_path / "whole", script))
    assert fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/a", "tree/a/1.png"]
    assert fetch("thing", to) == [to / "tree"]
    assert server.asked == ["/archive"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path, offer):
    offer("/labels", b"x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        fetch("thing", tmp_path / "file" / "below")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(InputError, match="eyeq, eyepacs, eyeq_d, mshf, deepdrid, fives, published"):
        fetch("kaggle", "data")


@pytest.mark.parametrize("file", [file for source in SOURCES.values() for file in source.files], ids=str)
def test_every_file_is_pinned_or_behind_a_doi(file):
    if file.checksum is None:  # the archive behind a DOI states its own
        assert file.url.startswith("doi:10.")
        return
    algorithm, _, digits = file.checksum.rpartition(":")
    assert (algorithm, len(digits)) in {("", 64), ("md5", 32)}
    assert file.url.startswith("https://")
    assert "/main/" not in file.url
    assert "/master/" not in file.url


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="RIQA_DATA names no folder of real data")
@pytest.mark.parametrize(
    ("name", "folder"), [("eyeq", "eyeq"), ("eyeq_d", "eyeq-d"), ("published", "published")]
)
def test_pinned_sums_are_those_of_the_real_files(name, folder):
    for file in SOURCES[name].files:
        body = (Path(os.environ["RIQA_DATA"]) / folder / file.name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == file.checksum


def test_instructions_name_the_folder():
    assert fetch("eyepacs", "anywhere") == []
    assert "riqa check eyeq --root elsewhere" in sources.EYEPACS.format(folder="elsewhere")


class Shelf:
    """What pooch makes of a DOI: a list of files with their sums."""

    def __init__(self, url, files):
        self.url, self.files = url, files

    def populate_registry(self, registry):
        registry.registry.update(
            {n: f"md5:{hashlib.md5(body).hexdigest()}" for n, body in self.files.items()}
        )

    def download_url(self, name):
        return f"{self.url}/{name}"


@pytest.fixture
def shelve(monkeypatch, server):
    """Return a function that puts files behind a DOI, and offers the one zip file among them."""

    def shelve(files):
        server.files |= {f"/{name}": body for name, body in files.items()}
        shelf = Shelf(server.url, files)
        monkeypatch.setattr("pooch.core.doi_to_repository", lambda *_, **__: shelf)
        monkeypatch.setattr("pooch.downloaders.doi_to_repository", lambda *_, **__: shelf)
        file = Download("doi:10.1234/figshare.1", "tree.zip", None, keep="tree")
        monkeypatch.setitem(SOURCES, "thing", Source("a thing", "free", "small", (file,), "done"))

    return shelve


def test_archive_behind_a_doi_says_its_own_name_and_checksum(tmp_path, shelve, server):
    shelve({"named-by-them.zip": zipped(tmp_path, {"tree/a.csv": "a"}), "readme.txt": b"hello"})
    to = tmp_path / "to"
    assert fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/a.csv"]
    assert server.asked == ["/named-by-them.zip"]


def test_archive_behind_a_doi_that_came_damaged_is_refused(tmp_path, shelve, server):
    body = zipped(tmp_path, {"tree/a.csv": "a"})
    shelve({"one.zip": body})
    server.files["/one.zip"] = body + b"?"
    with pytest.raises(InputError, match="checksum differs"):
        fetch("thing", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_archive_behind_a_doi_with_two_zip_files_is_not_guessed(tmp_path, shelve):
    shelve({"one.zip": b"1", "two.zip": b"2"})
    with pytest.raises(InputError, match=r"holds 2 zip files .* download it in a browser"):
        fetch("thing", tmp_path / "to")


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_others_may_read_what_was_fetched_as_they_may_any_file(tmp_path, offer, umask):
    offer("/labels", b"a,b\n1,2\n")
    before = os.umask(umask)
    try:
        fetch("thing", tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "labels.csv").stat().st_mode & 0o777 == 0o666 & ~umask
