"""What a build consists of: every chapter with its inputs and its resolved parameters."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.publish.chapters import ALL, Chapter, modules_used, read_chapters
from riqa.publish.layout import Build
from riqa.publish.parameters import Parameter, check_parameters, declared_parameters, nearest
from riqa.publish.profiles import SETS, Profile, as_list, check_sets, read_profile

ALIKE = {"student_seed": "seeds", "raters_set": "observer_set"}  # what one chapter calls such a parameter


@dataclass(frozen=True)
class Job:
    """One chapter of one build, ready to run."""

    chapter: Chapter
    parameters: dict[str, Any]  # the values that it is given; others keep the notebook's default
    inputs: tuple[Path, ...]  # files that decide its outcome: notebook, modules, upstream artifact lists
    data_digest: str  # of the DATA folder's listing for the chapter that reads it, else empty


def check_folder(data: str, needed: str) -> None:
    """Raise an InputError if a DATA folder cannot be read or is empty; `needed` says what it must hold."""
    try:
        if not any(Path(data).iterdir()):
            raise InputError(f"DATA folder {data} is empty; {needed}")
    except FileNotFoundError:
        raise InputError(f"DATA folder {data} does not exist; {needed}") from None
    except OSError as error:
        raise InputError(f"DATA folder {data} cannot be read ({error.strerror}); {needed}") from None


def listing_digest(folder: Path) -> str:
    """Digest a folder's listing (names, sizes, modification times) without reading the files.

    It shows changes in a large folder: 100,000 files take a second. It follows links, into a folder once.
    """
    lines, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(folders)
        seen.add(real)
        for name in sorted(names):
            path = os.path.join(place, name)
            state = "missing"  # a link that leads nowhere
            with suppress(OSError):
                status = os.stat(path)
                state = f"{status.st_size}\t{status.st_mtime_ns}"
            lines.append(f"{os.path.relpath(path, folder)}\t{state}")
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()


def resolve_parameters(
    profile: Profile, chapter: str, declared: dict[str, Parameter], paths: dict[str, str]
) -> dict[str, Any]:
    """Return the values that a profile gives to one chapter, by name, in the notebook's order.

    `paths` (`work`, `out` and `data`) are given to a chapter that declares them. Raises an InputError if a
    value is not declared, has the wrong type, or is not legal.
    """
    shared = {name: value for name, value in profile.parameters.items() if name in declared}
    values = shared | profile.chapters.get(chapter, {})
    given = paths | check_parameters(values, declared, f"profiles/{profile.name}.yaml: {chapter}")
    return {name: given[name] for name in declared if name in given}


def all_values(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter: the given one, or else the default."""
    return {name: parameter.default for name, parameter in declared.items()} | dict(given)


def check_reads(
    chapter: Chapter, values: Mapping[str, Any], made: Mapping[str, Mapping[str, Any]], owner: str
) -> None:
    """Refuse seeds and sets that are not among those of the chapters that a chapter needs.

    `values` are all its parameters, `made` those of each chapter that it needs. Raises an InputError that
    begins with `owner` (who gave the values) and names the parameter, its value, and what there is.
    """
    for (name, value), need in product(values.items(), chapter.needs):
        shared = ALIKE.get(name, name)
        if shared in ("seeds", *SETS) and shared in made[need]:
            others = SETS if shared in SETS else ("seeds",)
            known = [one for other in others for one in as_list(made[need].get(other, []))]
            if not set(as_list(value)) <= set(known):
                listed = ", ".join(map(str, dict.fromkeys(known)))
                raise InputError(f"{owner}: {name} is {value!r}, must be among those of {need}: {listed}")


def plan(root: Path, profile_name: str, data: str = "", parts: str = ALL) -> list[Job]:
    """Plan the build of a profile: one job per chapter, in reading order.

    `data` is the DATA folder as the user gave it, `parts` as in `read_chapters`. Raises an InputError if the
    profile, a value in it, or the folder that it needs cannot be used.
    """
    profile, shown = read_profile(root, profile_name), f"profiles/{profile_name}.yaml"
    if profile.needs_data and not data:
        raise InputError(f"profile {profile_name} needs DATA=folder with {profile.data}")
    if profile.needs_data:
        check_folder(data, f"profile {profile_name} needs {profile.data}")
    data = data if profile.needs_data else ""
    build, chapters = Build(root, profile_name), read_chapters(root)
    declared = {name: declared_parameters(chapter.notebook) for name, chapter in chapters.items()}
    for name in profile.chapters:
        if name not in chapters:
            raise InputError(f"{shown}: there is no chapter {name!r}{nearest(name, chapters)}")
    known = {name for parameters in declared.values() for name in parameters}
    for name in profile.parameters:
        if name not in known:
            raise InputError(f"{shown}: no chapter declares a parameter {name!r}{nearest(name, known)}")
    jobs, made = [], {}
    for name, chapter in read_chapters(root, parts, profile.needs_data).items():
        paths = {"work": build.shown(build.work), "out": build.shown(build.out(name)), "data": data}
        parameters = resolve_parameters(profile, name, declared[name], paths)
        made[name] = all_values(declared[name], parameters)
        check_reads(chapter, made[name], made, f"{shown}: {name}")
        check_sets(parameters, data, f"{shown}: {name}")
        inputs = (chapter.notebook, *modules_used(chapter.notebook), *map(build.artifacts, chapter.needs))
        digest = listing_digest(Path(data)) if data and "data" in declared[name] else ""
        jobs.append(Job(chapter, parameters, inputs, digest))
    return jobs
