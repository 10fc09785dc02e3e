"""YAML as its version 1.2 reads it, for every file and value that a user writes."""

import re
from pathlib import Path
from typing import Any

import yaml

from riqa.errors import InputError

# PyYAML follows version 1.1: 1e-3 is text, `on` is true, 010 is 8, 1:30 is 90, and 2026-01-02 is a date.
_NUMBERS = {
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:int": r"[-+]?[0-9][0-9_]*",
    "tag:yaml.org,2002:float": r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}


class _Texts(yaml.SafeLoader):
    """Reads every value as text, and refuses a key that is given twice."""

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Build a mapping."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is given twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Values(_Texts):
    """Reads numbers, truth values and null as well."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


for _tag, _form in _NUMBERS.items():
    _Values.add_implicit_resolver(_tag, re.compile(f"(?:{_form})$"), list("-+.0123456789tTfF"))
_Values.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Values.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])
_Values.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node).replace("_", ""))
)


def parse_yaml(text: str, as_text: bool = False) -> Any:
    """Read one YAML document.

    Args:
        text: The document.
        as_text: Whether every value stays the text that it is.

    Raises:
        yaml.YAMLError: If it is not valid, or gives a key twice.
    """
    return yaml.load(text, Loader=_Texts if as_text else _Values)


def read_yaml(path: Path, shown: str = "", as_text: bool = False) -> Any:
    """Read a YAML file, see `parse_yaml`; `shown` names it in messages.

    Raises:
        InputError: If it cannot be read, is not UTF-8, or is not valid.
    """
    shown = shown or str(path)
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"), as_text)
    except OSError as error:
        raise InputError(f"{shown} cannot be read ({error.strerror}); give a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{shown} is not valid YAML: {' '.join(str(error).split())}") from None
