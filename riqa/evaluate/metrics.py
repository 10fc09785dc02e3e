"""Scores of predicted quality against the truth (paper, Section 3.3), image by image or eye by eye.

Overall quality in three classes is scored by macro averages of one-vs-all scores; binary overall quality by
the scores of the class `bad`, which the paper takes as the positive one; quality details by the scores of the
class `good` (its Table 4). A score whose denominator is zero counts as 0, as scikit-learn does with
`zero_division=0`. Unknown truth is NaN, and left out.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from riqa.labels import DETAILS, class_names


def overall_scores(y_true: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score overall-quality probabilities, whose most probable class is the answer.

    Truth (N,) is a code of `riqa.labels` or NaN; probabilities (N, K) in [0, 1] need not sum to 1.

    Returns:
        `macro_f1`, `precision`, `recall`, `accuracy` and `f1.<class>`. With three classes, precision and
        recall are macro averages, and `f1.good` is that of *good* against the rest (paper, section 4.1, end).
        With two they belong to the class `bad`, and so does `f1`, which only then exists.

    Raises:
        ValueError: If shapes disagree, a code or a probability is out of range, or no truth is known.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float)
    if probs.ndim != 2 or y_true.shape != probs.shape[:1]:
        raise ValueError(f"y_true {y_true.shape} and probs {probs.shape} must be (N,) and (N, K)")
    n_classes = len(class_names(probs.shape[1]))  # refuses other numbers of classes
    truth, probs = _known(y_true, probs, n_classes)
    counts = confusion_matrix(truth, probs.argmax(axis=1), labels=range(n_classes))
    return {name: float(value) for name, value in scores_from_counts(counts).items()}


def scores_from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of `overall_scores`, each of shape (...), for many confusion matrices at once.

    `counts` is (..., K, K), rows the true class, columns the predicted one; K = 2 or 3.
    """
    accuracy, f1, precision, recall = scores_by_class(counts)
    scores, n_classes = {"macro_f1": f1.mean(axis=-1)}, f1.shape[-1]
    if n_classes == 2:
        scores |= {"f1": f1[..., 0], "precision": precision[..., 0], "recall": recall[..., 0]}
    else:
        scores |= {"precision": precision.mean(axis=-1), "recall": recall.mean(axis=-1)}
    scores["accuracy"] = accuracy
    return scores | {f"f1.{name}": f1[..., code] for code, name in enumerate(class_names(n_classes))}


def detail_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of quality details, each of shape (...), from counts (..., 3, truth, answer).

    `<detail>.f1`, `<detail>.precision`, `<detail>.recall` are of good, and NaN for a detail without any
    truth; `macro_f1` is the mean of the details' F1, as in the paper's Table 4; `macro_f1_both_classes` the
    mean of their F1 of good and of bad: calling everything good does not do well in it.
    """
    known = np.sum(counts, axis=(-2, -1))[..., None] > 0
    f1, precision, recall = (np.where(known, score, np.nan) for score in scores_by_class(counts)[1:])
    by_name = {"f1": f1, "precision": precision, "recall": recall}
    scores = {f"{d}.{name}": of[..., k, 1] for k, d in enumerate(DETAILS) for name, of in by_name.items()}
    scores["macro_f1"] = mean_of_known(f1[..., 1], axis=-1)
    scores["macro_f1_both_classes"] = mean_of_known(f1.mean(axis=-1), axis=-1)
    return scores


def scores_by_class(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Compute accuracy (...), and F1, precision, recall of each class (..., K), from counts (..., K, K)."""
    counts = np.asarray(counts, dtype=float)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, called = counts.sum(axis=-1), counts.sum(axis=-2)
    parts = [(hits.sum(axis=-1), true.sum(axis=-1)), (2 * hits, true + called), (hits, called), (hits, true)]
    return tuple(top / np.where(bottom > 0, bottom, 1) for top, bottom in parts)


def mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Average without NaN; NaN where there is nothing else."""
    known = (~np.isnan(values)).sum(axis=axis)
    return np.where(known > 0, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan)


def reliability_table(y_true: np.ndarray, probs: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare probabilities (N,) of 1 with what happened, (N,) of 0, 1 or NaN, in bins of equal width.

    Returns:
        One row per bin: `bin_low`, `bin_high`, `count`, `mean_predicted`, `fraction_positive` (NaN in empty
        bins). A bin holds bin_low <= p < bin_high, the last one also p = 1.
    """
    truth, probs = _known(np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float), 2)
    edges = np.linspace(0, 1, n_bins + 1)
    places = np.clip(np.searchsorted(edges, probs, side="right") - 1, 0, n_bins - 1)
    count, sum_predicted, n_positive = (
        np.bincount(places, weights=weights, minlength=n_bins) for weights in (None, probs, truth)
    )
    divisor = np.where(count > 0, count, np.nan)
    means = {"mean_predicted": sum_predicted / divisor, "fraction_positive": n_positive / divisor}
    return pd.DataFrame({"bin_low": edges[:-1], "bin_high": edges[1:], "count": count} | means)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Return the mean distance of a reliability table from the diagonal, weighted by images.

    `sum_b n_b / N * |fraction_positive_b - mean_predicted_b|` (Naeini 2015, AAAI; Guo 2017, ICML).
    """
    gap = (table["fraction_positive"] - table["mean_predicted"]).abs()
    return float((gap * table["count"]).sum() / table["count"].sum())


def aggregate_eyes(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average predictions of `riqa.learn.predict.predict` over the views of an eye, as votes on one case.

    DeepDRiD's overall quality is a verdict on an eye that was copied to its two views, so results per image,
    as in the paper (section 4.1), carry noise that results per eye do not. Views belong to one eye if
    patient, eye and all columns that describe the run (dataset, split, model, seed, ...) are the same. An
    image whose eye is "unknown" is a case of its own.

    Returns:
        One row per eye, called after its first view, with the columns given, and two more: `n_views`, and
        `contradicts`, whether its views have different labels of overall quality. A true label is the one
        that all views with a label share, and NaN where they contradict each other.
    """
    probabilities = [column for column in predictions if column.startswith("p_")]
    labels = [column for column in ("overall", *DETAILS) if column in predictions]
    run = predictions.columns.drop(["image_id", "eye", "patient_id", *labels, *probabilities])
    # Sorted, so that sums do not depend on the order of the rows, not even in their last bit.
    views = predictions.sort_values([*run, "image_id"], kind="stable").reset_index(drop=True)
    alone = views["image_id"].where(views["eye"] == "unknown", "").rename("_alone")
    eye = views.groupby([*run, "patient_id", "eye", alone], dropna=False).ngroup()
    by_eye = views.groupby(eye)
    eyes, distinct = by_eye.head(1).set_index(eye[~eye.duplicated()]), by_eye[labels].nunique()
    eyes[probabilities] = by_eye[probabilities].mean()
    eyes[labels] = by_eye[labels].first().where(distinct == 1)
    eyes["n_views"] = by_eye.size()
    eyes["contradicts"] = distinct["overall"] > 1 if "overall" in labels else False
    return eyes.sort_index().reset_index(drop=True)


def _known(y_true: np.ndarray, probs: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes that are known, int (M,), and their probabilities (M, ...); refuse wrong ones."""
    known = ~np.isnan(y_true)
    truth, probs = y_true[known], probs[known]
    if len(truth) == 0:
        raise ValueError("no image with a known label to score")
    wrong = truth[~np.isin(truth, range(n_classes))]
    if len(wrong):
        raise ValueError(f"label {wrong[0]!r} is outside the codes 0..{n_classes - 1}")
    if not ((probs >= 0) & (probs <= 1)).all():  # NaN fails, too
        raise ValueError("probabilities must lie in [0, 1], without NaN")
    return truth.astype(int), probs
