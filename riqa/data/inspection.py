"""Inspection of every photograph: which cannot be read, their sizes, which are there twice."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from riqa.data.duplicates import identical_files, near_duplicates, take_print
from riqa.data.findings import Finding
from riqa.data.manifest import Dataset
from riqa.data.read import UnreadableError, read_with_shape
from riqa.names import to_path
from riqa.terminal import progress_bar

_MIN_SIDE = 256  # pixels: a JPEG is read at the smallest scale that has them, enough for a print
_FEW = 10  # photographs; a source with fewer says nothing about its sizes


@dataclass(frozen=True)
class Look:
    """What is kept of one photograph.

    Attributes:
        reason: Why it cannot be read, or None.
        shape: Height and width, upright, pixels.
        digest: Digest of the file.
        bits: Hash, see `riqa.data.duplicates.take_print`.
        structure: Fine structure, see there.
    """

    reason: str | None = None
    shape: tuple[int, int] = (0, 0)
    digest: bytes = b""
    bits: np.ndarray | None = None
    structure: np.ndarray | None = None


def look_at(path: Path) -> Look:
    """Read one photograph and keep what `inspect_images` needs."""
    try:
        image, shape = read_with_shape(path, _MIN_SIDE)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
    except UnreadableError as error:
        return Look(reason=str(error))
    except OSError as error:
        return Look(reason=f"cannot be opened ({error.strerror})")
    bits, structure = take_print(image)
    return Look(None, shape, digest, bits, structure)


def inspect_images(table: pd.DataFrame, root: Path, jobs: int = 1) -> list[Finding]:
    """Read every photograph once and say what was found.

    About 2 KB are kept of each, whatever its size.

    Args:
        table: One row per photograph: image_id, path (relative to `root`), split, source, overall.
        root: Folder of the dataset.
        jobs: Processes side by side; the findings do not depend on it.
    """
    return _findings(table, _look_at_all([root / to_path(path) for path in table["path"]], jobs))


def inspect_sets(datasets: Mapping[str, Dataset], jobs: int = 1) -> list[tuple[str, Finding]]:
    """Inspect several sets as `inspect_images` does, and look for photographs that two of them share.

    Args:
        datasets: Name of a set -> the set.
        jobs: Processes side by side; the findings do not depend on it.

    Returns:
        Pairs of a set's name and a finding; of findings about two sets the names are joined by " and ".
    """
    found, tables, looks = [], [], []
    for name, dataset in datasets.items():
        table = dataset.manifest.assign(set=name)
        of_set = _look_at_all([dataset.root / to_path(path) for path in table["path"]], jobs)
        found += [(name, finding) for finding in _findings(table, of_set)]
        readable = [look.reason is None for look in of_set]
        tables.append(table[readable])
        looks += [look for look in of_set if look.reason is None]
    return found + (_copies_between_sets(pd.concat(tables, ignore_index=True), looks) if looks else [])


def _findings(table: pd.DataFrame, looks: list[Look]) -> list[Finding]:
    """Say what looks at one set's photographs have shown."""
    known = np.array([look.reason is None for look in looks])
    findings = _unreadable(table, looks)
    readable = [look for look in looks if look.reason is None]
    if readable:
        sides = pd.DataFrame([look.shape for look in readable], columns=["height", "width"])
        sides["source"] = table.loc[known, "source"].to_numpy()
        findings += [_sizes(sides), *_resolution_by_source(sides)]
        findings += _copies(table[known].reset_index(drop=True), readable)
    return findings


def _look_at_all(paths: list[Path], jobs: int) -> list[Look]:
    """Look at every photograph, in order."""
    progress = {"total": len(paths), "desc": "look at every image", "unit": "image"}
    if jobs == 1:
        return list(progress_bar(map(look_at, paths), **progress))
    looks = Parallel(n_jobs=jobs, return_as="generator")(delayed(look_at)(path) for path in paths)
    with warnings.catch_warnings(), closing(looks):
        # A user who stops it knows that work is lost.
        warnings.filterwarnings("ignore", message=r"\d+ tasks", module="joblib")
        return list(progress_bar(looks, **progress))


def _unreadable(table: pd.DataFrame, looks: list[Look]) -> list[Finding]:
    """Say which images cannot be read, and count the reasons."""
    named = list(zip(table["image_id"], looks, strict=True))
    items = tuple(f"{name}: {look.reason}" for name, look in named if look.reason)
    if not items:
        return []
    reasons = Counter(look.reason for look in looks if look.reason)
    counted = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
    text = f"{len(items)} of {len(table)} images cannot be read, and curation will set them aside: {counted}"
    return [Finding("images-unreadable", "warning", text, items)]


