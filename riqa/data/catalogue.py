"""What adapters have in common: people and splits that a publisher does not tell, images that are there.

An adapter returns a catalogue: a `riqa.data.manifest.Dataset` of every image that the labels name. Partial
downloads are normal, so its `path` is None where the image is not there, and `split` is the one that the
paper uses all the same (None where only an image's absent file could tell). Nothing in it is checked.
"""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from riqa.data.findings import Finding
from riqa.data.manifest import COLUMNS, SPLITS, Dataset, grouped_stratified_split, validate_manifest
from riqa.errors import InputError

ALL = "all"
"""Key of a split's total in `riqa.data.published.COUNTS`."""


def all_strangers(table: pd.DataFrame) -> list[Finding]:
    """Let every image stand for a person of its own, as nobody knows who is on it, and say so."""
    table["patient_id"], table["eye"], table["view"] = table["image_id"], "unknown", "unknown"
    text = "there is no patient id: whether photographs of a person lie in several splits cannot be checked"
    return [Finding("patients-unknown", "warning", text)]


def hold_out(table: pd.DataFrame, share: float, seed: int, strata: Sequence[str] = ("overall",)) -> None:
    """Make a share of the images for training the validation split, by patient and stratified."""
    rows, shares = table["split"] == "train", {"train": 1 - share, "val": share}
    table.loc[rows, "split"] = grouped_stratified_split(table[rows], shares, seed, strata)


def to_dataset(catalogue: Dataset, strict: bool = False) -> Dataset:
    """Keep the images that are there.

    Raises an InputError if a finding is an error, a split would be empty, or, if `strict`, an image missing.
    """
    root, table = catalogue.root, catalogue.manifest.reindex(columns=list(COLUMNS))
    for finding in catalogue.findings:
        if finding.severity == "error":
            raise InputError(f"{root}: {finding.message}")
    present = table["path"].notna()
    if not present.any():
        raise InputError(no_image(catalogue))
    if strict and not present.all():
        absent = table.loc[~present, "image_id"]
        text = f"{root}: {len(absent)} of {len(table)} labelled images are missing, e.g. {absent.iloc[0]}"
        raise InputError(f"{text}; add them, or do without --strict")
    for split in SPLITS:
        rows = table["split"] == split
        if rows.any() and not (rows & present).any():
            text = f"{root}: the {split} split would be empty, as none of its {rows.sum()} images is there"
            raise InputError(f"{text}; add some, e.g. {table.loc[rows, 'image_id'].iloc[0]}")
    manifest, ratings = validate_manifest(table[present], catalogue.n_classes), catalogue.ratings
    if ratings is not None:
        ratings = ratings[ratings["image_id"].isin(manifest["image_id"])].reset_index(drop=True)
    return replace(catalogue, manifest=manifest, ratings=ratings)


def no_image(catalogue: Dataset) -> str:
    """Return the message for a dataset without any image."""
    text = f"{catalogue.root} holds none of the {len(catalogue.manifest)} labelled images"
    why = [one.message for one in catalogue.findings if one.code in ("images-unread", "folders-barred")]
    return f"{text} that can be read: {why[0]}" if why else f"{text}; add them"
