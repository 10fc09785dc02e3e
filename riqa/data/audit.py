"""Is this folder the dataset that was published? Labels against published counts, traps, leakage, images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pandas as pd

from riqa.data.adapters import read_catalogue
from riqa.data.catalogue import ALL, Catalogue, no_image, to_dataset
from riqa.data.checks import patients_in_several_splits
from riqa.data.findings import Finding, to_json
from riqa.data.manifest import SPLITS
from riqa.errors import InputError
from riqa.labels import class_names

UNLABELLED = "unlabelled"
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Part:
    """A split, or several that were published as one.

    Attributes:
        name: Its name.
        labelled: Labelled images by class name, and `all`.
        there: The same for those of the images that are there.
        published: The same as published; empty where nothing was.
    """

    name: str
    labelled: Mapping[str, int]
    there: Mapping[str, int]
    published: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """What was found in a folder.

    Attributes:
        dataset: Name of the dataset.
        usable: Whether it can be curated; if not, a finding is an error.
        counts: Images that are there: split -> class name -> number; `unlabelled` without overall quality.
        labelled: The same for all images that the labels name, there or not.
        published: Published counts, see `riqa.data.catalogue.Catalogue`.
        findings: What is wrong or worth knowing: of the labels first, then of the images.
        parts: The splits, and those that were published together, see `divide`.
    """

    dataset: str
    usable: bool
    findings: tuple[Finding, ...]
    counts: Counts = field(default_factory=dict)
    labelled: Counts = field(default_factory=dict)
    published: Counts = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def status(self, strict: bool = False) -> int:
        """Return the exit code: 0 usable, 1 usable with warnings and `strict`, 2 not usable."""
        if not self.usable:
            return 2
        return int(strict and any(finding.severity == "warning" for finding in self.findings))

    def to_json(self) -> dict:
        """Return the report as JSON values."""
        return {
            "dataset": self.dataset,
            "usable": self.usable,
            "counts": {split: dict(classes) for split, classes in self.counts.items()},
            "labelled": {split: dict(classes) for split, classes in self.labelled.items()},
            "published": {split: dict(classes) for split, classes in self.published.items()},
            "findings": to_json(self.findings),
        }


def audit(name: str, root: Path | str, *, seed: int = 0, images: bool = True, jobs: int = 1) -> Report:
    """Check a folder as far as it permits: what is wrong is a finding, never an exception.

    Args:
        name: One of `riqa.data.adapters.NAMES`.
        root: The dataset's folder, in its publisher's layout.
        seed: Seed of the splits that are drawn here.
        images: Whether to read every image, to find unreadable ones, sizes and copies.
        jobs: Processes that read images side by side; the report does not depend on it.
    """
    try:
        catalogue = read_catalogue(name, root, seed)
    except InputError as error:
        return Report(name, False, (Finding("labels-unusable", "error", str(error)),))
    table = catalogue.table
    there = table[table["path"].notna()]
    parts = divide(catalogue)
    findings = [*catalogue.findings]
    for part in parts:
        findings += compare_with_published(part)
    findings += _leaking_patients(table)
    if there.empty:
        findings.append(Finding("no-images", "error", no_image(catalogue)))
    elif not any(finding.severity == "error" for finding in findings):
        try:
            to_dataset(catalogue)
        except InputError as error:
            findings.append(Finding("not-usable", "error", str(error)))
    if images and len(there):
        from riqa.data.inspection import inspect_images

        findings += inspect_images(there, catalogue.root, jobs)
    return Report(
        dataset=catalogue.name,
        usable=not any(finding.severity == "error" for finding in findings),
        findings=tuple(findings),
        counts=count_classes(catalogue, there=True),
        labelled=count_classes(catalogue, there=False),
        published=catalogue.published,
        parts=parts,
    )


def count_classes(catalogue: Catalogue, there: bool) -> dict[str, dict[str, int]]:
    """Count images by split and class of overall quality.

    Args:
        catalogue: What an adapter read.
        there: Count only the images that are there.

    Returns:
        Split -> class name -> images, for splits with labels; `unlabelled` only where there are such.
    """
    table = catalogue.table
    rows = table["path"].notna() if there else table["split"].notna()
    counts = {}
    for split in SPLITS:
        if not (table["split"] == split).any():
            continue
        overall = table.loc[rows & (table["split"] == split), "overall"]
        names = class_names(catalogue.n_classes) if catalogue.n_classes else ()
        counts[split] = {name: int((overall == code).sum()) for code, name in enumerate(names)}
        if overall.isna().any():
            counts[split][UNLABELLED] = int(overall.isna().sum())
    return counts


def divide(catalogue: Catalogue) -> tuple[Part, ...]:
    """Return every split, and those that were only published together as one part.

    Where no validation split was published, its images belong to the published training part. Where splits
    were drawn here (`own-splits`), the labels together should be one or several published parts.
    """
    labelled, there = count_classes(catalogue, there=False), count_classes(catalogue, there=True)
    published = catalogue.published

    def part(name: str, splits: tuple[str, ...], known: Mapping[str, int]) -> Part:
        return Part(name, _total(labelled, splits), _total(there, splits), known)

    if published and any(finding.code == "own-splits" for finding in catalogue.findings):
        total = _total(labelled, SPLITS)
        choices = [parts for n in range(1, len(published) + 1) for parts in combinations(published, n)]
        known = [_total(published, parts) for parts in choices]
        match = next((counts for counts in known if not _differences(total, counts)), known[-1])
        return (*(part(split, (split,), {}) for split in labelled), part("all splits", SPLITS, match))
    together = "val" in labelled and "val" not in published and "train" in published
    parts = []
    for split in SPLITS:
        if split in labelled or split in published:
            known = {} if together and split == "train" else published.get(split, {})
            parts.append(part(split, (split,), known))
    if together:
        parts.append(part("train and val", ("train", "val"), published["train"]))
    return tuple(parts)


def _total(counts: Counts, splits: tuple[str, ...]) -> dict[str, int]:
    """Add up the counts of some splits; `all` is the number of images."""
    total = {ALL: 0}
    for split in splits:
        classes = dict(counts.get(split, {}))
        classes.setdefault(ALL, sum(classes.values()))
        for name, n in classes.items():
            total[name] = total.get(name, 0) + n
    return total


def _differences(found: Mapping[str, int], published: Mapping[str, int]) -> tuple[str, ...]:
    """Name the classes whose number is not the published one."""
    return tuple(
        f"{name}: {found.get(name, 0)} labelled, {n} published"
        for name, n in published.items()
        if found.get(name, 0) != n
    )


def compare_with_published(part: Part) -> list[Finding]:
    """Compare the labels and the images of a part with the published counts."""
    published, n_there = part.published, part.there[ALL]
    if not published:
        return []
    if not part.labelled[ALL]:
        text = f"{part.name}: none of the {published[ALL]} published images is labelled"
        return [Finding("part-missing", "info", text)]
    differences = _differences(part.labelled, published)
    if differences:
        text = f"{part.name}: the labels differ from what was published ({'; '.join(differences)})"
        return [Finding("counts-differ", "warning", f"{text}; get the label files again", differences)]
    if n_there == published[ALL]:
        return []
    text = f"{part.name}: the labels are as published, and {n_there} of {published[ALL]} images are there"
    classes = [f"{name} {part.there.get(name, 0)} of {n}" for name, n in published.items() if name != ALL]
    return [Finding("partial-download", "info", f"{text} ({', '.join(classes)})" if classes else text)]


def _leaking_patients(table: pd.DataFrame) -> list[Finding]:
    """Find patients with images in several splits; of images that are not there only if none is."""
    there = table["path"].notna()
    leaking = patients_in_several_splits(table[there] if there.any() else table)
    if not leaking:
        return []
    text = f"{len(leaking)} patients have images in several splits; correct the splits, each patient to one"
    return [Finding("patients-across-splits", "error", text, tuple(leaking))]
