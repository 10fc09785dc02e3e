"""How far a build is: told by chapters in files, and shown to a reader."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from riqa.publish.chapters import Chapter
from riqa.publish.progress import (
    Display,
    Progress,
    ProgressHandler,
    State,
    chapter_line,
    duration,
    headline,
    read_progress,
)

CHAPTERS = {
    name: Chapter(name, Path(), needs, 1)
    for name, needs in [("01", ()), ("02", ("01",)), ("03", ("01",)), ("04", ("02", "03"))]
}
BEFORE = {"01": 10.0, "02": 30.0, "03": 20.0, "04": 5.0}


def say(handler, message, level=logging.INFO):
    handler.handle(logging.LogRecord("papermill", level, "", 0, message, (), None))


def test_the_file_follows_papermills_log_and_tells_the_end(tmp_path):
    path = tmp_path / "p" / "05.json"
    assert read_progress(path) is None
    handler = ProgressHandler(path, "05", cells=9)
    assert (read_progress(path).state, read_progress(path).cell) == ("running", 0)
    say(handler, "Executing Cell 3---------------------------------------")
    handler._written = 0
    say(handler, "\rtraining:  10%|#   | 1/10\rtraining:  20%|##  | 2/10\r\n", logging.WARNING)
    told = read_progress(path)
    assert (told.cell, told.cells, told.line) == (3, 9, "training:  20%|##  | 2/10")
    say(handler, "Ending Cell 3------------------------------------------")
    assert read_progress(path).line.startswith("training")
    say(handler, "Executing Cell 4---------------------------------------")
    assert (read_progress(path).cell, read_progress(path).line) == (4, "")
    for number in range(50):  # a fast stream is not written line by line
        say(handler, f"line {number}\n")
    assert read_progress(path).line == ""
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


def state(**known):
    return State(
        CHAPTERS, **({"began": 1000.0, "seconds_before": BEFORE, "jobs": 2, "planned": set(CHAPTERS)} | known)
    )


def test_time_left_is_that_of_the_longest_chain_or_of_all_work():
    assert state().seconds_left(1000.0) == 10 + 30 + 5
    assert state(jobs=1).seconds_left(1000.0) == 65  # one by one
    progress = {"01": Progress("01", "done", 1000.0), "02": Progress("02", "running", 1010.0)}
    assert state(progress=progress).seconds_left(1015.0) == (30 - 5) + 5
    assert state(progress=progress).seconds_left(1060.0) == 20 + 5  # 02 is late; 03 has not begun
    assert state(seconds_before={"01": 10.0}).seconds_left(1000.0) is None
    failed = {"03": Progress("03", "failed", 1000.0)}
    assert state(planned={"03", "04"}, progress=failed).left() == ["04"]


def test_headline():
    assert headline(state(planned=set()), 1002.0) == "2 s so far; looking at what has to run"
    assert headline(state(), 1060.0) == "1 min 0 s so far; 4 of 4 chapters left, about 45 s"
    assert "time unknown" in headline(state(seconds_before={}), 1001.0)
    assert headline(state(pages="reading"), 1001.0) == "1 s so far; rendering the pages: reading"


def test_chapter_line():
    progress = {
        "02": Progress("02", "running", 1000.0, cell=3, cells=9, line="2/10 epochs"),
        "03": Progress("03", "done", 1000.0, seconds=61.0),
        "04": Progress("04", "failed", 1.0),
    }
    known = state(progress=progress, planned={"02", "03", "04"})
    assert [chapter_line(known, name, 1005.0) for name in CHAPTERS] == [
        ("✓", "up to date"),
        ("▶", "cell 3 of 9, 5 s  2/10 epochs"),
        ("✓", "done in 1 min 1 s"),
        ("✗", "failed"),
    ]
    assert chapter_line(state(), "04", 1005.0) == ("·", "waiting")


def shown(is_terminal):
    """Show a chapter that runs and ends, and return what was written."""
    stream, known = io.StringIO(), state()
    with Display(known, Console(file=stream, force_terminal=is_terminal, width=100)) as display:
        for told in ("running", "running", "done"):
            known.progress["01"] = Progress("01", told, 1000.0, cell=1, cells=2, seconds=3.0)
            display.refresh()
    return stream.getvalue()


def test_on_a_terminal_all_chapters_are_shown_and_elsewhere_a_line_for_a_change():
    lines = shown(is_terminal=False).splitlines()
    assert [line[:14] for line in lines] == ["▶ 01: cell 1 o", "✓ 01: done in "]
    text = shown(is_terminal=True)
    for expected in ("done in 3 s", "waiting", "3 of 4 chapters left"):
        assert expected in text
