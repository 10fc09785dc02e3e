"""Label files, CSV, Excel or parquet: what does not fit, or is outside its code, is refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.cells import SEPARATORS, Cells, readings, refuse_formulas
from riqa.errors import InputError

_HEADER_ROWS = 50  # rows in which the header is looked for
_MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "#NA",
    "<NA>",
    "nan",
    "NaN",
    "-nan",
    "-NaN",
    "null",
    "NULL",
    "None",
)
"""Cells that say that there is no value."""


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of `names` that is a file in `folder`, whatever its case; else where it should be."""
    files = {path.name.casefold(): path for path in folder.iterdir()} if folder.is_dir() else {}
    found = (files[name.casefold()] for name in names if name.casefold() in files)
    return next(found, folder / names[0])


def read_labels(path: Path, needed: Sequence[str], advice: str, sheet: str | None = None) -> pd.DataFrame:
    """Read a label file with a header line, every cell as text (missing: NaN).

    Rows above the header, empty rows, and empty cells beyond the header's do not count.

    Args:
        path: A CSV, Excel or parquet file, see `riqa.data.cells`.
        needed: Columns that it must have; spaces around names are ignored.
        advice: What to do when it is not as expected.
        sheet: The one sheet of an Excel file to read, whatever its case; None takes the one that fits.

    Returns:
        Its rows, with their numbers in the file as the index.

    Raises:
        InputError: If the file is missing, unreadable or empty, lacks a column or has it twice, has rows that
            do not fit the header, has no such sheet, or several with these columns.
    """
    ways = readings(path, advice)
    if sheet is not None:
        names = ", ".join(cells.name for cells in ways)
        ways = [cells for cells in ways if cells.name.strip().casefold() == sheet.casefold()]
        if not ways:
            raise InputError(f"{path} has no sheet {sheet} (it has: {names}); {advice}")
    found = [(_header(cells, needed), cells) for cells in ways]
    (n_found, _, minus), cells = max(found, key=lambda pair: pair[0])
    header = -minus
    if not any(map(any, cells.rows)):
        raise InputError(f"{path} holds no label; {advice}")
    titles = [_title(cell) for cell in cells.rows[header]]
    missing = [column for column in needed if _title(column) not in titles]
    if missing:
        listed = ", ".join(filter(None, titles))
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)} (it has: {listed}); {advice}")
    twice = next((column for column in needed if titles.count(_title(column)) > 1), None)
    if twice is not None:
        raise InputError(f"{path} has the column {twice} twice; rename one of them")
    also = [other.name for (n, *_), other in found if n == n_found and other is not cells]
    if also and cells.name not in SEPARATORS:
        raise InputError(f"{path}: the sheets {cells.name} and {also[0]} both have these columns; keep one")
    if cells.unclosed is not None:
        raise InputError(
            f"{path}: row {cells.unclosed} opens a quotation mark that nothing closes; correct it"
        )
    rows = _body(cells, header, path)
    names = {_title(column): column for column in needed}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[names.get(t, t) for t in titles], dtype=str)
    table = table.loc[:, ~table.columns.duplicated()].rename_axis("row")
    if table.empty:
        raise InputError(f"{path} holds no label; {advice}")
    table = table.mask(table.isin(_MISSING))
    gaps = table.index[table[list(needed)].isna().any(axis=1)]
    refuse_formulas(path, cells.name, set(gaps), {titles.index(_title(column)) + 1 for column in needed})
    return table


def _header(cells: Cells, needed: Sequence[str]) -> tuple[int, int, int]:
    """Return how many needed columns the header has, how many cells, and minus the number of rows before it.

    It is the first of the rows that have most of them: the largest such triple.
    """
    wanted = {_title(column).casefold() for column in needed}
    ranks = [
        (len(wanted & {_title(cell).casefold() for cell in row}), sum(map(bool, row)), -k)
        for k, row in enumerate(cells.rows[:_HEADER_ROWS])
    ]
    return max(ranks, default=(0, 0, 0))


def _title(cell: str) -> str:
    """Return a column's name with single spaces, however it was spaced or broken into lines."""
    return " ".join(cell.split())


def _body(cells: Cells, header: int, path: Path) -> dict[int, list[str]]:
    """Return the rows below the header by their numbers, without empty ones, each as long as the header."""
    width, mark = len(cells.rows[header]), SEPARATORS.get(cells.name, "")
    others = set(SEPARATORS) - {cells.name} if mark else set()
    rows = {}
    for number, row in enumerate(cells.rows[header + 1 :], cells.first + header + 1):
        if any(row[width:]):
            raise InputError(
                f"{path}: row {number} has {len(row)} cells, but the header has {width}; put a cell that "
                f"holds {mark} into quotation marks"
            )
        if len(row) == 1 < width and others & set(row[0]):
            raise InputError(f"{path}: row {number} is not separated by {mark} as the header is; correct it")
        if any(row):
            rows[number] = [*row, *[""] * (width - len(row))][:width]
    return rows


def decode(values: pd.Series, images: pd.Series, code: Mapping, path: Path, blank: bool = False) -> pd.Series:
    """Translate a column of labels into the code of `riqa.labels`.

    Args:
        values: Labels; the name of the series is the label's.
        images: Name of the image of every label, for the message.
        code: Publisher's value -> code of `riqa.labels`.
        path: File that the labels come from, for the message.
        blank: Whether a label may be missing.

    Returns:
        Codes as floats, NaN where missing.

    Raises:
        InputError: Naming the file, the first image with a value outside the code, and the legal values.
    """
    codes = pd.to_numeric(values, errors="coerce").map(code).astype(float)
    wrong = codes.isna() & ~(values.isna() & blank)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        legal = ", ".join(map(str, code))
        raise InputError(
            f"{path}: image {images.iloc[row]} has {values.name} {values.iloc[row]}; legal: {legal}; "
            "correct it"
        )
    return codes


def refuse_twice(images: pd.Series, path: Path) -> None:
    """Refuse a label file that names an image twice."""
    if images.duplicated().any():
        name = images[images.duplicated()].iloc[0]
        raise InputError(f"{path}: image {name} is labelled twice; remove one row")
