"""How far a running chapter is: written by its runner, read by the display."""

import logging
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from riqa.publish.content import read_json, write_json

EVERY = 0.3  # seconds between two writes of the same cell's progress


@dataclass(frozen=True)
class Progress:
    """The state of one chapter's run.

    Attributes:
        chapter: The chapter's name.
        state: ``running``, ``done``, ``unchanged`` (inputs and parameters were those of the last run) or
            ``failed``.
        started: When it started, seconds since the epoch.
        cell: The cell that runs, from 1.
        cells: How many cells there are.
        line: The last line that the cell printed, such as a progress bar.
        seconds: How long it took, once it ended.
        error: What went wrong, in full, once it failed.
        user_error: Whether the failure is one that the user can correct by giving other input.
    """

    chapter: str
    state: str
    started: float
    cell: int = 0
    cells: int = 0
    line: str = ""
    seconds: float = 0.0
    error: str = ""
    user_error: bool = False


def write_progress(path: Path, progress: Progress) -> None:
    """Write a chapter's progress, atomically."""
    write_json(path, asdict(progress))


def read_progress(path: Path) -> Progress | None:
    """Read a chapter's progress; None when there is none yet."""
    content = read_json(path)
    return Progress(**content) if content else None


class ProgressHandler(logging.Handler):
    """Turns what papermill logs (cell starts, streamed output) into a chapter's progress file."""

    def __init__(self, path: Path, chapter: str, cells: int):
        """Begin with no cell started.

        Args:
            path: The progress file.
            chapter: The chapter's name.
            cells: How many cells the chapter has.
        """
        super().__init__(logging.INFO)
        self.path, self.chapter, self.cells = path, chapter, cells
        self.started = time.time()
        self.cell = 0
        self.line = ""
        self._written = 0.0
        self.write()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one log record of papermill."""
        message = record.getMessage()
        if begun := re.match(r"Executing Cell (\d+)-", message):
            self.cell, self.line = int(begun[1]), ""
            self.write()
            return
        if message.startswith(("Ending Cell", "Executing notebook", "Input Notebook", "Output Notebook")):
            return
        # A progress bar redraws its line with \r; only its last state is worth showing.
        lines = [line.strip() for line in re.split(r"[\r\n]+", message) if line.strip()]
        lines = [line for line in lines if not line.startswith("<")]  # <Figure size ...>
        if lines:
            self.line = lines[-1][:200]
            if time.time() - self._written >= EVERY:
                self.write()

    def write(self, state: str = "running", error: str = "", user_error: bool = False) -> None:
        """Write the file now."""
        self._written = time.time()
        seconds = 0.0 if state == "running" else self._written - self.started
        write_progress(
            self.path,
            Progress(
                self.chapter,
                state,
                self.started,
                min(self.cell, self.cells),
                self.cells,
                self.line,
                seconds,
                error,
                user_error,
            ),
        )
