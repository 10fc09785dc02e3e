import fcntl
import json
import os
import shutil

import pytest

from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from tests.book.builds import BOOK, run_riqa
from tests.publish.toy import REPOSITORY

LONGEST = (
    "test_paper_profile",
    "test_kills",
    "test_own_photographs",
    "test_open_profile",
    "test_smoke_build",
)
"""Files that take minutes, in the order in which they are begun; what is begun last, others wait for."""


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def smoke() -> Build:
    """The smoke book, built in the repository, by one process at a time; what is up to date is not built again."""
    (REPOSITORY / "_build").mkdir(exist_ok=True)
    with open(REPOSITORY / "_build" / "smoke_tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_riqa(REPOSITORY, BOOK)
    return Build(REPOSITORY, "smoke")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one the tests are skipped, in continuous integration they fail."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        message = f"no browser on the path (looked for {', '.join(names)})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    quiet = "--no-sandbox --no-first-run --disable-background-networking --disable-component-update"
    quiet += " --disable-sync --disable-quic"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=quiet.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chapters():
    """The chapters' names, in reading order."""
    return list(read_chapters(REPOSITORY))


def read(path):
    """Read a JSON file strictly: NaN is no JSON."""

    def refuse(constant):
        raise ValueError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)
