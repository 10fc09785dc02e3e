"""Printing: names are taken as they are, and none of their characters stops a command."""

import io
import json
import sys

from rich.console import Console


def console() -> Console:
    """Return a console to which brackets and colons in a name are brackets and colons, not styles."""
    return Console(markup=False, emoji=False)


def json_text(content: object, indent: int | None = None) -> str:
    """Return JSON whose characters stdout can encode."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return json.dumps(content, indent=indent, ensure_ascii=not encoding.startswith("utf"))


def escape_what_cannot_be_encoded() -> None:
    """Let stdout write a backslash and a code for such a character, as stderr does; it would raise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
