"""What the benchmarks measured, as tables in the book.

In a page, the line ``<!-- measured: train_speed -->`` becomes the table of `train_speed.json`. The
benchmarks write these files (`make bench`), and the repository keeps them (`make bench-keep`), so that no
build of the book has to measure anything.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from riqa.errors import InputError
from riqa.publish.provenance import machine

_AGAIN = "restore it, or run make bench and make bench-keep"
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
        what: What was measured.
        peer_name: Name of the other.
        ours: Median of this project, in `unit`.
        peer: Median of the other, in `unit`.
        unit: Unit of both.
        ratio: Ratio in the same round; above 1 this project is better.
        target: Least median ratio asked for.
        met: Whether it is reached.
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
    """What every result of a benchmark records.

    Attributes:
        name: Of the benchmark, and of the file without ending.
        date: Day of the measurement, YYYY-MM-DD.
        hardware: See `riqa.publish.provenance.hardware`.
        versions: Version by package.
        conditions: What was held equal, in words.
    """

    name: str
    date: str
    hardware: dict[str, str | int | float]
    versions: dict[str, str]
    conditions: str


@dataclass(frozen=True)
class Compared(Measured):
    """The result of a benchmark that compares this project with others.

    Attributes:
        rows: The comparisons.
    """

    rows: tuple[Comparison, ...]


@dataclass(frozen=True)
class Tabulated(Measured):
    """The result of another benchmark, as the table that a page shows.

    Attributes:
        columns: Headings of the columns.
        cells: One tuple per row, one cell per column.
    """

    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]

    def __post_init__(self):
        """Refuse rows that do not fit the headings."""
        for number, row in enumerate(self.cells):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")


def read_measured(path: Path) -> Compared | Tabulated:
    """Read the result of a benchmark.

    Raises:
        InputError: If the file is missing, cut short, or of another form.
    """
    try:
        content = json.loads(path.read_bytes())
        kind = Tabulated if isinstance(content, dict) and "columns" in content else Compared
        return TypeAdapter(kind).validate_python(content)
    except OSError:
        raise InputError(f"{path} is missing; run make bench and make bench-keep, or restore it") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no result of a benchmark (no JSON: {error}); {_AGAIN}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path} is no result of a benchmark ({where + ': ' if where else ''}{first['msg']}); {_AGAIN}"
        ) from None


def table(measured: Compared | Tabulated) -> str:
    """Return a result as a table in MyST, with its origin below."""
    packages = ", ".join(f"{name} {number}" for name, number in measured.versions.items())
    told = [
        "```{div} riqa-provenance",
        f"{measured.conditions}. Measured on {measured.date} on {machine(measured.hardware)}; {packages}.",
        "```",
    ]
    if isinstance(measured, Tabulated):
        # Names such as efficientnet_lite0 may break at an underscore: whole, they push out the last column.
        cells = [[cell.replace("_", "_<wbr>") for cell in row] for row in measured.cells]
        lines = [measured.columns, ["---"] * len(measured.columns), *cells]
        return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", *told])
    rows = [
        f"| {row.what}, {row.unit} | {row.peer_name} | {_number(row.ours)} | {_number(row.peer)} "
        f"| {row.ratio.median:.2f} | {row.ratio.low:.2f} to {row.ratio.high:.2f} "
        f"| at least {row.target:g} | {'met' if row.met else '**missed**'} |"
        for row in measured.rows
    ]
    return "\n".join([*_HEAD, *rows, "", *told])


def fill_in(page: str, folder: Path) -> str:
    """Return a page with every line that asks for a result replaced by its table.

    Args:
        page: MyST; without such a line it stays as it is.
        folder: Where the results are kept, one file per benchmark.

    Raises:
        InputError: As `read_measured`.
    """
    return _PLACE.sub(lambda found: table(read_measured(folder / f"{found[1]}.json")), page)


def _number(value: float) -> str:
    """Return a number with about three digits, never as a power of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
