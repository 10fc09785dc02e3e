"""Scores of predicted quality against the truth (paper, Section 3.3), image by image or eye by eye.

Overall quality in three classes is scored by macro averages of one-vs-all scores; binary overall quality by
the scores of the class `bad`, which the paper takes as the positive one; quality details by the scores of the
class `good` (its Table 4). A score whose denominator is zero counts as 0, as scikit-learn does with
`zero_division=0`. Unknown truth is NaN, and left out.
"""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS, class_names

_LABELS = ("overall", *DETAILS)
_OWN = ("image_id", "eye", "patient_id", *_LABELS)  # of an image; every other column is of the whole run


def scores_from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score overall quality from counts (..., K, K), rows the truth, of K = 2 or 3 classes; each score (...).

    Returns:
        `macro_f1`, `precision`, `recall`, `accuracy`, `quadratic_kappa` (Cohen's, NaN if all is of one class)
        and `f1.<class>`. With three classes, precision and recall are macro averages, and `f1.good` is that
        of *good* against the rest (paper, section 4.1, end). With two they belong to the class `bad`, and so
        does `f1`, which only then exists.
    """
    counts = np.asarray(counts, dtype=float)
    n_classes = counts.shape[-1]
    hits, true, precision, recall, f1 = scores_by_class(counts)
    scores = {"macro_f1": f1.mean(axis=-1)}
    if n_classes == 2:
        scores |= {"f1": f1[..., 0], "precision": precision[..., 0], "recall": recall[..., 0]}
    else:
        scores |= {"precision": precision.mean(axis=-1), "recall": recall.mean(axis=-1)}
    scores["accuracy"] = ratio(hits.sum(axis=-1), true.sum(axis=-1), 0)
    scores["quadratic_kappa"] = _quadratic_kappa(counts)
    return scores | {f"f1.{name}": f1[..., code] for code, name in enumerate(class_names(n_classes))}


def detail_scores_from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score the three details from counts (..., 3, 2, 2), rows the truth, 0 bad, 1 good; each score (...).

    Returns:
        `<detail>.f1`, `<detail>.precision`, `<detail>.recall` of good (NaN for a detail without any truth),
        `macro_f1` (mean of the details' F1, as in the paper's Table 4) and `macro_f1_both_classes` (mean over
        details of the mean of the F1 of good and of bad: calling everything good does not do well in it).
    """
    _, true, precision, recall, f1 = scores_by_class(np.asarray(counts, dtype=float))
    known = true.sum(axis=-1) > 0
    f1 = np.where(known[..., None], f1, np.nan)
    precision, recall = (np.where(known, of[..., 1], np.nan) for of in (precision, recall))
    of_good = {"f1": f1[..., 1], "precision": precision, "recall": recall}
    scores = {f"{d}.{name}": of[..., k] for k, d in enumerate(DETAILS) for name, of in of_good.items()}
    scores["macro_f1"] = mean_of_known(f1[..., 1], axis=-1)
    scores["macro_f1_both_classes"] = mean_of_known(f1.mean(axis=-1), axis=-1)
    return scores


def mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Average without NaN; NaN where there is nothing else."""
    return ratio(np.nansum(values, axis=axis), (~np.isnan(values)).sum(axis=axis))


def ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Return above / below, and where `below` is not above 0 what is to stand for it."""
    return np.where(below > 0, above / np.where(below > 0, below, 1), otherwise)


def reliability_table(y_true: np.ndarray, probs: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare probabilities (N,) of 1 with what happened, (N,) of 0, 1 or NaN, in bins of equal width.

    Returns:
        One row per bin: `bin_low`, `bin_high`, `count`, `mean_predicted`, `fraction_positive` (NaN in empty
        bins). A bin holds bin_low <= p < bin_high, the last one also p = 1.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float)
    known = ~np.isnan(y_true)
    truth, probs = y_true[known], probs[known]
    if len(truth) == 0:
        raise ValueError("no image with a known label to score")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError(f"labels must be 0, 1 or NaN, got {np.unique(truth)}")
    if not ((probs >= 0) & (probs <= 1)).all():  # NaN fails, too
        raise ValueError("probabilities must lie in [0, 1], without NaN")
    edges = np.linspace(0, 1, n_bins + 1)
    places = np.clip(np.searchsorted(edges, probs, side="right") - 1, 0, n_bins - 1)
    count, sum_predicted, n_positive = (
        np.bincount(places, weights=weights, minlength=n_bins) for weights in (None, probs, truth)
    )
    means = {"mean_predicted": ratio(sum_predicted, count), "fraction_positive": ratio(n_positive, count)}
    return pd.DataFrame({"bin_low": edges[:-1], "bin_high": edges[1:], "count": count} | means)


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Return the mean distance of a reliability table from the diagonal, weighted by images.

    `sum_b n_b / N * |fraction_positive_b - mean_predicted_b|` (Naeini 2015, AAAI; Guo 2017, ICML).
    """
    gap = (table["fraction_positive"] - table["mean_predicted"]).abs()
    return float((gap * table["count"]).sum() / table["count"].sum())


def aggregate_eyes(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average predictions, of one row per image, over the views of an eye, as if they were votes on one case.

    DeepDRiD's overall quality is a verdict on an eye that was copied to its two views, so results per image,
    as in the paper (section 4.1), carry noise that results per eye do not. Views belong to one eye if
    patient, eye and all columns that describe the run (dataset, split, model, seed, ...) are the same. An
    image whose eye is "unknown" is a case of its own.

    Returns one row per eye with the columns given, those of `riqa.learn.predict.predict`. `image_id` is that
    of its first view. A true label is the one that all views with a label share, and NaN where they
    contradict each other.
    """
    probabilities = [column for column in predictions if column.startswith("p_")]
    labels = [column for column in _LABELS if column in predictions]
    run = [column for column in predictions if column not in (*_OWN, *probabilities)]
    # Sorted, so that sums do not depend on the order of the rows, not even in their last bit.
    views = predictions.sort_values([*run, "image_id"], kind="stable").reset_index(drop=True)
    alone = views["image_id"].where(views["eye"] == "unknown", "").rename("_alone")
    groups = views.groupby([*run, "patient_id", "eye", alone], dropna=False, sort=True)
    eyes, eye = groups[list(predictions.columns)].head(1).copy(), groups.ngroup()
    eyes.index = eye[eyes.index]
    by_eye = views.groupby(eye)
    eyes[probabilities] = by_eye[probabilities].mean()
    eyes[labels] = by_eye[labels].first().where(by_eye[labels].nunique() == 1)
    return eyes.sort_index().reset_index(drop=True)


def scores_by_class(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return hits, true images, precision, recall and F1 of each class (..., K) from counts (..., K, K)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, called = counts.sum(axis=-1), counts.sum(axis=-2)
    return hits, true, ratio(hits, called, 0), ratio(hits, true, 0), ratio(2 * hits, true + called, 0)


def _quadratic_kappa(counts: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa with squared distances of classes as weights; NaN if all is of one class."""
    classes = np.arange(counts.shape[-1])
    weights = (classes[:, None] - classes) ** 2
    by_chance = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    expected = (weights * by_chance).sum(axis=(-2, -1)) / np.maximum(counts.sum(axis=(-2, -1)), 1)
    observed = (weights * counts).sum(axis=(-2, -1))
    return 1 - ratio(observed, expected)
