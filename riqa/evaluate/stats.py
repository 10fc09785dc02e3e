"""Bootstrap intervals and paired comparisons of scores that are functions of confusion counts.

A replicate draws images, or with `groups` whole patients, and training seeds as in `riqa.evaluate.bootstrap`.
Nothing is recomputed image by image: every score here is a function of confusion counts, so a replicate only
needs to know how often each *kind* of image was drawn, and these numbers follow a multinomial law. Images (or
groups) are of one kind when their truth and all their predictions agree. The distribution is exactly that of
drawing them one at a time.

With S seeds, drawing them anew gives only (S - 1) / S of the variance between seeds, and the percentiles of
few seeds know nothing of t's long tails: intervals from three seeds are too narrow where seeds vary. So these
intervals are for scores and for networks that are given; a difference between two *methods*, whose networks
are a sample, is judged by `riqa.evaluate.mrmc`.
"""

from collections.abc import Callable

import numpy as np

from riqa.evaluate.bootstrap import checked_groups, drawn_seeds, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import detail_scores_from_counts, scores_from_counts
from riqa.labels import DETAILS

_CELLS_AT_ONCE = 4_000_000  # numbers drawn in one go, to bound memory at some tens of megabytes


def paired_bootstrap(
    y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, *, n_classes: int, metric: str = "macro_f1",
    groups: np.ndarray | None = None, n_resamples: int = 10_000, confidence: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """Compare two models on the same images: the difference of a score, A minus B, with its p-value.

    Both models meet the same draws of images, so what makes an image hard for both cancels out. Row s of
    `pred_a` and of `pred_b` are taken as one pair (the same training seed): seeds are drawn as pairs, too.

    Of K = `n_classes`, 2 or 3, the truth (N,) has codes 0..K-1, none missing; `pred_a` are the codes that
    model A predicts, (N,), or (S, N) with one row per training seed, and `pred_b` are of the same shape. The
    metric is a key of `riqa.evaluate.metrics.scores_from_counts`. For the rest see `riqa.evaluate.bootstrap`;
    another code or metric is a ValueError, too.
    """
    one_hot, difference = paired_cells(y_true, pred_a, pred_b, n_classes, metric)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {metric: difference(sums)}

    return _intervals(one_hot, scores, groups, n_resamples, confidence, seed, test_zero=True)[metric]


def paired_cells(
    y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, n_classes: int, metric: str
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Mark what two models call each image, bool (N, F), and return what compares them.

    Arguments and errors are those of `paired_bootstrap`. The second maps sums of counts (..., F) to the
    difference of the score, A minus B, in each seed (..., S).
    """
    pred_a, pred_b = np.atleast_2d(pred_a), np.atleast_2d(pred_b)
    if pred_a.shape != pred_b.shape:
        raise ValueError(f"pred_a {pred_a.shape} and pred_b {pred_b.shape} must have the same shape")

    def difference(sums: np.ndarray) -> np.ndarray:
        scores = scores_from_counts(sums.reshape(*sums.shape[:-1], 2, -1, n_classes, n_classes))
        if metric not in scores:
            raise ValueError(f"metric must be one of {', '.join(scores)}; got {metric!r}")
        return scores[metric][..., 0, :] - scores[metric][..., 1, :]

    return one_hot_cells(y_true, np.concatenate([pred_a, pred_b]), n_classes), difference


def bootstrap_interval(
    y_true: np.ndarray, pred: np.ndarray, *, n_classes: int, groups: np.ndarray | None = None,
    n_resamples: int = 10_000, confidence: float = 0.95, seed: int = 0,
) -> dict[str, Interval]:  # fmt: skip
    """Compute every score of `scores_from_counts`, mean over seeds, with its interval.

    Arguments and errors are those of `paired_bootstrap`, with the predictions of one model.
    """
    one_hot = one_hot_cells(y_true, np.atleast_2d(pred), n_classes)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return scores_from_counts(sums.reshape(len(sums), -1, n_classes, n_classes))

    return _intervals(one_hot, scores, groups, n_resamples, confidence, seed)


def detail_intervals(
    y_true: np.ndarray, probs: np.ndarray, *, groups: np.ndarray | None = None, n_resamples: int = 10_000,
    confidence: float = 0.95, seed: int = 0,
) -> dict[str, Interval]:  # fmt: skip
    """Compute every score of `detail_scores_from_counts`, mean over seeds, with its interval.

    `y_true` (N, 3) is 0 bad, 1 good, NaN unknown; `probs` of good are (N, 3), or (S, N, 3) with one block per
    seed, and known where the truth is. The rest, and errors, are as of `paired_bootstrap`.
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
        return detail_scores_from_counts(sums.reshape(len(sums), len(probs), len(DETAILS), 2, 2))

    return _intervals(one_hot.reshape(len(y_true), -1), scores, groups, n_resamples, confidence, seed)


def one_hot_cells(y_true: np.ndarray, preds: np.ndarray, n_classes: int) -> np.ndarray:
    """Mark each image's cell (truth, prediction) in each row of `preds` (M, N) -> (N, M * K * K), bool."""
    y_true, preds = np.asarray(y_true), np.asarray(preds)
    if y_true.ndim != 1 or preds.shape[1:] != y_true.shape:
        raise ValueError(f"y_true {y_true.shape} must be (N,), predictions {preds.shape} (N,) or (S, N)")
    for name, codes in (("y_true", y_true), ("predictions", preds)):
        if not np.isin(codes, range(n_classes)).all():
            raise ValueError(f"{name} must hold codes 0..{n_classes - 1}, got {np.unique(codes)}")
    cells = (y_true.astype(int) * n_classes + preds.astype(int)).T
    return (cells[..., None] == np.arange(n_classes**2)).reshape(len(y_true), -1)


def sums_by_group(values: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Sum values (N, F), counts below 256 or floats, over the images of each group -> (P, F)."""
    values = values.astype(np.uint8) if values.dtype == bool else values
    if groups is None:
        return values
    _, places = np.unique(checked_groups(groups, values.shape[:1]), return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    wide = np.int32 if values.dtype == np.uint8 else values.dtype
    return np.add.reduceat(values[order], starts, axis=0, dtype=wide)


def _intervals(
    one_hot: np.ndarray, scores: Callable[[np.ndarray], dict[str, np.ndarray]], groups: np.ndarray | None,
    n_resamples: int, confidence: float, seed: int, test_zero: bool = False,
) -> dict[str, Interval]:  # fmt: skip
    """Bootstrap `scores`, which maps sums of counts (R, F) to metric -> (R, S)."""
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples!r}")
    counts = sums_by_group(one_hot, groups)
    if (total := len(counts)) == 0:
        raise ValueError("no image to draw from")
    rows = np.ascontiguousarray(counts).view(np.dtype((np.void, counts.itemsize * counts.shape[1]))).ravel()
    _, first, multiplicity = np.unique(rows, return_index=True, return_counts=True)
    kinds = counts[first].astype(float)
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    images_rng = np.random.default_rng(of_images)
    observed = scores((multiplicity @ kinds)[None])
    block, blocks = max(1, _CELLS_AT_ONCE // len(multiplicity)), []
    for start in range(0, n_resamples, block):  # a block of replicates at a time
        size = min(block, n_resamples - start)
        drawn = images_rng.multinomial(total, multiplicity / total, size=size)
        blocks.append(scores(drawn.astype(float) @ kinds))
    intervals = {}
    for metric, values in observed.items():
        by_seed = np.concatenate([block[metric] for block in blocks])
        replicates = drawn_seeds(by_seed, np.random.default_rng(of_seeds))  # the same for all
        intervals[metric] = percentile_interval(values.mean(), replicates, confidence, test_zero=test_zero)
    return intervals
