"""The folder of a phantom set: grown in a sibling folder, renamed when whole; its truth table."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset, save_dataset
from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import overall_score, perceived_severity


def truth_columns(severities: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the severities and the columns of the truth table that follow from them."""
    table = pd.DataFrame(severities)[list(DEFECTS)]
    for group in (*DETAILS, "artifact"):
        table[f"perceived_{group}"] = perceived_severity(severities, group)
    return table.assign(overall_score=overall_score(severities))


def start_folder(out: Path) -> Path:
    """Make the empty sibling folder in which a set grows.

    Raises:
        InputError: If `out` is there already and holds anything but a dataset.
    """
    if out.exists() and not (out.is_dir() and ((out / "dataset.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out} exists and is not a dataset made here; give another folder or empty it")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "images").mkdir(parents=True)
    return partial


def finish_folder(dataset: Dataset, truth: pd.DataFrame, ratings: pd.DataFrame, out: Path) -> Dataset:
    """Write the tables of a set that grew in `start_folder`'s folder, and put it in its place."""
    partial = dataset.root
    atomic_write(partial / "truth.parquet", lambda path: truth.to_parquet(path, index=False))
    dataset = replace(dataset, ratings=ratings)
    save_dataset(dataset)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return replace(dataset, root=out)
