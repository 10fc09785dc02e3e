"""Bootstrap intervals and paired comparisons of scores that are functions of confusion counts.

A replicate draws images, or whole patients, and training seeds as in `riqa.evaluate.bootstrap`, which
explains the options `groups` and `confidence`; `n_resamples` is 10,000 and `seed` 0 unless given. Nothing is
recomputed image by image: a replicate only needs to know how often each *kind* of image was drawn, and these
numbers follow a multinomial law. Images (or groups) are of one kind when their truth and all predictions
agree. The distribution is exactly that of drawing them one at a time.

With S seeds, drawing them anew gives only (S - 1) / S of the variance between seeds: intervals from three
seeds are somewhat too narrow in that respect, and more seeds are the only cure.

Everywhere `y_true` (N,) holds codes 0..K-1, K = `n_classes` being 2 or 3, none missing, and predicted codes
are (N,), or (S, N) with one row per training seed. A ValueError names what is wrong with them or the options.
"""

from collections.abc import Callable

import numpy as np

from riqa.evaluate.bootstrap import checked_groups, drawn_kinds, drawn_seeds, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import detail_scores, scores_from_counts
from riqa.labels import DETAILS


def paired_bootstrap(
    y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, *, n_classes: int, metric: str = "macro_f1",
    **options: object,
) -> Interval:  # fmt: skip
    """Compare two models on the same images: the difference of a score, A minus B, with its p-value.

    Both models meet the same draws of images, so what makes an image hard for both cancels out. Predictions
    are of one shape; row s of both are taken as one pair (the same training seed), and seeds are drawn as
    pairs, too. `metric` is a key of `riqa.evaluate.metrics.overall_scores`.
    """
    pred_a, pred_b = np.atleast_2d(pred_a), np.atleast_2d(pred_b)
    if pred_a.shape != pred_b.shape:
        raise ValueError(f"pred_a {pred_a.shape} and pred_b {pred_b.shape} must have the same shape")
    one_hot = _one_hot(y_true, np.concatenate([pred_a, pred_b]), n_classes)

    def difference(sums: np.ndarray) -> dict[str, np.ndarray]:
        scores = scores_from_counts(sums.reshape(len(sums), 2, len(pred_a), n_classes, n_classes))
        if metric not in scores:
            raise ValueError(f"metric must be one of {', '.join(scores)}; got {metric!r}")
        return {metric: scores[metric][:, 0] - scores[metric][:, 1]}

    return _intervals(one_hot, difference, test_zero=True, **options)[metric]


def bootstrap_interval(
    y_true: np.ndarray, pred: np.ndarray, *, n_classes: int, **options: object
) -> dict[str, Interval]:
    """Compute every score of `riqa.evaluate.metrics.overall_scores`, mean over seeds, with its interval."""
    one_hot = _one_hot(y_true, np.atleast_2d(pred), n_classes)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return scores_from_counts(sums.reshape(len(sums), -1, n_classes, n_classes))

    return _intervals(one_hot, scores, **options)


def detail_intervals(y_true: np.ndarray, probs: np.ndarray, **options: object) -> dict[str, Interval]:
    """Compute every score of `detail_scores`, mean over seeds, with its interval.

    Here `y_true` (N, 3) is 0 bad, 1 good, NaN unknown; `probs` of good are (N, 3), or (S, N, 3) with one
    block per seed, and known where the truth is. From 0.5 on the answer is good.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.asarray(probs, dtype=float)
    probs = probs[None] if probs.ndim == 2 else probs
    if probs.shape[1:] != y_true.shape or y_true.shape[1:] != (len(DETAILS),):
        raise ValueError(f"y_true {y_true.shape} must be (N, 3) and probs {probs.shape} (S, N, 3)")
    known = ~np.isnan(y_true)
    if np.isnan(probs[:, known]).any():
        raise ValueError("probabilities must not be NaN where the truth is known")
    cells = np.where(known, y_true * 2, -1)[None] + (probs >= 0.5) * known  # -1, so no cell, where unknown
    one_hot = cells.transpose(1, 0, 2)[..., None] == np.arange(4)  # (N, S, 3, 4)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return detail_scores(sums.reshape(len(sums), len(probs), len(DETAILS), 2, 2))

    return _intervals(one_hot.reshape(len(y_true), -1), scores, **options)


def _one_hot(y_true: np.ndarray, preds: np.ndarray, n_classes: int) -> np.ndarray:
    """Mark each image's cell (truth, prediction) in each row of `preds` (M, N) -> (N, M * K * K), bool."""
    y_true = np.asarray(y_true)
    if y_true.ndim != 1 or preds.shape[1:] != y_true.shape:
        raise ValueError(f"y_true {y_true.shape} must be (N,), predictions {preds.shape} (N,) or (S, N)")
    for name, codes in (("y_true", y_true), ("predictions", preds)):
        if not np.isin(codes, range(n_classes)).all():
            raise ValueError(f"{name} must hold codes 0..{n_classes - 1}, got {np.unique(codes)}")
    cells = (y_true.astype(int) * n_classes + preds.astype(int)).T
    return (cells[..., None] == np.arange(n_classes**2)).reshape(len(y_true), len(preds) * n_classes**2)


def _kinds(one_hot: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Find the kinds of what is drawn: (kinds, F) counts of each kind, (kinds,) how many there are of it."""
    counts = one_hot.astype(np.uint8)
    if groups is not None:
        _, places = np.unique(checked_groups(groups, counts.shape[:1]), return_inverse=True)
        order = np.argsort(places, kind="stable")
        starts = np.flatnonzero(np.diff(places[order], prepend=-1))
        counts = np.add.reduceat(counts[order], starts, axis=0, dtype=np.int32)
    rows = np.ascontiguousarray(counts).view(np.dtype((np.void, counts.itemsize * counts.shape[1]))).ravel()
    _, first, multiplicity = np.unique(rows, return_index=True, return_counts=True)
    return counts[first].astype(float), multiplicity


def _intervals(
    one_hot: np.ndarray, scores: Callable[[np.ndarray], dict[str, np.ndarray]], *,
    groups: np.ndarray | None = None, n_resamples: int = 10_000, confidence: float = 0.95, seed: int = 0,
    test_zero: bool = False,
) -> dict[str, Interval]:  # fmt: skip
    """Bootstrap `scores`, which maps sums of counts (R, F) to metric -> (R, S)."""
    kinds, multiplicity = _kinds(one_hot, groups)
    of_kinds, of_seeds = np.random.SeedSequence(seed).spawn(2)
    drawn = drawn_kinds(multiplicity, n_resamples, of_kinds)
    blocks = [scores(numbers.astype(float) @ kinds) for numbers in drawn]
    intervals = {}
    for metric, values in scores((multiplicity @ kinds)[None]).items():
        replicates = drawn_seeds(np.concatenate([block[metric] for block in blocks]), of_seeds)
        intervals[metric] = percentile_interval(values.mean(), replicates, confidence, test_zero=test_zero)
    return intervals
