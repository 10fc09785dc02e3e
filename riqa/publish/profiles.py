"""Profiles: the same chapters with other data and other parameters."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riqa.errors import InputError
from riqa.publish.parameters import nearest
from riqa.yaml_text import read_yaml

KEYS = ("description", "data", "processes", "parameters", "chapters")


@dataclass(frozen=True)
class Profile:
    """One file of ``profiles/``.

    Attributes:
        name: The file's stem.
        description: One sentence.
        data: What the DATA folder must hold, or ``none``.
        parameters: Values for every chapter that declares them.
        chapters: Values for one chapter, which win over ``parameters``.
        processes: How many a chapter may use side by side, as far as it can; None leaves it to the chapter.
    """

    name: str
    description: str
    data: str
    parameters: dict[str, Any] = field(default_factory=dict)
    chapters: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: int | None = None

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
    """Read a profile.

    Args:
        root: The repository.
        name: The profile's name, ``quick`` for ``profiles/quick.yaml``.

    Raises:
        InputError: If there is no such profile, or its file is not as described in `Profile`.
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
            raise InputError(
                f"{shown} has an unknown key {key!r}{nearest(str(key), KEYS)}; legal are {', '.join(KEYS)}"
            )
    parts = {part: content.get(part) or {} for part in ("parameters", "chapters")}
    if isinstance(parts["chapters"], dict):
        parts |= {f"chapters: {name}": own or {} for name, own in parts["chapters"].items()}
    for part, value in parts.items():
        if not isinstance(value, dict):
            raise InputError(f"{shown}: {part} is {value!r}, must map names to values")
    processes = content.get("processes")
    if processes is not None and (type(processes) is not int or processes < 1):
        raise InputError(f"{shown}: processes is {processes!r}, must be a whole number of at least 1")
    return Profile(
        name=name,
        description=str(content.get("description", "")).strip(),
        data=str(content.get("data") or "none").strip(),
        parameters=parts["parameters"],
        chapters=parts["chapters"],
        processes=processes,
    )
