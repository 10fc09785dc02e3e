"""Two models on the same images: classical tests, a margin, and what a test set of a given size can find.

The paper used "one- or two-tailed Wilcoxon signed-rank tests and bootstrap resampling" (section 3.3), but
does not say on what pairs (`riqa.studies.overall.READINGS` lists three). Probabilities of the true class can
be ranked image by image. Correctness cannot: all differences are of one size, and the test becomes McNemar's.
Scores by seed would be the best pairs, but with S seeds no two-tailed p-value is below 2 / 2^S: five never
reach 0.05. Both tests take photographs of one patient as independent; and a model that is surer of the same
decisions wins in probabilities. So `riqa.evaluate.stats.paired_bootstrap` decides in this book.

How large must a difference be to be found with 160 images (section 5)? Studies are drawn from a table of how
often truth, model A and model B go together, (K, K, K); the share of them that finds A better than B is the
power. To vary the difference, the table starts from none at all (A and B change places half of the time), and
B then loses a share of what it gets right, to the errors that it makes anyway. A study is judged by the
standard error that the bootstrap estimates, in its closed form (the delta method), as thousands take long.

A ValueError names what is wrong with arguments: shapes that disagree, missing values, a number out of range.
"""

import numpy as np
import pandas as pd
from scipy.stats import binom, norm, wilcoxon

from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import scores_from_counts

_LOST = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3)


def wilcoxon_test(a: np.ndarray, b: np.ndarray, alternative: str = "two-sided") -> float:
    """Test by signed ranks whether the differences a - b (N,) lie symmetrically about zero (Wilcoxon, 1945).

    Pairs without a difference are left out, as Wilcoxon did. With 50 pairs or fewer and no tie the p-value is
    exact (`scipy.stats.wilcoxon`). Differences are rounded to twelve digits first, so that equal ones stay
    equal whatever the order in which their numbers were summed. The p-value is for the `alternative`
    "two-sided", "greater" (one-tailed: A is better) or "less"; it is 1 where nothing differs.
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
    counts half, which is recommended by Fagerland et al. 2013 (doi:10.1186/1471-2288-13-91). It compares two
    *trained* networks: one seed each.
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


def margin_verdict(difference: Interval, margin: float) -> tuple[bool, bool]:
    """Judge a difference A minus B by its interval, because p > 0.05 is not equivalence.

    Two one-sided tests at level alpha (Schuirmann, 1987, doi:10.1007/BF01068419) reject "the difference is as
    large as the margin", above 0, on both sides exactly if the 1 - 2 alpha interval lies within the margins:
    at alpha = 0.05 the 90 % interval.

    Returns:
        Whether they are equivalent (they differ by less than the margin, in either direction), and whether A
        is non-inferior (worse by less than the margin, if at all).
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin!r}")
    non_inferior = difference.low > -margin
    return non_inferior and difference.high < margin, non_inferior


def joint_counts(y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, n_classes: int) -> np.ndarray:
    """Count truth, answer of A and answer of B together, over images and seeds: axes of (K, K, K).

    `y_true` (N,) are codes 0..K-1, none missing; predictions are (N,), or (S, N) with one row per seed.
    """
    a, b = np.atleast_2d(pred_a).astype(int), np.atleast_2d(pred_b).astype(int)
    truth = np.asarray(y_true).astype(int)
    if a.shape != b.shape or a.shape[1:] != truth.shape:
        raise ValueError(f"y_true {truth.shape}, pred_a {a.shape} and pred_b {b.shape} disagree")
    cells = (truth * n_classes + a) * n_classes + b
    return np.bincount(cells.ravel(), minlength=n_classes**3).reshape((n_classes,) * 3)


