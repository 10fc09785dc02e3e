"""YAML as its version 1.2 reads it, for every file and value that a user writes."""

import re
from pathlib import Path
from typing import Any

import yaml

from riqa.errors import InputError

# PyYAML follows version 1.1: 1e-3 is text, `on` is true, 010 is 8, 1:30 is 90, and 2026-01-02 is a date.
_FORMS = {  # of a tag's values, and the characters that they begin with
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9][0-9_]*", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": (r"<<", "<"),
}


class _Texts(yaml.SafeLoader):
    """Reads every value as text, and refuses a key that is given twice."""

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"{key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Values(_Texts):
    """Reads numbers, truth values and null as well."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


for _tag, (_form, _first) in _FORMS.items():
    _Values.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), list(_first))
_Values.add_constructor(
    "tag:yaml.org,2002:int", lambda reader, node: int(reader.construct_scalar(node).replace("_", ""))
)


def parse_yaml(text: str, as_text: bool = False) -> Any:
    """Read one YAML document, or raise a yaml.YAMLError; `as_text` leaves every value the text that it is."""
    return yaml.load(text, Loader=_Texts if as_text else _Values)


def read_yaml(path: Path, shown: str = "") -> Any:
    """Read a YAML file, or raise an InputError; `shown` names it in messages."""
    shown = shown or str(path)
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{shown} cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{shown} is not valid YAML: {' '.join(str(error).split())}") from None
