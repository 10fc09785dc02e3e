"""What a chapter says of pseudo-labels: coverage against accuracy, and agreement with a phantom's truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from riqa.labels import DETAILS, class_names
from riqa.phantom.raters import THRESHOLD
from riqa.report.results import Result, record


def coverage_table(predictions: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """Tell how many answers remain when unsure ones are dropped, and how many of those are right.

    Args:
        predictions: p_<detail> in [0, 1] and the true labels 0/1/NaN.
        thresholds: an answer counts when max(p, 1 - p) reaches the threshold, each in [0.5, 1].

    Returns:
        A row a threshold, index ``sure by at least``: coverage over all details, and for each detail the
        accuracy of the answers that remain, NaN when none does.
    """
    probs = predictions[[f"p_{detail}" for detail in DETAILS]].to_numpy()
    truth = predictions[list(DETAILS)].to_numpy(dtype=float)
    known = ~np.isnan(truth)
    sureness = np.maximum(probs, 1 - probs)
    right = (probs >= 0.5) == (truth == 1)
    rows = []
    for threshold in thresholds:
        kept = known & (sureness >= threshold)
        with np.errstate(invalid="ignore"):
            accuracy = (right & kept).sum(axis=0) / kept.sum(axis=0)
        names = [f"{detail} right" for detail in DETAILS]
        rows.append({"coverage": kept.sum() / known.sum(), **dict(zip(names, accuracy, strict=True))})
    return pd.DataFrame(rows, index=pd.Index(thresholds, name="sure by at least"))


def planted_truth_auc(predictions: pd.DataFrame, truth_file: Path) -> dict[str, float]:
    """Compare pseudo-labels with the severity that a phantom was given.

    Args:
        predictions: image_id, seed and p_<detail> in [0, 1].
        truth_file: the phantom's ``truth.parquet`` with perceived_<detail>, before any expert's noise.

    Returns:
        For each detail the mean over seeds of the area under the ROC curve of p_<detail> for "truly good",
        which is a severity at most the unbiased expert's threshold; NaN when all images are of one kind.
    """
    truth = pd.read_parquet(truth_file).set_index("image_id")
    areas = {}
    for detail in DETAILS:
        good = truth[f"perceived_{detail}"] <= THRESHOLD
        by_seed = [
            roc_auc_score(good.loc[rows["image_id"]], rows[f"p_{detail}"]) if good.nunique() == 2 else np.nan
            for _, rows in predictions.groupby("seed")
        ]
        areas[detail] = float(np.mean(by_seed))
    return areas


def prevalence_results(predictions: pd.DataFrame, n_classes: int) -> list[Result]:
    """Count how often each detail is called good in each overall class (p >= 0.5), over all seeds.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset.
        n_classes: classes of its overall quality, 2 or 3.

    Returns:
        Records ``pseudo_labels.<dataset>.<class>.<detail>.share_good``.
    """
    (dataset,) = predictions["dataset"].unique()
    seeds = sorted(predictions["seed"].unique())
    results = []
    for code, label in enumerate(class_names(n_classes)):
        rows = predictions[predictions["overall"] == code]
        for detail in DETAILS:
            share = (rows[f"p_{detail}"] >= 0.5).mean()
            name = f"pseudo_labels.{dataset}.{label}.{detail}.share_good"
            results.append(record(name, share, n=rows["image_id"].nunique(), seeds=seeds))
    return results
