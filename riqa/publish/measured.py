"""What the benchmarks measured, as tables in the book.

In a page, the line `<!-- measured: train_speed -->` becomes the table of `train_speed.json`. The benchmarks
write these files (`make bench`), and the repository keeps them (`make bench-keep`): no build has to measure.
"""

import json
import re
from pathlib import Path

from pydantic import BaseModel, ValidationError, model_validator

from riqa.errors import InputError
from riqa.publish.wording import fill

_PLACE = re.compile(r"^<!-- measured: (\w+) -->$", re.MULTILINE)


class Ratio(BaseModel):
    """How many times as good this project is, over the rounds of a benchmark."""

    median: float
    low: float
    high: float


class Comparison(BaseModel):
    """One row of a result: medians of this project and of its peer, in `unit`, and their ratio."""

    what: str
    peer_name: str
    unit: str
    ours: float
    peer: float
    ratio: Ratio  # in the same round; above 1 this project is better
    target: float  # least median ratio asked for
    met: bool


class Measured(BaseModel):
    """The result of a benchmark: comparisons with others, or a table that a page shows as it is."""

    name: str  # of the benchmark, and of the file without ending
    date: str  # of the measurement, YYYY-MM-DD
    hardware: dict[str, str | int | float]  # see `riqa.publish.provenance.hardware`
    versions: dict[str, str]  # by package
    conditions: str  # what was held equal, in words
    rows: list[Comparison] = []
    columns: list[str] = []
    cells: list[list[str]] = []

    @model_validator(mode="after")
    def _is_whole(self) -> "Measured":
        if not {"rows", "columns"} & self.model_fields_set:
            raise ValueError("it has neither rows nor columns")
        for number, row in enumerate(self.cells):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")
        return self


def read_measured(path: Path) -> Measured:
    """Read the result of a benchmark; an InputError if it is missing, cut short, or of another form."""
    try:
        return Measured.model_validate(json.loads(path.read_bytes()))
    except OSError:
        raise InputError(f"{path} is missing; run make bench and make bench-keep, or restore it") from None
    except json.JSONDecodeError as error:
        wrong = f"no JSON: {error}"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        wrong = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
    advice = "restore it, or run make bench and make bench-keep"
    raise InputError(f"{path} is no result of a benchmark ({wrong}); {advice}")


def fill_in(page: str, folder: Path) -> str:
    """Return a page of MyST with every line that asks for a result replaced by its table.

    `folder` keeps the results, one file per benchmark. Raises an InputError as `read_measured` does.
    """
    return _PLACE.sub(lambda line: fill("measured", **dict(read_measured(folder / f"{line[1]}.json"))), page)
