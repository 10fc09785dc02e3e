"""The catalogue of a folder: every image that a dataset's labels name, there or not, and what is wrong.

Partial downloads are normal, so a catalogue may lack images, even all of them; `to_dataset` keeps those that
are there, and refuses what could not be trusted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding
from riqa.data.manifest import COLUMNS, SPLITS, Dataset, grouped_stratified_split, validate_manifest
from riqa.errors import InputError

ALL = "all"
"""Key of a split's total in `Catalogue.published`."""


@dataclass(frozen=True)
class Catalogue:
    """A dataset as its labels describe it; what is not said here is as in `riqa.data.manifest.Dataset`.

    Attributes:
        table: One row per labelled image with `riqa.data.manifest.COLUMNS`; `path` is None where the image is
            not there. `split` is the one that the paper uses, whether or not the image is there; None where
            only an image's absent file could tell.
        published: Published counts, split -> class name or `all` -> images. Where `val` has no entry,
            the published training set includes the validation images.
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


def found(code: str, severity: str, items: Iterable[str], text: str) -> list[Finding]:
    """Return one finding about `items`, or none where there are none; {n} in `text` is their number."""
    items = tuple(items)
    return [Finding(code, severity, text.replace("{n}", str(len(items))), items)] if items else []


def all_strangers(table: pd.DataFrame) -> list[Finding]:
    """Let every image stand for a person of its own, as nobody knows who is on it, and say so."""
    table["patient_id"], table["eye"], table["view"] = table["image_id"], "unknown", "unknown"
    text = "there is no patient id: whether photographs of a person lie in several splits cannot be checked"
    return [Finding("patients-unknown", "warning", text)]


def hold_out(table: pd.DataFrame, share: float, seed: int, strata: Sequence[str] = ("overall",)) -> None:
    """Make a share of the images for training the validation split, by patient and stratified."""
    rows = table["split"] == "train"
    shares = {"train": 1 - share, "val": share}
    table.loc[rows, "split"] = grouped_stratified_split(table[rows], shares, seed, strata)


def to_dataset(catalogue: Catalogue, strict: bool = False) -> Dataset:
    """Keep the images that are there.

    Args:
        catalogue: What an adapter read.
        strict: Refuse a dataset from which any image is missing.

    Raises:
        InputError: If a finding is an error, a split would be empty, or an image is missing under `strict`.
    """
    root, table = catalogue.root, catalogue.table.reindex(columns=list(COLUMNS))
    for finding in catalogue.findings:
        if finding.severity == "error":
            raise InputError(f"{root}: {finding.message}")
    present = table["path"].notna()
    if not present.any():
        raise InputError(no_image(catalogue))
    if strict and not present.all():
        raise InputError(
            f"{root}: {(~present).sum()} of {len(table)} labelled images are missing, "
            f"e.g. {table.loc[~present, 'image_id'].iloc[0]}; add them, or do without --strict"
        )
    for split in SPLITS:
        rows = table["split"] == split
        if rows.any() and not (rows & present).any():
            raise InputError(
                f"{root}: the {split} split would be empty, as none of its {rows.sum()} images is there; "
                f"add some, e.g. {table.loc[rows, 'image_id'].iloc[0]}"
            )
    manifest = validate_manifest(table[present], catalogue.n_classes)
    kept = {name: getattr(catalogue, name) for name in ("n_classes", "citation", "licence", "findings")}
    ratings = catalogue.ratings
    if ratings is not None:
        ratings = ratings[ratings["image_id"].isin(manifest["image_id"])].reset_index(drop=True)
    return Dataset(catalogue.name, root, manifest, ratings=ratings, **kept)


def no_image(catalogue: Catalogue) -> str:
    """Return the message for a dataset without any image."""
    text = f"{catalogue.root} holds none of the {len(catalogue.table)} labelled images"
    why = [one.message for one in catalogue.findings if one.code in ("images-unread", "folders-barred")]
    return f"{text} that can be read: {why[0]}" if why else f"{text}; add them"
