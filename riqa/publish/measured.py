"""What the benchmarks measured, as tables in the book.

A page says where: its line ``<!-- measured: train_speed -->`` becomes the table of `train_speed.json`. The
benchmarks write these files (`make bench`), and the repository keeps them (`make bench-keep`), so that no
build of the book has to measure anything.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from riqa.errors import InputError
from riqa.publish.provenance import machine

_PLACE = re.compile(r"^<!-- measured: (\w+) -->$", re.MULTILINE)
_HEAD = [
    "| measured | against | this project | the other | ratio | range | target | verdict |",
    "|---|---|--:|--:|--:|--:|--:|---|",
]


@dataclass(frozen=True)
class Ratio:
    """How many times as good this project is, over the rounds of a benchmark."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One row of a result.

    Attributes:
        what: what was measured.
        peer_name: against what.
        ours: median of this project, in `unit`.
        peer: median of the other, in `unit`.
        unit: of both.
        ratio: of the two in the same round; above 1 this project is the better one.
        target: least median ratio asked for.
        met: whether it is reached.
    """

    what: str
    peer_name: str
    ours: float
    peer: float
    unit: str
    ratio: Ratio
    target: float
    met: bool


@dataclass(frozen=True)
class Measured:
    """The result of one benchmark.

    Attributes:
        name: of the benchmark, and of the file without ending.
        date: of the measurement, YYYY-MM-DD.
        hardware: of `riqa.publish.provenance.hardware`.
        versions: version by package.
        conditions: what was held equal, in words.
        rows: the comparisons.
    """

    name: str
    date: str
    hardware: dict[str, str | int | float]
    versions: dict[str, str]
    conditions: str
    rows: tuple[Comparison, ...]


def read_measured(path: Path) -> Measured:
    """Read the result of a benchmark.

    Raises:
        InputError: the file is missing, cut short, or of another form.
    """
    try:
        return TypeAdapter(Measured).validate_json(path.read_bytes())
    except OSError:
        raise InputError(f"{path} is missing; run make bench and make bench-keep, or restore it") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path} is no result of a benchmark ({where + ': ' if where else ''}{first['msg']}); "
            "restore it, or run make bench and make bench-keep"
        ) from None


def table(measured: Measured) -> str:
    """Return a result as a table in MyST, a row a comparison, and below it where it comes from."""
    rows = [
        f"| {row.what}, {row.unit} | {row.peer_name} | {_number(row.ours)} | {_number(row.peer)} "
        f"| {row.ratio.median:.2f} | {row.ratio.low:.2f} to {row.ratio.high:.2f} "
        f"| at least {row.target:g} | {'met' if row.met else '**missed**'} |"
        for row in measured.rows
    ]
    packages = ", ".join(f"{name} {number}" for name, number in measured.versions.items())
    told = [
        "```{div} riqa-provenance",
        f"{measured.conditions}. Measured on {measured.date} on {machine(measured.hardware)}; {packages}.",
        "```",
    ]
    return "\n".join([*_HEAD, *rows, "", *told])


def fill_in(page: str, folder: Path) -> str:
    """Return a page with every line that asks for a result replaced by its table.

    Args:
        page: MyST; without such a line it stays as it is.
        folder: Where the results are kept, a file a benchmark.

    Raises:
        InputError: As `read_measured`.
    """
    return _PLACE.sub(lambda found: table(read_measured(folder / f"{found[1]}.json")), page)


def _number(value: float) -> str:
    """Return a number with about three digits, never as a power of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
