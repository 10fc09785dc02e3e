"""What a build consists of: every chapter with its inputs and its resolved parameters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.publish.chapters import Chapter, modules_used, read_chapters
from riqa.publish.content import listing_digest
from riqa.publish.layout import Build
from riqa.publish.parameters import Parameter, check_parameters, declared_parameters, nearest
from riqa.publish.profiles import Profile, read_profile
from riqa.publish.sets import check_sets


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
    folder = Path(data)
    if not folder.is_dir():
        raise InputError(f"DATA folder {data} does not exist; profile {profile.name} needs {profile.data}")
    if not any(folder.iterdir()):
        raise InputError(f"DATA folder {data} is empty; profile {profile.name} needs {profile.data}")


def resolve_parameters(
    profile: Profile, chapter: str, declared: dict[str, Parameter], paths: dict[str, str]
) -> dict[str, Any]:
    """Work out the values that a profile gives to one chapter.

    Args:
        profile: The profile.
        chapter: The chapter's name.
        declared: What the chapter declares.
        paths: ``work``, ``out`` and ``data``; given to a chapter that declares them.

    Returns:
        Values by name, in the notebook's order.

    Raises:
        InputError: If a value is not declared or has the wrong type.
    """
    own = profile.chapters.get(chapter) or {}
    shared = {name: value for name, value in profile.parameters.items() if name in declared}
    owner = f"profiles/{profile.name}.yaml: {chapter}"
    checked = check_parameters(shared | own, declared, owner)
    given = {name: value for name, value in paths.items() if name in declared} | checked
    return {name: given[name] for name in declared if name in given}


def plan(root: Path, profile_name: str, data: str = "") -> list[Job]:
    """Plan the build of a profile.

    Args:
        root: The repository.
        profile_name: The profile.
        data: The DATA folder as the user gave it; empty when the profile needs none.

    Returns:
        One job a chapter, in reading order.

    Raises:
        InputError: If the profile or the DATA folder cannot be used.
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
    jobs = []
    for name, chapter in chapters.items():
        reads_data = profile.needs_data and "data" in declared[name]
        paths = {
            "work": build.shown(build.work),
            "out": build.shown(build.work / name),
            "data": data if reads_data else "",
        }
        parameters = resolve_parameters(profile, name, declared[name], paths)
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
