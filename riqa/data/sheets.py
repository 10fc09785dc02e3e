"""Label files, whatever program saved them (CSV of any kind, Excel, parquet), as tables of text.

What fits no header, is in none of the usual encodings, or lies outside its code, is refused with its row.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import chain
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from riqa.errors import InputError

_SEPARATORS = {",": ",", ";": ";", "\t": "tabs", "|": "|"}  # of cells in a CSV file: its name
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UNMARKED = {(False, True): "utf-16-le", (True, False): "utf-16-be"}  # by zeros at even and odd places
# In Western Windows letters seldom stand beside each other, and are none below 0xA0 but rare ones.
_NO_WINDOWS = re.compile(
    rb"[\x80-\xff]{3}|(?<![A-Za-z\x80-\xff])[\x80-\xff]{2}(?![A-Za-z\x80-\xff])|[A-Za-z][\x80-\x91\x93-\x9f][A-Za-z]"
)
_NO_TABLES = {
    b"\xd0\xcf\x11\xe0": "is an Excel file of before 2007, or has a password",
    b"mimetypeapplication/vnd.oasis": "is an OpenDocument file",
    b"\x1f\x8b": "is compressed",
    b"%PDF-": "is a PDF",
}
_MISSING = r"|#?N/?A|n/a|<NA>|-?nan|-?NaN|null|NULL|None"  # cells that hold no value
_CONTROL = frozenset(map(chr, range(32))) - set("\t\n\r\f\v")
_END = "\0"  # in no text
_HEADER_ROWS = 50  # rows in which the header is looked for


@dataclass(frozen=True)
class _Cells:
    """One way to read a file: a sheet of it, or what a separator makes of it; an empty cell is ""."""

    rows: list[list[str]]
    first: int = 1  # the number of the first row, as the program counts that shows the file
    name: str = ""  # of the sheet, or the separator
    unclosed: int | None = None  # the row with a quotation mark that nothing closes


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of `names` that is a file in `folder`, whatever its case; else where it should be."""
    files = {path.name.casefold(): path for path in folder.iterdir()} if folder.is_dir() else {}
    return next((files[name.casefold()] for name in names if name.casefold() in files), folder / names[0])


def read_labels(path: Path, needed: Sequence[str], advice: str, sheet: str | None = None) -> pd.DataFrame:
    """Read a label file with a header line: its rows by their numbers, cells as text (missing: NaN).

    Its kind (CSV, Excel or parquet) follows from its content, else from its ending. Rows above the header,
    empty rows, and empty cells beyond the header's do not count, nor do spaces around names of columns. Of
    Excel's sheets that named `sheet` is read, whatever its case, else the one that has the columns `needed`.

    Raises an InputError if the file is missing, unreadable or empty, lacks a column or has it twice, has rows
    that do not fit the header, has no such sheet, or several with these columns.
    """
    ways = _readings(path, advice)
    if sheet is not None:
        names = ", ".join(cells.name for cells in ways)
        ways = [cells for cells in ways if cells.name.strip().casefold() == sheet.casefold()]
        if not ways:
            raise InputError(f"{path} has no sheet {sheet} (it has: {names}); {advice}")
    ranks = [(_header(cells, needed), cells) for cells in ways]
    (n_found, _, minus), cells = max(ranks, key=lambda pair: pair[0])
    if not any(map(any, cells.rows)):
        raise InputError(f"{path} holds no label; {advice}")
    titles = [_title(cell) for cell in cells.rows[-minus]]
    wanted = {_title(column): column for column in needed}
    if missing := [column for title, column in wanted.items() if title not in titles]:
        listed = ", ".join(filter(None, titles))
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)} (it has: {listed}); {advice}")
    twice = [column for title, column in wanted.items() if titles.count(title) > 1]
    refuse(twice, f"{path} has the column {{}} twice; rename one of them")
    also = [other.name for (n, *_), other in ranks if n == n_found and other is not cells]
    if cells.name not in _SEPARATORS:
        refuse(also, f"{path}: the sheets {cells.name} and {{}} both have these columns; keep one")
    if open_row := cells.unclosed:
        raise InputError(f"{path}: row {open_row} opens a quotation mark that nothing closes; correct it")
    rows, names = _body(cells, -minus, path), [wanted.get(title, title) for title in titles]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names, dtype=str)
    table = table.loc[:, ~table.columns.duplicated()].rename_axis("row")
    if table.empty:
        raise InputError(f"{path} holds no label; {advice}")
    table = table.mask(table.apply(lambda column: column.str.fullmatch(_MISSING)))
    gaps = table.index[table[list(needed)].isna().any(axis=1)]
    _refuse_formulas(path, cells.name, set(gaps), {titles.index(title) + 1 for title in wanted})
    return table


