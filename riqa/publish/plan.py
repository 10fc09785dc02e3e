"""What a build consists of: every chapter with its inputs and its resolved parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.publish.chapters import Chapter, modules_used, read_chapters
from riqa.publish.content import listing_digest
from riqa.publish.layout import Build
from riqa.publish.parameters import Parameter, check_parameters, declared_parameters, nearest
from riqa.publish.profiles import Profile, read_profile
from riqa.publish.sets import SETS, check_sets

ALIKE = {"student_seed": "seeds", "raters_set": "observer_set"}  # what one chapter calls such a parameter


@dataclass(frozen=True)
class Job:
    """One chapter of one build, ready to run.

    Attributes:
        chapter: The chapter.
        parameters: The values that it is given; what is not here keeps the notebook's default.
        inputs: Files whose content decides its outcome: the notebook, the modules it uses, upstream artifact
            lists.
        data_digest: Digest of the DATA folder's listing for the chapter that reads it, else empty.
    """

    chapter: Chapter
    parameters: dict[str, Any]
    inputs: tuple[Path, ...]
    data_digest: str


def check_data(profile: Profile, data: str) -> None:
    """Check the DATA folder before anything runs.

    Raises:
        InputError: If the profile needs a folder and none is given, or it does not exist or is empty.
    """
    if not profile.needs_data:
        return
    if not data:
        raise InputError(f"profile {profile.name} needs DATA=folder with {profile.data}")
    check_folder(data, f"profile {profile.name} needs {profile.data}")


def check_folder(data: str, needed: str) -> None:
    """Check a DATA folder; `needed` says what it must hold.

    Raises:
        InputError: If it does not exist, cannot be read, or is empty.
    """
    try:
        if not any(Path(data).iterdir()):
            raise InputError(f"DATA folder {data} is empty; {needed}")
    except FileNotFoundError:
        raise InputError(f"DATA folder {data} does not exist; {needed}") from None
    except OSError as error:
        raise InputError(f"DATA folder {data} cannot be read ({error.strerror}); {needed}") from None


def resolve_parameters(
    profile: Profile, chapter: str, declared: dict[str, Parameter], paths: dict[str, str]
) -> dict[str, Any]:
    """Return the values that a profile gives to one chapter.

    Args:
        profile: The profile.
        chapter: The chapter's name.
        declared: What the chapter declares.
        paths: ``work``, ``out`` and ``data``; given to a chapter that declares them.

    Returns:
        Values by name, in the notebook's order.

    Raises:
        InputError: If a value is not declared, has the wrong type, or is not legal.
    """
    own = profile.chapters.get(chapter) or {}
    shared = {name: value for name, value in profile.parameters.items() if name in declared}
    owner = f"profiles/{profile.name}.yaml: {chapter}"
    checked = check_parameters(shared | own, declared, owner)
    given = {name: value for name, value in paths.items() if name in declared} | checked
    return {name: given[name] for name in declared if name in given}


def all_values(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter: the given one, or else the default."""
    return {name: parameter.default for name, parameter in declared.items()} | dict(given)


def check_reads(
    chapter: Chapter, values: Mapping[str, Any], made: Mapping[str, Mapping[str, Any]], owner: str
) -> None:
    """Refuse seeds and sets that are not among those of the chapters that a chapter needs.

    Args:
        chapter: The chapter.
        values: All its parameters.
        made: All parameters of each chapter that it needs.
        owner: Who gave the values, for the message.

    Raises:
        InputError: Naming the parameter, its value, and what there is.
    """
    for name, value in values.items():
        shared = ALIKE.get(name, name)
        for need in chapter.needs:
            if shared not in ("seeds", *SETS) or shared not in made[need]:
                continue
            there = [made[need].get(other, []) for other in (SETS if shared in SETS else ("seeds",))]
            known = [one for found in there for one in (found if isinstance(found, list) else [found])]
            if not set(value if isinstance(value, list) else [value]) <= set(known):
                listed = ", ".join(map(str, dict.fromkeys(known)))
                raise InputError(f"{owner}: {name} is {value!r}, must be among those of {need}: {listed}")


def plan(root: Path, profile_name: str, data: str = "") -> list[Job]:
    """Plan the build of a profile.

    Args:
        root: The repository.
        profile_name: The profile.
        data: The DATA folder as the user gave it; empty when the profile needs none.

    Returns:
        One job per chapter, in reading order.

    Raises:
        InputError: If the profile, a value in it, or the DATA folder cannot be used.
    """
    profile = read_profile(root, profile_name)
    check_data(profile, data)
    chapters = read_chapters(root)
    declared = {name: declared_parameters(chapter.notebook) for name, chapter in chapters.items()}
    shown = f"profiles/{profile_name}.yaml"
    for name in profile.chapters:
        if name not in chapters:
            raise InputError(f"{shown}: there is no chapter {name!r}{nearest(name, chapters)}")
    known = {name for parameters in declared.values() for name in parameters}
    for name in profile.parameters:
        if name not in known:
            raise InputError(f"{shown}: no chapter declares a parameter {name!r}{nearest(name, known)}")

    build = Build(root, profile_name)
    jobs, made = [], {}
    for name, chapter in chapters.items():
        reads_data = profile.needs_data and "data" in declared[name]
        paths = {
            "work": build.shown(build.work),
            "out": build.shown(build.work / name),
            "data": data if reads_data else "",
        }
        parameters = resolve_parameters(profile, name, declared[name], paths)
        made[name] = all_values(declared[name], parameters)
        check_reads(chapter, made[name], made, f"{shown}: {name}")
        check_sets(parameters, data if profile.needs_data else "", f"{shown}: {name}")
        jobs.append(
            Job(
                chapter=chapter,
                parameters=parameters,
                inputs=(
                    chapter.notebook,
                    *modules_used(chapter.notebook),
                    *(build.artifacts(need) for need in chapter.needs),
                ),
                data_digest=listing_digest(Path(data)) if reads_data else "",
            )
        )
    return jobs
