"""How often each image is drawn when whole patients are drawn with replacement."""

import numpy as np


def image_weights(groups: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many patients as there are, with replacement, again and again.

    Where scores are sums over images, a replicate is a product with these weights, and nothing is copied.

    Args:
        groups: (N,) what is drawn as a whole, e.g. patient ids.
        n_resamples: R, number of bootstrap replicates, at least 1.
        rng: Random generator.

    Returns:
        int (R, N), how often each replicate holds each image; images of a patient have the same number.

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
