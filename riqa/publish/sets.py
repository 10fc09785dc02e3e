"""The sets that a profile names: what no chapter could use is refused before one starts."""

from collections.abc import Mapping
from typing import Any

from riqa.data.set_names import MADE, NAMES, PUBLISHED, TABLE
from riqa.errors import InputError
from riqa.publish.parameters import nearest

SETS = ("details_set", "overall_sets", "observer_set")
"""The parameters that give sets of photographs their roles."""


def check_sets(parameters: Mapping[str, Any], data: str, owner: str) -> None:
    """Check every set that a chapter's parameters name (`..._set`, `..._sets`).

    Args:
        parameters: The chapter's values by name.
        data: The DATA folder, "" when the profile needs none.
        owner: Who gave the values, for the message.

    Raises:
        InputError: If there is no set of that name, it needs a DATA folder and there is none, two sets of a
            list are the same, or a set plays two roles.
    """
    for parameter, value in parameters.items():
        if not parameter.endswith(("_set", "_sets")):
            continue
        names = value if isinstance(value, list) else [value]
        for name in names:
            if trouble := _trouble(name, data):
                raise InputError(f"{owner}: {parameter}: {trouble}")
        alike = [str(name).casefold() for name in names]
        if twice := [name for name in names if alike.count(str(name).casefold()) > 1]:
            raise InputError(f"{owner}: {parameter} names {twice[0]} twice; name every set once")
    _refuse_two_roles(parameters, owner)


def _refuse_two_roles(parameters: Mapping[str, Any], owner: str) -> None:
    """Refuse a set in two roles: a Teacher would be tested on, or label, what it learned from."""
    roles: dict[object, str] = {}
    for role in SETS:
        value = parameters.get(role, [])
        for name in value if isinstance(value, list) else [value]:
            if name in roles:
                raise InputError(
                    f"{owner}: {name} is {roles[name]} and {role} at once; a set plays one role: divide it "
                    "into two folders by patients"
                )
            roles[name] = role


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
        return f"{error}{nearest(str(name), (*MADE, *PUBLISHED))}"
    return None
