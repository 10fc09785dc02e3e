"""Scores of predicted quality against the truth (paper, Section 3.3).

Overall quality in three classes is scored by macro averages of one-vs-all scores; binary overall quality by
the scores of the class `bad`, which the paper takes as the positive one; quality details by the scores of the
class `good` (its Table 4). A score whose denominator is zero counts as 0, as scikit-learn does with
`zero_division=0`.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from riqa.labels import DETAILS, class_names


def predicted_labels(probs: np.ndarray) -> np.ndarray:
    """Return the most probable class: probs (..., K) in [0, 1] -> codes (...) from 0 to K - 1."""
    return np.asarray(probs).argmax(axis=-1)


def overall_scores(y_true: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score overall-quality probabilities.

    Args:
        y_true: (N,) codes (0 reject, 1 usable, 2 good; binary 0 bad, 1 good); NaN where unknown, left out.
        probs: (N, K) probabilities, K = 2 or 3.

    Returns:
        `macro_f1`, `precision`, `recall`, `accuracy` and `f1.<class>`. With three classes, precision and
        recall are macro averages. With two they belong to the class `bad`, and so does `f1`, which only then
        exists.

    Raises:
        ValueError: If shapes disagree, a code is outside 0..K-1, or no truth is known.
    """
    probs = np.asarray(probs, dtype=float)
    y_true = np.asarray(y_true, dtype=float)
    if probs.ndim != 2 or y_true.shape != probs.shape[:1]:
        raise ValueError(f"y_true {y_true.shape} and probs {probs.shape} must be (N,) and (N, K)")
    known = ~np.isnan(y_true)
    n_classes = probs.shape[1]
    names = class_names(n_classes)
    _check_probabilities(probs[known])
    truth, labels = _codes(y_true[known], n_classes), predicted_labels(probs[known])
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, labels, labels=range(n_classes), zero_division=0
    )
    scores = {"macro_f1": f1.mean()}
    if n_classes == 2:
        scores |= {"f1": f1[0], "precision": precision[0], "recall": recall[0]}
    else:
        scores |= {"precision": precision.mean(), "recall": recall.mean()}
    scores["accuracy"] = accuracy_score(truth, labels)
    scores |= {f"f1.{name}": value for name, value in zip(names, f1, strict=True)}
    return {name: float(value) for name, value in scores.items()}


def good_against_rest(y_true: np.ndarray, probs: np.ndarray, merge: str = "labels") -> dict[str, float]:
    """Score *good* as the positive class against all others in one (paper, section 4.1, end).

    Args:
        y_true: (N,) codes 0..K-1, K - 1 being good; NaN where unknown, left out.
        probs: (N, K) probabilities, which need not sum to 1.
        merge: "labels" merges the classes after the most probable one was taken: F1 is then that of the class
            good among K classes, and nothing new. "probabilities" merges before: good if it is more probable
            than all others together, as a model of two classes would say.

    Returns:
        `f1`, `precision`, `recall`, `accuracy`.

    Raises:
        ValueError: If shapes disagree, a code is outside 0..K-1, no truth is known, or `merge` is unknown.
    """
    if merge not in ("labels", "probabilities"):
        raise ValueError(f"merge must be labels or probabilities, got {merge!r}")
    probs, y_true = np.asarray(probs, dtype=float), np.asarray(y_true, dtype=float)
    if probs.ndim != 2 or y_true.shape != probs.shape[:1]:
        raise ValueError(f"y_true {y_true.shape} and probs {probs.shape} must be (N,) and (N, K)")
    known = ~np.isnan(y_true)
    probs, good = probs[known], probs.shape[1] - 1
    _check_probabilities(probs)
    truth = _codes(y_true[known], good + 1) == good
    rest = probs[:, :good]
    answers = probs[:, good] > (rest.max(axis=1) if merge == "labels" else rest.sum(axis=1))
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, answers, average="binary", zero_division=0
    )
    accuracy = accuracy_score(truth, answers)
    scores = {"f1": f1, "precision": precision, "recall": recall, "accuracy": accuracy}
    return {name: float(value) for name, value in scores.items()}


def scores_from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of `overall_scores` from confusion counts, for many matrices at once.

    Args:
        counts: (..., K, K) counts, rows the true class, columns the predicted one; K = 2 or 3.

    Returns:
        The keys of `overall_scores`, each with shape (...).
    """
    counts = np.asarray(counts, dtype=float)
    n_classes = counts.shape[-1]
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    precision, recall = _ratio(hits, predicted), _ratio(hits, true)
    f1 = _ratio(2 * hits, true + predicted)
    scores = {"macro_f1": f1.mean(axis=-1)}
    if n_classes == 2:
        scores |= {"f1": f1[..., 0], "precision": precision[..., 0], "recall": recall[..., 0]}
    else:
        scores |= {"precision": precision.mean(axis=-1), "recall": recall.mean(axis=-1)}
    scores["accuracy"] = _ratio(hits.sum(axis=-1), true.sum(axis=-1))
    return scores | {f"f1.{name}": f1[..., code] for code, name in enumerate(class_names(n_classes))}


def detail_scores(y_true: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Score quality-detail probabilities, with `good` (1) as the positive class and 0.5 as the threshold.

    Args:
        y_true: (N, 3) of 0 bad, 1 good, NaN unknown (left out, detail by detail), in the order of `DETAILS`.
        probs: (N, 3) probabilities of good.

    Returns:
        `<detail>.f1`, `<detail>.precision`, `<detail>.recall` (NaN for a detail without any truth),
        `macro_f1` (mean of the details' F1, as in the paper's Table 4) and `macro_f1_both_classes` (mean over
        details of the mean of the F1 of good and of bad: a model that calls everything good does not do well
        in it).

    Raises:
        ValueError: If the arrays are not both (N, 3), or a label is neither 0, 1 nor NaN.
    """
    return {
        name: float(value) for name, value in detail_scores_from_counts(detail_counts(y_true, probs)).items()
    }


