"""The catalogue of a folder: every image that a dataset's labels name, there or not, and what is wrong.

An adapter reads a folder into a catalogue. Partial downloads are normal, so a catalogue may lack images, even
all of them; `to_dataset` keeps those that are there, and refuses what could not be trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding
from riqa.data.manifest import COLUMNS, SPLITS, Dataset, validate_manifest
from riqa.errors import InputError

ALL = "all"
"""Key of a split's total in `Catalogue.published`."""


@dataclass(frozen=True)
class Catalogue:
    """A dataset as its labels describe it.

    Attributes:
        name: Name of the dataset.
        root: Folder that paths are relative to.
        table: One row per labelled image with `riqa.data.manifest.COLUMNS`; `path` is None where the image is
            not there. `split` is the one that the paper uses, whether or not the image is there; None where
            only an image's absent file could tell.
        n_classes: Number of overall-quality classes, or None.
        citation: Key in the book's bibliography.
        licence: Licence of photographs and labels.
        findings: What was found wrong, or worth knowing.
        published: Published counts, split -> class name or `all` -> images. Where `val` has no entry,
            the published training set includes the validation images.
        ratings: Individual experts' scores, or None: image_id, rater, item, score, session.
    """

    name: str
    root: Path
    table: pd.DataFrame
    n_classes: int | None
    citation: str
    licence: str
    findings: tuple[Finding, ...] = ()
    published: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    ratings: pd.DataFrame | None = None


def to_dataset(catalogue: Catalogue, strict: bool = False) -> Dataset:
    """Keep the images that are there.

    Args:
        catalogue: What an adapter read.
        strict: Refuse a dataset from which any image is missing.

    Raises:
        InputError: If a finding is an error, a split would be empty, or an image is missing under `strict`.
    """
    table = catalogue.table.reindex(columns=list(COLUMNS))
    for finding in catalogue.findings:
        if finding.severity == "error":
            raise InputError(f"{catalogue.root}: {finding.message}")
    present = table["path"].notna()
    if not present.any():
        raise InputError(no_image(catalogue))
    if strict and not present.all():
        first = table.loc[~present, "image_id"].iloc[0]
        raise InputError(
            f"{catalogue.root}: {(~present).sum()} of {len(table)} labelled images are missing, "
            f"e.g. {first}; add them, or do without --strict"
        )
    for split in SPLITS:
        rows = table["split"] == split
        if rows.any() and not (rows & present).any():
            first = table.loc[rows, "image_id"].iloc[0]
            raise InputError(
                f"{catalogue.root}: the {split} split would be empty, as none of its {rows.sum()} images "
                f"is there; add some, e.g. {first}"
            )
    manifest = validate_manifest(table[present], catalogue.n_classes)
    ratings = catalogue.ratings
    if ratings is not None:
        ratings = ratings[ratings["image_id"].isin(manifest["image_id"])].reset_index(drop=True)
    return Dataset(
        name=catalogue.name,
        root=catalogue.root,
        manifest=manifest,
        n_classes=catalogue.n_classes,
        citation=catalogue.citation,
        licence=catalogue.licence,
        findings=catalogue.findings,
        ratings=ratings,
    )


def no_image(catalogue: Catalogue) -> str:
    """Return the message for a dataset without any image."""
    text = f"{catalogue.root} holds none of the {len(catalogue.table)} labelled images"
    why = [one.message for one in catalogue.findings if one.code in ("images-unread", "folders-barred")]
    return f"{text} that can be read: {why[0]}" if why else f"{text}; add them"
