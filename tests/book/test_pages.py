"""Every page of the smoke book, in a browser, from a static server that is the only host there is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from tests.publish.serving import serving

pytestmark = pytest.mark.book

THEMES_OWN = {"summary-name", "aria-required-children"}
"""What axe-core finds of this weight in the theme's side bar, and in its bibliography."""
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
def pages(smoke) -> dict[str, str]:
    """The text of every page of the rendered book, by its address in it."""
    found = sorted(path for path in smoke.html.rglob("*.html") if "_static" not in path.parts)
    return {path.relative_to(smoke.html).as_posix(): path.read_text() for path in found}


@pytest.fixture(scope="module")
def address(smoke) -> Iterator[str]:
    """Where the book is served while these tests run."""
    with serving(smoke.html) as served:
        yield served


@contextmanager
def visit(browser, address, page, **context):
    """Open a page as a reader would; yield the open page and everything that goes wrong meanwhile."""
    wrong = []
    opened = browser.new_context(**{"viewport": DESKTOP} | context).new_page()

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
    yield opened, wrong
    opened.context.close()


def test_every_page_loads_whole_and_alone(browser, pages, address):
    assert len(pages) >= 15
    trouble = {}
    for page, text in pages.items():
        with visit(browser, address, page) as (opened, wrong):
            missing = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
            wrong += [f"missing image: {source}" for source in opened.evaluate(missing)]
            wrong += [f"unrendered: {text}" for text in opened.locator("mjx-merror").all_inner_texts()]
            wrong += [f"unresolved: {role}" for role in ("{glue", "{cite") if role in text]
            trouble |= {page: wrong} if wrong else {}
    assert trouble == {}


def test_no_link_is_broken(pages, smoke):
    read = {page: _References(text) for page, text in pages.items()}
    broken = []
    for page, references in read.items():
        for link in references.links:
            if re.match(r"(https?|mailto|data|javascript):", link) or link.startswith("//"):
                continue
            target, anchor = urldefrag(urljoin(f"/{page}", link))
            path = unquote(target.split("?")[0]).lstrip("/")
            if not (smoke.html / path).exists():
                broken.append(f"{page}: {link}")
            elif anchor and path in read and unquote(anchor) not in read[path].anchors:
                broken.append(f"{page}: {link} (no such place on the page)")
    assert broken == []


@pytest.mark.parametrize(
    ("page", "what", "least"),
    [("notebooks/05_train_multi_task.html", "mjx-container", 3), ("search.html?q=pseudo", "#search-results li a", 1)],
)  # fmt: skip
def test_formulas_are_typeset_and_search_finds_a_term(browser, address, page, what, least):
    with visit(browser, address, page) as (opened, wrong):
        opened.wait_for_selector(what, timeout=60_000)
        assert opened.locator(what).count() >= least
        assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_chapter_is_readable_in_both_schemes_and_on_a_phone(browser, address, scheme, viewport):
    page = "notebooks/06_compare_overall_quality.html"
    with visit(browser, address, page, viewport=viewport, color_scheme=scheme) as (opened, wrong):
        opened.wait_for_function(f"document.documentElement.dataset.theme === {scheme!r}", timeout=60_000)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert opened.evaluate(wide) <= 1, "the page must not scroll sideways"
        background = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)"
        assert opened.evaluate(f"{background}.every(c => c < 60)") == (scheme == "dark")
        assert opened.locator(".riqa-provenance").is_visible()
        assert wrong == []


def test_prose_and_pages_to_touch_are_for_readers_with_other_means_too(browser, pages, address):
    axe = (files("axe_playwright_python") / "axe.min.js").read_text()
    found = {}
    asked = [page for page in pages if page.startswith("book/")] + ["notebooks/00_try_the_method.html"]
    for page in asked:
        with visit(browser, address, page) as (opened, _):
            for part in ("examples", "list", "begin"):  # opens what a page has to show
                button = opened.locator(f"[data-part={part}] button, button[data-part={part}]")
                if button.count():
                    button.first.click()
            opened.evaluate(axe)
            told = opened.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
            told = {one["id"] for one in told if one["impact"] in ("critical", "serious")} - THEMES_OWN
            if told:
                found[page] = told
    assert len(asked) > 15
    assert found == {}
