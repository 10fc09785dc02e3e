"""A notebook's parameters: what it declares, and which values are legal.

A line of the `parameters` cell is `name: type = default  # meaning, unit; legal values`. The legal values
are stated in words, see `Legal`. A long comment continues on lines of its own:

    epochs: int = 4  # passes over the training images, count; at least 1
    warm_up: float = 0.25  # part in which the rate climbs to its peak, share; above 0, below 1
    weights: str = "none"  # starting weights; one of none, imagenet
    seeds: list[int] = [0, 1]  # one model per seed, random seeds;
    #   1 or more, each at least 0
"""

import ast
import difflib
import io
import json
import math
import operator
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from riqa.errors import InputError
from riqa.yaml_text import parse_yaml

TYPES = ("int", "float", "str", "bool", "list", "list[int]", "list[float]", "list[str]")
BOUNDS = {"at least": operator.ge, "above": operator.gt, "at most": operator.le, "below": operator.lt}


@dataclass(frozen=True)
class Legal:
    """Which values of its type a parameter may have. A list may never hold a value twice.

    `text` is what the notebook says: bounds of a number (`at least 0, below 1`), or `one of` some names; of a
    list how many it must hold (`2 or more`), and after `each` what holds for its elements.
    """

    text: str = ""
    least: int = 0  # the fewest elements of a list
    choices: tuple[str, ...] = ()  # the names; any, if there are none
    bounds: tuple[tuple[str, float], ...] = ()  # how a number must compare, and with what

    def complaint(self, value: Any) -> str:
        """Return what is wrong with a value of the declared type; nothing if it is legal."""
        elements = value if isinstance(value, list) else [value]
        if not all(math.isfinite(element) for element in elements if isinstance(element, float)):
            return f"{value!r}, must be finite"
        named = all(element in self.choices for element in elements if self.choices)
        within = all(BOUNDS[how](element, bound) for element in elements for how, bound in self.bounds)
        if len(elements) < self.least or not (named and within):
            return f"{value!r}, must {'hold' if isinstance(value, list) else 'be'} {self.text}"
        if len(set(map(repr, elements))) < len(elements):
            return f"{value!r}, must hold each value once"
        return ""


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's `parameters` cell."""

    name: str
    type: str
    default: Any
    meaning: str
    legal: Legal = Legal()


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters that a notebook declares, by name, in the order of the cell.

    Raises an InputError if not exactly one cell is tagged `parameters`, or a line of it has another form.
    """
    document = json.loads(notebook.read_text())
    cells = [c for c in document["cells"] if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        raise InputError(f"{notebook}: {len(cells)} cells are tagged 'parameters'; exactly one must be")
    source = "".join(cells[0]["source"])
    comments: dict[int, str] = {}  # by the line of the statement
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0] if token.start[1] else max(comments, default=token.start[0])
            comments[line] = f"{comments.get(line, '')} {token.string.lstrip('# ').strip()}".strip()
    found = {}
    for statement in ast.parse(source).body:
        try:
            parameter = _parameter(statement, comments.get(statement.lineno, ""))
        except ValueError as error:
            raise InputError(f"{notebook}: line {statement.lineno} of the parameters cell {error}") from None
        found[parameter.name] = parameter
    return found


def _parameter(statement: ast.stmt, comment: str) -> Parameter:
    """Read one line of a parameters cell; raise a ValueError that says what is wrong with it."""
    named = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    if not named or not statement.value:
        raise ValueError("is not 'name: type = default  # meaning'")
    name, kind = statement.target.id, ast.unparse(statement.annotation)
    if kind not in TYPES:
        raise ValueError(f"has type {kind}; legal are {', '.join(TYPES)}")
    meaning, _, told = comment.partition("; ")
    if not meaning:
        raise ValueError(f"does not say in a comment what {name} means")
    default, legal = ast.literal_eval(statement.value), parse_legal(told, kind)
    if not fits(default, kind):
        raise ValueError(f"has the default {default!r}, which is no {kind}")
    if wrong := legal.complaint(default):
        raise ValueError(f"has the default {wrong}")
    return Parameter(name, kind, default, meaning, legal)


def parse_legal(text: str, kind: str) -> Legal:
    """Parse the legal values that a notebook states; none means all of the type. Raises a ValueError."""
    least, rest = 0, text
    if kind.startswith("list"):
        if counted := re.match(r"(\d+) or more(?:, |$)", text):
            least, rest = int(counted[1]), text[counted.end() :]
        rest = rest.removeprefix("each ")
    if rest.startswith("one of "):
        return Legal(text, least, choices=tuple(rest.removeprefix("one of ").split(", ")))
    bound = rf"({'|'.join(BOUNDS)}) (-?\d+(?:\.\d+)?)"
    if rest and not re.fullmatch(f"{bound}(?:, {bound})*", rest):
        such = "legal values such as 'at least 0, below 1'"
        raise ValueError(f"says {text!r}, which is nothing about {such}")
    return Legal(text, least, bounds=tuple((how, float(n)) for how, n in re.findall(bound, rest)))


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value has a declared type; an int is also a float, a bool is never a number."""
    if kind.startswith("list["):
        return isinstance(value, list) and all(fits(element, kind[5:-1]) for element in value)
    return type(value).__name__ == kind or (kind == "float" and type(value) is int)


def _as_declared(value: Any, kind: str) -> Any:
    """Return a number in its declared type where nothing is lost: 1 as 1.0, and 1e4 as 10000."""
    if kind.startswith("list[") and isinstance(value, list):
        return [_as_declared(element, kind[5:-1]) for element in value]
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "float" and type(value) is int:
        return float(value) if abs(value) < 2**1000 else math.inf
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the most similar known name (`" (did you mean x?)"`), or nothing."""
    match = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean {match[0]}?)" if match else ""


def check_parameters(
    given: Mapping[str, Any], declared: Mapping[str, Parameter], owner: str
) -> dict[str, Any]:
    """Return the values, an int as a float where one is declared, and 1e4 as an int.

    Raises an InputError that begins with `owner` (who gave them) if a name is not declared (it lists the
    declared names and the nearest) or a value is of another type or not legal.
    """
    checked = {}
    for name, value in given.items():
        if name not in declared:
            listed = ", ".join(declared) or "none"
            hint = nearest(name, declared)
            raise InputError(f"{owner} declares no parameter {name!r}{hint}; it declares {listed}")
        kind = declared[name].type
        checked[name] = _as_declared(value, kind)
        if not fits(checked[name], kind):
            raise InputError(f"{owner}: {name} must be {kind}, but {value!r} is {type(value).__name__}")
        if wrong := declared[name].legal.complaint(checked[name]):
            raise InputError(f"{owner}: {name} is {wrong}")
    return checked


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `name=value`; the value is read as YAML (`3`, `1e-3`, `[0, 1]`, `true`).

    Raises an InputError if there is no name or no `=`, or the value is not valid YAML.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"-p {text!r} is not name=value")
    try:
        return name.strip(), parse_yaml(value) if value.strip() else ""
    except yaml.YAMLError:
        advice = "lists are written [0, 1], text with spaces in quotes"
        raise InputError(f"-p {text!r}: the value cannot be read; {advice}") from None
