"""One label from several experts: majority vote against Dawid and Skene's model, and both against the truth.

Dawid and Skene (1979, doi:10.2307/2346806) give every expert a probability of each answer to each true class,
and estimate these and the truth together by expectation-maximisation, here by the library crowd-kit. The
model assumes that experts err independently once the true class is known. A hard image makes all of them err,
so the model tends to be surer than it should be.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene

from riqa.evaluate.draws import drawn_means, drawn_seeds, image_weights
from riqa.evaluate.stats import Interval, percentile_interval


def dawid_skene(scores: np.ndarray, n_iter: int = 100) -> np.ndarray:
    """Fit Dawid and Skene's model to ratings of one item.

    Args:
        scores: (N, R) of 0 bad, 1 good, NaN not seen.
        n_iter: Iterations of expectation-maximisation.

    Returns:
        (N,) posterior probability of good; NaN for images without a rating.

    Raises:
        ValueError: If there is no rating.
    """
    image, rater = np.nonzero(~np.isnan(scores))
    if len(image) == 0:
        raise ValueError("no rating to learn from")
    labels = scores[image, rater].astype(int)
    data = pd.DataFrame({"task": image, "worker": rater, "label": labels})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # crowd-kit's, of pandas
        # crowd-kit would stop when its bound no longer rises; but that bound counts the prior once for every
        # rating, not for every image, and falls long before the fit has converged.
        model = DawidSkene(n_iter, tol=-np.inf).fit(data)
    p_good = np.full(len(scores), np.nan)
    posterior = model.probas_.reindex(columns=[0, 1], fill_value=0.0)  # a class that nobody named has none
    p_good[posterior.index] = posterior[1]
    return p_good


def nearness_to_truth(
    labels: Mapping[str, np.ndarray],
    truth: np.ndarray,
    groups: np.ndarray,
    *,
    baseline: str,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[Interval, Interval]]:
    """Compare several ways to a label with the truth, on the same images and draws.

    Args:
        labels: Name -> (N,) or (S, N) of 0 bad, 1 good; one row per training seed. NaN is no answer (a
            tie) and counts as half right.
        truth: (N,) of 0 bad, 1 good.
        groups: (N,) patient ids.
        baseline: Name that the others are compared with.
        n_resamples: Number of bootstrap replicates; labels are not derived anew in each.
        confidence: Coverage of the intervals.
        seed: Seed of the draws.

    Returns:
        Name -> (share that is right, that share minus the baseline's).

    Raises:
        ValueError: If the baseline is not among the labels.
    """
    if baseline not in labels:
        raise ValueError(f"baseline must be one of {', '.join(labels)}; got {baseline!r}")
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    weights = image_weights(groups, n_resamples, np.random.default_rng(of_images))
    value, drawn = {}, {}
    for name, given in labels.items():
        given = np.atleast_2d(np.asarray(given, dtype=float))
        right = np.where(np.isnan(given), 0.5, given == truth).T  # (N, S)
        value[name] = right.mean()
        drawn[name] = drawn_seeds(drawn_means(right, weights), np.random.default_rng(of_seeds))
    return {
        name: (
            percentile_interval(value[name], drawn[name], confidence),
            percentile_interval(value[name] - value[baseline], drawn[name] - drawn[baseline], confidence),
        )
        for name in labels
    }
