"""The area under the receiver operating characteristic curve (AUC), with a bootstrap interval."""

import numpy as np

from riqa.evaluate.stats import Interval, percentile_interval

_NUMBERS_AT_ONCE = 4_000_000  # weights held at once, to bound memory


def auc_interval(
    positive: np.ndarray,
    scores: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute the AUC: the chance that a positive image scores above a negative one, ties counting half.

    Replicates draw images (or whole groups) with replacement, and seeds where there are several; a replicate
    that happens to hold only one class has no AUC and is left out.

    Args:
        positive: (N,) true for the positive class.
        scores: (N,) higher for more positive, or (S, N) with one row per training seed; the AUC is a mean
            over seeds.
        groups: (N,) what is drawn as a whole, e.g. patient ids; None draws single images.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage aimed at, in (0, 1).
        seed: Seed of the draws.

    Raises:
        ValueError: If shapes disagree, or one of the two classes has no image.
    """
    value, replicates = _replicates(positive, scores, groups, n_resamples, seed)
    return percentile_interval(value, replicates, confidence)


def auc_difference(
    positive: np.ndarray,
    scores: np.ndarray,
    rival: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute the AUC of `scores` minus that of `rival`, on the same 2,000 draws of groups and seeds.

    Args:
        positive: (N,) true for the positive class.
        scores: As for `auc_interval`.
        rival: What is subtracted, of the same shape.
        groups: As there.
        confidence: Coverage aimed at, in (0, 1).
        seed: Seed of the draws.

    Returns:
        The difference, its interval, and the two-sided p-value of the hypothesis that there is none.
    """
    if np.shape(scores) != np.shape(rival):
        raise ValueError(f"scores {np.shape(scores)} and rival {np.shape(rival)} must have the same shape")
    a, b = (_replicates(positive, one, groups, 2_000, seed) for one in (scores, rival))
    return percentile_interval(a[0] - b[0], a[1] - b[1], confidence, test_zero=True)


def _replicates(
    positive: np.ndarray, scores: np.ndarray, groups: np.ndarray | None, n_resamples: int, seed: int
) -> tuple[float, np.ndarray]:
    """Return the AUC and its replicates (R,), which for equal groups and seeds are of the same draws."""
    positive, scores = np.asarray(positive, dtype=bool), np.atleast_2d(np.asarray(scores, dtype=float))
    if scores.shape[1:] != positive.shape:
        raise ValueError(f"positive {positive.shape} must be (N,), scores {scores.shape} (N,) or (S, N)")
    if positive.all() or not positive.any():
        raise ValueError(f"both classes must occur: {positive.sum()} of {len(positive)} images are positive")
    places = np.unique(np.arange(len(positive)) if groups is None else groups, return_inverse=True)[1]
    n_groups = places.max() + 1
    images_rng, seeds_rng = np.random.default_rng(seed).spawn(2)
    picks = seeds_rng.integers(len(scores), size=(n_resamples, len(scores)))
    block = max(1, _NUMBERS_AT_ONCE // len(positive))
    replicates = []
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        drawn = images_rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)[:, places]
        by_seed = np.stack([_weighted_auc(positive, row, drawn) for row in scores], axis=1)
        replicates.append(np.take_along_axis(by_seed, picks[start : start + size], axis=1).mean(axis=1))
    once = np.ones((1, len(positive)))
    value = np.mean([_weighted_auc(positive, row, once)[0] for row in scores])
    return float(value), np.concatenate(replicates)


def _weighted_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute one AUC per row of image weights (R, N) -> (R,); NaN where a class has no weight."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] > ranked[:-1]])  # one place per distinct score
    weights = weights[:, order].astype(float)
    ups = np.add.reduceat(weights * positive[order], starts, axis=1)
    downs = np.add.reduceat(weights * ~positive[order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    wins = (ups * (below + 0.5 * downs)).sum(axis=1)
    return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1), np.nan)
