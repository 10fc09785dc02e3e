import pytest

from riqa.publish.pages import PagesError, finish_render, is_rendered, render_state, site_digest, start_render
from riqa.publish.stage import write_site
from tests.publish.toy import REPOSITORY


@pytest.fixture
def site(tmp_path):
    """The smallest staged site: the real configuration and extensions, and one page."""
    book = REPOSITORY / "book"
    pages = {f"book/_ext/{p.name}": p.read_bytes() for p in (book / "_ext").glob("*.py")}
    pages |= {f"book/_static/{p.name}": p.read_bytes() for p in (book / "_static").iterdir() if p.is_file()}
    pages["_config.yml"] = (REPOSITORY / "_config.yml").read_bytes()
    pages["_toc.yml"] = b"format: jb-book\nroot: book/preface\n"
    pages["book/references.bib"] = b"@misc{toy, title={Toy}, author={Nobody}, year={2026}}\n"
    pages["book/preface.md"] = b"# Toy\n\nIt holds that $a^2 \\ge 0$.\n"
    write_site(tmp_path / "site", pages)
    return tmp_path / "site"


def render(site):
    log = site.parent / "book.log"
    finish_render(start_render(site, log).wait(), site, site.parent / "html", log)


def test_a_site_is_rendered_whole_and_offline(site):
    html = site.parent / "html"
    assert not is_rendered(site, html)
    render(site)
    assert is_rendered(site, html)
    page = (html / "book" / "preface.html").read_text()
    assert "_static/mathjax/tex-mml-chtml.js" in page
    assert "cdn." not in page
    assert "THEBE_JS_URL" not in page
    assert (html / "_static" / "mathjax" / "output" / "chtml" / "fonts").is_dir()
    assert not list(site.parent.glob(".html*"))
    assert render_state(site.parent / "book.log").startswith("writing output... [100%]")


def test_a_broken_link_fails_each_time_and_the_last_good_book_stays(site):
    render(site)
    (site / "book" / "preface.md").write_text("# Toy\n\n{doc}`/notebooks/gone`\n")
    for _ in range(2):  # a page with a warning must be read again
        with pytest.raises(PagesError, match="gone"):
            render(site)
    assert "a^2" in (site.parent / "html" / "book" / "preface.html").read_text()
    assert not is_rendered(site, site.parent / "html")


def test_the_digest_follows_the_site_and_not_its_times(site):
    before = site_digest(site)
    page = site / "book" / "preface.md"
    page.write_bytes(page.read_bytes())
    (site / "book" / "_ext" / "__pycache__").mkdir()
    (site / "book" / "_ext" / "__pycache__" / "x.pyc").touch()
    assert site_digest(site) == before
    page.write_text("# Other\n")
    assert site_digest(site) != before
