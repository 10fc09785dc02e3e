"""One chapter again with other parameters: in its own folder, on the artifacts of a profile's last build."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from riqa.errors import InputError
from riqa.files import only_writer, writing
from riqa.publish.build import attend, chapter_environment
from riqa.publish.chapters import Chapter, find_chapter, read_chapters
from riqa.publish.content import read_json
from riqa.publish.display import Display, State
from riqa.publish.layout import Build
from riqa.publish.pages import finish_render, render_state, start_render
from riqa.publish.parameters import check_parameters, declared_parameters
from riqa.publish.plan import all_values, check_folder, check_reads, resolve_parameters
from riqa.publish.profiles import read_profile
from riqa.publish.progress import read_progress
from riqa.publish.roles import read_numbers
from riqa.publish.run import ChapterError
from riqa.publish.sets import check_sets
from riqa.publish.stage import configuration, read_facts, stage_notebook, write_site

COMPANIONS = ("book/glossary.md", "book/references.md")  # pages that a chapter's links lead to
PATHS = ("work", "out")  # parameters that the runner alone gives


def rerun_chapter(
    root: Path,
    chapter_name: str,
    profile_name: str,
    given: Mapping[str, Any],
    folder: Path | None,
    jobs: int,
    console: Console,
) -> Path:
    """Run one chapter with other parameters; the profile's own build is never changed.

    Args:
        root: The repository.
        chapter_name: The chapter, by name or number.
        profile_name: The profile whose parameters and artifacts it starts from.
        given: Other values for parameters that the chapter declares.
        folder: Where the run goes; a new folder below the profile's build by default.
        jobs: How many processes the chapter may use side by side.
        console: Where to show progress and the outcome.

    Returns:
        The folder of the run: the executed notebook, ``artifacts/`` and ``html/index.html``.

    Raises:
        InputError: If the chapter, the profile or a parameter cannot be used, what the chapter needs has not
            been built, or the folder is in use.
        ChapterError: If the chapter fails.
        PagesError: If its page cannot be rendered.
    """
    chapters = read_chapters(root)
    chapter = find_chapter(chapters, chapter_name)
    profile = read_profile(root, profile_name)
    build = Build(root, profile_name)
    declared = declared_parameters(chapter.notebook)
    if taken := [name for name in given if name in PATHS]:
        raise InputError(
            f"{taken[0]} is not for -p: a run reads the profile's build, and --out names its own folder"
        )
    checked = check_parameters(given, declared, chapter.name)
    for need in chapter.needs:
        if not build.artifacts(need).is_file():
            raise InputError(
                f"{chapter.name} needs {need}, which profile {profile_name} has not built; "
                f"run make book PROFILE={profile_name} first"
            )
    data = checked.get("data") or _built_with(build, chapter).get("data", "")
    if profile.needs_data and "data" in declared and not data:
        raise InputError(f"profile {profile_name} has not been built; give its folder by -p data=FOLDER")
    if data:
        check_folder(data, profile.data if profile.needs_data else "photographs")
    paths = {"work": build.shown(build.work), "data": data}
    parameters = resolve_parameters(profile, chapter.name, declared, paths) | checked
    if "data" in declared:
        check_sets(parameters, data, chapter.name)
    made = {need: _built_with(build, chapters[need]) for need in chapter.needs}
    check_reads(chapter, all_values(declared, parameters), made, chapter.name)
    facts = read_facts(build, chapter.name)
    state = State(
        {chapter.name: chapter}, {chapter.name: facts["seconds"]} if facts else {}, jobs, {chapter.name}
    )
    folder = claim_folder(folder or _next_folder(build, chapter))
    with only_writer(folder):
        if "out" in declared:
            parameters["out"] = build.shown(folder / "artifacts")
        with Display(state, console) as display:
            _run(build, chapter, parameters, folder, state, display)
            _render(build, chapter, folder, state, display)
    console.print(
        f"Notebook   {build.shown(folder / f'{chapter.name}.ipynb')}", highlight=False, soft_wrap=True
    )
    console.print(
        f"Results    {build.shown(folder / 'artifacts' / 'results.json')}", highlight=False, soft_wrap=True
    )
    console.print(
        f"Open       {build.shown(folder / 'html' / 'index.html')}", highlight=False, soft_wrap=True
    )
    return folder


def _built_with(build: Build, chapter: Chapter) -> dict[str, Any]:
    """Return all parameters of a chapter's last run in a build."""
    record = read_json(build.record(chapter.name))
    return all_values(declared_parameters(chapter.notebook), record["recipe"]["parameters"] if record else {})


