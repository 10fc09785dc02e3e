"""Label files, CSV or Excel: what is unreadable or outside its code is refused in a line that names it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from riqa.errors import InputError
from riqa.files import read_parquet

_UNREADABLE = (ValueError, OSError, KeyError, TypeError, BadZipFile, ParseError)
"""What pandas and openpyxl raise for files that are empty, cut short or of another kind."""


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of `names` that is a file in `folder`, whatever its case; else where it should be."""
    files = {path.name.casefold(): path for path in folder.iterdir()} if folder.is_dir() else {}
    found = (files[name.casefold()] for name in names if name.casefold() in files)
    return next(found, folder / names[0])


def read_labels(path: Path, needed: Sequence[str], advice: str) -> pd.DataFrame:
    """Read a label file with one header line, every cell as text (missing: NaN).

    Args:
        path: A .csv, .xlsx or .parquet file.
        needed: Columns that it must have; spaces around names are ignored.
        advice: What to do when it is not as expected.

    Raises:
        InputError: If the file is missing, unreadable or empty, or lacks a column.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; {advice}")
    kind = path.suffix.lower()
    try:
        if kind == ".xlsx":
            table = pd.read_excel(path, dtype=str)
        elif kind == ".parquet":
            table = read_parquet(path)
            table = table.where(table.isna(), table.astype(str))
        else:
            table = pd.read_csv(path, dtype=str, encoding="utf-8-sig")
    except _UNREADABLE as error:
        raise InputError(_unreadable(path, kind, error, advice)) from None
    table.columns = [str(column).strip() for column in table.columns]
    missing = [column for column in needed if column not in table]
    if missing:
        found = ", ".join(table.columns)
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)} (it has: {found}); {advice}")
    if table.empty:
        raise InputError(f"{path} holds no label; {advice}")
    return table


def read_sheets(path: Path, advice: str) -> dict[str, pd.DataFrame]:
    """Return the sheets of an Excel file as they are: cells by position, header lines among them.

    Raises:
        InputError: If the file is missing or unreadable.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; {advice}")
    try:
        return pd.read_excel(path, sheet_name=None, header=None, dtype=object)
    except _UNREADABLE as error:
        raise InputError(_unreadable(path, ".xlsx", error, advice)) from None


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


def _unreadable(path: Path, kind: str, error: Exception, advice: str) -> str:
    """Return the line for a file that cannot be read."""
    kind = {".xlsx": "an Excel file", ".parquet": "parquet"}.get(kind, "CSV")
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{path} cannot be read as {kind} ({reason}); {advice}"
