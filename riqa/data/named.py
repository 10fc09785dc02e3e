"""Which photograph a row of a table means: a path with or without its folder, with or without its ending.

An ending that is given means that file, and none the only file of that name; a name without its folder means
the only file of that name below the root. Composed and decomposed names (Unicode NFC, NFD) are equal.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding
from riqa.data.images import fill_paths, unmatched
from riqa.data.walk import PassedOver, composed, is_read, walk_images
from riqa.errors import InputError
from riqa.names import to_text

_EXAMPLES = 5  # files that a message names


def match_named(
    table: pd.DataFrame, root: Path, source: Path, where: str, own: Iterable[str] = ()
) -> list[Finding]:
    """Fill `path` of the rows whose image is there (None elsewhere), and say what does not match.

    The folders that are named are listed; all below the root is searched only for images that are not there.

    Args:
        table: One row per image: `named`, its path as the table has it, composed, with slashes; and `stem`,
            what messages call it; changed in place.
        root: Folder that paths are relative to.
        source: File of the table, for the messages.
        where: What the labels and images are, for the messages.
        own: Files below the root that are no images and need no mention.

    Raises:
        InputError: If several files fit a name, or two rows mean the same file.
    """
    names = table["named"].tolist()
    passed, barred = PassedOver(), {}
    folders = sorted({posixpath.dirname(name) for name in names})
    files = [file for folder in folders for file in walk_images(root / folder, folder, passed, nested=False)]
    found = _choose(names, files, source)
    # What is named in full is there, even where a search passes it over.
    found |= {
        name: name for name in names if name not in found and is_read(name) and os.path.isfile(root / name)
    }
    elsewhere: dict[str, str] = {}
    if len(found) < len(names):
        barred, passed = passed.barred, PassedOver()
        files = list(dict.fromkeys([*files, *walk_images(root, "", passed)]))
        elsewhere = _choose([name for name in names if name not in found], files, source)
        found |= elsewhere
    passed.barred |= barred
    unread = _unread([name for name in names if name not in found], passed.unread)
    absent = [name for name in names if name not in found and name not in unread]
    used = set(found.values())
    renamed = _choose(absent, [file for file in files if file not in used], source, alike=True)
    found |= renamed
    fill_paths(table, [found.get(name) for name in names])
    _refuse_shared(table, source)
    folder = posixpath.dirname
    elsewhere = {name: file for name, file in elsewhere.items() if folder(composed(file)) != folder(name)}
    own = set(map(posixpath.normpath, own))
    passed.unread = [name for name in passed.unread if name not in own]
    stems = dict(zip(names, table["stem"], strict=True))
    unread = {stems[name]: file for name, file in unread.items()}
    return [
        *unmatched(table, unread, _unlabelled(table, files), where, passed),
        *_told("images-elsewhere", "info", elsewhere, where, "in another folder than the table says"),
        *_told("images-renamed", "warning", renamed, where, "with another ending than the table says"),
    ]


def without_ending(name: str) -> str:
    """Return a name without its ending, if that is one of an image."""
    return posixpath.splitext(name)[0] if is_read(name) else name


class _Files:
    """Files by name, whatever their folders above those that the name has."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = [(composed(file), file) for file in files]
        self._tails: dict[int, dict[str, list[tuple[str, str]]]] = {}

    def fit(self, name: str, alike: bool) -> list[str]:
        """Return the files that a name may mean, best where it says; `alike`: with another ending, too."""
        stem, ending = posixpath.splitext(name)
        same = self._called(stem) if ending else []
        fit = [pair for pair in same if pair[0].endswith(ending)] or [
            pair for pair in same if pair[0].lower().endswith(ending.lower())
        ]
        fit = fit or self._called(name) or (self._called(without_ending(name)) if alike else [])
        here = [file for path, file in fit if path.count("/") == name.count("/")]
        return here or [file for _, file in fit]

    def _called(self, stem: str) -> list[tuple[str, str]]:
        """Return the files whose path ends in `stem` and an ending, each in composed form and as it is."""
        depth = stem.count("/") + 1
        if depth not in self._tails:
            tails = self._tails[depth] = {}
            for path, file in self._files:
                tail = "/".join(posixpath.splitext(path)[0].split("/")[-depth:])
                tails.setdefault(tail, []).append((path, file))
        return self._tails[depth].get(stem, [])


def _choose(names: Sequence[str], files: Iterable[str], source: Path, alike: bool = False) -> dict[str, str]:
    """Return the file that each name means, for those that mean one; refuse a name that fits several."""
    known, chosen = _Files(files), {}
    for name in names:
        fit = known.fit(name, alike)
        if len(fit) > 1:
            more = ", ..." if len(fit) > _EXAMPLES else ""
            twins = len({composed(file) for file in fit}) < len(fit)
            advice = (
                "these look alike and differ in how an accent is written, so rename one"
                if twins
                else "write the whole path with its ending"
            )
            raise InputError(
                f"{source}: image {name} may be any of {len(fit)} files "
                f"({', '.join(sorted(fit)[:_EXAMPLES])}{more}); {advice}"
            )
        if fit:
            chosen[name] = fit[0]
    return chosen


def _unread(names: Sequence[str], files: Iterable[str]) -> dict[str, str]:
    """Return the first file that fits each name, for those that any fits."""
    known = _Files(files)
    fit = {name: known.fit(name, alike=False) for name in names}
    return {name: min(files) for name, files in fit.items() if files}


def _refuse_shared(table: pd.DataFrame, source: Path) -> None:
    """Refuse two rows that mean the same file."""
    shared = table["path"].notna() & table["path"].duplicated(keep=False)
    if shared.any():
        path = table.loc[shared, "path"].iloc[0]
        names = " and ".join(table.loc[table["path"] == path, "named"])
        raise InputError(f"{source}: images {names} are the same file, {path}; remove one row")


def _unlabelled(table: pd.DataFrame, files: Iterable[str]) -> list[str]:
    """Return the files that no row means, in the folders that rows name; without ending where that tells."""
    used = set(table["path"].dropna())
    folders = {*map(posixpath.dirname, table["named"]), *map(posixpath.dirname, used)}
    rest = [file for file in map(to_text, files) if file not in used and posixpath.dirname(file) in folders]
    known = set(map(without_ending, used)) if rest else set()
    return sorted(file if without_ending(file) in known else without_ending(file) for file in rest)


def _told(code: str, severity: str, found: Mapping[str, str], where: str, how: str) -> list[Finding]:
    """Say which files were taken for names that are not quite theirs."""
    items = tuple(f"{name} is {file}" for name, file in found.items())
    text = f"{where}: {len(items)} images are there {how}, and nowhere else: they are used"
    return [Finding(code, severity, text, items)] if items else []