def detail_counts(y_true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Count truth against prediction, detail by detail: (N, 3) and (N, 3) -> (3, 2, 2), rows the truth."""
    y_true, probs = np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float)
    if y_true.shape != probs.shape or y_true.ndim != 2 or y_true.shape[1] != len(DETAILS):
        raise ValueError(f"y_true {y_true.shape} and probs {probs.shape} must both be (N, {len(DETAILS)})")
    known = ~np.isnan(y_true)
    _check_probabilities(probs[known])
    return np.stack(
        [
            np.bincount(
                _codes(y_true[known[:, k], k], 2) * 2 + (probs[known[:, k], k] >= 0.5), minlength=4
            ).reshape(2, 2)
            if known[:, k].any()
            else np.zeros((2, 2), dtype=int)
            for k in range(len(DETAILS))
        ]
    )


def detail_scores_from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the scores of `detail_scores` from counts (..., 3, 2, 2), each score with shape (...)."""
    counts = np.asarray(counts, dtype=float)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    no_truth = true.sum(axis=-1) == 0
    f1 = np.where(no_truth[..., None], np.nan, _ratio(2 * hits, true + predicted))
    precision = np.where(no_truth, np.nan, _ratio(hits, predicted)[..., 1])
    recall = np.where(no_truth, np.nan, _ratio(hits, true)[..., 1])
    scores = {}
    for k, detail in enumerate(DETAILS):
        scores[f"{detail}.f1"] = f1[..., k, 1]
        scores[f"{detail}.precision"] = precision[..., k]
        scores[f"{detail}.recall"] = recall[..., k]
    scored = (~no_truth).sum(axis=-1)
    scores["macro_f1"] = _mean_of_known(f1[..., 1], scored)
    scores["macro_f1_both_classes"] = _mean_of_known(f1.mean(axis=-1), scored)
    return scores


def confusion(y_true: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the row-normalised confusion matrix; with several seeds, the mean of theirs.

    Args:
        y_true: (N,) codes; NaN where unknown, left out.
        labels: (N,) or (S, N) predicted codes.
        n_classes: K.

    Returns:
        (K, K), entry (i, j) the share of class i that was called j; a row without images is NaN.
    """
    y_true, labels = np.asarray(y_true, dtype=float), np.atleast_2d(labels)
    known = ~np.isnan(y_true)
    truth = _codes(y_true[known], n_classes)
    counts = sum(confusion_matrix(truth, row[known], labels=range(n_classes)) for row in labels)
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)


def reliability_table(y_true: np.ndarray, probs: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare predicted probabilities with what happened, in bins of equal width.

    Args:
        y_true: (N,) of 0 and 1; NaN where unknown, left out.
        probs: (N,) probabilities of 1, in [0, 1].
        n_bins: Number of bins.

    Returns:
        One row per bin: `bin_low`, `bin_high`, `count`, `mean_predicted`, `fraction_positive` (NaN in empty
        bins). A bin holds bin_low <= p < bin_high, the last one also p = 1.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float)
    known = ~np.isnan(y_true)
    truth, probs = _codes(y_true[known], 2), probs[known]
    _check_probabilities(probs)
    edges = np.linspace(0, 1, n_bins + 1)
    places = np.clip(np.searchsorted(edges, probs, side="right") - 1, 0, n_bins - 1)
    count = np.bincount(places, minlength=n_bins)
    divisor = np.where(count > 0, count, np.nan)
    return pd.DataFrame(
        {
            "bin_low": edges[:-1],
            "bin_high": edges[1:],
            "count": count,
            "mean_predicted": np.bincount(places, weights=probs, minlength=n_bins) / divisor,
            "fraction_positive": np.bincount(places, weights=truth, minlength=n_bins) / divisor,
        }
    )


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Return the mean distance of a reliability table from the diagonal, weighted by the images in each bin.

    `ECE = sum_b n_b / N * |fraction_positive_b - mean_predicted_b|` (Naeini et al. 2015, AAAI; Guo et al.
    2017, ICML).
    """
    gap = (table["fraction_positive"] - table["mean_predicted"]).abs()
    return float((gap * table["count"]).sum() / table["count"].sum())


def _codes(values: np.ndarray, n_classes: int) -> np.ndarray:
    if len(values) == 0:
        raise ValueError("no image with a known label to score")
    if not np.isin(values, range(n_classes)).all():
        wrong = values[~np.isin(values, range(n_classes))][0]
        raise ValueError(f"label {wrong!r} is outside the codes 0..{n_classes - 1}")
    return values.astype(int)


def _check_probabilities(probs: np.ndarray) -> None:
    if not ((probs >= 0) & (probs <= 1)).all():  # NaN fails, too
        raise ValueError("probabilities must lie in [0, 1], without NaN")


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.where(denominator > 0, denominator, 1)


def _mean_of_known(values: np.ndarray, n_known: np.ndarray) -> np.ndarray:
    return np.where(n_known > 0, np.nansum(values, axis=-1) / np.maximum(n_known, 1), np.nan)
