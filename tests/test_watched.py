"""Long work shows how far it is where somebody watches, and writes nothing of it into a log."""

import io
import re
import sys
from pathlib import Path

import pytest

from riqa.watched import progress_bar

ROOT = Path(__file__).parents[1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


OutStream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})


@pytest.mark.parametrize(
    ("stream", "shown", "seen"),
    [(Terminal, True, True), (OutStream, True, True), (io.StringIO, True, False), (Terminal, False, False)],
)
def test_a_bar_is_seen_where_it_is_watched(monkeypatch, stream, shown, seen):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(progress_bar([1, 2, 3], desc="count", unit="image", shown=shown)) == [1, 2, 3]
    with progress_bar(total=2, shown=shown) as bar:
        bar.set_postfix_str("half")
        bar.update()
    written = sys.stderr.getvalue()
    assert ("count: 100%" in written, "half" in written) == (seen, seen)
    assert seen or not written


def test_no_other_module_draws_a_bar_of_its_own():
    drawn = {
        path.relative_to(ROOT).as_posix()
        for folder in ("riqa", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\b(tqdm|trange|track)\(", path.read_text())
    }
    assert drawn == {"riqa/watched.py"}