def _sizes(sides: pd.DataFrame) -> Finding:
    """Describe the sizes, of each source if there are several."""

    def describe(group: pd.DataFrame) -> str:
        ordered = group.iloc[np.argsort((group["width"] * group["height"]).to_numpy(), kind="stable")]
        low, middle, high = (ordered.iloc[k] for k in (0, (len(ordered) - 1) // 2, -1))
        if (low["width"], low["height"]) == (high["width"], high["height"]):
            return f"all {low['width']} x {low['height']}"
        return ", ".join(
            f"{word} {row['width']} x {row['height']}"
            for word, row in (("smallest", low), ("median", middle), ("largest", high))
        )

    groups = dict(list(sides.groupby("source")))
    text = f"sizes in pixels: {describe(sides)}"
    if len(groups) == 1:
        return Finding("image-sizes", "info", f"{text}; source: {next(iter(groups))}")
    items = tuple(f"{name} ({len(group)} images): {describe(group)}" for name, group in groups.items())
    return Finding("image-sizes", "info", f"{text}; {len(groups)} sources", items)


def _resolution_by_source(sides: pd.DataFrame) -> list[Finding]:
    """Find sources whose sizes lie apart: the middle 90 % of their shorter sides overlap with no other's."""
    shorter = sides[["height", "width"]].min(axis=1)
    apart = []
    for name in sorted(sides["source"].unique()):
        own = (sides["source"] == name).to_numpy()
        if min(own.sum(), (~own).sum()) < _FEW:
            continue
        low, high = np.percentile(shorter[own], [5, 95])
        others = (shorter[~own] >= low) & (shorter[~own] <= high)
        below, above = np.percentile(shorter[~own], [5, 95])
        if high < below or low > above or not others.any():
            apart.append(
                f"{name}: shorter side {low:.0f} to {high:.0f}, elsewhere {below:.0f} to {above:.0f}"
            )
    if not apart:
        return []
    text = (
        f"resolution is confounded with source: the size alone tells {len(apart)} source(s) from the others, "
        "so compare quality between sources only after resizing all alike"
    )
    return [Finding("resolution-by-source", "warning", text, tuple(apart))]


def _copies(table: pd.DataFrame, looks: list[Look]) -> list[Finding]:
    """Find images that are there twice, across splits and within one."""
    first, second = _pairs(table, looks)
    if first.empty:
        return []
    crossing = first["split"] != second["split"]
    differ = (first["overall"] != second["overall"]) & first["overall"].notna() & second["overall"].notna()
    names = first["image_id"] + " ~ " + second["image_id"]
    findings = []
    for code, severity, rows, where in (
        (
            "near-duplicates-across-splits",
            "warning",
            crossing,
            "across splits, so that a test sees what was trained on",
        ),
        ("near-duplicates", "info", ~crossing, "within a split"),
    ):
        if rows.any():
            text = f"{rows.sum()} pairs of images are copies of each other {where}"
            if differ[rows].any():
                text += f"; {differ[rows].sum()} of them have different overall labels"
            findings.append(Finding(code, severity, text, tuple(names[rows])))
    return findings


def _copies_between_sets(table: pd.DataFrame, looks: list[Look]) -> list[tuple[str, Finding]]:
    """Find photographs of one set that are in another; a copy on the other side of a test is a warning."""
    first, second = _pairs(table, looks)
    pairs = pd.DataFrame({"one": first["set"], "other": second["set"]})
    pairs["names"] = first["image_id"] + " ~ " + second["image_id"]
    pairs["leak"] = (first["split"] == "test") != (second["split"] == "test")
    found = []
    for (one, other), rows in pairs[pairs["one"] != pairs["other"]].groupby(["one", "other"], sort=False):
        n_leaks = int(rows["leak"].sum())
        text = f"{len(rows)} pairs of images, one of {one} and one of {other}, are copies of each other"
        if n_leaks:
            text += f"; in {n_leaks} of them one is for testing and the other is not"
        severity = "warning" if n_leaks else "info"
        finding = Finding("near-duplicates-between-sets", severity, text, tuple(rows["names"]))
        found.append((f"{one} and {other}", finding))
    return found


def _pairs(table: pd.DataFrame, looks: list[Look]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the first and of the second image of every pair of copies."""
    bits, structures = (np.array([getattr(look, name) for look in looks]) for name in ("bits", "structure"))
    pairs = sorted({*identical_files([look.digest for look in looks]), *near_duplicates(bits, structures)})
    sides = np.array(pairs, dtype=int).reshape(-1, 2).T
    first, second = (table.iloc[side].reset_index(drop=True) for side in sides)
    return first, second
