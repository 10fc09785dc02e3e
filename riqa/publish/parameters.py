"""A notebook's parameters: what it declares, and whether given values fit."""

import ast
import difflib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from riqa.errors import InputError

TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list}


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's ``parameters`` cell: ``name: type = default  # meaning, unit``."""

    name: str
    type: str
    default: Any
    meaning: str


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares.

    Args:
        notebook: The source notebook. The one cell tagged ``parameters`` holds only lines of the form
            ``name: type = default  # meaning, unit`` with a type out of int, float, str, bool and list.

    Returns:
        The parameters by name, in the order of the cell.

    Raises:
        InputError: If there is not exactly one such cell, or a line of it has another form.
    """
    document = json.loads(notebook.read_text())
    cells = [c for c in document["cells"] if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        raise InputError(f"{notebook}: {len(cells)} cells are tagged 'parameters'; exactly one must be")
    source = "".join(cells[0]["source"])
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Parameter] = {}
    for statement in ast.parse(source).body:
        form = f"{notebook}: line {statement.lineno} of the parameters cell"
        if not (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
        ):
            raise InputError(f"{form} is not 'name: type = default  # meaning'")
        kind = ast.unparse(statement.annotation)
        if kind not in TYPES:
            raise InputError(f"{form} has type {kind}; legal are {', '.join(TYPES)}")
        meaning = comments.get(statement.lineno, "")
        if not meaning:
            raise InputError(f"{form} does not say in a comment what {statement.target.id} means")
        parameter = Parameter(statement.target.id, kind, ast.literal_eval(statement.value), meaning)
        if not fits(parameter.default, kind):
            raise InputError(f"{form}: the default {parameter.default!r} is no {kind}")
        found[parameter.name] = parameter
    return found


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value has a declared type; an int is also a float, a bool is never a number."""
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, (int, float) if kind == "float" else TYPES[kind])


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the most similar known name (``" (did you mean x?)"``), or nothing."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {match[0]}?)" if match else ""


def check_parameters(
    given: Mapping[str, Any], declared: Mapping[str, Parameter], owner: str
) -> dict[str, Any]:
    """Refuse a parameter that a chapter does not declare, or a value of another type.

    Args:
        given: Values by name.
        declared: What the chapter's notebook declares.
        owner: Who gave the values or the chapter's name, for the message.

    Returns:
        The values, an int turned into a float where a float is declared.

    Raises:
        InputError: If a name is not declared (it lists the declared names and the nearest) or a value does
            not fit.
    """
    checked = {}
    for name, value in given.items():
        if name not in declared:
            listed = ", ".join(declared) or "none"
            hint = nearest(name, declared)
            raise InputError(f"{owner} declares no parameter {name!r}{hint}; it declares {listed}")
        kind = declared[name].type
        if not fits(value, kind):
            raise InputError(f"{owner}: {name} must be {kind}, but {value!r} is {type(value).__name__}")
        checked[name] = float(value) if kind == "float" else value
    return checked


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split ``name=value``; the value is read as YAML (``3``, ``0.5``, ``[0, 1]``, ``true``).

    Raises:
        InputError: If there is no name or no ``=``, or the value is not valid YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"-p {text!r} is not name=value")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(
            f"-p {text!r}: the value cannot be read; lists are written [0, 1], text with spaces in quotes"
        ) from None
