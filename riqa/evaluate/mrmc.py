"""Differences between two trained *methods*, whose networks and patients are both samples.

A method is more than the few networks that it was tried with. So seeds are to a method what readers are to
an imaging technique, and the test of multi-reader multi-case studies applies (Obuchowski and Rockette 1995,
doi:10.1080/03610919508813243) with the degrees of freedom of Hillis (2007, doi:10.1002/sim.2532; 2014,
doi:10.1002/sim.5926). Let d_s be the difference of seed s, A minus B, of S seeds, and c the mean covariance
of two seeds' differences, because they meet the same patients. Then

    variance = var(d_s) / S + max(c, 0),    df = (S - 1) (variance / (var(d_s) / S))^2,

and the mean difference over its standard error follows t with df degrees of freedom. For two methods whose
seeds are paired this is their analysis of variance: var(d_s) = 2 MS(TR), and c = 2 (Cov2 - Cov3). The
covariance comes from the jackknife, which leaves out one patient at a time. With one seed nothing can be said
about methods, and the interval and p-value are NaN; two given *networks* are compared by
`riqa.evaluate.stats.paired_bootstrap`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import nct, t

from riqa.evaluate.bootstrap import checked_groups
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import paired_cells, sums_by_group


class BySeed(NamedTuple):
    """A difference (or score) seed by seed, and how other patients would move it."""

    values: np.ndarray  # (S,), NaN where there is none
    covariance: np.ndarray  # (S, S), by the jackknife over patients; NaN with fewer than two patients


def method_difference(
    y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, *, n_classes: int, metric: str = "macro_f1",
    groups: np.ndarray | None = None, confidence: float = 0.95,
) -> Interval:  # fmt: skip
    """Compare two methods by a score: the mean difference over seeds, A minus B, with its p-value.

    Takes and raises what `riqa.evaluate.stats.paired_bootstrap` does, where row s of `pred_a` and of `pred_b`
    (S, N) are a pair; `groups` are patients.
    """
    cells, difference = paired_cells(y_true, pred_a, pred_b, n_classes, metric)
    return interval_of_method(jackknife(cells, difference, groups), confidence)


def mean_of_method(
    values: np.ndarray, *, groups: np.ndarray | None = None, confidence: float = 0.95
) -> Interval:
    """Judge a mean over pairs of seed and image of values (S, N), such as differences; NaN: there is none.

    Every pair weighs the same, as in `riqa.evaluate.bootstrap.pooled_intervals`. So with m the mean, v a
    seed's sum of n values and k the mean of n over seeds, that seed counts as m + (v - m n) / k: where seeds
    have equally many values, as the mean of its own. The p-value is of the hypothesis that the mean is 0.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    known = ~np.isnan(values)
    sums = np.concatenate([np.where(known, values, 0.0), known]).T

    def means(sums: np.ndarray) -> np.ndarray:
        of_values, counts = np.split(sums, 2, axis=-1)
        with np.errstate(invalid="ignore"):
            mean = of_values.sum(axis=-1, keepdims=True) / counts.sum(axis=-1, keepdims=True)
            return mean + (of_values - mean * counts) / counts.mean(axis=-1, keepdims=True)

    return interval_of_method(jackknife(sums, means, groups), confidence)


def jackknife(
    images: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], groups: np.ndarray | None = None
) -> BySeed:
    """Compute a statistic of sums over images, seed by seed, and its covariance by leaving patients out.

    Images (N, F) are what each adds to the sums, the statistic maps sums (..., F) to values (..., S), and
    groups (N,) are patient ids; None leaves out single images.
    """
    own = sums_by_group(images, checked_groups(groups, images.shape[:1])).astype(float)
    total, n = own.sum(axis=0), len(own)
    values = statistic(total)
    if n < 2:
        return BySeed(values, np.full((len(values),) * 2, np.nan))
    without = statistic(total - own)
    without -= without.mean(axis=0)
    return BySeed(values, (n - 1) / n * without.T @ without)


def interval_of_method(by_seed: BySeed, confidence: float = 0.95) -> Interval:
    """Judge a mean over seeds as stated above; two-sided p-value of the hypothesis that it is 0.

    Where neither seeds nor patients vary, the interval is the value, and the p-value 1 if it is 0, else 0.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    value, n_seeds = float(by_seed.values.mean()), len(by_seed.values)
    if n_seeds < 2 or np.isnan(by_seed.covariance).any():
        return Interval(value, np.nan, np.nan, np.nan)
    of_seeds, shared = by_seed.values.var(ddof=1) / n_seeds, _between(by_seed.covariance)
    variance = of_seeds + max(shared, 0.0)
    if variance == 0:
        return Interval(value, value, value, float(value == 0))
    df = (n_seeds - 1) * (variance / of_seeds) ** 2 if of_seeds else np.inf
    half = t.ppf((1 + confidence) / 2, df) * np.sqrt(variance)
    return Interval(value, value - half, value + half, float(2 * t.sf(abs(value) / np.sqrt(variance), df)))


class Spread(NamedTuple):
    """Where a difference between methods gets its variance, on a test set of a known size."""

    seeds: float  # between networks, if all patients there are were asked
    own: float  # from this test set's patients, in each seed by itself
    shared: float  # from this test set's patients, in all seeds alike


def spread_of(by_seed: BySeed) -> Spread:
    """Take the variance of a difference apart; what cannot be negative is at least 0, NaN with one seed."""
    if len(by_seed.values) < 2:
        return Spread(np.nan, np.nan, np.nan)
    shared = max(_between(by_seed.covariance), 0.0)
    own = max(float(np.diag(by_seed.covariance).mean()) - shared, 0.0)
    return Spread(max(float(by_seed.values.var(ddof=1)) - own, 0.0), own, shared)


def method_power(
    difference: np.ndarray | float, spread: Spread, *, n_seeds: int, times_patients: float = 1.0,
    alpha: float = 0.05,
) -> np.ndarray | float:  # fmt: skip
    """Return the chance that a study finds that A is better, where it truly is by `difference`.

    The test is the one above, two-sided at the level alpha, in (0, 1). A study has `n_seeds` pairs of
    networks, at least 1 (with one nothing can be found, and the power is NaN), and a test set as large as
    `times_patients`, above 0, of those that the spread is of. Differences may have any shape. After Hillis,
    Obuchowski and Berbaum (2011, doi:10.1016/j.acra.2010.09.007).
    """
    if n_seeds < 1 or not times_patients > 0 or not 0 < alpha < 1:
        raise ValueError(f"n_seeds {n_seeds}, times_patients {times_patients}, alpha {alpha}: out of range")
    of_seeds = (spread.seeds + spread.own / times_patients) / n_seeds
    variance = of_seeds + spread.shared / times_patients
    if n_seeds == 1 or not variance > 0:
        return np.full(np.shape(difference), np.nan)[()]
    df = (n_seeds - 1) * (variance / max(of_seeds, 1e-3 * variance)) ** 2  # beyond 1e6 t is normal
    return nct.sf(t.ppf(1 - alpha / 2, df), df, np.asarray(difference) / np.sqrt(variance))


def _between(covariance: np.ndarray) -> float:
    """Average the covariances (S, S) of different seeds."""
    return float(covariance[~np.eye(len(covariance), dtype=bool)].mean())
