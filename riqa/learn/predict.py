"""Predictions: one row per image, model and seed; the file that every later chapter reads."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.store import Store
from riqa.labels import DETAILS
from riqa.learn.examples import examples_of, unlabelled
from riqa.learn.inference import compute_logits
from riqa.learn.model import QualityNet
from riqa.learn.tasks import TASKS, Task

MOST_CLASSES = 3
PROBABILITIES = tuple(f"p_overall_{k}" for k in range(MOST_CLASSES)) + tuple(f"p_{d}" for d in DETAILS)


def predict(
    model: QualityNet,
    store: Store,
    splits: tuple[str, ...],
    /,
    tasks: Sequence[Task] = TASKS,
    precision: str = "auto",
    **columns: object,
) -> pd.DataFrame:
    """Apply a model to splits of a store.

    Args:
        model: Any `QualityNet`.
        store: Curated images at the model's input size.
        splits: Which splits, in this order.
        tasks: What it was trained for; tasks besides the book's add columns of their own.
        precision: Precision of arithmetic, see `riqa.learn.train.TrainingConfig`.
        **columns: Constant columns to add: model, seed, trained_on.

    Returns:
        One row per image: image_id, dataset, split, patient_id, eye; the columns given;
        p_overall_0 .. p_overall_2 (softmax; NaN for classes that the model does not have);
        p_illumination, p_clarity, p_contrast (sigmoid, probability of good; NaN without a details head);
        and the truth: overall, illumination, clarity, contrast (NaN where the details head is silent).
        Other tasks have their answers in p_<column> and their truth in <column>.
    """
    frames = []
    for split in splits:
        examples = examples_of(store, split, tasks)
        logits = compute_logits(model, examples, precision)
        truth = store.manifest.iloc[examples.rows].reset_index(drop=True)
        frame = truth[["image_id", "dataset", "split", "patient_id", "eye"]].assign(**columns)
        frame[list(PROBABILITIES)] = probabilities(logits)
        frame[["overall", *DETAILS]] = truth[["overall", *DETAILS]]
        for task in tasks:
            own = [column for column in task.columns if column not in ("overall", *DETAILS)]
            answers = task.answer(logits[task.name].double()).numpy() if own else None
            for column in own:
                frame[f"p_{column}"] = answers[:, task.columns.index(column)]
                frame[column] = truth[column]
        if "details" in logits:  # a detail in which the model is silent is not asked of it
            silent = [detail for detail in DETAILS if frame[f"p_{detail}"].isna().all()]
            frame[silent] = np.nan
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def predict_images(model: QualityNet, images: np.ndarray) -> pd.DataFrame:
    """Apply a model to images that are in no store.

    Args:
        model: Any `QualityNet`.
        images: (N, size, size, 3) uint8 RGB, curated at the model's input size.

    Returns:
        N rows with the columns `PROBABILITIES`, as in `predict`.
    """
    logits = compute_logits(model, unlabelled(images))
    return pd.DataFrame(probabilities(logits), columns=list(PROBABILITIES))


def probabilities(logits: dict[str, Tensor]) -> np.ndarray:
    """Turn logits into the columns `PROBABILITIES`, (N, 6), NaN where the model has no such answer."""
    probs = np.full((len(next(iter(logits.values()))), len(PROBABILITIES)), np.nan)
    if "overall" in logits:
        probs[:, : logits["overall"].shape[1]] = torch.softmax(logits["overall"].double(), dim=1).numpy()
    if "details" in logits:
        probs[:, MOST_CLASSES:] = torch.sigmoid(logits["details"].double()).numpy()[:, : len(DETAILS)]
    return probs
