"""One chapter again with other parameters: in its own folder, on the artifacts of a profile's last build."""

import itertools
import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from riqa.errors import BuildError, InputError
from riqa.files import only_writer, read_json, writing
from riqa.publish.build import follow
from riqa.publish.chapters import Chapter, find_chapter, read_chapters
from riqa.publish.layout import Build, Rerun
from riqa.publish.pages import render
from riqa.publish.parameters import check_parameters, declared_parameters
from riqa.publish.plan import all_values, check_folder, check_reads, resolve_parameters
from riqa.publish.profiles import Profile, check_sets, read_profile
from riqa.publish.progress import Display
from riqa.publish.roles import read_numbers
from riqa.publish.stage import common_files, stage_chapter, write_site
from riqa.terminal import console

COMPANIONS = ("book/glossary.md", "book/references.md")  # pages that a chapter's links lead to
PATHS = ("work", "out")  # parameters that the runner alone gives


def rerun_chapter(
    build: Build, chapter_name: str, given: Mapping[str, Any], folder: Path | None, jobs: int
) -> None:
    """Run one chapter (by name or number) with other parameters than those of the profile.

    It reads the artifacts of the profile's last build, which is never changed. The executed notebook,
    `artifacts/` and `html/index.html` go into `folder`, by default a new one below the build. The chapter may
    use `jobs` processes. Raises an InputError if the chapter, the profile or a parameter cannot be used, what
    the chapter needs has not been built, or the folder is in use; a BuildError if chapter or page fails.
    """
    chapter = find_chapter(read_chapters(build.root), chapter_name)
    name, profile = chapter.name, read_profile(build.root, build.profile)
    parameters = _parameters(build, profile, chapter, given)
    before = {name: facts["seconds"]} if (facts := build.facts(name)) else {}
    display = Display({name: chapter}, console(), before, jobs, planned={name})
    run = Rerun(build.root, build.profile, claim_folder(folder or _next_folder(build, name)))
    if "out" in declared_parameters(chapter.notebook):
        parameters["out"] = run.shown(run.out(name))
    described = {"profile": profile.name, "data": profile.source, "parameters": parameters}
    command = [sys.executable, "-m", "riqa.publish.run", json.dumps(run.places(name) | described)]
    command += ["--workers", str(min(jobs, chapter.threads))]
    with only_writer(run.folder), display.shown():
        try:
            if follow(command, run.hidden / "run.log", run, display):
                raise BuildError(f"{name} ended unexpectedly")
            run.log(name).unlink()
            _stage(run, build, chapter)
            # Links to chapters that are not part of the run stay unresolved.
            render(run, display.rendering, strict=False)
        finally:
            shutil.rmtree(run.hidden, ignore_errors=True)
        run.pages_log.unlink()
    made = {"Notebook": run.executed(name), "Results": run.out(name) / "results.json"}
    for label, path in (made | {"Open": run.html / "index.html"}).items():
        display.console.print(f"{label:<10} {build.shown(path)}", soft_wrap=True)


def _parameters(build: Build, profile: Profile, chapter: Chapter, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for a run, all but its own folder; refuse what the chapter cannot use."""
    declared = declared_parameters(chapter.notebook)
    if taken := [name for name in given if name in PATHS]:
        why = "a run reads the profile's build, and --out names its own folder"
        raise InputError(f"{taken[0]} is not for -p: {why}")
    checked = check_parameters(given, declared, chapter.name)
    for need in chapter.needs:
        if not build.artifacts(need).is_file():
            told = f"{chapter.name} needs {need}, which profile {build.profile} has not built"
            raise InputError(f"{told}; run make book PROFILE={build.profile} first")
    data = checked.get("data") or _built_with(build, chapter.name).get("data", "")
    if profile.needs_data and "data" in declared and not data:
        raise InputError(f"profile {build.profile} has not been built; give its folder by -p data=FOLDER")
    if data:
        check_folder(data, profile.data if profile.needs_data else "photographs")
    paths = {"work": build.shown(build.work), "data": data}
    parameters = resolve_parameters(profile, chapter.name, declared, paths) | checked
    if "data" in declared:
        check_sets(parameters, data, chapter.name)
    made = {need: _built_with(build, need) for need in chapter.needs}
    check_reads(chapter, all_values(declared, parameters), made, chapter.name)
    return parameters


def _built_with(build: Build, chapter: str) -> dict[str, Any]:
    """Return all parameters of a chapter's last run in a build."""
    record = read_json(build.record(chapter))
    declared = declared_parameters(build.notebook(chapter))
    return all_values(declared, record["recipe"]["parameters"] if record else {})


def claim_folder(folder: Path) -> Path:
    """Make a folder for a run, or take an empty one.

    Raises an InputError if it is not empty, is a file, or cannot be written.
    """
    with writing(folder):
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is not empty; name a new or an empty folder by --out")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _next_folder(build: Build, chapter: str) -> Path:
    """Make the first unused folder for runs of a chapter: `runs/<chapter>-1`, `-2`, ..."""
    with writing(build.folder / "runs"):
        for number in itertools.count(1):
            folder = build.folder / "runs" / f"{chapter}-{number}"
            with suppress(FileExistsError):  # maybe made by another run meanwhile
                folder.mkdir(parents=True)
                return folder


def _stage(run: Rerun, build: Build, chapter: Chapter) -> None:
    """Stage a small book: the chapter, and the pages that its links lead to."""
    numbers = read_numbers([run.out(chapter.name), *map(build.out, chapter.needs)])
    files, _ = stage_chapter(run, chapter.name, numbers)
    files |= {name: (run.root / name).read_bytes() for name in COMPANIONS if (run.root / name).is_file()}
    links = [{"file": name.removesuffix(".md")} for name in COMPANIONS if name in files]
    contents = {"format": "jb-book", "root": f"notebooks/{chapter.name}"}
    contents |= {"chapters": links} if links else {}
    files["_toc.yml"] = yaml.safe_dump(contents).encode()
    write_site(run.site, common_files(run.root) | files)
