"""Quality details: how well models judge illumination, clarity and contrast (the paper's Table 4).

*Good* is the positive class, as in the paper. Details that nobody has judged are left out, and so are those
of a model that is silent about them.
"""

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.calibration import calibration
from riqa.evaluate.stats import detail_intervals
from riqa.labels import DETAILS
from riqa.results import rows, stack
from riqa.studies.answers import each

_ONE = ("f1", "precision", "recall")
SCORES = {f"{detail}.{score}": (detail, score, "good") for detail in DETAILS for score in _ONE}
SCORES |= {"macro_f1": ("details", "macro_f1", "good")}
SCORES |= {"macro_f1_both_classes": ("details", "macro_f1", "all")}
"""Score of `riqa.evaluate.metrics.detail_scores` -> target, metric and group of its row.

The target "details" is the mean over the three; its macro-F1 averages F1 of good ("good"), or of both classes
("all"): a model that calls everything good does not do well in the latter.
"""


def scores(predictions: pd.DataFrame, **bootstrap: float) -> pd.DataFrame:
    """Score each model on each dataset: F1, precision and recall of each detail, and their means."""
    found = []
    for own in each(predictions, "", **bootstrap):
        intervals = detail_intervals(own.images[list(DETAILS)].to_numpy(), own.details, **own.draw())
        numbers = {SCORES[score]: interval for score, interval in intervals.items()}
        found.append(own.rows(numbers, ("target", "metric", "group")))
    return stack(found)


def both_classes(predictions: pd.DataFrame, **bootstrap: float) -> pd.DataFrame:
    """Score each detail for both of its classes (macro-F1, F1 of bad, accuracy), where both occur."""
    asked = {"macro_f1": ("macro_f1", "all"), "f1.bad": ("f1", "bad"), "accuracy": ("accuracy", "all")}
    found = []
    for own in each(predictions, *DETAILS, **bootstrap):
        if len(set(own.truth)) == 2:
            intervals = own.scores()
            found.append(own.rows({key: intervals[score] for score, key in asked.items()}))
    return stack(found)


def always_good(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the F1 that answering *good* every time earns on each dataset, as of a model `always_good`."""
    images = predictions.drop_duplicates(["dataset", "image_id"])
    found = []
    for dataset, own in images.groupby("dataset", sort=False):
        for detail in DETAILS:
            share = own[detail].mean()
            keys = {"dataset": dataset, "model": "always_good", "target": detail, "n": own[detail].count()}
            found.append(rows({("f1", "good"): 2 * share / (1 + share)}, method="count", **keys))
    return stack(found)


def aucs(predictions: pd.DataFrame, **bootstrap: float) -> pd.DataFrame:
    """Return how well each model ranks each dataset's images by each detail, whatever share of them is good.

    The AUC is the chance that a good image gets a higher probability than a bad one; NaN where only one of
    the two occurs.
    """
    found = []
    for own in each(predictions, *DETAILS, **bootstrap):
        both = len(set(own.truth)) == 2
        auc = auc_interval(own.truth, own.probs, **own.draw()) if both else np.nan
        found.append(own.rows({("auc", "all"): auc}))
    return stack(found)


def calibrations(
    predictions: pd.DataFrame, n_bins: int, **bootstrap: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the calibration of each model's probabilities of each detail, in bins of equal width.

    Returns:
        The bins (`riqa.evaluate.calibration.Calibration.table`, with dataset, model and target); and rows of
        the metrics `ece`, `ece_floor` (what chance gives a calibrated model) and `brier`.
    """
    found, bins = [], []
    for own in each(predictions, *DETAILS, **bootstrap):
        if len(own.images):
            of = calibration(own.truth, own.probs, n_bins=n_bins, **own.draw())
            numbers = {("ece", "bins"): of.ece, ("ece_floor", "drawn"): of.floor}
            found.append(own.rows(numbers | {("brier", "bootstrap"): of.brier}, ("metric", "method")))
            bins.append(of.table.assign(**{key: own.keys[key] for key in ("dataset", "model", "target")}))
    return stack(bins), stack(found)
