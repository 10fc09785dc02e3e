"""Is this folder the dataset that was published? Labels against published counts, traps, leakage, images."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import pandas as pd

from riqa.data.adapters import read_catalogue
from riqa.data.catalogue import ALL, no_image, to_dataset
from riqa.data.findings import Finding, found
from riqa.data.inspection import inspect_images
from riqa.data.manifest import SPLITS, Dataset, class_counts, patients_in_several_splits
from riqa.data.published import COUNTS
from riqa.errors import InputError

_UNLABELLED = "unlabelled"  # images without overall quality


@dataclass(frozen=True)
class Part:
    """A split, or several that were published as one: images by class name, and `all`."""

    name: str
    labelled: Mapping[str, int]  # images that the labels name
    there: Mapping[str, int]  # those of them that are there
    published: Mapping[str, int]  # images as published; empty where nothing was


@dataclass(frozen=True)
class Report:
    """What was found in a folder."""

    dataset: str
    findings: tuple[Finding, ...]  # of the labels first, then of the images
    parts: tuple[Part, ...] = ()  # the splits, and those published together; none of unusable labels

    @property
    def usable(self) -> bool:
        """Tell whether it can be curated: no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def status(self, strict: bool = False) -> int:
        """Return the exit code: 0 usable, 1 usable with warnings and `strict`, 2 not usable."""
        if not self.usable:
            return 2
        return int(strict and any(finding.severity == "warning" for finding in self.findings))

    def counts(self, which: str) -> dict[str, dict[str, int]]:
        """Return the numbers of images, `labelled` or `there`, by split and class (or `unlabelled`)."""
        splits = [part for part in self.parts if part.name in SPLITS and part.labelled[ALL]]
        return {
            part.name: {name: n for name, n in getattr(part, which).items() if name != ALL} for part in splits
        }

    def to_json(self) -> dict:
        """Return the report as JSON values."""
        return {
            "dataset": self.dataset,
            "usable": self.usable,
            "counts": self.counts("there"),
            "labelled": self.counts("labelled"),
            "published": COUNTS.get(self.dataset, {}) if self.parts else {},
            "findings": [asdict(finding) for finding in self.findings],
        }


def audit(name: str, root: Path | str, *, seed: int = 0, images: bool = True, jobs: int = 1) -> Report:
    """Check a folder as far as it permits: what is wrong is a finding, never an exception.

    `name`, `root` and `seed` are those of `riqa.data.adapters.read_catalogue`. With `images`, all are read,
    by `jobs` processes side by side, to find unreadable ones, sizes and copies.
    """
    try:
        catalogue = read_catalogue(name, root, seed)
    except InputError as error:
        return Report(name, (Finding("labels-unusable", "error", str(error)),))
    there = catalogue.manifest[catalogue.manifest["path"].notna()]
    parts = divide(catalogue)
    findings = [*catalogue.findings]
    for part in parts:
        findings += compare_with_published(part)
    # Of images that are not there only if none is.
    leaking = patients_in_several_splits(catalogue.manifest if there.empty else there)
    text = "{n} patients have images in several splits; correct the splits, each patient to one"
    findings += found("patients-across-splits", "error", leaking, text)
    if there.empty:
        findings.append(Finding("no-images", "error", no_image(catalogue)))
    elif Report(name, tuple(findings)).usable:
        try:
            to_dataset(catalogue)
        except InputError as error:
            findings.append(Finding("not-usable", "error", str(error)))
    if images and len(there):
        findings += inspect_images(there, catalogue.root, jobs)
    return Report(catalogue.name, tuple(findings), parts)


def _told(counts: pd.Series) -> dict[str, int]:
    """Return counts without that of unlabelled images where there are none."""
    return {name: int(n) for name, n in counts.items() if n or name != _UNLABELLED}


def divide(catalogue: Dataset) -> tuple[Part, ...]:
    """Return every split, and those that were only published together as one part.

    Where no validation split was published, its images belong to the published training part. Where splits
    were drawn here (`own-splits`), the labels together should be one or several published parts.
    """
    every, published = catalogue.manifest, COUNTS.get(catalogue.name, {})
    tables = [class_counts(rows, catalogue.n_classes) for rows in (every, every[every["path"].notna()])]
    tables[1] = tables[1].reindex(tables[0].index, fill_value=0)
    for table in tables:
        table[_UNLABELLED] = 2 * table[ALL] - table.sum(axis=1)  # the sum counts all and every class

    def part(name: str, splits: Sequence[str], known: Mapping[str, int]) -> Part:
        rows = [table[table.index.isin(splits)] for table in tables]
        return Part(name, *(_told(own.sum()) if len(own) else {ALL: 0} for own in rows), known)

    splits = [split for split in SPLITS if split in tables[0].index or split in published]
    if published and any(finding.code == "own-splits" for finding in catalogue.findings):
        whole = part("all splits", SPLITS, {})
        choices = [parts for n in range(1, len(published) + 1) for parts in combinations(published, n)]
        known = [dict(sum((Counter(published[one]) for one in parts), Counter())) for parts in choices]
        match = next((counts for counts in known if not _differences(whole.labelled, counts)), known[-1])
        return (*(part(split, [split], {}) for split in tables[0].index), replace(whole, published=match))
    known, together = dict(published), []
    if "val" in tables[0].index and "val" not in published and "train" in published:
        together = [part("train and val", ["train", "val"], known.pop("train"))]
    return (*(part(split, [split], known.get(split, {})) for split in splits), *together)


def _differences(found: Mapping[str, int], published: Mapping[str, int]) -> tuple[str, ...]:
    """Name the classes whose number is not the published one."""
    beside = {name: (found.get(name, 0), n) for name, n in published.items()}
    return tuple(f"{name}: {own} labelled, {n} published" for name, (own, n) in beside.items() if own != n)


def compare_with_published(part: Part) -> list[Finding]:
    """Compare the labels and the images of a part with the published counts."""
    published, n_there = part.published, part.there[ALL]
    if not published:
        return []
    if not part.labelled[ALL]:
        text = f"{part.name}: none of the {published[ALL]} published images is labelled"
        return [Finding("part-missing", "info", text)]
    if differences := _differences(part.labelled, published):
        text = f"{part.name}: the labels differ from what was published ({'; '.join(differences)})"
        return [Finding("counts-differ", "warning", f"{text}; get the label files again", differences)]
    if n_there == published[ALL]:
        return []
    text = f"{part.name}: the labels are as published, and {n_there} of {published[ALL]} images are there"
    classes = [f"{name} {part.there.get(name, 0)} of {n}" for name, n in published.items() if name != ALL]
    return [Finding("partial-download", "info", f"{text} ({', '.join(classes)})" if classes else text)]
