import io
import json
import sys

import pytest
from rich.table import Table

from riqa.terminal import console, escape_what_cannot_be_encoded, json_text

ENCODINGS = ["utf-8", "ascii", "latin-1"]


def to_stdout(monkeypatch, encoding, say):
    """Return what `say()` writes to a stdout of an encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    with monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", stream)
        say()
        stream.flush()
    return stream.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_json_whatever_stdout_can_encode(monkeypatch, encoding):
    said = {"path": "Müller 眼.jpg", "n": [1]}
    written = to_stdout(monkeypatch, encoding, lambda: print(json_text(said)))
    assert json.loads(written) == said
    assert ("Müller" in written) == (encoding == "utf-8")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_that_is_printed_raises(monkeypatch, encoding):
    def say():
        escape_what_cannot_be_encoded()
        print("眼\udcfc")

    eye = "眼" if encoding == "utf-8" else r"\u773c"
    assert to_stdout(monkeypatch, encoding, say) == eye + r"\udcfc" + "\n"


def test_markup_and_emoji_in_names_are_letters(capsys):
    table = Table("model", title="photos[red]")
    table.add_row("a[bold]:eye:[/]")
    console().print(table)
    console().print("[dim]x")
    told = capsys.readouterr().out
    assert all(name in told for name in ("photos[red]", "a[bold]:eye:[/]", "[dim]x"))
