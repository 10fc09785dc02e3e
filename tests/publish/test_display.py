import io
from pathlib import Path

from rich.console import Console

from riqa.publish.chapters import Chapter
from riqa.publish.display import Display, State, chapter_line, follow, headline
from riqa.publish.progress import Progress

CHAPTERS = {
    name: Chapter(name, Path(), needs, 1)
    for name, needs in [("01", ()), ("02", ("01",)), ("03", ("01",)), ("04", ("02", "03"))]
}
BEFORE = {"01": 10.0, "02": 30.0, "03": 20.0, "04": 5.0}


def state(**known):
    return State(
        CHAPTERS, began=1000.0, **({"seconds_before": BEFORE, "jobs": 2, "planned": set(CHAPTERS)} | known)
    )


def test_time_left_is_the_longest_chain():
    assert state().seconds_left(1000.0) == 10 + 30 + 5


def test_time_left_is_all_work_when_it_runs_one_by_one():
    assert state(jobs=1).seconds_left(1000.0) == 65


def test_time_left_counts_what_ran_already():
    progress = {"01": Progress("01", "done", 1000.0), "02": Progress("02", "running", 1010.0)}
    assert state(progress=progress).seconds_left(1015.0) == (30 - 5) + 5
    assert state(progress=progress).seconds_left(1060.0) == 20 + 5  # 02 is late; 03 has not begun


def test_time_left_is_unknown_before_a_first_run():
    assert state(seconds_before={"01": 10.0}).seconds_left(1000.0) is None
    assert "time unknown" in headline(state(seconds_before={}), 1001.0)


def test_left_leaves_out_what_need_not_run():
    progress = {"03": Progress("03", "failed", 1000.0)}
    assert state(planned={"03", "04"}, progress=progress).left() == ["04"]


def test_headline():
    assert headline(state(planned=set()), 1002.0) == "2 s so far; looking at what has to run"
    assert headline(state(), 1060.0) == "1 min 0 s so far; 4 of 4 chapters left, about 45 s"
    assert headline(state(pages="reading"), 1001.0) == "1 s so far; rendering the pages: reading"


def test_chapter_line():
    running = Progress("02", "running", 1000.0, cell=3, cells=9, line="2/10 epochs")
    progress = {
        "02": running,
        "03": Progress("03", "done", 1000.0, seconds=61.0),
        "04": Progress("04", "failed", 1.0),
    }
    known = state(progress=progress, planned={"02", "03", "04"})
    assert chapter_line(known, "01", 1005.0) == ("✓", "up to date")
    assert chapter_line(known, "02", 1005.0) == ("▶", "cell 3 of 9, 5 s  2/10 epochs")
    assert chapter_line(known, "03", 1005.0) == ("✓", "done in 1 min 1 s")
    assert chapter_line(known, "04", 1005.0) == ("✗", "failed")
    assert chapter_line(state(), "04", 1005.0) == ("·", "waiting")


def shown(is_terminal):
    """Show a chapter that runs and ends, and return what was written."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=100)
    known = state()
    looks = iter(["running", "running", "done"])
    alive = iter([True, True, False])

    def look():
        known.progress["01"] = Progress("01", next(looks), 1000.0, cell=1, cells=2, seconds=3.0)

    with Display(known, console) as display:
        follow(lambda: next(alive), look, display)
    return stream.getvalue()


def test_away_from_a_terminal_a_line_is_told_when_something_changed():
    assert [line[:14] for line in shown(is_terminal=False).splitlines()] == [
        "▶ 01: cell 1 o",
        "✓ 01: done in ",
    ]


def test_on_a_terminal_all_chapters_are_shown():
    text = shown(is_terminal=True)
    for expected in ("done in 3 s", "waiting", "3 of 4 chapters left"):
        assert expected in text
