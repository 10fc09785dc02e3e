"""Do two kinds of errors go together, and is it because the same photographs are hard?

Errors are bool (S, N): one row per training seed, one column per photograph. All seeds are counted in one
table of four cells: both wrong, only the first, only the second, neither. Patients (`groups`) are drawn and
shuffled as a whole, with what every seed says of all their photographs.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import Draws, drawn_means, image_weights, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.mrmc import interval_of_method, jackknife


class Link(NamedTuple):
    """How much errors go together, and how much they would if one kind were shuffled between patients."""

    phi: Interval  # their correlation; its p-value is that of the shuffles
    odds_ratio: Interval  # Mantel and Haenszel's, over the strata; with the same p-value
    null: np.ndarray  # (B,) phi after each shuffle


def phi(cells: np.ndarray) -> np.ndarray:
    """Compute the correlation of two yes-or-no variables from (..., 4) shares or counts -> (...).

    NaN where one of the two never varies.
    """
    both, first, second, neither = np.moveaxis(np.asarray(cells, dtype=float), -1, 0)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    return _ratio(both * neither - first * second, np.sqrt(margins))


def odds_ratio(cells: np.ndarray) -> np.ndarray:
    """Compute the odds ratio common to K strata (Mantel and Haenszel, 1959) from (..., K, 4) -> (...).

    With one stratum it is the plain odds ratio. NaN where nobody is wrong about one thing only.
    """
    both, first, second, neither = np.moveaxis(np.asarray(cells, dtype=float), -1, 0)
    n = both + first + second + neither
    return _ratio(_ratio(both * neither, n, 0).sum(axis=-1), _ratio(first * second, n, 0).sum(axis=-1))


def strata_of(difficulty: np.ndarray, groups: np.ndarray, n: int) -> np.ndarray:
    """Cut patients into at most `n` equally large strata of their photographs' mean difficulty, (N,)."""
    means = pd.Series(difficulty).groupby(np.asarray(groups)).mean()
    of_patient = pd.qcut(means.rank(method="first"), min(n, len(means)), labels=False)
    return of_patient.loc[groups].to_numpy()


