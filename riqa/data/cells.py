"""The cells of a label file as text, whatever program saved it: CSV of any kind, Excel or parquet."""

import csv
import io
import re
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from riqa.errors import InputError

SEPARATORS = {",": ",", ";": ";", "\t": "tabs", "|": "|"}
"""What may stand between the cells of a CSV file -> its name."""

_MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_UNMARKED = {(False, True): "utf-16-le", (True, False): "utf-16-be"}
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
_END = "\x00"  # in no text
_CONTROL = frozenset(map(chr, range(32))) - set("\t\n\r\f\v")


@dataclass(frozen=True)
class Cells:
    """One way to read a file: a sheet of it, or what a separator makes of it.

    Attributes:
        rows: Its cells, row by row, without blanks around them; an empty cell is "".
        first: The number of the first row, as the program counts that shows the file.
        name: The sheet, or the separator.
        unclosed: The number of the row with a quotation mark that nothing closes.
    """

    rows: list[list[str]]
    first: int = 1
    name: str = ""
    unclosed: int | None = None


def readings(path: Path, advice: str) -> list[Cells]:
    """Return all ways to read a label file; its kind follows from its content, else from its ending.

    Args:
        path: The file.
        advice: What to do when it cannot be read.

    Raises:
        InputError: If it is missing, empty, damaged, or no table at all.
    """
    content = _bytes(path, advice)
    if not content.strip():
        raise InputError(f"{path} cannot be read as CSV, Excel or parquet (it is empty); {advice}")
    what = next((what for mark, what in _NO_TABLES.items() if mark in content[:100]), None)
    if what is not None:
        raise InputError(f"{path} {what}; save it as .xlsx or .csv")
    kind = path.suffix.lower()
    if content.startswith(b"PK\x03\x04") or kind == ".xlsx":
        return _excel(path, advice)
    if content.startswith(b"PAR1") or kind == ".parquet":
        return [_parquet(path, advice)]
    return _csv(read_text(path, advice))


def read_text(path: Path, advice: str) -> str:
    """Return a text file's content in whichever of the usual encodings it was saved, all line ends alike.

    A byte order mark tells the encoding; without one, zero bytes tell UTF-16. What is not UTF-8 either is
    taken for Western Windows (cp1252), unless it mixes encodings or looks otherwise.

    Raises:
        InputError: If the file cannot be read, is no text, or is in another encoding.
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
        raise InputError(
            f"{path}: row {bad} is in none of the encodings UTF-8, UTF-16 and Western Windows; "
            "save the file as CSV UTF-8"
        )
    return io.StringIO(text, newline=None).read()


def read_sheets(path: Path, advice: str) -> dict[str, pd.DataFrame]:
    """Return the sheets of an Excel file as they are: cells by position, header lines among them.

    Raises:
        InputError: If the file is missing or unreadable.
    """
    content = io.BytesIO(_bytes(path, advice))
    try:
        return pd.read_excel(content, sheet_name=None, header=None, dtype=object, engine="openpyxl")
    except Exception as error:  # a file that is cut short or of another kind may raise anything there
        raise InputError(_unreadable(path, "an Excel file", error, advice)) from None


def refuse_formulas(path: Path, sheet: str, rows: set[int], columns: set[int]) -> None:
    """Refuse formulas whose results an Excel file does not hold, as programs other than Excel write them.

    Args:
        path: The file; only Excel files hold formulas.
        sheet: Name of the sheet.
        rows: Numbers of the rows to look at, from 1.
        columns: Numbers of the columns to look at, from 1.
    """
    content = path.read_bytes()
    if not rows or not content.startswith(b"PK"):
        return
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    for row in book[sheet].iter_rows(min_row=min(rows), max_row=max(rows)):
        for cell in row:
            if cell.data_type == "f" and cell.row in rows and cell.column in columns:
                raise InputError(
                    f"{path}: sheet {sheet}, cell {cell.coordinate} holds a formula without its result; "
                    "open the file in Excel and save it, or write values instead"
                )


def _bytes(path: Path, advice: str) -> bytes:
    """Return a file's content."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; {advice}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {advice}") from None


def _csv(text: str) -> list[Cells]:
    """Return what each separator makes of a text, or the one that its first line names, as Excel has it."""
    told, _, rest = text.partition("\n")
    told = told.strip(' "')
    if told[:4].lower() == "sep=" and told[4:5] in SEPARATORS:
        return [_separated(rest, told[4], 2)]
    return [_separated(text, mark, 1) for mark in SEPARATORS if mark in text or mark == ","]


def _separated(text: str, separator: str, first: int) -> Cells:
    """Return a text's rows; one line more than it has shows whether a quotation mark is open at its end."""
    rows = []
    try:
        rows.extend(csv.reader(io.StringIO(f"{text}\n{_END}"), delimiter=separator))
    except csv.Error:  # a cell without end
        rows.append([])
    closed = rows.pop() == [_END]
    rows = [[cell.strip() for cell in row] for row in rows]
    return Cells(rows, first, separator, None if closed else first + len(rows))


def _excel(path: Path, advice: str) -> list[Cells]:
    """Return the sheets of an Excel file."""
    return [
        Cells([[_text(cell) for cell in row] for row in sheet.itertuples(index=False)], 1, name)
        for name, sheet in read_sheets(path, advice).items()
    ]


def _parquet(path: Path, advice: str) -> Cells:
    """Return a parquet file, its names as row 0; whole numbers stay whole where some are missing."""
    content = pa.BufferReader(_bytes(path, advice))  # by its path pyarrow opens only names in UTF-8
    try:
        table = pq.ParquetFile(content).read()
        columns = [_arrow_cells(field, table[k]) for k, field in enumerate(table.schema)]
    except Exception as error:
        raise InputError(_unreadable(path, "parquet", error, advice)) from None
    return Cells([list(row) for row in zip(*columns, strict=True)], first=0)


def _arrow_cells(field: pa.Field, column: pa.ChunkedArray) -> list[str]:
    """Return a column's name and cells; one of lists or the like has its type in its name, and no cells."""
    if pa.types.is_nested(field.type):
        return [f"{field.name} <{field.type}>", *[""] * len(column)]
    return [field.name.strip(), *map(_text, column.to_pylist())]


def _text(cell: object) -> str:
    """Return a cell as text; a missing one is empty."""
    if pd.isna(cell):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # Excel knows no whole numbers, and 7 is 7.0 there
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    return str(cell).strip()


def _unreadable(path: Path, kind: str, error: Exception, advice: str) -> str:
    """Return the line for a file that cannot be read."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{path} cannot be read as {kind} ({reason}); {advice}"
