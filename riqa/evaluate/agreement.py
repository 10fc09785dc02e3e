"""Agreement among experts: raw, and corrected for the agreement that chance alone would give.

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
expert did not look; most coefficients only need how many experts chose each class, `vote_counts`.
"""

from itertools import combinations

import krippendorff
import numpy as np
from sklearn.metrics import cohen_kappa_score

from riqa.evaluate.draws import image_weights
from riqa.evaluate.stats import Interval, percentile_interval


def vote_counts(scores: np.ndarray, n_classes: int = 2) -> np.ndarray:
    """Count the experts who chose each class.

    Args:
        scores: (N, R) codes 0..K-1, NaN where an expert did not look.
        n_classes: K.

    Returns:
        int (N, K).

    Raises:
        ValueError: If a code is outside 0..K-1.
    """
    scores = np.asarray(scores, dtype=float)
    known = scores[~np.isnan(scores)]
    if not np.isin(known, range(n_classes)).all():
        raise ValueError(f"scores must be codes 0..{n_classes - 1} or NaN, got {np.unique(known)}")
    return (scores[..., None] == np.arange(n_classes)).sum(axis=1)


def raw_agreement(counts: np.ndarray) -> float:
    """Return the share of pairs of experts who agree, mean over images with at least two ratings.

    Args:
        counts: (N, K) experts by class, see `vote_counts`; panels may differ in size.

    Returns:
        A share in [0, 1]; NaN if no image has two ratings.
    """
    counts = np.asarray(counts, dtype=float)
    n = counts.sum(axis=1)
    pairs = n * (n - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    several = n >= 2
    return float((agreeing[several] / pairs[several]).mean()) if several.any() else float("nan")


def class_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each class, (K,): the panel's share for an image, mean over rated images."""
    counts = np.asarray(counts, dtype=float)
    n = counts.sum(axis=1)
    return (
        (counts[n > 0] / n[n > 0, None]).mean(axis=0) if (n > 0).any() else np.full(counts.shape[1], np.nan)
    )


def fleiss_kappa(counts: np.ndarray) -> float:
    """Compute Fleiss' kappa for panels of any sizes.

    `statsmodels.stats.inter_rater.fleiss_kappa` needs the same number of ratings for each image; where panels
    are equal, this is the same number. For unequal ones agreement and shares are means over images, as in
    Gwet, Handbook of Inter-Rater Reliability, and in the R package irrCAC.

    Args:
        counts: (N, K) experts by class.

    Returns:
        At most 1; NaN if all ratings are alike or no image has two.
    """
    return corrected(raw_agreement(counts), float((class_shares(counts) ** 2).sum()))


def gwet_ac1(counts: np.ndarray) -> float:
    """Compute Gwet's AC1 for panels of any sizes (Gwet 2008, equations 18 and 19).

    Chance is p_e = sum_k pi_k (1 - pi_k) / (K - 1): the rarer a class, the less of the agreement is a guess.

    Args:
        counts: (N, K) experts by class; K counts, so that a class nobody chose must have its column.

    Returns:
        At most 1; NaN if no image has two ratings.
    """
    shares = class_shares(counts)
    return corrected(raw_agreement(counts), float((shares * (1 - shares)).sum() / (len(shares) - 1)))


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Compute Krippendorff's alpha for nominal classes by the library of that name; NaN if undefined.

    Args:
        counts: (N, K) experts by class; images with fewer than two ratings say nothing and are left out.
    """
    counts = np.asarray(counts)
    counts = counts[counts.sum(axis=1) >= 2]
    if (counts.sum(axis=0) > 0).sum() < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def corrected(observed: float, chance: float) -> float:
    """Return (observed - chance) / (1 - chance), NaN where chance already agrees always."""
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def cohen_kappa(first: np.ndarray, second: np.ndarray, n_classes: int = 2) -> float:
    """Compute Cohen's kappa of two experts by scikit-learn; NaN if both used the same single class.

    Args:
        first: (N,) codes 0..K-1, NaN where the expert did not look.
        second: (N,) those of the other expert.
        n_classes: K.
    """
    both = ~(np.isnan(first) | np.isnan(second))
    used = np.unique(np.concatenate([first[both], second[both]]))
    if len(used) < 2:  # scikit-learn would warn and say NaN
        return float("nan")
    return float(
        cohen_kappa_score(first[both].astype(int), second[both].astype(int), labels=range(n_classes))
    )


def pairwise_kappas(scores: np.ndarray, n_classes: int = 2) -> list[float]:
    """Compute Cohen's kappa of every pair of experts, on the images that both have seen; NaN where undefined.

    Args:
        scores: (N, R) codes 0..K-1 or NaN.
        n_classes: K.
    """
    return [cohen_kappa(a, b, n_classes) for a, b in combinations(np.asarray(scores).T, 2)]


COEFFICIENTS = {
    "agreement": raw_agreement,
    "fleiss_kappa": fleiss_kappa,
    "krippendorff_alpha": krippendorff_alpha,
    "gwet_ac1": gwet_ac1,
}
"""Name in results -> function of counts (N, K), in the order in which a page shows them."""


def agreement_intervals(
    counts: np.ndarray,
    groups: np.ndarray,
    *,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute every coefficient of `COEFFICIENTS` with its percentile bootstrap interval over patients.

    Args:
        counts: (N, K) experts by class.
        groups: (N,) patient ids.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage aimed at, in (0, 1).
        seed: Seed of the draws.

    Returns:
        Name -> Interval. Replicates in which a coefficient is undefined are left out of its interval.
    """
    weights = image_weights(groups, n_resamples, np.random.default_rng(seed))
    drawn = [np.repeat(counts, row, axis=0) for row in weights]
    return {
        name: percentile_interval(of(counts), np.array([of(sample) for sample in drawn]), confidence)
        for name, of in COEFFICIENTS.items()
    }
