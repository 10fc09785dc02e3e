"""How far a build is: written by the runner of each chapter, and shown while a reader waits."""

import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from riqa.files import read_json, write_json
from riqa.publish.chapters import Chapter

WRITE_EVERY = 0.3  # seconds between two writes of the same cell's progress
PLAIN_EVERY = 20.0  # seconds between two lines about the same running chapter, where lines cannot be redrawn
LOGGED = ("Ending Cell", "Executing notebook", "Input Notebook", "Output Notebook")  # by papermill
STYLES = {"✓": "green", "✗": "red", "▶": "bold"}


def duration(seconds: float) -> str:
    """Return a duration for people: `42 s`, `3 min 5 s`, `1 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass(frozen=True)
class Progress:
    """The state of one chapter's run."""

    state: str  # running, done, unchanged (all was as in the last run), failed
    started: float  # seconds since the epoch
    cell: int = 0  # the one that runs, from 1
    cells: int = 0
    line: str = ""  # the last that the cell printed, such as a progress bar
    seconds: float = 0.0  # how long it took, once it ended
    error: str = ""  # what went wrong, in full, once it failed
    user_error: bool = False  # whether the user can correct it by giving other input


def read_progress(path: Path) -> Progress | None:
    """Read a chapter's progress; None when there is none yet."""
    content = read_json(path)
    return Progress(**content) if content else None


class ProgressHandler(logging.Handler):
    """Turns what papermill logs (cell starts, streamed output) into a chapter's progress file."""

    def __init__(self, path: Path, cells: int):
        """Begin with no cell of so many started."""
        super().__init__(logging.INFO)
        self.path, self.progress = path, Progress("running", time.time(), cells=cells)
        self.write()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log record of papermill."""
        message = record.getMessage()
        if begun := re.match(r"Executing Cell (\d+)-", message):
            self.write(cell=min(int(begun[1]), self.progress.cells), line="")
        elif not message.startswith(LOGGED):
            # A progress bar redraws its line with \r; only its last state is worth showing.
            lines = [line.strip() for line in re.split(r"[\r\n]+", message)]
            lines = [line for line in lines if line and not line.startswith("<")]  # <Figure size ...>
            if lines:
                self.progress = replace(self.progress, line=lines[-1][:200])
                if time.time() - self._written >= WRITE_EVERY:
                    self.write()

    def write(self, **changes: object) -> None:
        """Write the file now, with these fields changed."""
        self.progress, self._written = replace(self.progress, **changes), time.time()
        if self.progress.state != "running":
            self.progress = replace(self.progress, seconds=self._written - self.progress.started)
        write_json(self.path, asdict(self.progress))


@dataclass
class Display:
    """What is known about a build that runs, and how it is shown."""

    chapters: Mapping[str, Chapter]  # all, in reading order
    console: Console
    seconds_before: Mapping[str, float]  # that chapters took when they last ran
    jobs: int  # chapters, and processes in them, that may run side by side
    planned: set[str] = field(default_factory=set)  # those that this build will run; empty until it is known
    progress: dict[str, Progress] = field(default_factory=dict)  # of those that began in this build
    began: float = field(default_factory=time.time)  # seconds since the epoch
    pages: str = ""  # what the rendering of the pages says, once it has begun
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)  # the last mark printed, and when

    def left(self) -> list[str]:
        """Return the chapters that have not ended yet, in reading order."""
        ended = {name for name, p in self.progress.items() if p.state != "running"}
        return [name for name in self.chapters if name in self.planned and name not in ended]

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time that the chapters still take, from how long each took before.

        It is that of the longest chain of chapters, or of all work shared by the jobs where that is more;
        None when a chapter that is left has never run.
        """
        work, longest, until = 0.0, 0.0, {}
        for name in self.left():  # reading order, so what a chapter needs stands before it
            if name not in self.seconds_before:
                return None
            running = self.progress.get(name)
            need = max(0.0, self.seconds_before[name] - (now - running.started if running else 0.0))
            until[name] = need + max((until.get(n, 0.0) for n in self.chapters[name].needs), default=0.0)
            work, longest = work + need, max(longest, until[name])
        return max(longest, work / self.jobs)

    def headline(self, now: float) -> str:
        """Return a line with the time taken, the chapters left and the time left."""
        left, seconds = self.left(), self.seconds_left(now)
        guess = "time unknown before their first run" if seconds is None else f"about {duration(seconds)}"
        told = f"{len(left)} of {len(self.planned)} chapters left, {guess}"
        if self.pages:
            told = f"rendering the pages: {self.pages}"
        elif not self.planned:
            told = "looking at what has to run"
        elif not left:
            told = "all chapters have run"
        return f"{duration(now - self.began)} so far; {told}"

    def line(self, name: str, now: float) -> tuple[str, str]:
        """Return the mark and the text for the state of one chapter."""
        match self.progress.get(name):
            case None if name in self.planned:
                return "·", "waiting"
            case None:
                return ("✓", "up to date") if self.planned or self.pages else ("·", "")
            case Progress(state="running", cell=cell, cells=cells, started=started, line=line):
                where = f"cell {cell} of {cells}" if cell else "starting"
                return "▶", f"{where}, {duration(now - started)}  {line}".rstrip()
            case Progress(state="failed"):
                return "✗", "failed"
            case Progress(state="unchanged"):
                return "✓", "same inputs and parameters as before: taken over"
            case Progress(seconds=seconds):
                return "✓", f"done in {duration(seconds)}"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show this while a block runs: redrawn in place on a terminal, else as occasional lines."""
        if self.console.is_terminal:
            with Live(get_renderable=self._table, console=self.console, auto_refresh=False) as live:
                self.refresh = live.refresh
                yield
        else:
            self.refresh = self._tell
            try:
                yield
            finally:
                self.refresh()

    def rendering(self, told: str) -> None:
        """Show what the rendering of the pages says, if it says anything new."""
        self.pages = told or self.pages or "starting"
        self.refresh()

    def _table(self) -> Group:
        """Lay out all chapters."""
        columns = [Column(no_wrap=True) for _ in ("mark", "name", "text")]
        now, table = time.time(), Table.grid(*columns, padding=(0, 1))
        for name in self.chapters:
            mark, text = self.line(name, now)
            style = STYLES.get(mark, "dim")
            table.add_row(Text(mark, style), Text(name, style), Text(text))
        return Group(table, Text(self.headline(now), "dim"))

    def _tell(self) -> None:
        """Print a line for each chapter whose state changed, and now and then for one that runs."""
        now = time.time()
        headline, lines = self.headline(now), {name: self.line(name, now) for name in self.progress}
        if self.pages and not self._told.get("pages"):
            self._told["pages"] = ("▶", now)
            self.console.print(f"▶ {headline}", soft_wrap=True)
        for name, (mark, text) in lines.items():
            before, when = self._told.get(name, ("", 0.0))
            if mark != before or (mark == "▶" and now - when >= PLAIN_EVERY):
                self._told[name] = (mark, now)
                self.console.print(f"{mark} {name}: {text}  ({headline})", soft_wrap=True)
