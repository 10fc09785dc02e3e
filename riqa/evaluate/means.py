"""Means over images (shares, error rates) with bootstrap intervals over patients and seeds."""

import numpy as np

from riqa.evaluate.draws import drawn_means, drawn_seeds, image_weights
from riqa.evaluate.stats import Interval, percentile_interval


def mean_interval(
    values: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute a mean over images and seeds with its percentile interval.

    A replicate draws groups with replacement and, independently, seeds (the pigeonhole bootstrap, see
    `riqa.evaluate.stats`).

    Args:
        values: (N,) numbers, or (S, N) with one row per training seed, e.g. 1 where a model is wrong.
        groups: (N,) what is drawn as a whole, e.g. patient ids; None draws single images.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage aimed at, in (0, 1).
        seed: Seed of the draws.

    Raises:
        ValueError: If there is no image, or shapes disagree.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    groups = np.arange(values.shape[1]) if groups is None else np.asarray(groups)
    if groups.shape != values.shape[1:]:
        raise ValueError(f"values {values.shape} must be (N,) or (S, N), groups {groups.shape} (N,)")
    images_rng, seeds_rng = np.random.default_rng(seed).spawn(2)
    by_seed = drawn_means(values.T, image_weights(groups, n_resamples, images_rng))
    return percentile_interval(values.mean(), drawn_seeds(by_seed, seeds_rng), confidence)


def pooled_intervals(
    values: np.ndarray,
    *,
    groups: np.ndarray,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Compute means over those pairs of image and seed that have a value, with percentile intervals.

    Where each seed has images of its own (those that its model calls bad, say), a mean over seeds of means
    over images would give a seed with few images as much weight as one with many. Here every value weighs
    the same. A replicate draws groups and, independently, seeds; all quantities meet the same draws.

    Args:
        values: (Q, S, N), Q quantities, one row per training seed; NaN where an image has no value.
        groups: (N,) what is drawn as a whole, e.g. patient ids.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage of the intervals, in (0, 1).
        seed: Seed of the draws.

    Returns:
        Q means with interval and the p-value of the hypothesis that the mean is 0; all NaN for a quantity
        without any value.

    Raises:
        ValueError: If there is no image, or shapes disagree.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups)
    if values.ndim != 3 or groups.shape != values.shape[2:]:
        raise ValueError(f"values {values.shape} must be (Q, S, N), groups {groups.shape} (N,)")
    known = ~np.isnan(values)
    both = np.stack([np.where(known, values, 0.0), known])  # sums and numbers of values
    images_rng, seeds_rng = np.random.default_rng(seed).spawn(2)
    weights = image_weights(groups, n_resamples, images_rng).astype(float)
    by_seed = np.einsum("bn,kqsn->bskq", weights, both, optimize=True)
    sums, counts = np.moveaxis(drawn_seeds(by_seed, seeds_rng), 1, 0)  # (B, Q) each
    totals = both.sum(axis=(2, 3))
    with np.errstate(invalid="ignore"):
        replicates, means = sums / counts, totals[0] / totals[1]
    return [
        percentile_interval(mean, own, confidence, test_zero=True)
        for mean, own in zip(means, replicates.T, strict=True)
    ]
