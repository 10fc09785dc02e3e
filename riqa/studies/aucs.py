"""The AUC of each detail as a mean over photographs, which the multi-reader test can judge."""

import numpy as np
import pandas as pd

from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import DETAILS
from riqa.results import rows
from riqa.studies.scales import rank_parts


def auc_parts(scores: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Take AUCs apart by photograph: scores of good (S, N, 3) and truth (N, 3), 1 or 0 -> (3, S, N).

    The mean over photographs is the AUC of a seed in a detail.
    """
    return (1 + np.stack([rank_parts(scores[..., k], good[:, k]) for k in range(len(DETAILS))])) / 2


def auc_rows(
    parts: np.ndarray, patients: np.ndarray, metric: str = "auc", *, confidence: float = 0.95, **keys: object
) -> pd.DataFrame:
    """Return rows of each detail and of their mean ("details"): seeds as readers, patients (N,) as cases.

    The parts are what `auc_parts` returns, or a difference of two; with a `rival` among the keys, which all
    rows share, it is one. The interval of an AUC is cut off at 0 and 1, and it has no p-value.
    """
    told = zip((*DETAILS, "details"), (*parts, parts.mean(axis=0)), strict=True)
    judge = {"groups": patients, "confidence": confidence}
    numbers = {(target, metric): mean_of_method(own, **judge) for target, own in told}
    shared = {"method": "mrmc", "n": len(patients), "confidence": confidence}
    found = rows(numbers, ("target", "metric"), **shared, **keys)
    if "rival" in keys:
        return found
    return found.assign(p=np.nan, low=found["low"].clip(0, 1), high=found["high"].clip(0, 1))
