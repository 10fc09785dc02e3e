"""Predictions of several seeds, brought into one row an image."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.labels import DETAILS

METHOD = "mean over seeds; percentile bootstrap over patients and seeds"
"""How values that are averaged over seeds get their intervals, for the records of results."""


def stack_seeds(predictions: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Bring the predictions of one model on one set into one row an image.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one model and one dataset, any seeds, each
            with the same images.
        columns: the columns to stack, probabilities in [0, 1].

    Returns:
        images: a row an image, sorted by image_id: image_id, patient_id, eye, and the true labels.
        probs: (S, N, C) by seed, image and column.

    Raises:
        ValueError: the seeds do not cover the same images, each once.
    """
    by_seed = [rows.sort_values("image_id") for _, rows in predictions.groupby("seed", sort=True)]
    first = by_seed[0]
    for rows in by_seed:
        if list(rows["image_id"]) != list(first["image_id"]) or rows["image_id"].duplicated().any():
            raise ValueError("predictions of different seeds must cover the same images, each once")
    probs = np.stack([rows[list(columns)].to_numpy() for rows in by_seed])
    return first[["image_id", "patient_id", "eye", "overall", *DETAILS]].reset_index(drop=True), probs
