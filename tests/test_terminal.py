"""What is printed raises nothing; long work shows how far it is where somebody watches, and in no log."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.table import Table

from riqa.terminal import console, escape_what_cannot_be_encoded, json_text, progress_bar

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_nothing_that_is_printed_raises_and_json_stays_json(monkeypatch, encoding):
    said = {"path": "Müller 眼.jpg", "n": [1]}
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    with monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", stream)
        print(json_text(said))
        escape_what_cannot_be_encoded()
        print("眼\udcfc")
        stream.flush()
    document, name = stream.buffer.getvalue().decode(encoding).splitlines()
    assert json.loads(document) == said
    assert ("Müller" in document) == (encoding == "utf-8")
    assert name == ("眼" if encoding == "utf-8" else r"\u773c") + r"\udcfc"


def test_markup_and_emoji_in_names_are_letters(capsys):
    table = Table("model", title="photos[red]")
    table.add_row("a[bold]:eye:[/]")
    console().print(table)
    console().print("[dim]x")
    told = capsys.readouterr().out
    assert all(name in told for name in ("photos[red]", "a[bold]:eye:[/]", "[dim]x"))


Terminal = type("Terminal", (io.StringIO,), {"isatty": lambda self: True})
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
    files = [path for folder in ("riqa", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    drawn = [path for path in files if re.search(r"\b(tqdm|trange|track)\(", path.read_text())]
    assert drawn == [ROOT / "riqa" / "terminal.py"]
