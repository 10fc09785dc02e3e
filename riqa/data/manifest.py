"""The manifest, the table (one row per image) that a dataset becomes: checks, counts, splits by patient."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.findings import Finding
from riqa.data.split_sizes import moves_to_sizes, split_sizes
from riqa.errors import InputError
from riqa.files import atomic_write, write_parquet, write_whole
from riqa.labels import DETAILS, class_names

SPLITS = ("train", "val", "test")
EYES = ("left", "right", "unknown")
COLUMNS = ("image_id", "path", "dataset", "patient_id", "eye", "view", "source", "split", "overall", *DETAILS)
"""Columns of a manifest, in order.

image_id: unique name of the image. path: file, relative to the dataset's root. dataset: the dataset's name.
patient_id: groups the images of a person. eye: left, right or unknown. view: the photograph's number or kind
within an eye. source: camera or site. split: train, val or test. overall: 0..n_classes-1 or NaN.
illumination, clarity, contrast: 0 bad, 1 good, or NaN.
"""

_TEXT = ("image_id", "path", "dataset", "patient_id", "eye", "view", "source", "split")


@dataclass(frozen=True)
class Dataset:
    """Photographs on disk and what is known about them.

    `ratings`, where single experts' are known, have a row per image, expert and item: image_id, rater, item
    (overall or a detail), score (code of `riqa.labels`) and session (2 = asked again).
    """

    name: str  # also in the manifest's `dataset` column
    root: Path  # that the manifest's paths are relative to
    manifest: pd.DataFrame  # `COLUMNS`, validated (an adapter's is not yet that, see `riqa.data.catalogue`)
    n_classes: int | None  # of overall quality, 2 or 3; None when it is not labelled
    citation: str  # key in the book's bibliography, or a sentence for data that is made here
    licence: str
    findings: tuple[Finding, ...] = ()
    ratings: pd.DataFrame | None = None
    drawn: bool = False  # phantoms are drawn; photographs that were taken and spoilt are not


def validate_manifest(frame: pd.DataFrame, n_classes: int | None = None) -> pd.DataFrame:
    """Check a manifest and return its `COLUMNS` in order, labels as floats (NaN = unknown).

    Without `n_classes` of overall quality, `overall` must be NaN throughout. An InputError names the dataset,
    the column and the first offending image, when a column is missing, a value lies outside its code, an
    image_id occurs twice, or a patient has images in two splits.
    """
    name = f"dataset {frame['dataset'].iloc[0] if 'dataset' in frame and len(frame) else 'unnamed'}"
    if missing := ", ".join(column for column in COLUMNS if column not in frame):
        raise InputError(f"{name}: manifest lacks the column(s) {missing}; add them (NaN if unknown)")
    if frame.empty:
        raise InputError(f"{name}: manifest has no images; check the folder and the label files")
    frame = frame[list(COLUMNS)].reset_index(drop=True)
    try:
        frame = frame.astype(dict.fromkeys(("overall", *DETAILS), "float64"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: a label in the manifest is not a number ({error}); correct it") from None
    # Text that is missing stays missing here, so that it can be refused instead of being read as "nan".
    frame = frame.astype(dict.fromkeys(_TEXT, "str"))
    codes = {"eye": EYES, "split": SPLITS} | dict.fromkeys(DETAILS, (0, 1))
    codes["overall"] = range(len(class_names(n_classes))) if n_classes else ()
    for column, values in frame.items():
        faults = {": value is missing; correct it": values.isna() & (column in _TEXT)}
        if column in codes:
            legal = ", ".join(map(repr, codes[column])) or "missing only"
            outside = values.notna() & ~values.isin(codes[column])
            faults[f" has {{}}; legal: {legal}; correct its label"] = outside
        else:
            faults[": value is empty; correct it"] = values == ""
        if column == "image_id":
            faults[": value occurs twice; correct it"] = values.duplicated()
        for fault, rows in faults.items():
            if rows.any():
                row = frame[rows].iloc[0]
                text = f"image {row['image_id']}{fault.format(row[column])}"
                raise InputError(f"{name}: column {column}: {text}")
    for patient in patients_in_several_splits(frame)[:1]:
        splits = ", ".join(sorted(frame.loc[frame["patient_id"] == patient, "split"].unique()))
        raise InputError(f"{name}: column split: patient {patient} has images in {splits}; split by patient")
    return frame


def patients_in_several_splits(manifest: pd.DataFrame) -> list[str]:
    """Return the patients whose images lie in more than one split, sorted: there should be none."""
    n_splits = manifest.groupby("patient_id")["split"].nunique()
    return sorted(n_splits.index[n_splits > 1])


def class_counts(manifest: pd.DataFrame, n_classes: int | None) -> pd.DataFrame:
    """Count images by split that occurs (rows: train, val, test) and overall class (columns), and `all`."""
    names = class_names(n_classes) if n_classes else ()
    is_of = {name: manifest["overall"] == code for code, name in enumerate(names)} | {"all": True}
    counts = pd.DataFrame(is_of, index=manifest.index).groupby(manifest["split"]).sum()
    return counts.reindex([split for split in SPLITS if split in counts.index])


def label_shift(manifest: pd.DataFrame) -> float:
    """Return the total variation distance between the overall classes for training and testing, in [0, 1].

    Half the sum over classes of |share of train - share of test|: the share of images that would need another
    label for both to look alike. NaN when one of them has no labelled image.
    """
    shares = pd.crosstab(manifest["split"], manifest["overall"], normalize="index")
    if not {"train", "test"} <= set(shares.index):
        return float("nan")
    return float((shares.loc["train"] - shares.loc["test"]).abs().sum() / 2)


def describe(dataset: Dataset) -> dict:
    """Return what is known of a dataset as a whole, as JSON values."""
    return {
        "name": dataset.name,
        "n_classes": dataset.n_classes,
        "class_names": list(class_names(dataset.n_classes)) if dataset.n_classes else None,
        "citation": dataset.citation,
        "licence": dataset.licence,
        "findings": [asdict(finding) for finding in dataset.findings],
        "drawn": dataset.drawn,
    }


def json_text(values: dict) -> str:
    """Return JSON for programs and people, the same text every time."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def save_dataset(dataset: Dataset) -> None:
    """Write `manifest.parquet`, `dataset.json` and, if ratings are known, `ratings.parquet` into the root.

    Each is written atomically, with the same bytes every time. Raises as `validate_manifest` does.
    """
    manifest = validate_manifest(dataset.manifest, dataset.n_classes)
    if dataset.ratings is not None:
        atomic_write(dataset.root / "ratings.parquet", partial(write_parquet, dataset.ratings))
    atomic_write(dataset.root / "manifest.parquet", partial(write_parquet, manifest))
    write_whole(dataset.root / "dataset.json", json_text(describe(dataset)))


