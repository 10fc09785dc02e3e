import urllib.error
import urllib.request

import pytest
from rich.console import Console

from riqa.errors import BuildError, InputError
from riqa.publish.layout import Build
from riqa.publish.pages import is_rendered, render, render_state, serve_book, site_digest
from riqa.publish.stage import write_site
from tests.publish.serving import serving
from tests.publish.toy import REPOSITORY


@pytest.fixture
def build(tmp_path):
    """A build with the smallest staged site: the real configuration and extensions, and one page."""
    book = REPOSITORY / "book"
    pages = {f"book/_ext/{p.name}": p.read_bytes() for p in (book / "_ext").glob("*.py")}
    pages |= {f"book/_static/{p.name}": p.read_bytes() for p in (book / "_static").iterdir() if p.is_file()}
    pages["_config.yml"] = (REPOSITORY / "_config.yml").read_bytes()
    pages["_toc.yml"] = b"format: jb-book\nroot: book/preface\n"
    pages["book/references.bib"] = b"@misc{toy, title={Toy}, author={Nobody}, year={2026}}\n"
    pages["book/preface.md"] = b"# Toy\n\nIt holds that $a^2 \\ge 0$.\n"
    write_site(Build(tmp_path, "toy").site, pages)
    return Build(tmp_path, "toy")


def test_a_site_is_rendered_whole_and_offline_and_a_broken_link_leaves_the_last_good_book(build):
    site, html, log = build.site, build.html, build.logs / "book.log"
    assert not is_rendered(site, html)
    render(site, html, log)
    assert is_rendered(site, html)
    page = (html / "book" / "preface.html").read_text()
    assert "_static/mathjax/tex-mml-chtml.js" in page
    assert "cdn." not in page
    assert "THEBE_JS_URL" not in page
    assert (html / "_static" / "mathjax" / "output" / "chtml" / "fonts").is_dir()
    assert not list(build.folder.glob(".html*"))
    assert render_state(log).startswith("writing output... [100%]")

    (site / "book" / "preface.md").write_text("# Toy\n\n{doc}`/notebooks/gone`\n")
    for _ in range(2):  # a page with a warning must be read again
        with pytest.raises(BuildError, match="gone"):
            render(site, html, log)
    assert "a^2" in (html / "book" / "preface.html").read_text()
    assert not is_rendered(site, html)


def test_the_digest_follows_the_site_and_not_its_times(build):
    before = site_digest(build.site)
    page = build.site / "book" / "preface.md"
    page.write_bytes(page.read_bytes())
    (build.site / "book" / "_ext" / "__pycache__").mkdir()
    (build.site / "book" / "_ext" / "__pycache__" / "x.pyc").touch()
    assert site_digest(build.site) == before
    page.write_text("# Other\n")
    assert site_digest(build.site) != before


def test_a_book_is_served_on_this_machine_if_it_is_built_and_the_port_is_free(tmp_path):
    build = Build(tmp_path, "toy")
    with pytest.raises(InputError, match="make book PROFILE=toy"):
        serve_book(build, 0, Console())
    build.html.mkdir(parents=True)
    (build.html / "index.html").write_text("hello")
    with serving(build.html) as address:
        assert address.startswith("http://127.0.0.1:")
        assert urllib.request.urlopen(f"{address}/index.html").read() == b"hello"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{address}/b.html")
        with pytest.raises(InputError, match="--port"):
            serve_book(build, int(address.rsplit(":", 1)[1]), Console())
