"""Findings: what is wrong with a dataset, or worth knowing about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from riqa.names import shown

SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something that was found while a dataset was read or checked; names in it are made printable."""

    code: str  # stable name for programs, words joined by hyphens, such as images-missing
    severity: str  # info (known and handled), warning (usable, but read this) or error (not usable)
    message: str  # what was found, and what was done about it or what to do
    items: tuple[str, ...] = ()  # the images, patients or files concerned

    def __post_init__(self) -> None:
        """Refuse another severity, and make names printable."""
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {SEVERITIES}, got {self.severity!r}")
        object.__setattr__(self, "message", shown(self.message))
        object.__setattr__(self, "items", tuple(map(shown, self.items)))


def found(code: str, severity: str, items: Iterable[str], text: str) -> list[Finding]:
    """Return a finding about `items`, none without any; {n} in `text` is their number, {first} the first."""
    items = tuple(items)
    if not items:
        return []
    text = text.replace("{n}", str(len(items)), 1).replace("{first}", items[0], 1)
    return [Finding(code, severity, text, items)]
