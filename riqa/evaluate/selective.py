"""Answering only what one is sure of, and answering with sets of classes instead of one.

Selective prediction leaves the least sure answers to somebody else: its risk is the share of wrong ones among
those that are kept, its coverage the share that is kept (El-Yaniv and Wiener 2010, JMLR 11:1605). Conformal
prediction answers with all classes that are not too unlikely, where images with known classes say how
unlikely is too unlikely (Angelopoulos and Bates 2023, doi:10.1561/2200000101).
"""

import numpy as np

from riqa.evaluate.bootstrap import Draws, checked_groups, percentile_interval
from riqa.evaluate.interval import Interval


def aurc_interval(
    wrong: np.ndarray, p_called: np.ndarray, *, groups: np.ndarray | None = None, n_resamples: int = 2_000,
    confidence: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """Compute the area under the curve of risk and coverage: mean risk over all coverages, and over seeds.

    `wrong` is 1 for a wrong answer, else 0, and `p_called` the probability of the class called, both (S, N)
    with one row per seed. The surest answers are kept first, equally sure ones together. For the rest see
    `riqa.evaluate.bootstrap`.
    """
    wrong, p_called = np.asarray(wrong, dtype=float), np.asarray(p_called, dtype=float)
    draws = Draws(checked_groups(groups, wrong.shape[1:]), n_resamples, seed)

    def by_seed(weights: np.ndarray) -> np.ndarray:
        return np.stack([_aurc(*one, weights) for one in zip(wrong, p_called, strict=True)], axis=1)

    once = np.ones((1, wrong.shape[1]))
    return percentile_interval(by_seed(once).mean(), draws.over_seeds(by_seed(draws.weights)), confidence)


def _aurc(wrong: np.ndarray, p_called: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean risk (B,) of one network's answers (N,), drawn as often as weights (B, N) say."""
    order = np.argsort(-p_called)
    last = np.searchsorted(-p_called[order], -p_called[order], side="right") - 1
    drawn = weights[:, order]
    kept, errors = (np.cumsum(of, axis=1)[:, last] for of in (drawn, drawn * wrong[order]))
    return (drawn * errors / np.maximum(kept, 1)).sum(axis=1) / drawn.sum(axis=1)


def conformal_limit(scores: np.ndarray, miss: float) -> float:
    """Return how improbable a class may be, 1 - p, to stay in a set that may miss the true one so often.

    Scores (n,) are 1 - p of the true classes of known images. Of n exchangeable ones the ceil((n + 1)(1 -
    miss))-th smallest covers the next image with a chance of at least 1 - miss; infinite if n is too small.
    """
    place = int(np.ceil((len(scores) + 1) * (1 - miss) - 1e-9))  # 10 * 0.9 is 9, however it is rounded
    return float(np.sort(scores)[place - 1]) if place <= len(scores) else np.inf