def read_sheets(path: Path, advice: str) -> dict[str, pd.DataFrame]:
    """Return the sheets of an Excel file as they are: cells by position, header lines among them."""
    content = io.BytesIO(_bytes(path, advice))
    try:
        return pd.read_excel(content, sheet_name=None, header=None, dtype=object, engine="openpyxl")
    except Exception as error:  # a file that is cut short or of another kind may raise anything there
        raise _unreadable(path, "an Excel file", error, advice) from None


def read_text(path: Path, advice: str) -> str:
    """Return a text file's content in whichever of the usual encodings it was saved, all line ends alike.

    A byte order mark tells the encoding; without one, zero bytes tell UTF-16. What is not UTF-8 either is
    taken for Western Windows (cp1252), unless it mixes encodings or looks otherwise; then it is refused.
    """
    content = _bytes(path, advice)
    zeros = tuple(0 in content[k:2000:2] for k in (0, 1))
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    bad = None
    try:
        text = content.decode(marked or _UNMARKED.get(zeros, "utf-8"))
    except UnicodeDecodeError as error:
        bad = content.count(b"\n", 0, error.start) + 1
        text = content.decode("cp1252", "replace")
    text = text.lstrip("\ufeff").rstrip("\x1a")  # the mark, and the end in MS-DOS
    if _CONTROL & set(text):
        raise InputError(f"{path} is no text, and cannot be read as CSV; {advice}")
    mixed = not content.decode("utf-8", "ignore").isascii()
    if bad is not None and (mixed or "\ufffd" in text or _NO_WINDOWS.search(content)):
        known = "UTF-8, UTF-16 and Western Windows"
        raise InputError(f"{path}: row {bad} is in none of the encodings {known}; save the file as CSV UTF-8")
    return io.StringIO(text, newline=None).read()


def decode(values: pd.Series, images: pd.Series, code: Mapping, path: Path, blank: bool = False) -> pd.Series:
    """Translate a column of labels by `code` into that of `riqa.labels`, as floats (NaN where missing).

    Raises an InputError that names the first image with a value outside the code, or (unless `blank`) none.
    """
    codes = pd.to_numeric(values, errors="coerce").map(code).astype(float)
    wrong = codes.isna() & ~(values.isna() & blank)
    if wrong.any():
        row, legal = int(np.flatnonzero(wrong)[0]), ", ".join(map(str, code))
        said = f"{values.name} {values.iloc[row]}"
        raise InputError(f"{path}: image {images.iloc[row]} has {said}; legal: {legal}; correct it")
    return codes


def refuse(found: Iterable, text: str) -> None:
    """Refuse what must not be found, if there is any; {} in `text` stands for the first."""
    for first in found:
        before, _, after = text.rpartition("{}")
        raise InputError(f"{before}{first}{after}")


def refuse_twice(images: pd.Series, path: Path) -> None:
    """Refuse a label file that names an image twice."""
    refuse(images[images.duplicated()], f"{path}: image {{}} is labelled twice; remove one row")


def _readings(path: Path, advice: str) -> list[_Cells]:
    """Return all ways to read a label file."""
    content, ending = _bytes(path, advice), path.suffix.lower()
    if not content.strip():
        raise InputError(f"{path} cannot be read as CSV, Excel or parquet (it is empty); {advice}")
    if what := [what for mark, what in _NO_TABLES.items() if mark in content[:100]]:
        raise InputError(f"{path} {what[0]}; save it as .xlsx or .csv")
    if content.startswith(b"PK\x03\x04") or ending == ".xlsx":
        sheets = read_sheets(path, advice)
        rows = {name: sheet.itertuples(index=False) for name, sheet in sheets.items()}
        return [_Cells([list(map(_text, row)) for row in own], 1, name) for name, own in rows.items()]
    if content.startswith(b"PAR1") or ending == ".parquet":
        return [_parquet(content, path, advice)]
    text = read_text(path, advice)
    told, _, rest = text.partition("\n")
    told = told.strip(' "')
    if told[:4].lower() == "sep=" and told[4:5] in _SEPARATORS:  # as Excel has it
        return [_separated(rest, told[4], 2)]
    return [_separated(text, mark, 1) for mark in _SEPARATORS if mark in text or mark == ","]


