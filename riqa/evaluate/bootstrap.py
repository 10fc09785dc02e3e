"""The bootstrap over patients and training seeds: of means over images, and of the area under the ROC curve.

A replicate draws whole patients with replacement, because photographs of one patient are no independent
pieces of evidence, and where several seeds were trained it draws seeds as well, independently (the pigeonhole
bootstrap of Owen 2007, doi:10.1214/07-AOAS122). Everywhere `groups` (N,) says what is drawn as a whole, e.g.
patient ids (None: single images), `n_resamples` is the number of replicates B, `confidence` the coverage
aimed at, in (0, 1), and `seed` that of the draws. A number out of range, no image, or shapes that disagree
are a ValueError. What depends on confusion counts alone is drawn faster by `riqa.evaluate.stats`.
"""

import numpy as np

from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import ratio

_NUMBERS_AT_ONCE = 4_000_000  # weights held at once, to bound memory


def percentile_interval(
    value: float, replicates: np.ndarray, confidence: float, *, test_zero: bool = False
) -> Interval:
    """Make an `Interval` from a value and its replicates (B,), of which those that are NaN are left out.

    With `test_zero` it gets the two-sided p-value of the hypothesis that the value is zero, at most 1:
    `2 min(#{d <= 0} + 1, #{d >= 0} + 1) / (B + 1)`.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    replicates = replicates[~np.isnan(replicates)]
    if len(replicates) == 0:
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
    p_value = None
    if test_zero:
        smaller = min((replicates <= 0).sum(), (replicates >= 0).sum())
        p_value = float(min(1.0, 2 * (smaller + 1) / (len(replicates) + 1)))
    return Interval(float(value), float(low), float(high), p_value)


def image_weights(groups: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many patients as there are: int (B, N), how often each replicate holds each image."""
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples!r}")
    if len(groups) == 0:
        raise ValueError("no image to draw from")
    patients, places = np.unique(np.asarray(groups), return_inverse=True)
    n = len(patients)
    return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)[:, places]


def drawn_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average values (N, ...) over images, once for each row of weights (B, N) -> (B, ...).

    A NaN is left out of its mean, which is NaN where no image with a value was drawn.
    """
    values = np.asarray(values, dtype=float)
    flat = values.reshape(len(values), -1)
    known = ~np.isnan(flat)
    sums, totals = weights @ np.where(known, flat, 0.0), weights @ known.astype(float)
    return ratio(sums, totals).reshape(len(weights), *values.shape[1:])


def drawn_seeds(by_seed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw training seeds as well: (B, S, ...) -> (B, ...), each replicate's mean over S seeds drawn anew."""
    n, n_seeds = by_seed.shape[:2]
    picks = rng.integers(n_seeds, size=(n, n_seeds))
    return by_seed[np.arange(n)[:, None], picks].mean(axis=1)


class Draws:
    """Draws of patients, and of training seeds independently: the same for all that is asked of them."""

    def __init__(self, groups: np.ndarray, n_resamples: int, seed: int = 0):
        of_images, self._of_seeds = np.random.SeedSequence(seed).spawn(2)
        self.weights = image_weights(groups, n_resamples, np.random.default_rng(of_images))  # int (B, N)

    def over_seeds(self, by_seed: np.ndarray) -> np.ndarray:
        """Apply `drawn_seeds`: (B, S, ...) -> (B, ...)."""
        return drawn_seeds(by_seed, np.random.default_rng(self._of_seeds))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Average values (N, S, ...), NaN where there is none, over drawn images and seeds -> (B, ...)."""
        return self.over_seeds(drawn_means(values, self.weights))


def mean_interval(
    values: np.ndarray, *, groups: np.ndarray | None = None, n_resamples: int = 2_000,
    confidence: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """Compute a mean over images and seeds of values (N,), or (S, N) with one row per seed, none missing."""
    values = np.atleast_2d(np.asarray(values, dtype=float))
    draws = Draws(checked_groups(groups, values.shape[1:]), n_resamples, seed)
    return percentile_interval(values.mean(), draws.means(values.T), confidence)


def pooled_intervals(
    values: np.ndarray, *, groups: np.ndarray, n_resamples: int = 2_000, confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:  # fmt: skip
    """Compute means of Q quantities (Q, S, N) over those pairs of seed and image that have a value, not NaN.

    Where each seed has images of its own (those that its model calls bad, say), a mean over seeds of means
    over images would give a seed with few images as much weight as one with many. Here every value weighs
    the same, and all quantities meet the same draws. Intervals are NaN without any value.
    """
    values = np.asarray(values, dtype=float)
    draws = Draws(checked_groups(groups, values.shape[2:]), n_resamples, seed)
    known = ~np.isnan(values)
    both = np.stack([np.where(known, values, 0.0), known])  # sums and numbers of values
    by_seed = np.einsum("bn,kqsn->bskq", draws.weights.astype(float), both, optimize=True)
    sums, counts = np.moveaxis(draws.over_seeds(by_seed), 1, 0)  # (B, Q) each
    replicates, means = ratio(sums, counts), ratio(*both.sum(axis=(2, 3)))
    return [percentile_interval(mean, own, confidence) for mean, own in zip(means, replicates.T, strict=True)]


def auc_interval(
    positive: np.ndarray, scores: np.ndarray, *, groups: np.ndarray | None = None, n_resamples: int = 2_000,
    confidence: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """Compute the AUC: the chance that a positive image scores above a negative one, ties counting half.

    `positive` (N,) is true for the positive class; `scores` (N,), or (S, N) with one row per seed, are higher
    for more positive, and the AUC is a mean over seeds. A replicate with only one class is left out; where no
    image at all is of one of the two, that is a ValueError.
    """
    positive, scores = np.asarray(positive, dtype=bool), np.atleast_2d(np.asarray(scores, dtype=float))
    if scores.shape[1:] != positive.shape:
        raise ValueError(f"positive {positive.shape} must be (N,), scores {scores.shape} (N,) or (S, N)")
    if positive.all() or not positive.any():
        raise ValueError(f"both classes must occur: {positive.sum()} of {len(positive)} images are positive")
    groups = checked_groups(groups, positive.shape)
    images_rng, seeds_rng = np.random.default_rng(seed).spawn(2)
    block = max(1, _NUMBERS_AT_ONCE // len(positive))
    by_seed = []
    for start in range(0, n_resamples, block):
        weights = image_weights(groups, min(block, n_resamples - start), images_rng)
        by_seed.append(np.stack([_weighted_auc(positive, row, weights) for row in scores], axis=1))
    once = np.ones((1, len(positive)))
    value = np.mean([_weighted_auc(positive, row, once)[0] for row in scores])
    return percentile_interval(value, drawn_seeds(np.concatenate(by_seed), seeds_rng), confidence)


def checked_groups(groups: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return groups as an array of the shape (N,), a group for each image where they are None."""
    groups = np.arange(*shape) if groups is None else np.asarray(groups)
    if groups.shape != shape:
        raise ValueError(f"groups {groups.shape} must be (N,), one for each of the images {shape}")
    return groups


def _weighted_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute one AUC per row of image weights (B, N) -> (B,); NaN where a class has no weight."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] > ranked[:-1]])  # one place per distinct score
    weights = weights[:, order].astype(float)
    ups = np.add.reduceat(weights * positive[order], starts, axis=1)
    downs = np.add.reduceat(weights * ~positive[order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    wins = (ups * (below + 0.5 * downs)).sum(axis=1)
    return ratio(wins, pairs)
