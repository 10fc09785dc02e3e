"""The two score files of MSHF; columns are found by name, as dimensions repeat with blanks between.

| file | header | scores |
|---|---|---|
| Individual_scores.xlsx.xlsx | two lines; four dimensions once per expert, blank columns between | 0 or 1 |
| MSHF_quality_scores.xlsx | one line per sheet, one sheet per group | 0 or 1 |
"""

from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.cells import read_sheets
from riqa.data.findings import Finding
from riqa.data.sheets import decode
from riqa.errors import InputError
from riqa.labels import DETAILS

DIMENSIONS = (*DETAILS, "overall")
"""What was scored, as items of ratings and as columns of a manifest."""

_TITLES = {**{name: name for name in DIMENSIONS}, "overall quality": "overall", "quality": "overall"}
_NAME_TITLES = ("image name", "image", "name", "file name")
_HEADER_LINES = 5  # lines of a sheet in which the header is looked for


def read_readers(path: Path, advice: str) -> pd.DataFrame:
    """Read what every expert said.

    Returns:
        One row per image, expert and item: image_id, rater (reader_1 ...), item (see `DIMENSIONS`), score
        (0 bad, 1 good), session (1). Blank cells have no row.

    Raises:
        InputError: If the file is missing or unreadable, a dimension is missing or not there once for every
            expert, a score is not 0 or 1, or an image is listed twice.
    """
    sheet, cells = next(iter(read_sheets(path, advice).items()))
    header, columns = _columns(cells)
    n_readers = {len(columns[name]) for name in DIMENSIONS}
    if len(n_readers) != 1 or n_readers == {0}:
        counts = ", ".join(f"{name} {len(columns[name])} times" for name in DIMENSIONS)
        raise InputError(
            f"{path}: sheet {sheet} must name each dimension once per expert: {counts}; {advice}"
        )
    cells = _rows(cells, header, path)
    parts = []
    for item in DIMENSIONS:
        for reader, column in enumerate(columns[item], start=1):
            scores = decode(cells[column].rename(item), cells["stem"], {0: 0, 1: 1}, path, blank=True)
            part = pd.DataFrame({"image_id": cells["stem"], "rater": f"reader_{reader}", "item": item})
            parts.append(part.assign(score=scores, session=1))
    return pd.concat(parts, ignore_index=True).dropna(subset="score").reset_index(drop=True)


def read_agreed(path: Path, advice: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Read what was agreed on, from every sheet but the all-zero one.

    Returns:
        Scores, 0 bad or 1 good, one column per dimension, indexed by image; and what was skipped.

    Raises:
        InputError: If the file is missing or unreadable, a sheet lacks a dimension, a score is not 0 or 1, or
            an image has different scores in two sheets.
    """
    parts, findings = [], []
    for sheet, cells in read_sheets(path, advice).items():
        if cells.dropna(how="all").empty:
            continue
        header, columns = _columns(cells)
        if _all_zero(sheet, cells):
            text = (
                f"{path.name}: sheet {sheet} is an all-zero table that lists images of other groups too; "
                "it is no agreed score and is not used"
            )
            findings.append(Finding("all-zero-sheet", "info", text, (str(sheet),)))
            continue
        missing = [name for name in DIMENSIONS if len(columns[name]) != 1]
        if missing:
            raise InputError(f"{path}: sheet {sheet} must have one column {missing[0]}; {advice}")
        cells = _rows(cells, header, path)
        scores = {
            name: decode(cells[columns[name][0]].rename(name), cells["stem"], {0: 0, 1: 1}, path, blank=True)
            for name in DIMENSIONS
        }
        parts.append(pd.DataFrame(scores).set_index(cells["stem"].rename("image_id")))
    if not parts:
        return pd.DataFrame(columns=list(DIMENSIONS), dtype=float).rename_axis("image_id"), findings
    agreed = pd.concat(parts).dropna(how="all")
    several = agreed.groupby(level=0).nunique().max(axis=1)
    if (several > 1).any():
        name = several.index[several > 1][0]
        raise InputError(f"{path}: image {name} has different scores in two sheets; correct one of them")
    return agreed.groupby(level=0, sort=False).first(), findings


def _columns(cells: pd.DataFrame) -> tuple[int, dict[str, list[int]]]:
    """Return the last header line (-1 if none names a dimension), and where each dimension's columns are."""
    best, found = -1, {name: [] for name in DIMENSIONS}
    for line in range(min(_HEADER_LINES, len(cells))):
        columns = {name: [] for name in DIMENSIONS}
        for position, cell in enumerate(cells.iloc[line]):
            title = " ".join(str(cell).split()).casefold()
            if title in _TITLES:
                columns[_TITLES[title]].append(position)
        if sum(map(len, columns.values())) > sum(map(len, found.values())):
            best, found = line, columns
    return best, found


def _rows(cells: pd.DataFrame, header: int, path: Path) -> pd.DataFrame:
    """Return the lines below the header that name an image, with `stem`, its name without the ending."""
    rows = cells.iloc[header + 1 :]
    rows = rows[rows[0].notna()]
    stems = rows[0].astype(str).str.strip().map(lambda name: Path(name).stem)
    rows = rows.assign(stem=stems)[~stems.str.casefold().isin(_NAME_TITLES)].reset_index(drop=True)
    if rows["stem"].duplicated().any():
        name = rows.loc[rows["stem"].duplicated(), "stem"].iloc[0]
        raise InputError(f"{path}: image {name} is listed twice in one sheet; remove one row")
    return rows


def _all_zero(sheet: str, cells: pd.DataFrame) -> bool:
    """Recognise the table in the place of the scores of DR-ZJU: only zeros, images of every group."""
    numbers = pd.to_numeric(cells.iloc[:, 1:].stack(), errors="coerce").dropna()
    names = cells.iloc[:, 0].dropna().astype(str)
    others = names[names.str.contains("-") & ~names.str.casefold().str.startswith(f"{sheet}-".casefold())]
    return bool(len(numbers)) and not np.any(numbers) and len(others) > 0
