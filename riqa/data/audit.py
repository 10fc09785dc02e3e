"""Is this folder the dataset that was published? Labels against published counts, traps, leakage, images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from riqa.data.adapters import read_catalogue
from riqa.data.catalogue import ALL, Catalogue, no_image, to_dataset
from riqa.data.findings import Finding, to_json
from riqa.data.inspection import inspect_images
from riqa.data.manifest import SPLITS, patients_in_several_splits
from riqa.errors import InputError
from riqa.labels import class_names

_UNLABELLED = "unlabelled"
Counts = Mapping[str, Mapping[str, int]]
"""Images: split -> class name -> number; `unlabelled` for those without overall quality."""


@dataclass(frozen=True)
class Part:
    """A split, or several that were published as one: images by class name, and `all`.

    Attributes:
        name: Its name.
        labelled: Images that the labels name.
        there: Those of them that are there.
        published: Images as published; empty where nothing was.
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
        findings: What is wrong or worth knowing: of the labels first, then of the images.
        counts: Images that are there.
        labelled: The same for all images that the labels name, there or not.
        published: Published counts, see `riqa.data.catalogue.Catalogue`.
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
        counts = {"counts": self.counts, "labelled": self.labelled, "published": self.published}
        findings = to_json(self.findings)
        return {"dataset": self.dataset, "usable": self.usable, **counts, "findings": findings}


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
    there = catalogue.table[catalogue.table["path"].notna()]
    parts = divide(catalogue)
    findings = [*catalogue.findings]
    for part in parts:
        findings += compare_with_published(part)
    # Of images that are not there only if none is.
    leaking = patients_in_several_splits(catalogue.table if there.empty else there)
    if leaking:
        text = f"{len(leaking)} patients have images in several splits"
        text += "; correct the splits, each patient to one"
        findings.append(Finding("patients-across-splits", "error", text, tuple(leaking)))
    if there.empty:
        findings.append(Finding("no-images", "error", no_image(catalogue)))
    elif not _has_error(findings):
        try:
            to_dataset(catalogue)
        except InputError as error:
            findings.append(Finding("not-usable", "error", str(error)))
    if images and len(there):
        findings += inspect_images(there, catalogue.root, jobs)
    return Report(
        dataset=catalogue.name,
        usable=not _has_error(findings),
        findings=tuple(findings),
        counts=_count(catalogue, there=True),
        labelled=_count(catalogue, there=False),
        published=catalogue.published,
        parts=parts,
    )


def _has_error(findings: list[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def _count(catalogue: Catalogue, there: bool) -> dict[str, dict[str, int]]:
    """Count the images that the labels name, or those that are there, for each split with labels."""
    table, counts = catalogue.table, {}
    names = class_names(catalogue.n_classes) if catalogue.n_classes else ()
    for split in SPLITS:
        rows = table[table["split"] == split]
        if rows.empty:
            continue
        overall = rows.loc[rows["path"].notna() | (not there), "overall"]
        counts[split] = {name: int((overall == code).sum()) for code, name in enumerate(names)}
        if overall.isna().any():
            counts[split][_UNLABELLED] = int(overall.isna().sum())
    return counts


def divide(catalogue: Catalogue) -> tuple[Part, ...]:
    """Return every split, and those that were only published together as one part.

    Where no validation split was published, its images belong to the published training part. Where splits
    were drawn here (`own-splits`), the labels together should be one or several published parts.
    """
    labelled, there = _count(catalogue, there=False), _count(catalogue, there=True)
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
        classes = counts.get(split, {})
        for name, n in ({ALL: sum(classes.values())} | dict(classes)).items():
            total[name] = total.get(name, 0) + n
    return total


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