def grouped_stratified_split(
    manifest: pd.DataFrame, fractions: Mapping[str, float], seed: int, strata: Sequence[str] = ("overall",)
) -> pd.Series:
    """Assign patients to splits so that each split gets its share of the images and of each class.

    Patients are taken in a random order, those with most images first, and each goes to the split that it
    brings nearest to its quotas: to the least sum, over classes and over all images together, of
    (images - quota)^2 / quota, as in Pearson's chi-squared. (scikit-learn's `StratifiedGroupKFold` is as
    greedy, but makes equal folds only.) Then as few patients as possible are moved, so that the splits have
    the sizes of `split_sizes` wherever the patients' numbers of images permit.

    `fractions` are the shares of images for each split, e.g. `{"train": 0.9, "val": 0.1}`; they sum to 1. The
    values in the columns `strata` are together an image's class (NaN is a value of its own).

    Raises a ValueError if a fraction is not in (0, 1], they do not sum to 1, or a name is not a split, and an
    InputError if there are fewer patients than splits.
    """
    names, shares = list(fractions), np.array(list(fractions.values()), dtype=float)
    if not set(names) <= set(SPLITS):
        raise ValueError(f"splits must be among {SPLITS}, got {names}")
    if (shares <= 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(f"fractions must be positive and sum to 1, got {dict(fractions)}")
    classes = manifest.groupby(list(strata), dropna=False).ngroup()
    counts = pd.crosstab(manifest["patient_id"], classes)  # patients x classes
    if len(counts) < len(names):
        few = f"{len(counts)} patient(s) cannot be assigned to {len(names)} splits"
        raise InputError(f"{few}; add images of more patients")
    table = counts.to_numpy()
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    table = np.column_stack([table, table.sum(axis=1)])  # the last column holds all images
    quota = shares[:, None] * table.sum(axis=0)  # splits x (classes, all)
    filled = np.zeros_like(quota)
    chosen = np.empty(len(table), dtype=int)

    def gain(rows: np.ndarray, lacking: np.ndarray, quota: np.ndarray) -> np.ndarray:
        """Return how much nearer splits would come to their quotas."""
        return (rows * (2 * lacking - rows) / quota).sum(axis=1)

    for position, patient in enumerate(order):
        row, empty = table[patient], filled[:, -1] == 0
        gains = gain(row, quota - filled, quota)
        if empty.any() and len(order) - position <= empty.sum():
            gains = np.where(empty, gains, -np.inf)  # the last patients go to splits that would stay empty
        best = chosen[patient] = int(np.argmax(gains))
        filled[best] += row
    sizes = table[:, -1]
    for size, source, target in moves_to_sizes(sizes, chosen, split_sizes(len(manifest), shares)):
        movable = order[(chosen[order] == source) & (sizes[order] == size)]
        gains = gain(table[movable], (quota - filled)[target], quota[target])
        gains += gain(table[movable], (filled - quota)[source], quota[source])
        patient = movable[int(np.argmax(gains))]
        chosen[patient] = target
        filled[source] -= table[patient]
        filled[target] += table[patient]
    assigned = pd.Series(np.array(names)[chosen], index=counts.index)
    return manifest["patient_id"].map(assigned).rename("split")