def shuffles(groups: np.ndarray, strata: np.ndarray, n: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield `n` times (N,) positions: the photograph whose errors each photograph is given.

    Patients are exchanged with patients of the same stratum and as many photographs; ValueError if a patient
    lies in two strata.
    """
    patients = pd.DataFrame({"group": groups, "stratum": strata}).groupby("group")
    if (patients["stratum"].nunique() > 1).any():
        raise ValueError("a patient's photographs must lie in one stratum")
    kept: dict[tuple, list] = {}
    for own in patients.indices.values():
        kept.setdefault((strata[own[0]], len(own)), []).append(own)
    blocks, rng = [np.array(one) for one in kept.values()], np.random.default_rng(seed)
    for _ in range(n):
        places = np.empty(len(groups), dtype=int)
        for block in blocks:
            places[block] = block[rng.permutation(len(block))]
        yield places


def link(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None, *,
    n_shuffles: int = 1_000, n_resamples: int = 2_000, confidence: float = 0.95,
) -> Link:  # fmt: skip
    """Measure how much errors `a` and `b`, (S, N) each, go together; those of the second are shuffled.

    Within `strata` (N,), see `strata_of` (None: one), patients are shuffled and odds are compared. Intervals
    draw patients and seeds.
    """
    strata = np.zeros(len(groups), dtype=int) if strata is None else np.asarray(strata)
    cells = np.stack([a & b, a & ~b, ~a & b, ~a & ~b], axis=-1).swapaxes(0, 1)  # (N, S, 4)
    split = cells[:, :, None] & (strata[:, None] == np.unique(strata))[:, None, :, None]  # (N, S, K, 4)
    shares, drawn = split.mean(axis=(0, 1)), Draws(groups, n_resamples).means(split)
    value = phi(shares.sum(axis=0))
    both = np.array([(a & b[:, places]).sum() for places in shuffles(groups, strata, n_shuffles)])
    n_a, n_b = a.sum(), b.sum()
    null = phi(np.stack([both, n_a - both, n_b - both, a.size - n_a - n_b + both], axis=-1))
    fewer = min((null >= value - 1e-12).sum(), (null <= value + 1e-12).sum())
    p = np.nan if np.isnan(value) else min(1.0, 2 * (fewer + 1) / (n_shuffles + 1))
    measures = (value, phi(drawn.sum(axis=1))), (odds_ratio(shares), odds_ratio(drawn))
    judged = (replace(percentile_interval(*one, confidence), p_value=p) for one in measures)
    return Link(*judged, null)


def parts(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, *, n_resamples: int = 2_000, confidence: float = 0.95
) -> tuple[Interval, Interval]:
    """Split phi by the law of total covariance: what photographs share, and what one network adds.

    The second part is the mean over photographs of the covariance, over seeds, of `a` and `b`: whether a
    network that errs in one thing errs in the other more often than other networks do *on the same
    photograph*. The first is the rest. Both are divided by the standard deviations of all errors, and add up
    to phi. Intervals are over patients; with one seed both are NaN.
    """
    both = np.stack([a.mean(axis=0), b.mean(axis=0)])
    with np.errstate(invalid="ignore"):  # with one seed 0 / 0
        within = ((a - both[0]) * (b - both[1])).sum(axis=0) / np.float64(len(a) - 1)
    sums = np.stack([*both, (a & b).mean(axis=0), within], axis=-1)  # (N, 4)

    def split(means: np.ndarray) -> np.ndarray:
        p, q, joint, own = np.moveaxis(means, -1, 0)
        return _ratio(np.stack([joint - p * q - own, own]), np.sqrt(p * (1 - p) * q * (1 - q)))

    drawn = split(drawn_means(sums, image_weights(groups, n_resamples, np.random.default_rng(0))))
    values = split(sums.mean(axis=0))
    shared, own = (percentile_interval(v, one, confidence) for v, one in zip(values, drawn, strict=True))
    return shared, own


def differences(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], groups: np.ndarray,
    confidence: float = 0.95,
) -> dict[str, Interval]:  # fmt: skip
    """Compare how much errors go together in two methods, the first minus the second, by the same seeds.

    Each is errors of both kinds, (S, N). Measures are `phi` and `log_odds_ratio`, whose cells get half a case
    each, so that an empty one leaves it finite. Seeds are readers, patients cases (`riqa.evaluate.mrmc`).
    """
    counts = [np.stack([a & b, a & ~b, ~a & b, ~a & ~b], axis=-1) for a, b in (one, other)]
    flat = np.concatenate(counts).swapaxes(0, 1).reshape(len(groups), -1)  # (N, 2 S 4)
    measures = {"phi": phi, "log_odds_ratio": _log_odds_ratio}

    def by_seed(measure: Callable, sums: np.ndarray) -> np.ndarray:
        first, second = np.split(measure(sums.reshape(*sums.shape[:-1], -1, 4)), 2, axis=-1)
        return first - second

    return {
        name: interval_of_method(jackknife(flat, partial(by_seed, measure), groups), confidence)
        for name, measure in measures.items()
    }


def usual(size: np.ndarray, outcome: np.ndarray, asked: np.ndarray, n: int) -> np.ndarray:
    """Return the mean outcome (M,) of repairs of like size (M,), for the sizes asked of (...).

    Like are those in the same of `n` equally large groups; beyond the ends, in the group there. NaN without
    any repair.
    """
    if not len(size):
        return np.full(np.shape(asked), np.nan)
    edges = np.unique(np.quantile(size, np.linspace(0, 1, n + 1)[1:-1]))
    means = pd.Series(outcome).groupby(np.digitize(size, edges)).mean()
    means = means.reindex(range(len(edges) + 1)).interpolate(limit_direction="both")
    return means.to_numpy()[np.digitize(asked, edges)]


def _log_odds_ratio(cells: np.ndarray) -> np.ndarray:
    both, first, second, neither = np.moveaxis(np.log(np.asarray(cells, dtype=float) + 0.5), -1, 0)
    return both + neither - first - second


def _ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1), otherwise)
