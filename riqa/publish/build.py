"""The whole book of a profile: chapters by Snakemake, then the pages; one build per profile at a time."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
from rich.console import Console

from riqa.errors import InputError
from riqa.files import KEPT, lock, writing
from riqa.publish.chapters import Chapter, read_chapters
from riqa.publish.content import read_json, write_json
from riqa.publish.display import Display, State, follow
from riqa.publish.layout import Build
from riqa.publish.pages import finish_render, is_rendered, render_state, start_render
from riqa.publish.plan import plan
from riqa.publish.processes import stop_family
from riqa.publish.profiles import read_profile
from riqa.publish.progress import read_progress
from riqa.publish.run import ChapterError
from riqa.publish.stage import duration, read_facts, stage_book

URL_VARIABLE = "RIQA_REPOSITORY_URL"  # where the repository is published, for the buttons that lead there


def build_book(
    root: Path, profile_name: str, data: str, jobs: int, console: Console, strict: bool = True
) -> Path:
    """Run what has to run and render the pages.

    Args:
        root: The repository.
        profile_name: The profile.
        data: The DATA folder as the user gave it; empty when the profile needs none.
        jobs: How many chapters, and processes in them, may run side by side.
        console: Where to show progress and the summary.
        strict: Whether a warning while rendering, such as a broken link, is an error.

    Returns:
        The page to open.

    Raises:
        InputError: If the profile, the data or a chapter's input cannot be used, or the same profile is being
            built.
        ChapterError: If a chapter fails.
        PagesError: If the pages cannot be rendered.
    """
    profile = read_profile(root, profile_name)
    plan(root, profile_name, data)  # refuses bad input before anything starts
    if data and not profile.needs_data:
        console.print(
            f"DATA={data} is not used: profile {profile_name} makes its own photographs", highlight=False
        )
    chapters = read_chapters(root)
    build = Build(root, profile_name)
    with only_build(build):
        before = {name: facts["seconds"] for name in chapters if (facts := read_facts(build, name))}
        state = State(chapters, before, jobs)
        console.print(
            f"Building the book of profile {profile_name} in {build.shown(build.folder)}", highlight=False
        )
        with Display(state, console) as display:
            run_chapters(build, data, state, display)
            render_pages(build, state, display, strict)
    _summary(build, chapters, state, console)
    return build.html / "index.html"


def run_chapters(build: Build, data: str, state: State, display: Display) -> None:
    """Let Snakemake run the chapters that have to run.

    Raises:
        InputError: If a chapter refused its input.
        ChapterError: If a chapter failed for another reason.
    """
    shutil.rmtree(build.folder / "progress", ignore_errors=True)
    log = build.logs / "snakemake.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # flock below keeps builds of a profile apart, so Snakemake's own lock, which a kill -9 leaves behind, is
    # not used.
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--cores", str(state.jobs)]
    command += ["--nolock", "--rerun-incomplete", "--keep-going", "--nocolor", "--scheduler", "greedy"]
    command += ["--config", f"profile={build.profile}", *([f"data={data}"] if data else [])]
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=build.root,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=chapter_environment(build.root) | _writable_cache(build),
            start_new_session=True,
        )

    def look() -> None:
        for name in state.chapters:
            if progress := read_progress(build.progress(name)):
                state.progress[name] = progress
        state.planned = planned_chapters(log, state.chapters) | set(state.progress)

    attend(process, look, display, _child_file(build))
    if process.returncode == 0:
        return
    failed = [progress for progress in state.progress.values() if progress.state == "failed"]
    if failed and all(progress.user_error for progress in failed):
        raise InputError("; ".join(progress.error for progress in failed))
    if failed:
        raise ChapterError("\n".join(progress.error for progress in failed))
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise ChapterError(
        f"Snakemake ended with status {process.returncode}\n{tail}\n  log       {build.shown(log)}"
    )


def render_pages(build: Build, state: State, display: Display, strict: bool) -> None:
    """Stage the pages and render them, unless they are rendered already.

    Raises:
        PagesError: If they cannot be rendered.
    """
    profile = read_profile(build.root, build.profile)
    sources = {name: chapter.notebook for name, chapter in state.chapters.items()}
    stage_book(build, profile, sources, os.environ.get(URL_VARIABLE, ""))
    if is_rendered(build.site, build.html):
        return
    log = build.logs / "book.log"
    state.pages = "starting"
    process = start_render(build.site, log, strict)

    def look() -> None:
        state.pages = render_state(log) or state.pages

    attend(process, look, display, _child_file(build))
    finish_render(process.returncode, build.site, build.html, log)


def attend(
    process: subprocess.Popen, look: Callable[[], None], display: Display, note: Path | None = None
) -> None:
    """Follow a child process to its end; whatever ends this process ends the child and all that it started.

    Args:
        process: The child.
        look: Brings the display's state up to date.
        display: What is shown meanwhile.
        note: A file that names the child, for the build that comes after a kill -9 of this one.
    """
    child = psutil.Process(process.pid)
    if note:
        write_json(note, {"pid": child.pid, "created": child.create_time()})
    try:
        follow(lambda: process.poll() is None, look, display)
    finally:
        if process.poll() is None:
            stop_family(child)
            process.wait()
        if note:
            note.unlink(missing_ok=True)


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


def planned_chapters(log: Path, chapters: dict[str, Chapter]) -> set[str]:
    """Read from Snakemake's log which chapters it will run; empty until it has said so."""
    table = re.search(
        r"^Job stats:\n(.*?)^total\s", log.read_text(errors="replace"), re.DOTALL | re.MULTILINE
    )
    return (
        {line.split()[0] for line in table[1].splitlines() if line.split()} & set(chapters)
        if table
        else set()
    )


@contextmanager
def only_build(build: Build) -> Iterator[None]:
    """Keep two builds of one profile apart, and end what a killed build left running.

    Raises:
        InputError: If another build of the profile is running, or its folder cannot be written.
    """
    with writing(build.folder, KEPT), _open_lock(build) as stream:
        shown = build.shown(build.folder)
        lock(stream, f"profile {build.profile} is being built already in {shown}; wait for it or stop it")
        noted = read_json(_child_file(build))
        if noted and psutil.pid_exists(noted["pid"]):
            left = psutil.Process(noted["pid"])
            if left.create_time() == noted["created"]:  # and not another process that was given its number
                stop_family(left)
        yield


def _open_lock(build: Build) -> IO:
    """Open the file that the running build of a profile locks."""
    build.folder.mkdir(parents=True, exist_ok=True)
    return (build.folder / "lock").open("a")


def _child_file(build: Build) -> Path:
    """Return the file that names the child process of a running build."""
    return build.folder / "child.json"


def _summary(build: Build, chapters: dict[str, Chapter], state: State, console: Console) -> None:
    """Print the time of each chapter and the page to open."""
    for name in chapters:
        facts = read_facts(build, name)
        ran = name in state.progress and state.progress[name].state == "done"
        note = "" if ran else "  (an earlier build; still valid)"
        console.print(f"  {name:<32}{duration(facts['seconds']):>12}{note}", highlight=False)
    console.print(f"Open {build.shown(build.html / 'index.html')}", highlight=False, soft_wrap=True)
