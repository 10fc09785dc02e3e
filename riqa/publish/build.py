"""The whole book of a profile: chapters by Snakemake, then the pages; one build per profile at a time."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from riqa.errors import BuildError, InputError
from riqa.files import KEPT, lock, writing
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from riqa.publish.pages import is_rendered, render, render_state
from riqa.publish.plan import plan
from riqa.publish.processes import attend, stop_noted
from riqa.publish.profiles import Profile, read_profile
from riqa.publish.progress import Display, Progress, State, duration, read_progress
from riqa.publish.stage import stage_book

URL_VARIABLE = "RIQA_REPOSITORY_URL"  # where the repository is published, for the buttons that lead there


def build_book(root: Path, profile_name: str, data: str, jobs: int, console: Console) -> Path:
    """Run what has to run, render the pages, show progress and a summary, and return the page to open.

    `data` is the DATA folder as the user gave it; `jobs` chapters, and processes in them, run side by side.

    Raises:
        InputError: If the profile, the data or a chapter's input cannot be used, or the same profile is being
            built.
        BuildError: If a chapter fails, or the pages cannot be rendered.
    """
    profile = read_profile(root, profile_name)
    plan(root, profile_name, data)  # refuses bad input before anything starts
    if data and not profile.needs_data:
        told = f"DATA={data} is not used: profile {profile_name} makes its own photographs"
        console.print(told, highlight=False)
    chapters, build = read_chapters(root), Build(root, profile_name)
    with only_build(build):
        before = {name: facts["seconds"] for name in chapters if (facts := build.facts(name))}
        state = State(chapters, before, jobs)
        told = f"Building the book of profile {profile_name} in {build.shown(build.folder)}"
        console.print(told, highlight=False)
        with Display(state, console) as display:
            _run_chapters(build, data, state, display)
            _render_pages(build, profile, state, display)
    for name in chapters:
        ran = name in state.progress and state.progress[name].state == "done"
        note = "" if ran else "  (an earlier build; still valid)"
        took = duration(build.facts(name)["seconds"])
        console.print(f"  {name:<32}{took:>12}{note}", highlight=False)
    page = build.html / "index.html"
    console.print(f"Open {build.shown(page)}", highlight=False, soft_wrap=True)
    return page


def _run_chapters(build: Build, data: str, state: State, display: Display) -> None:
    """Let Snakemake run the chapters that have to run."""
    shutil.rmtree(build.folder / "progress", ignore_errors=True)
    log = build.logs / "snakemake.log"
    # Snakemake's own lock, which a kill -9 leaves behind, is not used: there is that of `only_build`.
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--cores", str(state.jobs)]
    command += ["--nolock", "--rerun-incomplete", "--keep-going", "--nocolor", "--scheduler", "greedy"]
    command += ["--config", f"profile={build.profile}", *([f"data={data}"] if data else [])]

    def look() -> None:
        found = {name: read_progress(build.progress(name)) for name in state.chapters}
        state.progress |= {name: progress for name, progress in found.items() if progress}
        state.planned = planned_chapters(log, state.chapters) | set(state.progress)
        display.refresh()

    environment = chapter_environment(build.root) | _writable_cache(build)
    status = attend(command, log, look, _note(build), cwd=build.root, env=environment)
    if status == 0:
        return
    raise_failures(state.progress.values())
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise BuildError(f"Snakemake ended with status {status}\n{tail}\n  log       {build.shown(log)}")


def raise_failures(progress: Collection[Progress]) -> None:
    """Raise what made chapters fail, an InputError if all of it is a user's; nothing if none failed."""
    failed = [one for one in progress if one.state == "failed"]
    if failed and all(one.user_error for one in failed):
        raise InputError("; ".join(one.error for one in failed))
    if failed:
        raise BuildError("\n".join(one.error for one in failed))


def _render_pages(build: Build, profile: Profile, state: State, display: Display) -> None:
    """Stage the pages and render them, unless they are rendered already."""
    sources = {name: chapter.notebook for name, chapter in state.chapters.items()}
    stage_book(build, profile, sources, os.environ.get(URL_VARIABLE, ""))
    if not is_rendered(build.site, build.html):
        log = build.logs / "book.log"
        render(build.site, build.html, log, looking_at_pages(log, state, display), note=_note(build))


def looking_at_pages(log: Path, state: State, display: Display) -> Callable[[], None]:
    """Return a function that shows how far the rendering is of which this is the log."""
    state.pages = "starting"

    def look() -> None:
        state.pages = render_state(log) or state.pages
        display.refresh()

    return look


def chapter_environment(root: Path) -> dict[str, str]:
    """Return the environment of chapters: this Python first, then the code and the build's process number."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(paths),
        "RIQA_BUILD_PID": str(os.getpid()),
    }


def _writable_cache(build: Build) -> dict[str, str]:
    """Name a folder for Snakemake's cache where the one in the user's home cannot be written."""
    usual = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    there = next(folder for folder in (usual, *usual.parents) if folder.exists())
    return {} if os.access(there, os.W_OK) else {"XDG_CACHE_HOME": str(build.folder / "cache")}


def planned_chapters(log: Path, chapters: Collection[str]) -> set[str]:
    """Read from Snakemake's log which chapters it will run; empty until it has said so."""
    text = log.read_text(errors="replace")
    table = re.search(r"^Job stats:\n(.*?)^total\s", text, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^\S+", table[1], re.MULTILINE)) & set(chapters) if table else set()


@contextmanager
def only_build(build: Build) -> Iterator[None]:
    """Keep two builds of one profile apart, and end what a killed build left running.

    Raises an InputError if another build of the profile is running, or its folder cannot be written.
    """
    with writing(build.folder, KEPT):
        build.folder.mkdir(parents=True, exist_ok=True)
        with (build.folder / "lock").open("a") as stream:
            shown = build.shown(build.folder)
            lock(stream, f"profile {build.profile} is being built already in {shown}; wait for it or stop it")
            stop_noted(_note(build))
            yield


def _note(build: Build) -> Path:
    """Return the file that names the child process of a running build."""
    return build.folder / "child.json"
