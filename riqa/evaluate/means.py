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
        values: (N,) numbers, or (S, N) with one row a training seed, e.g. 1 where a model is wrong.
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


def pooled_interval(
    values: np.ndarray,
    *,
    groups: np.ndarray,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
    test_zero: bool = False,
) -> Interval:
    """Compute a mean over those pairs of image and seed that have a value, with its percentile interval.

    Where each seed has images of its own (those that its model calls bad, say), a mean over seeds of means
    over images would give a seed with few images as much weight as one with many. Here every value weighs
    the same. A replicate draws groups and, independently, seeds.

    Args:
        values: (S, N) numbers, one row a training seed; NaN where there is none.
        groups: (N,) what is drawn as a whole, e.g. patient ids.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage of the interval, in (0, 1).
        seed: Seed of the draws.
        test_zero: Whether to compute the p-value of the hypothesis that the mean is 0.

    Returns:
        The mean with its interval, all NaN if there is no value.

    Raises:
        ValueError: If there is no image, or shapes disagree.
    """
    values = np.asarray(values, dtype=float)
    groups = np.asarray(groups)
    if values.ndim != 2 or groups.shape != values.shape[1:]:
        raise ValueError(f"values {values.shape} must be (S, N), groups {groups.shape} (N,)")
    known = ~np.isnan(values)
    images_rng, seeds_rng = np.random.default_rng(seed).spawn(2)
    weights = image_weights(groups, n_resamples, images_rng)
    both = np.stack([np.where(known, values, 0.0), known])  # sums and numbers of values
    drawn = drawn_seeds(np.moveaxis(weights @ both.swapaxes(1, 2), 0, -1), seeds_rng)
    with np.errstate(invalid="ignore"):
        replicates = drawn[:, 0] / drawn[:, 1]
        value = both[0].sum() / both[1].sum()
    return percentile_interval(value, replicates, confidence, test_zero=test_zero)
