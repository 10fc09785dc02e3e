"""Drawing whole patients with replacement, and means over the images of those drawn."""

import numpy as np


def image_weights(groups: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many patients as there are, with replacement, again and again.

    For scores that are sums over images, a replicate is a product with these weights.

    Args:
        groups: (N,) what is drawn as a whole, e.g. patient ids.
        n_resamples: B, number of bootstrap replicates, at least 1.
        rng: Random generator.

    Returns:
        int (B, N), how often each replicate holds each image; images of a patient have the same number.

    Raises:
        ValueError: If there is no image, or `n_resamples` is below 1.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples!r}")
    if len(groups) == 0:
        raise ValueError("no image to draw from")
    patients, places = np.unique(np.asarray(groups), return_inverse=True)
    n = len(patients)
    return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)[:, places]


def drawn_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average over images, once for each row of weights.

    Args:
        values: (N, ...) numbers; NaN where an image has none, it is then left out of that mean.
        weights: (B, N) how often each image counts; a row of ones gives the plain mean.

    Returns:
        (B, ...), NaN where no image with a number was drawn.
    """
    values = np.asarray(values, dtype=float)
    flat = values.reshape(len(values), -1)
    known = ~np.isnan(flat)
    sums, totals = weights @ np.where(known, flat, 0.0), weights @ known.astype(float)
    means = np.where(totals > 0, sums / np.where(totals > 0, totals, 1), np.nan)
    return means.reshape(len(weights), *values.shape[1:])


def drawn_seeds(by_seed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw training seeds as well: (B, S, ...) -> (B, ...), each replicate's mean over S seeds drawn anew."""
    n, n_seeds = by_seed.shape[:2]
    picks = rng.integers(n_seeds, size=(n, n_seeds))
    return by_seed[np.arange(n)[:, None], picks].mean(axis=1)
