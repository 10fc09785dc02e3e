"""How far a build is: told by chapters in files, and shown to a reader."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from riqa.publish.chapters import Chapter
from riqa.publish.progress import Display, Progress, ProgressHandler, duration, read_progress

NEEDS = {"01": (), "02": ("01",), "03": ("01",), "04": ("02", "03")}
CHAPTERS = {name: Chapter(name, Path(), needs, 1) for name, needs in NEEDS.items()}
BEFORE = {"01": 10.0, "02": 30.0, "03": 20.0, "04": 5.0}


def test_the_file_follows_papermills_log_and_tells_the_end(tmp_path):
    path = tmp_path / "p" / "05.json"
    assert read_progress(path) is None
    handler = ProgressHandler(path, cells=9)

    def said(message):
        handler.handle(logging.LogRecord("papermill", logging.INFO, "", 0, message, (), None))
        told = read_progress(path)
        return told.state, told.cell, told.cells, told.line

    assert said("Input Notebook:  05.ipynb") == ("running", 0, 9, "")
    said("Executing Cell 3---------------------------------------")
    handler._written = 0
    bar = "training:  20%|##  | 2/10"
    assert said(f"\rtraining:  10%|#   | 1/10\r{bar}\r\n") == ("running", 3, 9, bar)
    assert said("Ending Cell 3------------------------------------------") == ("running", 3, 9, bar)
    assert said("Executing Cell 4---------------------------------------") == ("running", 4, 9, "")
    for number in range(50):  # a fast stream is not written line by line
        assert said(f"line {number}\n") == ("running", 4, 9, "")
    handler.write(state="failed", error="why", user_error=True, started=handler.progress.started - 10)
    told = read_progress(path)
    assert (told.state, told.error, told.user_error, told.line) == ("failed", "why", True, "line 49")
    assert 10 <= told.seconds < 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (4800, "1 h 20 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def display(console=None, **known):
    known = {"seconds_before": BEFORE, "jobs": 2, "planned": set(CHAPTERS), "began": 1000.0} | known
    return Display(CHAPTERS, console or Console(), **known)


ENDED, RUNNING = Progress("done", 1000.0), Progress("running", 1010.0)
UNDER_WAY = {"01": ENDED, "02": RUNNING}


@pytest.mark.parametrize(
    ("known", "now", "told"),
    [
        ({"planned": set()}, 1002, "2 s so far; looking at what has to run"),
        ({}, 1060, "1 min 0 s so far; 4 of 4 chapters left, about 45 s"),  # the longest chain, 10 + 30 + 5
        ({"jobs": 1}, 1001, "1 s so far; 4 of 4 chapters left, about 1 min 5 s"),  # all, one by one
        ({"progress": UNDER_WAY}, 1015, "15 s so far; 3 of 4 chapters left, about 30 s"),  # (30 - 5) + 5
        ({"progress": UNDER_WAY}, 1060, "1 min 0 s so far; 3 of 4 chapters left, about 25 s"),  # 02 is late
        ({"seconds_before": {"01": 1.0}}, 1001, "1 s so far; 4 of 4 chapters left, time unknown before their first run"),
        ({"planned": {"01"}, "progress": {"01": ENDED}}, 1001, "1 s so far; all chapters have run"),
        ({"pages": "reading"}, 1001, "1 s so far; rendering the pages: reading"),
    ],
)  # fmt: skip
def test_the_headline_tells_what_is_left_by_how_long_it_took_before(known, now, told):
    assert display(**known).headline(float(now)) == told


def test_a_line_for_each_chapter():
    progress = {
        "02": Progress("running", 1000.0, cell=3, cells=9, line="2/10 epochs"),
        "03": Progress("done", 1000.0, seconds=61.0),
        "04": Progress("failed", 1.0),
    }
    known = display(progress=progress, planned={"02", "03", "04"})
    assert [known.line(name, 1005.0) for name in CHAPTERS] == [
        ("✓", "up to date"),
        ("▶", "cell 3 of 9, 5 s  2/10 epochs"),
        ("✓", "done in 1 min 1 s"),
        ("✗", "failed"),
    ]
    assert known.left() == ["02"]
    assert display().line("04", 1005.0) == ("·", "waiting")
    assert display(planned=set()).line("04", 1005.0) == ("·", "")
    taken_over = display(progress={"01": Progress("unchanged", 1.0)}).line("01", 1005.0)
    assert taken_over == ("✓", "same inputs and parameters as before: taken over")


def shown(is_terminal):
    """Show a chapter that runs and ends, and then the pages; return what was written."""
    stream = io.StringIO()
    known = display(Console(file=stream, force_terminal=is_terminal, width=100))
    with known.shown():
        for state in ("running", "running", "done"):
            known.progress["01"] = Progress(state, 1000.0, cell=1, cells=2, seconds=3.0)
            known.refresh()
        if not is_terminal:
            known.rendering("")
            known.rendering("reading")
    return stream.getvalue()


def test_on_a_terminal_all_chapters_are_shown_and_elsewhere_a_line_for_a_change():
    lines = shown(is_terminal=False).splitlines()
    assert [line[:14] for line in lines[:2]] == ["▶ 01: cell 1 o", "✓ 01: done in "]
    assert [line.rpartition("; ")[2] for line in lines[2:]] == ["rendering the pages: starting"]
    text = shown(is_terminal=True)
    for expected in ("done in 3 s", "waiting", "3 of 4 chapters left"):
        assert expected in text
