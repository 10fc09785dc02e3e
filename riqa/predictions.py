"""What models answered about test images: one reader, which keeps the order asked for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.errors import InputError
from riqa.learn.predict import PROBABILITIES

OVERALL = [column for column in PROBABILITIES if column.startswith("p_overall_")]


def read_predictions(
    work: str | Path, chapters: Sequence[str], splits: Sequence[str] = ("test",)
) -> pd.DataFrame:
    """Read what models of several chapters (stems of notebooks) answered, one row per image, model and seed.

    They wrote rows of `riqa.learn.predict.predict`; models come as `named` leaves them.
    """
    tables = [pd.read_parquet(Path(work) / chapter / "predictions.parquet") for chapter in chapters]
    table = pd.concat(tables, ignore_index=True)
    return named(table[table["split"].isin(splits)].reset_index(drop=True))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Name the models of predictions as results do, and add the columns of `with_answers`.

    A network judged on another set than its own is `multi_task@<its set>`; there is one Teacher only.
    """
    own = (table["dataset"] == table["trained_on"]) | (table["model"] == "teacher")
    models = table["model"].where(own, table["model"] + "@" + table["trained_on"])
    return with_answers(table.assign(model=models))


def with_answers(table: pd.DataFrame) -> pd.DataFrame:
    """Add `called`, the most probable class, and `p_true`, the probability of the true one (NaN: none)."""
    probs, truth = (table[columns].to_numpy(dtype=float) for columns in (OVERALL, "overall"))
    called = np.where(np.isnan(probs).all(axis=1), np.nan, np.nan_to_num(probs, nan=-1).argmax(axis=1))
    p_true = probs[np.arange(len(table)), np.nan_to_num(truth).astype(int)]
    return table.assign(called=called, p_true=np.where(np.isnan(truth), np.nan, p_true))


def pick(
    predictions: pd.DataFrame, datasets: Sequence[str], models: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """Pick datasets, models and seeds in the order asked for; an InputError if one is not there."""
    asked = pd.MultiIndex.from_product([datasets, models], names=["dataset", "model"])
    own = predictions[predictions["seed"].isin(seeds)]
    runs = own.groupby(asked.names)["seed"].unique()
    for dataset, model in asked:
        if missing := sorted(set(seeds) - set(runs.get((dataset, model), []))):
            told = f"{model} has no predictions on {dataset} with seed {missing[0]}"
            raise InputError(f"{told}; build its chapter again")
    return own.set_index(asked.names).loc[asked].reset_index()
