"""Every page of the smoke book, in a browser, from a static server that is the only host there is."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from tests.publish.serving import serving

pytestmark = pytest.mark.book

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


class _References(HTMLParser):
    """Collects what a page links to and the anchors that it offers."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if given.get(name) and not (tag == "link" and given.get("rel") == "canonical"):
                self.links.append(given[name])


@pytest.fixture(scope="module")
def html(smoke) -> Path:
    """The folder of the rendered book."""
    return smoke.html


@pytest.fixture(scope="module")
def address(html) -> Iterator[str]:
    """Where the book is served while these tests run."""
    with serving(html) as served:
        yield served


def pages(html):
    return sorted(
        path.relative_to(html).as_posix() for path in html.rglob("*.html") if "_static" not in path.parts
    )


def visit(browser, address, page, **context):
    """Open a page as a reader would; return the open page and everything that went wrong meanwhile."""
    wrong = []
    opened = browser.new_context(**context).new_page()

    def route(request):
        if request.request.url.startswith((address, "data:", "blob:")):
            request.continue_()
        else:
            wrong.append(f"request to {request.request.url}")
            request.abort()

    opened.route("**/*", route)
    opened.on(
        "console", lambda m: wrong.append(f"console: {m.text}") if m.type in ("error", "warning") else None
    )
    opened.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
    opened.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    opened.goto(f"{address}/{page}", wait_until="networkidle")
    return opened, wrong


def test_every_page_loads_whole_and_alone(browser, html, address):
    found = pages(html)
    assert len(found) >= 15
    trouble = {}
    for page in found:
        opened, wrong = visit(browser, address, page, viewport=DESKTOP)
        missing = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        wrong += [f"missing image: {source}" for source in opened.evaluate(missing)]
        wrong += [f"unrendered: {text}" for text in opened.locator("mjx-merror").all_inner_texts()]
        if wrong:
            trouble[page] = wrong
        opened.context.close()
    assert trouble == {}


def test_no_link_is_broken(html):
    read = {page: _References((html / page).read_text()) for page in pages(html)}
    broken = []
    for page, references in read.items():
        for link in references.links:
            if re.match(r"(https?|mailto|data|javascript):", link) or link.startswith("//"):
                continue
            target, anchor = urldefrag(urljoin(f"/{page}", link))
            path = unquote(target.split("?")[0]).lstrip("/")
            if not (html / path).exists():
                broken.append(f"{page}: {link}")
            elif anchor and path in read and unquote(anchor) not in read[path].anchors:
                broken.append(f"{page}: {link} (no such place on the page)")
    assert broken == []


def test_formulas_are_typeset(browser, address):
    opened, wrong = visit(browser, address, "notebooks/05_train_multi_task.html", viewport=DESKTOP)
    opened.wait_for_selector("mjx-container", timeout=60_000)
    assert opened.locator("mjx-container").count() >= 3
    assert wrong == []
    opened.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_chapter_is_readable_in_both_schemes_and_on_a_phone(browser, address, scheme, viewport):
    page = "notebooks/06_compare_overall_quality.html"
    opened, wrong = visit(browser, address, page, viewport=viewport, color_scheme=scheme)
    opened.wait_for_function(f"document.documentElement.dataset.theme === {scheme!r}", timeout=60_000)
    overflow = opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1, "the page must not scroll sideways"
    dark = opened.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(c => c < 60)"
    )
    assert dark == (scheme == "dark")
    assert opened.locator(".riqa-provenance").is_visible()
    assert wrong == []
    opened.context.close()


def test_every_chapter_tells_what_made_it_and_lists_its_parameters(html, chapters):
    for name in chapters:
        text = (html / "notebooks" / f"{name}.html").read_text()
        provenance = text.split("riqa-provenance", 1)[1].split("</div>", 1)[0]
        for fact in ("Profile smoke", "Seeds:", "cores", "peak memory", "torch", "python"):
            assert fact in re.sub(r"<[^>]+>", "", provenance), (name, fact)
        table = re.search(r"<table.*?</table>", text, flags=re.DOTALL)[0]
        for heading in ("parameter", "type", "default", "this run", "meaning"):
            assert heading in table, (name, heading)


def test_no_number_was_left_unglued(html):
    for page in pages(html):
        text = (html / page).read_text()
        assert "{glue" not in text, page
        assert "{cite" not in text, page


def test_search_finds_a_term(browser, address):
    opened, wrong = visit(browser, address, "search.html?q=pseudo", viewport=DESKTOP)
    opened.wait_for_selector("#search-results li a", timeout=60_000)
    assert opened.locator("#search-results li a").count() >= 1
    assert wrong == []
    opened.context.close()
