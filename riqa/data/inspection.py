"""Inspection of every photograph: which cannot be read, their sizes, which are there twice."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.curate import each_image
from riqa.data.duplicates import near_duplicates, take_print
from riqa.data.findings import Finding, found
from riqa.data.manifest import Dataset
from riqa.data.read import UnreadableError, read_with_shape
from riqa.files import file_digest
from riqa.names import to_path

_MIN_SIDE = 256  # pixels: a JPEG is read at the smallest scale that has them, enough for a print
_FEW = 10  # photographs; a source with fewer says nothing about its sizes
_KEPT = ["reason", "height", "width", "digest", "bits", "structure"]


def inspect_images(table: pd.DataFrame, root: Path, jobs: int = 1) -> list[Finding]:
    """Read every photograph once, in `jobs` processes, and say what was found; about 2 KB are kept of each.

    `table` has image_id, path (relative to `root`), split, source and overall of one photograph in each row.
    """
    return _findings(_look_at_all(table, root, jobs))


def inspect_sets(datasets: Mapping[str, Dataset], jobs: int = 1) -> list[tuple[str, Finding]]:
    """Inspect several sets as `inspect_images` does, and look for photographs that two of them share.

    Each finding is returned after its set's name; where it is about two, they are joined by " and ".
    """
    tables = {name: _look_at_all(data.manifest, data.root, jobs) for name, data in datasets.items()}
    findings = [(name, finding) for name, table in tables.items() for finding in _findings(table)]
    every = pd.concat([table.assign(set=name) for name, table in tables.items()], ignore_index=True)
    return findings + _copies_between_sets(every[every["reason"].isna()])


def _look_at_all(table: pd.DataFrame, root: Path, jobs: int) -> pd.DataFrame:
    """Return a table of photographs with what is kept of each, `_KEPT`."""
    files = [(root / to_path(path),) for path in table["path"]]
    looks = list(each_image(_look_at, files, jobs, "look at every image"))
    known = table[["image_id", "split", "source", "overall"]].reset_index(drop=True)
    return pd.concat([known, pd.DataFrame(looks, columns=_KEPT)], axis=1)


def _look_at(path: Path) -> dict:
    """Read one photograph: why it cannot be read, or its size upright, digest, and print."""
    try:
        image, (height, width) = read_with_shape(path, _MIN_SIDE)
        digest = file_digest(path)
    except UnreadableError as error:
        return {"reason": str(error)}
    except OSError as error:
        return {"reason": f"cannot be opened ({error.strerror})"}
    bits, structure = take_print(image)
    return {"height": height, "width": width, "digest": digest, "bits": bits, "structure": structure}


def _findings(table: pd.DataFrame) -> list[Finding]:
    """Say what looks at one set's photographs have shown."""
    known = table["reason"].isna()
    bad, seen = table[~known], table[known].astype({"height": int, "width": int})
    counted = ", ".join(f"{reason} {n}" for reason, n in Counter(bad["reason"]).most_common())
    text = f"{{n}} of {len(table)} images cannot be read, and curation will set them aside: {counted}"
    items = [f"{image}: {reason}" for image, reason in zip(bad["image_id"], bad["reason"], strict=True)]
    findings = found("images-unreadable", "warning", items, text)
    return findings + ([_sizes(seen), *_resolution_by_source(seen), *_copies(seen)] if len(seen) else [])


def _sizes(table: pd.DataFrame) -> Finding:
    """Describe the sizes, of each source if there are several."""

    def describe(group: pd.DataFrame) -> str:
        order = np.argsort((group["width"] * group["height"]).to_numpy(), kind="stable")
        sizes = [f"{row.width} x {row.height}" for row in group.iloc[order].itertuples()]
        if sizes[0] == sizes[-1]:
            return f"all {sizes[0]}"
        return f"smallest {sizes[0]}, median {sizes[(len(sizes) - 1) // 2]}, largest {sizes[-1]}"

    groups = dict(list(table.groupby("source")))
    text = f"sizes in pixels: {describe(table)}"
    if len(groups) == 1:
        return Finding("image-sizes", "info", f"{text}; source: {next(iter(groups))}")
    items = tuple(f"{name} ({len(group)} images): {describe(group)}" for name, group in groups.items())
    return Finding("image-sizes", "info", f"{text}; {len(groups)} sources", items)


def _resolution_by_source(table: pd.DataFrame) -> list[Finding]:
    """Find sources whose sizes lie apart: the middle 90 % of their shorter sides overlap with no other's."""
    shorter, apart = table[["height", "width"]].min(axis=1), []
    for name, own in shorter.groupby(table["source"]):
        others = shorter.drop(own.index)
        if min(len(own), len(others)) < _FEW:
            continue
        (low, high), (below, above) = np.percentile(own, [5, 95]), np.percentile(others, [5, 95])
        if high < below or low > above or not others.between(low, high).any():
            sides = f"shorter side {low:.0f} to {high:.0f}, elsewhere {below:.0f} to {above:.0f}"
            apart.append(f"{name}: {sides}")
    text = "resolution is confounded with source: the size alone tells {n} source(s) from the others, so "
    text += "compare quality between sources only after resizing all alike"
    return found("resolution-by-source", "warning", apart, text)


def _copies(table: pd.DataFrame) -> list[Finding]:
    """Find images that are there twice, across splits and within one."""
    one, other, names = _pairs(table)
    crossing = one["split"] != other["split"]
    differ = (one["overall"] != other["overall"]) & one["overall"].notna() & other["overall"].notna()
    across = "across splits, so that a test sees what was trained on"
    findings = []
    for code, severity, rows, where in (
        ("near-duplicates-across-splits", "warning", crossing, across),
        ("near-duplicates", "info", ~crossing, "within a split"),
    ):
        text = f"{{n}} pairs of images are copies of each other {where}"
        if n := (differ & rows).sum():
            text += f"; {n} of them have different overall labels"
        findings += found(code, severity, names[rows], text)
    return findings


def _copies_between_sets(table: pd.DataFrame) -> list[tuple[str, Finding]]:
    """Find photographs of one set that are in another; a copy on the other side of a test is a warning."""
    one, other, names = _pairs(table)
    leak = (one["split"] == "test") != (other["split"] == "test")
    between, findings = one["set"] + " and " + other["set"], []
    for sets in between[one["set"] != other["set"]].unique():
        rows = between == sets
        first, second = one.loc[rows, "set"].iloc[0], other.loc[rows, "set"].iloc[0]
        text = f"{rows.sum()} pairs of images, one of {first} and one of {second}, are copies of each other"
        if leaks := leak[rows].sum():
            text += f"; in {leaks} of them one is for testing and the other is not"
        severity = "warning" if leaks else "info"
        findings.append((sets, Finding("near-duplicates-between-sets", severity, text, tuple(names[rows]))))
    return findings


def _pairs(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Return the rows of the first and of the second image of every pair of copies, and their names."""
    # Of n files with the same bytes, which may show nothing that a print holds, each is paired with the next.
    same = table.groupby("digest").indices.values()
    pairs = {(int(i), int(j)) for rows in same for i, j in pairwise(rows)}
    if len(table):
        pairs |= set(near_duplicates(np.stack(table["bits"]), np.stack(table["structure"])))
    sides = np.array(sorted(pairs), dtype=int).reshape(-1, 2).T
    one, other = (table.iloc[side].reset_index(drop=True) for side in sides)
    return one, other, one["image_id"] + " ~ " + other["image_id"]
