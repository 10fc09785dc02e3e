import urllib.error
import urllib.request

import pytest

from riqa.errors import BuildError, InputError
from riqa.publish.layout import Build
from riqa.publish.pages import is_rendered, render, serve_book
from riqa.publish.stage import common_files, write_site
from tests.publish.serving import serving


def test_a_site_is_rendered_whole_and_offline_and_a_broken_link_leaves_the_last_good_book(toy):
    build, told = Build(toy, "toy"), []
    page, html = build.site / "book" / "preface.md", build.html
    pages = {"_toc.yml": b"format: jb-book\nroot: book/preface\n"}
    pages["book/preface.md"] = b"# Toy\n\nIt holds that $a^2 \\ge 0$.\n"
    write_site(build.site, common_files(toy) | pages)
    assert not is_rendered(build)
    render(build, told.append)
    assert is_rendered(build)
    text = (html / "book" / "preface.html").read_text()
    assert "_static/mathjax/tex-mml-chtml.js" in text
    assert "cdn." not in text
    assert "THEBE_JS_URL" not in text
    assert (html / "_static" / "mathjax" / "output" / "chtml" / "fonts").is_dir()
    assert not list(build.folder.glob(".html*"))
    assert told[-1].startswith("writing output... [100%]")

    page.write_bytes(page.read_bytes())  # its time alone
    (build.site / "book" / "_ext" / "__pycache__" / "x.pyc").parent.mkdir(exist_ok=True)
    (build.site / "book" / "_ext" / "__pycache__" / "x.pyc").touch()
    assert is_rendered(build)
    (build.site / "book" / "_static" / "riqa.css").write_text("/* another look */")
    render(build)  # no page has changed, and yet
    assert (html / "_static" / "riqa.css").read_text() == "/* another look */"
    page.write_text("# Toy\n\n{doc}`/notebooks/gone`\n")
    for _ in range(2):  # a page with a warning must be read again
        with pytest.raises(BuildError, match="gone"):
            render(build)
    assert "a^2" in (html / "book" / "preface.html").read_text()
    assert not is_rendered(build)


def test_a_book_is_served_on_this_machine_if_it_is_built_and_the_port_is_free(tmp_path):
    build = Build(tmp_path, "toy")
    with pytest.raises(InputError, match="make book PROFILE=toy"):
        serve_book(build, 0)
    build.html.mkdir(parents=True)
    (build.html / "index.html").write_text("hello")
    with serving(build.html) as address:
        assert address.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(f"{address}/index.html").read() == b"hello"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/b.html")
        with pytest.raises(InputError, match="--port"):
            serve_book(build, int(address.rsplit(":", 1)[1]))
