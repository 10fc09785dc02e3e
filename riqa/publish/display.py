"""What a reader sees while a book is built: which chapters run, how far each is, what is left."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from riqa.publish.chapters import Chapter
from riqa.publish.progress import Progress
from riqa.publish.stage import duration

PLAIN_EVERY = 20.0  # seconds between two lines about the same running chapter, where lines cannot be redrawn
LOOK_EVERY = 0.25  # seconds between two looks


@dataclass
class State:
    """What is known about a build that runs.

    Attributes:
        chapters: All chapters, in reading order.
        seconds_before: How long chapters took when they last ran.
        jobs: How many chapters and processes may run side by side.
        planned: The chapters that this build will run; empty until it is known.
        progress: How far chapters are that began in this build.
        began: When the build began, seconds since the epoch.
        pages: What the rendering of the pages says, once it has begun.
    """

    chapters: Mapping[str, Chapter]
    seconds_before: Mapping[str, float] = field(default_factory=dict)
    jobs: int = 1
    planned: set[str] = field(default_factory=set)
    progress: dict[str, Progress] = field(default_factory=dict)
    began: float = field(default_factory=time.time)
    pages: str = ""

    def left(self) -> list[str]:
        """Return the chapters that have not ended yet, in reading order."""
        ended = {name for name, p in self.progress.items() if p.state != "running"}
        return [name for name in self.chapters if name in self.planned and name not in ended]

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time that the chapters still take, from how long each took before.

        Returns:
            Seconds along the longest chain of chapters, or of all work shared by the jobs where that is more;
            None when a chapter that is left has never run.
        """
        need: dict[str, float] = {}
        for name in self.left():
            if name not in self.seconds_before:
                return None
            running = self.progress.get(name)
            need[name] = max(0.0, self.seconds_before[name] - (now - running.started if running else 0.0))
        until: dict[str, float] = {}
        for name in need:  # reading order, so what a chapter needs stands before it
            until[name] = need[name] + max(
                (until.get(other, 0.0) for other in self.chapters[name].needs), default=0.0
            )
        return max(max(until.values(), default=0.0), sum(need.values()) / self.jobs)


def headline(state: State, now: float) -> str:
    """Return a line with the time taken, the chapters left and the time left."""
    told = f"{duration(now - state.began)} so far"
    if state.pages:
        return f"{told}; rendering the pages: {state.pages}"
    if not state.planned:
        return f"{told}; looking at what has to run"
    left = state.left()
    told += f"; {len(left)} of {len(state.planned)} chapters left" if left else "; all chapters have run"
    seconds = state.seconds_left(now)
    if left:
        told += (
            f", about {duration(seconds)}" if seconds is not None else ", time unknown before their first run"
        )
    return told


def chapter_line(state: State, name: str, now: float) -> tuple[str, str]:
    """Return the mark and the text for the state of one chapter."""
    progress = state.progress.get(name)
    if progress is None:
        if name in state.planned:
            return "·", "waiting"
        return ("✓", "up to date") if state.planned or state.pages else ("·", "")
    if progress.state == "running":
        where = f"cell {progress.cell} of {progress.cells}" if progress.cell else "starting"
        return "▶", f"{where}, {duration(now - progress.started)}" + (
            f"  {progress.line}" if progress.line else ""
        )
    if progress.state == "failed":
        return "✗", "failed"
    if progress.state == "unchanged":
        return "✓", "same inputs and parameters as before: taken over"
    return "✓", f"done in {duration(progress.seconds)}"


class Display:
    """Shows a state while a ``with`` block runs: redrawn in place on a terminal, else as occasional lines."""

    def __init__(self, state: State, console: Console):
        """Prepare a display.

        Args:
            state: What to show; it is read anew at every refresh.
            console: Where to show it.
        """
        self.state, self.console = state, console
        self._live = (
            Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        )
        self._told: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> "Display":
        """Begin to show."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Show the last state and leave it standing."""
        self.refresh()
        if self._live:
            self._live.stop()

    def refresh(self) -> None:
        """Show the state as it is now."""
        now = time.time()
        if self._live:
            self._live.update(self._drawn(now), refresh=True)
        else:
            self._tell(now)

    def _drawn(self, now: float) -> Group:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        styles = {"✓": "green", "✗": "red", "▶": "bold"}
        for name in self.state.chapters:
            mark, text = chapter_line(self.state, name, now)
            table.add_row(
                Text(mark, styles.get(mark, "dim")), Text(name, styles.get(mark, "dim")), Text(text)
            )
        return Group(table, Text(headline(self.state, now), "dim"))

    def _tell(self, now: float) -> None:
        """Print a line for each chapter whose state changed, and now and then for one that runs."""
        if self.state.pages and "pages" not in self._told:
            self._told["pages"] = ("", now)
            self.console.print(f"▶ {headline(self.state, now)}", highlight=False, soft_wrap=True)
        for name in self.state.progress:
            mark, text = chapter_line(self.state, name, now)
            before, when = self._told.get(name, ("", 0.0))
            if mark != before or (mark == "▶" and now - when >= PLAIN_EVERY):
                self._told[name] = (mark, now)
                self.console.print(
                    f"{mark} {name}: {text}  ({headline(self.state, now)})", highlight=False, soft_wrap=True
                )


def follow(running: Callable[[], bool], look: Callable[[], None], display: Display) -> None:
    """Keep a display fresh while something runs.

    Args:
        running: Tells whether it still runs.
        look: Brings the display's state up to date.
        display: The display.
    """
    while True:
        still = running()
        look()
        display.refresh()
        if not still:
            return
        time.sleep(LOOK_EVERY)
