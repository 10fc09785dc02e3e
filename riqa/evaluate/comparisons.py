"""Two models on the same images: classical tests, and a margin.

The paper used "one- or two-tailed Wilcoxon signed-rank tests and bootstrap resampling" (section 3.3), but
does not say on what pairs; `riqa.studies.overall.READINGS` lists three. Each image's probability of its true
class gives as many pairs as images, and they can be ranked. Correctness cannot: all differences are of one
size, and the test becomes McNemar's. Scores by seed would be the best pairs, but with S seeds no two-tailed
p-value is below 2 / 2^S: five seeds never reach 0.05. Both tests take photographs of one patient as
independent; and a model that is surer of the same decisions wins in probabilities. So
`riqa.evaluate.mrmc` decides between methods in this book, and the paired bootstrap between two networks.
"""

import numpy as np
from scipy.stats import binom, wilcoxon

from riqa.evaluate.interval import Interval


def wilcoxon_test(a: np.ndarray, b: np.ndarray, alternative: str = "two-sided") -> float:
    """Test by signed ranks whether the differences a - b (N,) lie symmetrically about zero (Wilcoxon, 1945).

    Pairs without a difference are left out, as Wilcoxon did. With 50 pairs or fewer and no tie the p-value is
    exact (`scipy.stats.wilcoxon`). Differences are rounded to twelve digits first, so that equal ones stay
    equal whatever the order in which their numbers were summed.

    The p-value is for `alternative` "two-sided", "greater" (one-tailed: A is better) or "less", and 1 where
    nothing differs. A ValueError tells of another alternative, other shapes, no pair, or a missing value.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0 or np.isnan(a - b).any():
        raise ValueError(f"a {a.shape} and b {b.shape} must be of one length, without NaN")
    differences = np.round(a - b, 12)
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, zero_method="wilcox", alternative=alternative).pvalue)


def mcnemar_test(correct_a: np.ndarray, correct_b: np.ndarray, method: str = "mid-p") -> float:
    """Test whether two models, right or not in bool (N,), are equally often right (McNemar, 1947).

    Only images that one model alone gets right count. If neither is better, how many of these A gets right
    follows Binomial(n, 1/2). The method "exact" is this test, conservative; in "mid-p" the observed point
    counts half, which is recommended by Fagerland et al. 2013 (doi:10.1186/1471-2288-13-91); another method
    is a ValueError, as are other shapes. It compares two *trained* networks: one seed each.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"correct_a {a.shape} and correct_b {b.shape} must have the same length")
    if method not in ("mid-p", "exact"):
        raise ValueError(f"method must be one of mid-p, exact; got {method!r}")
    fewer, differ = min((a & ~b).sum(), (~a & b).sum()), (a != b).sum()
    p_value = 2 * binom.cdf(fewer, differ, 0.5)
    if method == "mid-p":
        p_value -= binom.pmf(fewer, differ, 0.5)
    return float(min(1.0, p_value))


def mcnemar_over_seeds(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Test whether two models, right or not in bool (S, N), are equally often right: McNemar's exact test.

    Twice the median p-value of the seeds, at most 1, is valid however they depend on each other (Meinshausen
    et al. 2009, doi:10.1198/jasa.2009.tm08647).
    """
    p_values = [mcnemar_test(a, b, method="exact") for a, b in zip(right_a, right_b, strict=True)]
    return float(min(1.0, (2 if len(p_values) > 1 else 1) * np.median(p_values)))


def margin_verdict(difference: Interval, margin: float) -> str:
    """Judge a difference A minus B by its interval, because p > 0.05 is not equivalence.

    It is "equivalent" if A and B differ by less than the margin, in either direction; else "non-inferior" if
    A is worse than B by less than the margin, if at all; else nothing can be said, and the word is empty. Two
    one-sided tests at level alpha (Schuirmann, 1987, doi:10.1007/BF01068419) reject "the difference is as
    large as the margin", above 0, on both sides exactly if the 1 - 2 alpha interval lies within the margins:
    at alpha = 0.05 the 90 % interval.
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin!r}")
    if not difference.low > -margin:
        return ""
    return "equivalent" if difference.high < margin else "non-inferior"
