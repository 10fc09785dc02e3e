"""Numbers in a page's prose: two roles, resolved from the chapters' results when pages are staged.

    {result}`dataset=first model=multi_task metric=macro_f1 :.3f`   the row with these keys
    {parameter}`margin:g`                                           a parameter of the chapter

After the colon comes a number's format, text with columns in braces (`{low:.3f} to {high:.3f}`), or `say`,
which puts a difference into a sentence (`riqa.show.number` and `say`). "first" and "second" are the chapter's
datasets in the order of its table, whatever the profile calls them, and `model=multi_task@first` was trained
on the first of the chapter's parameter `overall_sets`; `chapter=...` quotes another chapter. A parameter may
stand within a result: {result}`rival={parameter}`baseline` ...`.
Roles work in prose, captions and alternative texts. A number that does not exist stops the build; but where
its chapter is left out of the build, a page of prose says that in its place. A link to such a chapter becomes
the text that it had, or the chapter's title.
"""

import html
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riqa.errors import InputError
from riqa.results import find, read
from riqa.show import names, number, say, source, typeset

_RESULT = re.compile(r"\{result\}`([^`]+?)(?: :([^`]+))?`")
_PARAMETER = re.compile(r"\{parameter\}`(\w+)(?::([^`]+))?`")
_CHAPTER = re.compile(r"\bchapter=(\w+)")
_LINK = re.compile(r"\[([^\]]*)\]\((?:[./]*notebooks/)?(\d\d\w+)\.ipynb\)")
_PLACES = ("first", "second", "third")


def read_numbers(folders: Iterable[Path]) -> pd.DataFrame:
    """Read the results of all chapters whose artifacts these folders are, with the names that pages show."""
    tables = [read(folder) for folder in folders if (folder / "results.parquet").is_file()]
    return names(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame()


@dataclass(frozen=True)
class Numbers:
    """What a chapter's page may quote."""

    table: pd.DataFrame  # what `read_numbers` returns
    chapter: str  # stem of the notebook
    parameters: Mapping[str, Any]  # the values it ran with
    left_out: Mapping[str, str] = field(default_factory=dict)  # chapters not in this build -> their titles

    def resolve(self, text: str, hover: bool = False) -> str:
        """Put numbers in the place of roles; with `hover`, each shows under the pointer where it comes from.

        Raises an InputError if a row or a parameter does not exist, or a row is not the only one.
        """

        def result(role: re.Match) -> str:
            if (of := _CHAPTER.search(role[1])) and of[1] in self.left_out:
                return f"(chapter {of[1].split('_')[0]} is not part of this build)"
            row = self._row(role[1])
            told = say(row) if role[2] == "say" else number(row, role[2] or "")
            return f'<span title="{html.escape(source(row))}">{html.escape(told)}</span>' if hover else told

        def link(found: re.Match) -> str:
            return (found[1] or self.left_out[found[2]]) if found[2] in self.left_out else found[0]

        return _LINK.sub(link, _RESULT.sub(result, _PARAMETER.sub(self._parameter, text)))

    def _row(self, asked: str) -> pd.Series:
        keys = {"chapter": self.chapter} | dict(part.split("=", 1) for part in shlex.split(asked))
        try:
            datasets = self.table.loc[self.table["chapter"] == keys["chapter"], "dataset"].unique()
            in_order = dict(zip(_PLACES, datasets, strict=False))
            if "dataset" in keys:
                keys["dataset"] = in_order.get(keys["dataset"], keys["dataset"])
            for place, trained_on in zip(_PLACES, self.parameters.get("overall_sets", ()), strict=False):
                for key in keys.keys() & {"model", "rival"}:
                    keys[key] = keys[key].replace(f"@{place}", f"@{trained_on}")
            return find(self.table, **keys)
        except KeyError as error:
            raise InputError(f"{self.chapter}: the page quotes {asked!r}, but {error.args[0]}") from None

    def _parameter(self, role: re.Match) -> str:
        if role[1] not in self.parameters:
            raise InputError(f"{self.chapter}: the page quotes {role[1]!r}, which is none of its parameters")
        return typeset(format(self.parameters[role[1]], role[2] or ""))


def resolve_cells(cells: Iterable[Any], numbers: Numbers) -> None:
    """Resolve the roles of a notebook's cells in place: prose, captions and alternative texts of figures."""
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = numbers.resolve(cell.source, hover=True)
        for look in cell.metadata.get("mystnb", {}).values():
            look.update({key: numbers.resolve(text) for key, text in look.items() if isinstance(text, str)})
