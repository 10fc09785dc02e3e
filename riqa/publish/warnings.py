"""Warnings of a chapter that every later page must repeat."""

from collections.abc import Sequence
from pathlib import Path

from riqa.publish.content import read_json, write_json

FILE = "warnings.json"


def write_warnings(out: Path, sentences: Sequence[str]) -> None:
    """Write a chapter's warnings among its artifacts: sentences without a full stop, none if all is well."""
    write_json(out / FILE, list(sentences))


def read_warnings(out: Path) -> list[str]:
    """Read them; none where a chapter has written none."""
    return read_json(out / FILE) or []


def warning_block(sentences: Sequence[str]) -> str:
    """Return warnings as lines of MyST; empty without any."""
    if not sentences:
        return ""
    listed = [f"- {text[0].upper()}{text[1:]}." for text in sentences]
    return "\n".join(
        ["```{admonition} What these numbers are based on", ":class: warning", *listed, "```", ""]
    )