def power(joint: np.ndarray, n_images: int, *, n_studies: int = 4_000, seed: int = 0) -> float:
    """Return the share of simulated studies that find A better than B, at a two-sided level of 0.05.

    Studies of `n_images` independent images (one per patient) are drawn from the world `joint`, counts or
    shares. A study finds it if its difference in macro-F1 is more than 1.96 of its own standard errors above
    zero. With no difference at all that is 0.025 of the studies, or a little more in small ones. The power
    has a standard error of at most 0.5 / sqrt(n_studies).
    """
    if min(n_images, n_studies) < 1:
        raise ValueError(f"n_images and n_studies must be 1 or more, got {n_images!r} and {n_studies!r}")
    world = joint.ravel() / joint.sum()
    studies = np.random.default_rng(seed).multinomial(n_images, world, size=n_studies) / n_images
    studies = studies.reshape(n_studies, *joint.shape)
    (f1_a, push_a), (f1_b, push_b) = (_macro_f1_and_pushes(studies.sum(axis=axis)) for axis in (3, 2))
    pushes = push_a[:, :, :, None] - push_b[:, :, None, :]
    variance = (studies * pushes**2).sum(axis=(1, 2, 3)) / n_images
    return float((f1_a - f1_b > norm.ppf(0.975) * np.sqrt(variance)).mean())


def power_curve(joint: np.ndarray, n_images: int, n_studies: int = 4_000) -> pd.DataFrame:
    """Compute the power for growing differences: the share `lost` of B's right answers, difference, power.

    Differences are in macro-F1, and dense below, for large test sets.
    """
    worlds = [_shifted(joint, share) for share in _LOST]
    differences = [_difference(world) for world in worlds]
    found = [power(world, n_images, n_studies=n_studies) for world in worlds]
    return pd.DataFrame({"lost": _LOST, "difference": differences, "power": found})


def detectable_difference(curve: pd.DataFrame) -> float:
    """Return the smallest difference with a power of 0.8, on a line between rows; NaN beyond them."""
    enough = np.flatnonzero(curve["power"] >= 0.8)
    if len(enough) == 0:
        return float("nan")
    rows = curve.iloc[max(enough[0] - 1, 0) : enough[0] + 1]
    return float(np.interp(0.8, rows["power"], rows["difference"]))


def _difference(joint: np.ndarray) -> float:
    """Return the macro-F1 of A minus that of B in a world."""
    of_a, of_b = (scores_from_counts(joint.sum(axis=axis))["macro_f1"] for axis in (2, 1))
    return float(of_a - of_b)


def _shifted(joint: np.ndarray, lost: float) -> np.ndarray:
    """Make A and B equally good in a world, then take from B a share, in [0, 1], of what it gets right.

    These become errors, spread over the wrong classes as its errors of that true class are (evenly where it
    makes none). Shares (K, K, K) that sum to 1.
    """
    joint = (joint + joint.swapaxes(1, 2)) / (2 * joint.sum())
    n_classes = len(joint)
    off = ~np.eye(n_classes, dtype=bool)
    errors = joint.sum(axis=1) * off
    total = errors.sum(axis=1, keepdims=True)
    errors = np.where(total > 0, errors / np.where(total > 0, total, 1), off / (n_classes - 1))
    moved = joint.copy()
    for true in range(n_classes):
        right = lost * joint[true, :, true]
        moved[true, :, true] -= right
        moved[true] += right[:, None] * errors[true]
    return moved


def _macro_f1_and_pushes(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return macro-F1 (R,) of tables (R, K, K) of shares, and how an image of each cell pushes it (R, K, K).

    The push is the derivative of macro-F1 by the weight of one more image of the cell (its influence); their
    mean is zero, and their mean square over the number of images is the variance of macro-F1.
    """
    n_classes = tables.shape[-1]
    sums = tables.sum(axis=2) + tables.sum(axis=1)
    inverse = np.where(sums > 0, 1 / np.where(sums > 0, sums, 1), 0)
    f1 = 2 * np.diagonal(tables, axis1=1, axis2=2) * inverse
    loss = f1 * inverse
    pushes = 2 * np.eye(n_classes) * inverse[:, :, None] - loss[:, :, None] - loss[:, None, :]
    return f1.mean(axis=1), pushes / n_classes
