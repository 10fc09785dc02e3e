"""The whole book of a profile: chapters by Snakemake, then the pages; one build per profile at a time."""

import os
import re
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from riqa.errors import BuildError, InputError
from riqa.files import KEPT, only_writer
from riqa.publish.chapters import ALL, read_chapters
from riqa.publish.forks import TAKEN_OUT, served
from riqa.publish.layout import Build
from riqa.publish.pages import is_rendered, render
from riqa.publish.plan import plan
from riqa.publish.processes import attend, stop_noted
from riqa.publish.profiles import read_profile
from riqa.publish.progress import Display, duration, read_progress
from riqa.publish.stage import stage_book
from riqa.temporary import own_folder
from riqa.terminal import console

URL_VARIABLE = "RIQA_REPOSITORY_URL"  # where the repository is published, for the buttons that lead there


def build_book(build: Build, data: str, jobs: int, parts: str = ALL) -> None:
    """Run what has to run, render the pages, show progress, a summary, and the page to open.

    `data` is the DATA folder as the user gave it; `jobs` chapters, and processes in them, run side by side;
    `parts` is as in `read_chapters`. Raises an InputError if the profile, the data or a chapter's input
    cannot be used, or the profile is being built; a BuildError if a chapter or the rendering fails.
    """
    profile, folder = read_profile(build.root, build.profile), build.shown(build.folder)
    chapters = read_chapters(build.root, parts, profile.needs_data)
    say = console().print
    plan(build.root, build.profile, data, parts)  # refuses bad input before anything starts
    if data and not profile.needs_data:
        say(f"DATA={data} is not used: profile {build.profile} makes its own photographs")
    busy = f"profile {build.profile} is being built already in {folder}; wait for it or stop it"
    with only_writer(build.folder, KEPT, busy):
        stop_noted(build.child)  # what a killed build left running
        before = {name: facts["seconds"] for name in chapters if (facts := build.facts(name))}
        display = Display(chapters, console(), before, jobs)
        say(f"Building the book of profile {build.profile} in {folder}")
        with display.shown():
            _run_chapters(build, data, parts, display)
            stage_book(build, profile, chapters, os.environ.get(URL_VARIABLE, ""))
            if not is_rendered(build):
                render(build, display.rendering)
    for name in chapters:
        ran = name in display.progress and display.progress[name].state == "done"
        note = "" if ran else "  (an earlier build; still valid)"
        say(f"  {name:<32}{duration(build.facts(name)['seconds']):>12}{note}")
    if left := read_chapters(build.root, ALL, profile.needs_data).keys() - chapters.keys():
        what = "chapter is" if len(left) == 1 else "chapters are"
        say(f"{len(left)} further {what} built by: make book PARTS=all")
    say(f"Open {build.shown(build.html / 'index.html')}", soft_wrap=True)


def _run_chapters(build: Build, data: str, parts: str, display: Display) -> None:
    """Let Snakemake run the chapters that have to run."""
    shutil.rmtree(build.folder / "progress", ignore_errors=True)
    log = build.logs / "snakemake.log"
    # Snakemake's own lock, which a kill -9 leaves behind, is not used: there is that of `only_writer`.
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--cores", str(display.jobs)]
    command += ["--nolock", "--rerun-incomplete", "--keep-going", "--nocolor", "--scheduler", "greedy"]
    command += ["--config", f"profile={build.profile}", f"parts={parts}", *([f"data={data}"] if data else [])]
    command, variables = served(command, own_folder())
    if status := follow(command, log, build, display, variables | _writable_cache(build)):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"Snakemake ended with status {status}\n{tail}\n  log       {build.shown(log)}")


def follow(
    command: Sequence[str], log: Path, build: Build, display: Display, variables: Mapping[str, str] = {}
) -> int:
    """Run a command that runs chapters, show how far they are, and return its exit status.

    Raises what made chapters fail, an InputError if all of it is a user's.
    """

    def look() -> None:
        found = {name: read_progress(build.progress(name)) for name in display.chapters}
        display.progress |= {name: progress for name, progress in found.items() if progress}
        display.planned |= planned_chapters(log, display.chapters) | set(display.progress)
        display.refresh()

    environment = chapter_environment(build.root) | dict(variables)
    status = attend(command, log, look, build.child, cwd=build.root, env=environment)
    failed = [one for one in display.progress.values() if status and one.state == "failed"]
    if failed and all(one.user_error for one in failed):
        raise InputError("; ".join(one.error for one in failed))
    if failed:
        raise BuildError("\n".join(one.error for one in failed))
    return status


def chapter_environment(root: Path) -> dict[str, str]:
    """Return the environment of chapters: this Python first, then the code and the build's process number."""
    return {name: value for name, value in os.environ.items() if name not in TAKEN_OUT} | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        "RIQA_BUILD_PID": str(os.getpid()),
    }


def _writable_cache(build: Build) -> dict[str, str]:
    """Name a folder for Snakemake's cache where the one in the user's home cannot be written."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    there = next(folder for folder in (usual, *usual.parents) if folder.exists())
    return {} if os.access(there, os.W_OK) else {"XDG_CACHE_HOME": str(build.folder / "cache")}


def planned_chapters(log: Path, chapters: Collection[str]) -> set[str]:
    """Read from Snakemake's log which chapters it will run; empty until it has said so."""
    table = re.search(r"(?ms)^Job stats:\n(.*?)^total\s", log.read_text(errors="replace"))
    return set(re.findall(r"^\S+", table[1], re.MULTILINE)) & set(chapters) if table else set()
