import hashlib
import io
import os
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from riqa.data.fetch import SOURCES, Download, Source, fetch
from tests.data.expect import REAL, needs_data, refused


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
def thing(monkeypatch):
    """Return a function that makes `thing` one file that can be fetched."""

    def thing(*file):
        monkeypatch.setitem(SOURCES, "thing", Source("a thing", "free", "small", "done", (Download(*file),)))

    return thing


@pytest.fixture
def offer(thing, server):
    """Return a function that puts a file, an archive where it is to keep a folder, on the server."""

    def offer(path, body, checksum=None, name="labels.csv", keep=None):
        server.files[path] = body
        thing(server.url + path, name, checksum or hashlib.sha256(body).hexdigest(), keep)

    return offer


def zipped(members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as content:
        for name, text in members.items():
            content.writestr(name, text)
    return made.getvalue()


def left(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def assert_refused(to, *parts):
    with refused(*parts):
        fetch("thing", to)


TABLE = b"a,b\n1,2\n"


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_file_is_fetched_once_and_others_may_read_it_as_any_file(tmp_path, offer, server, umask):
    offer("/labels", TABLE)
    to = tmp_path / "data" / "thing"
    before = os.umask(umask)
    try:
        assert fetch("thing", to) == fetch("thing", to) == [to / "labels.csv"]
    finally:
        os.umask(before)
    assert (to / "labels.csv").read_bytes() == TABLE
    assert left(to) == ["labels.csv"]
    assert server.asked == ["/labels"]  # the second time from the disk
    assert (to / "labels.csv").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_is_another_file_or_broken_off_or_gone_or_offline_leaves_nothing(tmp_path, offer, server, thing):
    for path, checksum, message in (
        ("/labels", hashlib.sha256(b"another").hexdigest(), "checksum differs"),
        ("/labels-cut", None, "/labels-cut"),
        ("/gone", None, "answers 404"),
    ):
        offer(path, TABLE * 1000, checksum)
        server.files.pop("/gone", None)
        assert_refused(tmp_path / "data" / "thing", message)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        thing(f"http://127.0.0.1:{closed.getsockname()[1]}/labels", "labels.csv", "0" * 64)
        assert_refused(tmp_path / "data" / "thing", "cannot be reached")
    assert left(tmp_path) == []


def test_a_changed_file_is_refused_and_kept(tmp_path, offer, server):
    offer("/labels", TABLE)
    (tmp_path / "labels.csv").write_bytes(b"flipped by hand")
    assert_refused(tmp_path, "move it away")
    assert (tmp_path / "labels.csv").read_bytes() == b"flipped by hand"
    assert server.asked == []
    assert_refused(tmp_path / "labels.csv" / "below", "cannot be written")


def test_of_an_archive_only_its_folder_is_unpacked(tmp_path, offer, server):
    members = {"thing-1.1/tree/a/1.txt": "one", "thing-1.1/tree/2.txt": "two", "thing-1.1/other/3.txt": "no"}
    offer("/archive", zipped(members), name="archive.zip", keep="tree")
    to = tmp_path / "data"
    assert fetch("thing", to) == fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/2.txt", "tree/a", "tree/a/1.txt"]
    assert (to / "tree" / "a" / "1.txt").read_text() == "one"
    assert server.asked == ["/archive"]
    offer("/archive", zipped({"x/1.txt": "one"}), name="archive.zip", keep="tree")
    assert_refused(tmp_path / "other", "holds no folder tree")


def test_unpacking_that_breaks_off_is_done_again_without_download(tmp_path, offer, server, monkeypatch):
    offer("/archive", zipped({"x/tree/1.txt": "one"}), name="archive.zip", keep="tree")
    to = tmp_path / "data"

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", full)
        assert_refused(to, "No space left")
    assert left(to) == ["archive.zip"]
    fetch("thing", to)
    assert left(to) == ["tree", "tree/1.txt"]
    assert len(server.asked) == 1


def test_a_rar_is_unpacked_by_bsdtar_where_there_is_one(tmp_path, offer, server, monkeypatch):
    offer("/archive", b"Rar!", name="thing.rar", keep="tree")
    to = tmp_path / "data"

    def bsdtar(script):  # called as: bsdtar -xf ARCHIVE -C FOLDER
        (tmp_path / "bsdtar").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bsdtar").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    monkeypatch.setenv("PATH", "/nowhere")
    assert_refused(to, "only bsdtar can unpack it; ", "type: bsdtar -xf '", "thing.rar' -C '")
    bsdtar("echo first; echo no RAR here >&2; exit 1")
    assert_refused(to, "cannot be unpacked (no RAR here); look at it by hand")
    assert left(to) == ["thing.rar"]
    bsdtar('PATH=/usr/bin:/bin; mkdir -p "$4/tree/a" && cp "$2" "$4/tree/a/1.png"')
    assert fetch("thing", to) == fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/a", "tree/a/1.png"]
    assert server.asked == ["/archive"]


def test_an_unknown_name_lists_the_known_and_instructions_name_the_folder():
    with refused("eyeq, eyepacs, eyeq_d, mshf, deepdrid, fives, published"):
        fetch("kaggle", "data")
    assert fetch("eyepacs", "anywhere") == []
    assert "riqa check eyeq --root elsewhere" in SOURCES["eyepacs"].then.format(folder="elsewhere")


def test_every_file_is_pinned_or_behind_a_doi():
    for file in [file for source in SOURCES.values() for file in source.files]:
        if file.checksum is None:  # the archive behind a DOI states its own
            assert file.url.startswith("doi:10.")
            continue
        algorithm, _, digits = file.checksum.rpartition(":")
        assert (algorithm, len(digits)) in {("", 64), ("md5", 32)}
        assert file.url.startswith("https://")
        assert not {"main", "master"} & set(file.url.split("/"))


@needs_data
@pytest.mark.parametrize("name", ["eyeq", "eyeq_d", "published"])
def test_pinned_sums_are_those_of_the_real_files(name):
    for file in SOURCES[name].files:
        body = (REAL / name.replace("_", "-") / file.name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == file.checksum


@pytest.fixture
def shelve(monkeypatch, server, thing):
    """Return a function that puts files behind a DOI, of which the one zip file can be fetched."""

    def shelve(files):
        server.files |= {f"/{name}": body for name, body in files.items()}
        sums = {name: f"md5:{hashlib.md5(body).hexdigest()}" for name, body in files.items()}
        shelf = SimpleNamespace(  # what pooch makes of a DOI
            populate_registry=lambda pooch: pooch.registry.update(sums),
            download_url=lambda name: f"{server.url}/{name}",
        )
        for module in ("core", "downloaders"):
            monkeypatch.setattr(f"pooch.{module}.doi_to_repository", lambda *_, **__: shelf)
        thing("doi:10.1234/figshare.1", "tree.zip", None, "tree")

    return shelve


def test_archive_behind_a_doi_says_its_own_name_and_checksum_and_one_of_two_is_not_guessed(
    tmp_path, shelve, server
):
    body, to = zipped({"tree/a.csv": "a"}), tmp_path / "to"
    shelve({"named-by-them.zip": body, "readme.txt": b"hello"})
    server.files["/named-by-them.zip"] = body + b"?"
    assert_refused(to, "checksum differs")  # it came damaged
    assert not to.exists()
    server.files["/named-by-them.zip"] = body
    assert fetch("thing", to) == [to / "tree"]
    assert left(to) == ["tree", "tree/a.csv"]
    assert server.asked == ["/named-by-them.zip"] * 2
    shelve({"one.zip": b"1", "two.zip": b"2"})
    assert_refused(tmp_path / "other", "holds 2 zip files ", " download it in a browser")
