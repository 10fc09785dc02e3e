"""Which photograph a row of a table means: a path with or without its folder, with or without its ending.

An ending that is given means that file, and none the only file of that name; a name without its folder means
the only file of that name below the root. Composed and decomposed names (Unicode NFC, NFD) are equal.
"""

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding, found
from riqa.data.images import unmatched
from riqa.data.walk import PassedOver, composed, is_read, walk_images
from riqa.errors import InputError
from riqa.names import to_text

_EXAMPLES = 5  # files that a message names


def match_named(
    table: pd.DataFrame, root: Path, source: Path, where: str, own: Iterable[str] = ()
) -> list[Finding]:
    """Fill `path` of the rows whose image is there (None elsewhere), and say what does not match.

    The folders that are named are listed; all below the root is searched only for images that are not there.

    `table`, changed in place, has a row per image: `named`, its path as the user's table has it, composed,
    with slashes; and `stem`, what messages call it. They call the table's file `source` and its images
    `where`. What is the set's `own` below the root, and no image, needs no mention. Raises an InputError if
    several files fit a name, or two rows mean the same file.
    """
    names, folder = table["named"].tolist(), posixpath.dirname
    passed, elsewhere = PassedOver(), {}
    folders = sorted(set(map(folder, names)))
    files = [file for name in folders for file in walk_images(root / name, name, passed, nested=False)]
    chosen = _choose(names, files, source)
    # What is named in full is there, even where a search passes it over.
    chosen |= {n: n for n in names if n not in chosen and is_read(n) and os.path.isfile(root / n)}
    if len(chosen) < len(names):
        barred, passed = passed.barred, PassedOver()
        files = list(dict.fromkeys([*files, *walk_images(root, "", passed)]))
        passed.barred |= barred
        elsewhere = _choose([name for name in names if name not in chosen], files, source)
        chosen |= elsewhere
    others = _Files(passed.unread)
    unread = {name: min(fit) for name in names if name not in chosen and (fit := others.fit(name))}
    absent = [name for name in names if name not in chosen and name not in unread]
    used = set(chosen.values())
    renamed = _choose(absent, [file for file in files if file not in used], source, alike=True)
    chosen |= renamed
    table["path"] = [to_text(chosen[name]) if name in chosen else None for name in names]
    shared = table[table["path"].notna() & table["path"].duplicated(keep=False)]
    for path, rows in shared.groupby("path", sort=False):
        same = " and ".join(rows["named"])
        raise InputError(f"{source}: images {same} are the same file, {path}; remove one row")
    known = set(map(posixpath.normpath, own))
    passed.unread = [name for name in passed.unread if name not in known]
    stems = dict(zip(names, table["stem"], strict=True))
    unread = {stems[name]: file for name, file in unread.items()}
    moved = [f"{n} is {file}" for n, file in elsewhere.items() if folder(composed(file)) != folder(n)]
    other = [f"{name} is {file}" for name, file in renamed.items()]
    there, used = f"{where}: {{n}} images are there", "than the table says, and nowhere else: they are used"
    return [
        *unmatched(table, unread, _unlabelled(table, files), where, passed),
        *found("images-elsewhere", "info", moved, f"{there} in another folder {used}"),
        *found("images-renamed", "warning", other, f"{there} with another ending {used}"),
    ]


def without_ending(name: str) -> str:
    """Return a name without its ending, if that is one of an image."""
    return posixpath.splitext(name)[0] if is_read(name) else name


class _Files:
    """Files by name, whatever their folders above those that the name has."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = [(composed(file), file) for file in files]
        self._tails: dict[int, dict[str, list[tuple[str, str]]]] = {}

    def fit(self, name: str, alike: bool = False) -> list[str]:
        """Return the files that a name may mean, best where it says; `alike`: with another ending, too."""
        stem, ending = posixpath.splitext(name)
        same = self._called(stem) if ending else []
        fit = (
            [pair for pair in same if pair[0].endswith(ending)]
            or [pair for pair in same if pair[0].lower().endswith(ending.lower())]
            or self._called(name)
            or (self._called(without_ending(name)) if alike else [])
        )
        here = [file for path, file in fit if path.count("/") == name.count("/")]
        return here or [file for _, file in fit]

    def _called(self, stem: str) -> list[tuple[str, str]]:
        """Return the files whose path ends in `stem` and an ending, each in composed form and as it is."""
        depth = stem.count("/") + 1
        if depth not in self._tails:
            tails = self._tails[depth] = defaultdict(list)
            for path, file in self._files:
                tails["/".join(posixpath.splitext(path)[0].split("/")[-depth:])].append((path, file))
        return self._tails[depth].get(stem, [])


def _choose(names: Iterable[str], files: Iterable[str], source: Path, alike: bool = False) -> dict[str, str]:
    """Return the file that each name means, for those that mean one; refuse a name that fits several."""
    known, chosen = _Files(files), {}
    for name in names:
        fit = known.fit(name, alike)
        if len(fit) > 1:
            listed = ", ".join(sorted(fit)[:_EXAMPLES]) + (", ..." if len(fit) > _EXAMPLES else "")
            advice = "write the whole path with its ending"
            if len(set(map(composed, fit))) < len(fit):
                advice = "these look alike and differ in how an accent is written, so rename one"
            raise InputError(f"{source}: image {name} may be any of {len(fit)} files ({listed}); {advice}")
        if fit:
            chosen[name] = fit[0]
    return chosen


def _unlabelled(table: pd.DataFrame, files: Iterable[str]) -> list[str]:
    """Return the files that no row means, in the folders that rows name; without ending where that tells."""
    used = set(table["path"].dropna())
    folders = {*map(posixpath.dirname, table["named"]), *map(posixpath.dirname, used)}
    rest = [file for file in map(to_text, files) if file not in used and posixpath.dirname(file) in folders]
    known = set(map(without_ending, used)) if rest else set()
    return sorted(file if without_ending(file) in known else without_ending(file) for file in rest)
