"""Where things lie: the repository, and the folder of one profile's build below it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.files import read_json


def find_root(start: Path | None = None) -> Path:
    """Find the repository that holds the book from a folder inside it, by default the current one.

    Raises an InputError if neither the folder nor one above it holds the book's sources.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "notebooks" / "chapters.yaml").is_file() and (folder / "Snakefile").is_file():
            return folder
    raise InputError(
        f"{start} is not inside the riqa repository; change to the folder that you cloned it into"
    )


@dataclass(frozen=True)
class Build:
    """The files of one profile's build in a repository; all are generated and none is committed."""

    root: Path
    profile: str

    folder = property(lambda self: self.root / "_build" / self.profile)  # everything that is made
    work = property(lambda self: self.folder / "work")  # the chapters' artifacts, one folder per chapter
    site = property(lambda self: self.folder / "site")  # staged: prose, configuration, executed notebooks
    html = property(lambda self: self.folder / "html")  # the rendered book
    logs = property(lambda self: self.folder / "logs")  # and the notebooks as far as they ran

    def artifacts(self, chapter: str) -> Path:
        """Return the list of what a chapter made, written after its end: {relative path: SHA-256}."""
        return self.work / chapter / "artifacts.json"

    def executed(self, chapter: str) -> Path:
        """Return the executed notebook of a chapter that ran to its end."""
        return self.folder / "executed" / f"{chapter}.ipynb"

    def log(self, chapter: str) -> Path:
        """Return the notebook as far as it ran, with the traceback when it failed."""
        return self.logs / f"{chapter}.ipynb"

    def progress(self, chapter: str) -> Path:
        """Return the file with a chapter's progress."""
        return self.folder / "progress" / f"{chapter}.json"

    def record(self, chapter: str) -> Path:
        """Return the record of a chapter's last finished run: its inputs and outcome."""
        return self.folder / "records" / f"{chapter}.json"

    def facts(self, chapter: str) -> dict[str, Any]:
        """Return the facts of a chapter's last finished run; empty when it never finished."""
        return (read_json(self.record(chapter)) or {}).get("facts", {})

    def shown(self, path: Path) -> str:
        """Return a path as a reader of this repository would type it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
