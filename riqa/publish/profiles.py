"""Profiles: the same chapters with other data and other parameters; what no chapter could use is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riqa.data.set_names import MADE, NAMES, PUBLISHED, TABLE
from riqa.errors import InputError
from riqa.publish.parameters import nearest
from riqa.yaml_text import read_yaml

KEYS = ("description", "data", "processes", "parameters", "chapters")
SETS = ("details_set", "overall_sets", "observer_set")
"""The parameters that give sets of photographs their roles."""


@dataclass(frozen=True)
class Profile:
    """One file of `profiles/`."""

    name: str  # the file's stem
    description: str  # one sentence
    data: str  # what the DATA folder must hold, or "none"
    parameters: dict[str, Any] = field(default_factory=dict)  # for every chapter that declares them
    chapters: dict[str, dict[str, Any]] = field(default_factory=dict)  # for one chapter; these win
    processes: int | None = None  # how many a chapter may use side by side; None: as many as it can

    @property
    def needs_data(self) -> bool:
        """Whether this profile reads photographs that the book does not make itself."""
        return self.data != "none"

    @property
    def source(self) -> str:
        """What the numbers are based on, in words."""
        return self.data if self.needs_data else "phantom photographs that the book draws itself"


def profile_names(root: Path) -> list[str]:
    """List the profiles of a repository, in alphabetical order."""
    return sorted(p.stem for p in (root / "profiles").glob("*.yaml"))


def read_profile(root: Path, name: str) -> Profile:
    """Read a profile, `quick` for `profiles/quick.yaml`.

    Raises an InputError if there is no such profile, or its file is not as described in `Profile`.
    """
    names = profile_names(root)
    if name not in names:
        raise InputError(f"there is no profile {name!r}{nearest(name, names)}; there are {', '.join(names)}")
    shown = f"profiles/{name}.yaml"
    content = read_yaml(root / shown, shown) or {}
    if not isinstance(content, dict):
        raise InputError(f"{shown} must map {', '.join(KEYS)} to values")
    for key in content:
        if key not in KEYS:
            hint = nearest(key, KEYS)
            raise InputError(f"{shown} has an unknown key {key!r}{hint}; legal are {', '.join(KEYS)}")
    parts = {part: content.get(part) or {} for part in ("parameters", "chapters")}
    if isinstance(parts["chapters"], dict):
        parts["chapters"] = {chapter: own or {} for chapter, own in parts["chapters"].items()}
        parts |= {f"chapters: {chapter}": own for chapter, own in parts["chapters"].items()}
    for part, value in parts.items():
        if not isinstance(value, dict):
            raise InputError(f"{shown}: {part} is {value!r}, must map names to values")
    processes = content.get("processes")
    if processes is not None and (type(processes) is not int or processes < 1):
        raise InputError(f"{shown}: processes is {processes!r}, must be a whole number of at least 1")
    description = str(content.get("description", "")).strip()
    data = str(content.get("data") or "none").strip()
    return Profile(name, description, data, parts["parameters"], parts["chapters"], processes)


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and one value in a list."""
    return value if isinstance(value, list) else [value]


def check_sets(parameters: Mapping[str, Any], data: str, owner: str) -> None:
    """Check every set that a chapter's parameters name (`..._set`, `..._sets`).

    Raises an InputError that begins with `owner` (who gave the values) if there is no set of that name, it
    needs a DATA folder and `data` is empty, two sets of a list are the same, or a set plays two roles: a
    Teacher would be tested on, or label, what it learned from.
    """
    for parameter, value in parameters.items():
        names = as_list(value) if parameter.endswith(("_set", "_sets")) else []
        for name in names:
            if trouble := _trouble(name, data):
                raise InputError(f"{owner}: {parameter}: {trouble}")
        alike = [str(name).casefold() for name in names]
        for name, same in zip(names, alike, strict=True):
            if alike.count(same) > 1:
                raise InputError(f"{owner}: {parameter} names {name} twice; name every set once")
    roles: dict[object, str] = {}
    for role in SETS:
        for name in as_list(parameters.get(role, [])):
            if roles.setdefault(name, role) != role:
                advice = "a set plays one role: divide it into two folders by patients"
                raise InputError(f"{owner}: {name} is {roles[name]} and {role} at once; {advice}")


def _trouble(name: object, data: str) -> str | None:
    """Say what is wrong with the name of a set, if anything is."""
    if name in MADE or (name in NAMES and name != TABLE and data):
        return None
    if name in NAMES and not data:
        return f"{name} is made of real photographs; say in the profile, under data, what DATA must hold"
    from riqa.sets import own_folder  # only now: it takes a second to load

    try:
        own_folder(name, data)
    except InputError as error:
        return f"{error}{nearest(name, (*MADE, *PUBLISHED))}"
    return None
