"""Agreement among experts, raw and corrected for chance; and one label from several experts.

Every coefficient has the form (p_a - p_e) / (1 - p_e), where p_a is the observed agreement and p_e the one
expected by chance; they differ in what they take chance to be:

| coefficient | chance | source |
|---|---|---|
| Cohen's kappa | two experts, each with shares of their own | Cohen 1960 (10.1177/001316446002000104) |
| Fleiss' kappa | all draw from the pooled shares | Fleiss 1971 (10.1037/h0031619) |
| Krippendorff's alpha | the same, no replacement | Hayes, Krippendorff 2007 (10.1080/19312450709336664) |
| Gwet's AC1 | only what is hard to decide is guessed | Gwet 2008 (10.1348/000711006X126600) |

Kappas and alpha are undefined (NaN) when all ratings fall into one class: there is no disagreement that
chance could have brought about. AC1 is 1 then. Ratings are a table of images x experts with NaN where an
expert did not look; most coefficients only need `counts` (N, K), how many experts chose each class.

Dawid and Skene (1979, doi:10.2307/2346806) give every expert a probability of each answer to each true class,
and estimate these and the truth together by expectation-maximisation, here by the library crowd-kit. The
model assumes that experts err independently once the true class is known. A hard image makes all of them err,
so the model tends to be surer than it should be.
"""

import warnings

import krippendorff
import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene
from sklearn.metrics import cohen_kappa_score

from riqa.evaluate.bootstrap import image_weights, percentile_interval
from riqa.evaluate.interval import Interval


def vote_counts(scores: np.ndarray, n_classes: int = 2) -> np.ndarray:
    """Count who chose each class, int (N, K), from codes 0..K-1 or NaN (N, R); another is a ValueError."""
    scores = np.asarray(scores, dtype=float)
    known = scores[~np.isnan(scores)]
    if not np.isin(known, range(n_classes)).all():
        raise ValueError(f"scores must be codes 0..{n_classes - 1} or NaN, got {np.unique(known)}")
    return (scores[..., None] == np.arange(n_classes)).sum(axis=1)


def raw_agreement(counts: np.ndarray) -> float:
    """Return the share of pairs of experts who agree, mean over images with two ratings; NaN without any."""
    counts = np.asarray(counts, dtype=float)
    several = counts[counts.sum(axis=1) >= 2]
    n = several.sum(axis=1)
    shares = (several * (several - 1)).sum(axis=1) / (n * (n - 1))
    return float(shares.mean()) if len(several) else float("nan")


def class_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each class, (K,): the panel's share for an image, mean over rated images."""
    counts = np.asarray(counts, dtype=float)
    rated = counts[counts.sum(axis=1) > 0]
    if len(rated) == 0:
        return np.full(counts.shape[1], np.nan)
    return (rated / rated.sum(axis=1, keepdims=True)).mean(axis=0)


def fleiss_kappa(counts: np.ndarray) -> float:
    """Compute Fleiss' kappa for panels of any sizes; NaN if all ratings are alike or no image has two.

    Agreement and shares are means over images, as in Gwet, Handbook of Inter-Rater Reliability, and in the R
    package irrCAC; where panels are equal, this is the number of statsmodels.
    """
    return _corrected(raw_agreement(counts), float((class_shares(counts) ** 2).sum()))


def gwet_ac1(counts: np.ndarray) -> float:
    """Compute Gwet's AC1 for panels of any sizes (Gwet 2008, equations 18 and 19); NaN if no image has two.

    Chance is p_e = sum_k pi_k (1 - pi_k) / (K - 1): the rarer a class, the less of the agreement is a guess.
    K counts, so that a class nobody chose must have its column.
    """
    shares = class_shares(counts)
    return _corrected(raw_agreement(counts), float((shares * (1 - shares)).sum() / (len(shares) - 1)))


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Compute Krippendorff's alpha for nominal classes by the library of that name; NaN if undefined."""
    counts = np.asarray(counts)
    counts = counts[counts.sum(axis=1) >= 2]  # others say nothing
    if (counts.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _corrected(observed: float, chance: float) -> float:
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Cohen's kappa of two experts' codes (N,) by scikit-learn; NaN if both used one class alone."""
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both].astype(int), second[both].astype(int)
    if len(np.union1d(first, second)) < 2:  # scikit-learn would warn and say NaN
        return float("nan")
    return float(cohen_kappa_score(first, second))


COEFFICIENTS = {
    "agreement": raw_agreement,
    "fleiss_kappa": fleiss_kappa,
    "krippendorff_alpha": krippendorff_alpha,
    "gwet_ac1": gwet_ac1,
}
"""Name in results -> function of counts (N, K), in the order in which a page shows them."""


def agreement_intervals(
    counts: np.ndarray, groups: np.ndarray, *, n_resamples: int = 2_000, confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:  # fmt: skip
    """Compute `COEFFICIENTS` with bootstrap intervals, of those replicates in which they are defined."""
    weights = image_weights(groups, n_resamples, np.random.default_rng(seed))
    drawn = [np.repeat(counts, row, axis=0) for row in weights]
    return {
        name: percentile_interval(of(counts), np.array([of(sample) for sample in drawn]), confidence)
        for name, of in COEFFICIENTS.items()
    }


def dawid_skene(scores: np.ndarray) -> np.ndarray:
    """Fit Dawid and Skene's model to ratings (N, R) of 0 bad, 1 good, NaN not seen, in 100 iterations.

    Returns the posterior probability of good (N,), NaN for images without a rating; a ValueError if all are.
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
        model = DawidSkene(100, tol=-np.inf).fit(data)
    p_good = np.full(len(scores), np.nan)
    posterior = model.probas_.reindex(columns=[0, 1], fill_value=0.0)  # a class that nobody named has none
    p_good[posterior.index] = posterior[1]
    return p_good