def _separated(text: str, separator: str, first: int) -> _Cells:
    """Return a text's rows; one line more than it has shows whether a quotation mark is open at its end."""
    rows = []
    try:
        rows.extend(csv.reader(io.StringIO(f"{text}\n{_END}"), delimiter=separator))
    except csv.Error:  # a cell without end
        rows.append([])
    closed = rows.pop() == [_END]
    rows = [[cell.strip() for cell in row] for row in rows]
    return _Cells(rows, first, separator, None if closed else first + len(rows))


def _parquet(content: bytes, path: Path, advice: str) -> _Cells:
    """Return a parquet file, its names as row 0; a column of lists has its type in its name, and no cells."""
    columns = []
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        for name, kind, column in zip(table.column_names, table.schema.types, table.columns, strict=True):
            if pa.types.is_nested(kind):
                columns.append([f"{name} <{kind}>", *[""] * len(column)])
            else:  # not by pandas, where whole numbers become others if some are missing
                columns.append([name.strip(), *map(_text, column.to_pylist())])
    except Exception as error:
        raise _unreadable(path, "parquet", error, advice) from None
    return _Cells([list(row) for row in zip(*columns, strict=True)], first=0)


def _text(cell: object) -> str:
    """Return a cell as text; a missing one is empty."""
    if pd.isna(cell):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # Excel knows no whole numbers, and 7 is 7.0 there
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    return (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)).strip()


def _title(cell: str) -> str:
    """Return a column's name with single spaces, however it was spaced or broken into lines."""
    return " ".join(cell.split())


def _header(cells: _Cells, needed: Sequence[str]) -> tuple[int, int, int]:
    """Return the largest (needed columns, cells, minus rows before it) of a row: that of the header."""
    wanted = {_title(column).casefold() for column in needed}
    ranks = [
        (len(wanted & {_title(cell).casefold() for cell in row}), sum(map(bool, row)), -k)
        for k, row in enumerate(cells.rows[:_HEADER_ROWS])
    ]
    return max(ranks, default=(0, 0, 0))


def _body(cells: _Cells, header: int, path: Path) -> dict[int, list[str]]:
    """Return the rows below the header by their numbers, without empty ones, each as long as the header."""
    width, mark = len(cells.rows[header]), _SEPARATORS.get(cells.name, "")
    others = set(_SEPARATORS) - {cells.name} if mark else set()
    rows = {}
    for number, row in enumerate(cells.rows[header + 1 :], cells.first + header + 1):
        if any(row[width:]):
            text = f"{path}: row {number} has {len(row)} cells, but the header has {width}"
            raise InputError(f"{text}; put a cell that holds {mark} into quotation marks")
        if len(row) == 1 < width and others & set(row[0]):
            raise InputError(f"{path}: row {number} is not separated by {mark} as the header is; correct it")
        if any(row):
            rows[number] = [*row, *[""] * (width - len(row))][:width]
    return rows


def _refuse_formulas(path: Path, sheet: str, rows: set[int], columns: set[int]) -> None:
    """Refuse formulas without results among some cells, as programs other than Excel write them."""
    content = path.read_bytes()
    if not rows or not content.startswith(b"PK"):
        return
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    for cell in chain.from_iterable(book[sheet].iter_rows(min_row=min(rows), max_row=max(rows))):
        if cell.data_type == "f" and cell.row in rows and cell.column in columns:
            text = f"{path}: sheet {sheet}, cell {cell.coordinate} holds a formula without its result"
            raise InputError(f"{text}; open the file in Excel and save it, or write values instead")


def _bytes(path: Path, advice: str) -> bytes:
    """Return a file's content."""
    try:
        return path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = "does not exist" if missing else f"cannot be read ({error.strerror})"
        raise InputError(f"{path} {what}; {advice}") from None


def _unreadable(path: Path, kind: str, error: Exception, advice: str) -> InputError:
    """Return what is said of a file of another kind than expected."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{path} cannot be read as {kind} ({reason}); {advice}")
