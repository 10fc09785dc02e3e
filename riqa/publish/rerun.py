"""One chapter again with other parameters: in its own folder, on the artifacts of a profile's last build."""

import itertools
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from riqa.errors import BuildError, InputError
from riqa.files import only_writer, read_json, writing
from riqa.publish.build import chapter_environment, looking_at_pages, raise_failures
from riqa.publish.chapters import Chapter, find_chapter, read_chapters
from riqa.publish.layout import Build
from riqa.publish.pages import render
from riqa.publish.parameters import check_parameters, declared_parameters
from riqa.publish.plan import all_values, check_folder, check_reads, resolve_parameters
from riqa.publish.processes import attend
from riqa.publish.profiles import check_sets, read_profile
from riqa.publish.progress import Display, State, read_progress
from riqa.publish.roles import read_numbers
from riqa.publish.stage import configuration, stage_notebook, write_site

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
    """Run one chapter (by name or number) with other parameters than those of the profile.

    It reads the artifacts of the profile's last build, which is never changed. The executed notebook,
    `artifacts/` and `html/index.html` go into `folder`, by default a new one below the build, which is
    returned. The chapter may use `jobs` processes side by side.

    Raises:
        InputError: If the chapter, the profile or a parameter cannot be used, what the chapter needs has not
            been built, or the folder is in use.
        BuildError: If the chapter fails, or its page cannot be rendered.
    """
    chapters, build = read_chapters(root), Build(root, profile_name)
    chapter = find_chapter(chapters, chapter_name)
    name = chapter.name
    parameters = _parameters(build, chapters, chapter, given)
    facts = build.facts(name)
    state = State({name: chapter}, {name: facts["seconds"]} if facts else {}, jobs, {name})
    folder = claim_folder(folder or _next_folder(build, chapter))
    with only_writer(folder):
        if "out" in declared_parameters(chapter.notebook):
            parameters["out"] = build.shown(folder / "artifacts")
        with Display(state, console) as display:
            _run(build, chapter, parameters, folder, state, display)
            _render(build, chapter, folder, state, display)
    for label, made in {
        "Notebook": folder / f"{name}.ipynb",
        "Results": folder / "artifacts" / "results.json",
        "Open": folder / "html" / "index.html",
    }.items():
        console.print(f"{label:<10} {build.shown(made)}", highlight=False, soft_wrap=True)
    return folder


def _parameters(
    build: Build, chapters: Mapping[str, Chapter], chapter: Chapter, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values for a run, all but its own folder; refuse what the chapter cannot use."""
    profile, declared = read_profile(build.root, build.profile), declared_parameters(chapter.notebook)
    if taken := [name for name in given if name in PATHS]:
        raise InputError(
            f"{taken[0]} is not for -p: a run reads the profile's build, and --out names its own folder"
        )
    checked = check_parameters(given, declared, chapter.name)
    for need in chapter.needs:
        if not build.artifacts(need).is_file():
            raise InputError(
                f"{chapter.name} needs {need}, which profile {build.profile} has not built; "
                f"run make book PROFILE={build.profile} first"
            )
    data = checked.get("data") or _built_with(build, chapter).get("data", "")
    if profile.needs_data and "data" in declared and not data:
        raise InputError(f"profile {build.profile} has not been built; give its folder by -p data=FOLDER")
    if data:
        check_folder(data, profile.data if profile.needs_data else "photographs")
    paths = {"work": build.shown(build.work), "data": data}
    parameters = resolve_parameters(profile, chapter.name, declared, paths) | checked
    if "data" in declared:
        check_sets(parameters, data, chapter.name)
    made = {need: _built_with(build, chapters[need]) for need in chapter.needs}
    check_reads(chapter, all_values(declared, parameters), made, chapter.name)
    return parameters


def _built_with(build: Build, chapter: Chapter) -> dict[str, Any]:
    """Return all parameters of a chapter's last run in a build."""
    record = read_json(build.record(chapter.name))
    return all_values(declared_parameters(chapter.notebook), record["recipe"]["parameters"] if record else {})


def claim_folder(folder: Path) -> Path:
    """Make a folder for a run, or take an empty one.

    Raises an InputError if it is not empty, is a file, or cannot be written.
    """
    with writing(folder):
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is not empty; name a new or an empty folder by --out")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _next_folder(build: Build, chapter: Chapter) -> Path:
    """Make the first unused folder for runs of a chapter: `runs/<chapter>-1`, `-2`, ..."""
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
    log, progress = folder / "as_far_as_it_ran.ipynb", folder / "progress.json"
    run = {
        "chapter": chapter.name,
        "profile": build.profile,
        "data": read_profile(build.root, build.profile).source,
        "parameters": parameters,
        "notebook": str(chapter.notebook),
        "out": str(folder / "artifacts"),
        "log": str(log),
        "executed": str(folder / f"{chapter.name}.ipynb"),
        "progress": str(progress),
    }
    command = [sys.executable, "-m", "riqa.publish.run", json.dumps(run)]
    command += ["--workers", str(min(state.jobs, chapter.threads))]

    def look() -> None:
        if told := read_progress(progress):
            state.progress[chapter.name] = told
        display.refresh()

    environment = chapter_environment(build.root)
    status = attend(command, Path(os.devnull), look, cwd=build.root, env=environment)
    progress.unlink(missing_ok=True)
    if status:
        raise_failures(state.progress.values())
        raise BuildError(f"{chapter.name} ended unexpectedly")
    log.unlink()


def _render(build: Build, chapter: Chapter, folder: Path, state: State, display: Display) -> None:
    """Render the run as a small book: the chapter, and the pages that its links lead to."""
    root, book = build.root, build.root / "book"
    site, log = folder / "site", folder / "pages.log"
    kept = [*(book / "_ext").glob("*.py"), *(book / "_static").rglob("*"), *book.glob("*.bib")]
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
    # Links to chapters that are not part of the run stay unresolved.
    render(site, folder / "html", log, looking_at_pages(log, state, display), strict=False)
    for made in (site, folder / "render"):
        shutil.rmtree(made, ignore_errors=True)
    for made in (log, folder / "html.json"):
        made.unlink(missing_ok=True)
