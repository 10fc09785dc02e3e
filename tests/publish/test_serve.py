import urllib.error
import urllib.request

import pytest
from rich.console import Console

from riqa.errors import InputError
from riqa.publish.layout import Build
from riqa.publish.serve import serve_book
from tests.publish.serving import serving


def test_a_folder_is_served_on_this_machine(tmp_path):
    (tmp_path / "a.html").write_text("hello")
    with serving(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(f"{address}/a.html").read() == b"hello"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/b.html")


def test_a_book_that_is_not_built_is_not_served(toy):
    with pytest.raises(InputError, match="make book PROFILE=toy"):
        serve_book(Build(toy, "toy"), 0, Console())


def test_a_port_in_use_is_one_line(toy):
    html = Build(toy, "toy").html
    html.mkdir(parents=True)
    (html / "index.html").touch()
    with serving(html) as address, pytest.raises(InputError, match="--port"):
        serve_book(Build(toy, "toy"), int(address.rsplit(":", 1)[1]), Console())
