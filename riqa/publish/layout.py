"""Where things lie: the repository, a profile's build below it, and the folder of one chapter's run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.files import read_json

PLACES = ("notebook", "out", "executed", "log", "progress", "record")
"""What a run of a chapter reads and writes; fields of `riqa.publish.run.ChapterRun`."""


def find_root() -> Path:
    """Find the repository of the book that the current folder is in; an InputError if it is in none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks" / "chapters.yaml").is_file() and (folder / "Snakefile").is_file():
            return folder
    advice = "change to the folder that you cloned it into"
    raise InputError(f"{here} is not inside the riqa repository; {advice}")


def _below(pattern: str) -> Callable[["Build", str], Path]:
    """Return a method that places a file of a chapter, of which it takes the name, in a build's folder."""
    return lambda self, chapter: self.folder / pattern.format(chapter)


@dataclass(frozen=True)
class Build:
    """The files of one profile's build in a repository; all are generated and none is committed."""

    root: Path
    profile: str

    folder = property(lambda self: self.root / "_build" / self.profile)  # everything that is made
    work = property(lambda self: self.folder / "work")  # the chapters' artifacts, one folder per chapter
    hidden = folder  # for what a reader does not want
    site = property(lambda self: self.hidden / "site")  # staged: prose, configuration, executed notebooks
    html = property(lambda self: self.folder / "html")  # the rendered book
    stamp = property(lambda self: self.hidden / "html.json")  # what that was made from
    logs = property(lambda self: self.folder / "logs")  # and the notebooks as far as they ran
    pages_log = property(lambda self: self.logs / "book.log")  # of the rendering
    child = property(lambda self: self.hidden / "child.json")  # names the process that a build has started

    out = _below("work/{}")  # a chapter's artifacts
    artifacts = _below("work/{}/artifacts.json")  # {relative path: SHA-256} of them, written after its end
    executed = _below("executed/{}.ipynb")  # the executed notebook of a chapter that ran to its end
    log = _below("logs/{}.ipynb")  # the notebook as far as it ran, with the traceback when it failed
    progress = _below("progress/{}.json")  # how far it is
    record = _below("records/{}.json")  # of its last finished run: recipe, artifacts and facts

    def notebook(self, chapter: str) -> Path:
        """Return the source notebook of a chapter."""
        return self.root / "notebooks" / f"{chapter}.ipynb"

    def places(self, chapter: str) -> dict[str, str]:
        """Return `PLACES` as a reader of this repository would type them."""
        return {place: self.shown(getattr(self, place)(chapter)) for place in PLACES}

    def facts(self, chapter: str) -> dict[str, Any]:
        """Return the facts of a chapter's last finished run; empty when it never finished."""
        return (read_json(self.record(chapter)) or {}).get("facts", {})

    def shown(self, path: Path) -> str:
        """Return a path as a reader of this repository would type it."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class Rerun(Build):
    """The files of one chapter's run in a folder of its own; what is hidden goes when it ends."""

    place: Path

    folder = property(lambda self: self.place)
    hidden = property(lambda self: self.folder / ".made")
    pages_log = property(lambda self: self.folder / "pages.log")

    out = _below("artifacts")
    executed = _below("{}.ipynb")
    log = _below("as_far_as_it_ran.ipynb")
    progress = _below(".made/progress.json")
    record = _below(".made/record.json")
