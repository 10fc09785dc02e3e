"""Classical tests on pairs: Wilcoxon's signed-rank test, McNemar's test, and Holm's correction of a table.

The paper says that it used "one- or two-tailed Wilcoxon signed-rank tests and bootstrap resampling" (section
3.3), but not on what pairs; `riqa.studies.overall.READINGS` lists three. Each image's probability of its true
class gives as many pairs as images, and they can be ranked. Correctness cannot: all differences are of one
size, and the test becomes McNemar's. Scores by seed would be the best pairs, but with S seeds no two-tailed
p-value is below 2 / 2^S: five seeds never reach 0.05.

Both tests take pairs as independent, which photographs of one patient are not; and a model that is surer of
the same decisions wins in probabilities. So `riqa.evaluate.stats.paired_bootstrap` decides in this book.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, wilcoxon
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

MCNEMAR = ("mid-p", "exact", "chi2")


@dataclass(frozen=True)
class PairedTest:
    """A test on pairs."""

    p_value: float
    n: int  # pairs
    n_differ: int  # pairs that are not equal: only these carry evidence


def wilcoxon_test(a: np.ndarray, b: np.ndarray, alternative: str = "two-sided") -> PairedTest:
    """Test by signed ranks whether the differences a - b lie symmetrically about zero (Wilcoxon, 1945).

    Pairs without a difference are left out, as Wilcoxon did. With 50 pairs or fewer and no tie the p-value is
    exact (`scipy.stats.wilcoxon`). Differences are rounded to twelve digits first, so that equal ones stay
    equal whatever the order in which their numbers were summed.

    Args:
        a: (N,) values of model A.
        b: (N,) values of model B, image by image or seed by seed the same.
        alternative: "two-sided"; "greater" (one-tailed: A is better) or "less".

    Raises:
        ValueError: If shapes disagree, there is no pair, a value is missing, or `alternative` is unknown.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0 or np.isnan(a).any() or np.isnan(b).any():
        raise ValueError(f"a {a.shape} and b {b.shape} must be of one length, without NaN")
    if alternative not in ("two-sided", "greater", "less"):
        raise ValueError(f"alternative must be two-sided, greater or less; got {alternative!r}")
    differences = np.round(a - b, 12)
    differ = int(np.count_nonzero(differences))
    p_value = wilcoxon(differences, zero_method="wilcox", alternative=alternative).pvalue if differ else 1.0
    return PairedTest(float(p_value), len(a), differ)


def mcnemar_test(correct_a: np.ndarray, correct_b: np.ndarray, method: str = "mid-p") -> PairedTest:
    """Test whether two models are right equally often on the same images (McNemar, 1947).

    Only images that one model alone gets right count: b of them A alone, c of them B alone. If neither is
    better, b follows Binomial(b + c, 1/2). It compares two *trained* networks: one seed each.

    Args:
        correct_a: (N,) bool, whether model A is right.
        correct_b: (N,) bool, whether model B is.
        method: "exact" (binomial; conservative), "mid-p" (its observed point counts half, which is
            recommended by Fagerland et al. 2013, doi:10.1186/1471-2288-13-91) or "chi2" (with continuity
            correction).

    Raises:
        ValueError: If shapes disagree, or `method` is unknown.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"correct_a {a.shape} and correct_b {b.shape} must have the same length")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    differ = only_a + only_b
    if method == "mid-p":
        smaller = min(only_a, only_b)
        p_value = min(1.0, 2 * binom.cdf(smaller, differ, 0.5) - binom.pmf(smaller, differ, 0.5))
    elif method in MCNEMAR:
        table = [[(a & b).sum(), only_a], [only_b, (~a & ~b).sum()]]
        p_value = mcnemar(table, exact=method == "exact", correction=True).pvalue if differ else 1.0
    else:
        raise ValueError(f"method must be one of {', '.join(MCNEMAR)}; got {method!r}")
    return PairedTest(float(min(1.0, p_value)), len(a), differ)


def mcnemar_over_seeds(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Test whether two models are equally often right, by McNemar's exact test on discordant images.

    The test knows one pair of models and takes images as independent, patients or not. With several seeds
    there is one test per seed; twice their median p-value, at most 1, is valid however they depend on each
    other (Meinshausen et al. 2009, doi:10.1198/jasa.2009.tm08647).

    Args:
        right_a: (S, N) bool, whether model A was right.
        right_b: (S, N) bool, whether model B was.

    Returns:
        A two-sided p-value.
    """
    pairs = zip(right_a, right_b, strict=True)
    p_values = [mcnemar_test(a, b, method="exact").p_value for a, b in pairs]
    return float(min(1.0, (2 if len(p_values) > 1 else 1) * np.median(p_values)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct the p-values of one family of comparisons (Holm, 1979), by statsmodels.

    Rejecting what is below alpha afterwards keeps the chance of *any* false alarm at alpha or below, however
    the tests depend on each other.

    Args:
        p_values: Any shape, in [0, 1]; NaN where there is no test, which does not count and stays NaN.
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted, known = np.full(p_values.shape, np.nan), ~np.isnan(p_values)
    if known.any():
        adjusted[known] = multipletests(p_values[known], method="holm")[1]
    return adjusted
