"""Results as data: the flat list of records that prose, tables and the summary of the book quote.

A record's name says what was measured, from the general to the particular and separated by dots:
`overall.<dataset>.<model>.<metric>` or `details.<dataset>.<model>.<detail>.<metric>`, with the models
`teacher`, `single_task`, `single_task_control`, `multi_task` (`a-b` for the difference of two) and metrics
such as `macro_f1`, `precision`, `recall`, `accuracy` and `f1.<class>`.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from riqa.errors import InputError
from riqa.evaluate.stats import Interval
from riqa.files import atomic_write


@dataclass(frozen=True)
class Result:
    """One measured number, with what is needed to judge it."""

    name: str  # dotted name, unique in its file
    value: float | None  # None: this build has no such number (never NaN)
    low: float | None = None  # lower end of the interval
    high: float | None = None  # upper end of the interval
    n: int | None = None  # number of images that the value stands on
    seeds: tuple[int, ...] = ()  # training seeds that the value is an average over
    method: str = ""  # how value and interval were computed, in a few words


def record(
    name: str,
    value: float | None,
    *,
    low: float | None = None,
    high: float | None = None,
    n: int | None = None,
    seeds: Iterable[int] = (),
    method: str = "",
) -> Result:
    """Make one record from numbers of any type (NumPy scalars included); NaN becomes None.

    Raises:
        ValueError: If the name is empty or holds white space, or a number is infinite.
    """
    if not name or any(character.isspace() for character in name):
        raise ValueError(f"a result's name is dotted words without white space, got {name!r}")
    return Result(
        name=name,
        value=_number(name, value),
        low=_number(name, low),
        high=_number(name, high),
        n=None if n is None else int(n),
        seeds=tuple(int(seed) for seed in seeds),
        method=method,
    )


def interval_records(
    prefix: str, intervals: Mapping[str, Interval], *, n: int, seeds: Iterable[int], method: str
) -> list[Result]:
    """Make one record a metric, named ``<prefix>.<metric>``, from the intervals of `riqa.evaluate.stats`."""
    seeds = sorted(seeds)
    return [
        record(
            f"{prefix}.{metric}", found.value, low=found.low, high=found.high, n=n, seeds=seeds, method=method
        )
        for metric, found in intervals.items()
    ]


def write_results(path: str | Path, records: Iterable[Result]) -> Path:
    """Write records as a JSON list, in the order given, by way of a temporary file that is renamed.

    Raises:
        ValueError: If two records have the same name.
    """
    path = Path(path)
    rows = [asdict(item) for item in records]
    names = [row["name"] for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two results have the same name: {', '.join(twice)}")
    text = json.dumps(rows, indent=1, allow_nan=False) + "\n"
    atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def read_results(path: str | Path) -> dict[str, Result]:
    """Read a results file into records by name, in the order of the file.

    Raises:
        InputError: If the file is missing, is not JSON, or is not a list of records.
    """
    path = Path(path)
    advice = "run `make book` again to rebuild it"
    if not path.is_file():
        raise InputError(f"{path}: no results file there; {advice}")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        records = [Result(**{**row, "seeds": tuple(row["seeds"])}) for row in rows]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a list of result records ({error}); {advice}") from error
    return {item.name: item for item in records}


def _number(name: str, value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError(f"{name}: a result must be finite or missing, got {value!r}")
    return float(value)