def claim_folder(folder: Path) -> Path:
    """Make a folder for a run, or take an empty one.

    Raises:
        InputError: If it is not empty, is a file, or cannot be written.
    """
    with writing(folder):
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is not empty; name a new or an empty folder by --out")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _next_folder(build: Build, chapter: Chapter) -> Path:
    """Make the first unused folder for runs of a chapter: ``runs/<chapter>-1``, ``-2``, ..."""
    with writing(build.folder / "runs"):
        for number in itertools.count(1):
            folder = build.folder / "runs" / f"{chapter.name}-{number}"
            with suppress(FileExistsError):  # maybe made by another run meanwhile
                folder.mkdir(parents=True)
                return folder


def _run(
    build: Build, chapter: Chapter, parameters: dict[str, Any], folder: Path, state: State, display: Display
) -> None:
    """Run the chapter in a process of its own."""
    profile = read_profile(build.root, build.profile)
    log, progress = folder / "as_far_as_it_ran.ipynb", folder / "progress.json"
    run = {
        "chapter": chapter.name, "profile": build.profile, "data": profile.source, "parameters": parameters,
        "notebook": str(chapter.notebook), "out": str(folder / "artifacts"), "log": str(log),
        "executed": str(folder / f"{chapter.name}.ipynb"), "progress": str(progress),
    }  # fmt: skip
    command = [sys.executable, "-m", "riqa.publish.run", json.dumps(run)]
    command += ["--workers", str(min(state.jobs, chapter.threads))]
    process = subprocess.Popen(
        command,
        cwd=build.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env=chapter_environment(build.root),
        start_new_session=True,
    )

    def look() -> None:
        if told := read_progress(progress):
            state.progress[chapter.name] = told

    attend(process, look, display)
    told = state.progress.get(chapter.name)
    progress.unlink(missing_ok=True)
    if process.returncode == 0:
        log.unlink()
        return
    if told and told.state == "failed" and told.user_error:
        raise InputError(told.error)
    raise ChapterError(
        told.error if told and told.state == "failed" else f"{chapter.name} ended unexpectedly"
    )


def _render(build: Build, chapter: Chapter, folder: Path, state: State, display: Display) -> None:
    """Render the run as a small book: the chapter, and the pages that its links lead to."""
    root = build.root
    site, log = folder / "site", folder / "pages.log"
    kept = [
        *(root / "book" / "_ext").glob("*.py"),
        *(root / "book" / "_static").rglob("*"),
        *(root / "book").glob("*.bib"),
    ]
    kept += [root / name for name in COMPANIONS]
    pages = {path.relative_to(root).as_posix(): path.read_bytes() for path in kept if path.is_file()}
    page = f"notebooks/{chapter.name}"
    numbers = read_numbers([folder / "artifacts", *(build.work / need for need in chapter.needs)])
    executed = folder / f"{chapter.name}.ipynb"
    pages[f"{page}.ipynb"], _ = stage_notebook(chapter.notebook, executed, numbers=numbers)
    links = [{"file": name.removesuffix(".md")} for name in COMPANIONS if name in pages]
    contents = {"format": "jb-book", "root": page} | ({"chapters": links} if links else {})
    pages["_toc.yml"] = yaml.safe_dump(contents).encode()
    pages["_config.yml"] = configuration(root).encode()
    write_site(site, pages)
    state.pages = "starting"
    process = start_render(
        site, log, strict=False
    )  # links to chapters that are not part of the run stay unresolved

    def look() -> None:
        state.pages = render_state(log) or state.pages

    attend(process, look, display)
    finish_render(process.returncode, site, folder / "html", log)
    for made in (site, folder / "render"):
        shutil.rmtree(made, ignore_errors=True)
    for made in (log, folder / "html.json"):
        made.unlink(missing_ok=True)
