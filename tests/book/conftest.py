import fcntl
import json
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from riqa.publish.layout import Build
from tests.publish.toy import REPOSITORY


@contextmanager
def alone_with_the_smoke_book():
    """Wait until no other process of these tests builds the smoke book in the repository."""
    (REPOSITORY / "_build").mkdir(exist_ok=True)
    with open(REPOSITORY / "_build" / "smoke_tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def smoke() -> Build:
    """The smoke book, built in the repository; what is up to date is not built again."""
    command = [sys.executable, "-m", "riqa.cli", "book", "--profile", "smoke", "--parts", "all"]
    with alone_with_the_smoke_book():
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Build(REPOSITORY, "smoke")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one the tests are skipped, in continuous integration they fail."""
    import shutil

    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        message = f"no browser on the path (looked for {', '.join(names)})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    quiet = "--no-sandbox --no-first-run --disable-background-networking --disable-component-update"
    with sync_playwright() as playwright:
        quiet = [*quiet.split(), "--disable-sync", "--disable-quic"]
        browser = playwright.chromium.launch(executable_path=found, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chapters(smoke):
    """The chapters' names, in reading order."""
    import yaml

    return list(yaml.safe_load((REPOSITORY / "notebooks" / "chapters.yaml").read_text()))


def read(path):
    """Read a JSON file strictly: NaN is no JSON."""

    def refuse(constant):
        raise ValueError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)
