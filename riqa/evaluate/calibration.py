"""Whether probabilities mean what they say, and from which severity on the answer is "bad".

The expected calibration error (ECE) is never negative, so chance alone makes it positive: a perfectly
calibrated model has an ECE above zero on any finite set, the more so the fewer images and the more bins
(Broecker and Smith 2007, doi:10.1175/WAF993.1, conclude the same for reliability diagrams). `floor` is that
amount; read an ECE beside it.

A psychometric curve is the chance of the answer "bad" as a function of true severity. Its middle, where "bad"
and "good" are equally likely, is the threshold of the expert or model; how far severity must change around it
to turn one answer in four into three in four tells how finely it discriminates.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import norm

from riqa.evaluate.bootstrap import Draws, checked_groups, mean_interval, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import expected_calibration_error, reliability_table


@dataclass(frozen=True)
class Calibration:
    """Calibration of one probability."""

    table: pd.DataFrame  # `reliability_table` of all seeds' answers, with `low` and `high` of the share
    ece: Interval  # of that table, so of what its diagram shows
    floor: float  # mean ECE of a perfectly calibrated model with the same probabilities
    brier: Interval  # mean squared distance of probability and truth; 0 is perfect


def calibration(
    y_true: np.ndarray, probs: np.ndarray, *, groups: np.ndarray | None = None, n_bins: int = 10,
    n_resamples: int = 2_000, confidence: float = 0.95, seed: int = 0,
) -> Calibration:  # fmt: skip
    """Measure the calibration of one yes-or-no answer, all seeds' answers in one reliability table.

    `y_true` (N,) is 0, 1 or NaN, which is left out; `probs` of 1, in [0, 1], are (N,), or (S, N) with one row
    per seed, and so may be `y_true`, where seeds are asked different questions ("is your answer right?").
    `n_bins` are of equal width. For the rest, and for errors, see `riqa.evaluate.bootstrap`. Drawing anew
    adds noise to every bin and so, on average, error: the replicates of the ECE are shifted back by that
    much, and not below zero.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.atleast_2d(np.asarray(probs, dtype=float))
    if y_true.shape not in (probs.shape, probs.shape[1:]):
        raise ValueError(f"y_true {y_true.shape} and probs {probs.shape} must be (N,) or (S, N)")
    truth, groups = np.broadcast_to(y_true, probs.shape), checked_groups(groups, probs.shape[1:])
    known = ~np.isnan(truth).any(axis=0)
    truth, probs, groups = truth[:, known], probs[:, known], groups[known]
    table = reliability_table(truth.ravel(), probs.ravel(), n_bins)
    bins = np.digitize(probs, table["bin_low"].to_numpy()[1:])

    draws = Draws(groups, n_resamples, seed)
    in_bin = bins[..., None] == np.arange(n_bins)  # (S, N, B)
    numbers = np.stack([np.ones_like(probs), truth, probs])
    sums = np.einsum("ksn,snb->nskb", numbers, in_bin)  # what each image adds to each bin
    by_seed = (draws.weights @ sums.reshape(len(groups), -1)).reshape(n_resamples, *sums.shape[1:])
    count, positive, predicted = np.moveaxis(draws.over_seeds(by_seed), 1, 0)
    error = expected_calibration_error(table)
    errors = np.abs(positive - predicted).sum(axis=1) / count.sum(axis=1)
    errors = np.maximum(0, errors - (errors.mean() - error))  # what drawing anew has added by chance
    shares = positive / np.where(count > 0, count, np.nan)
    ends = [percentile_interval(np.nan, of_bin, confidence) for of_bin in shares.T]
    labels_rng = np.random.default_rng(seed).spawn(3)[2]  # the first two are those of `Draws`
    draw = {"groups": groups, "n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    return Calibration(
        table=table.assign(low=[end.low for end in ends], high=[end.high for end in ends]),
        ece=percentile_interval(error, errors, confidence),
        floor=_floor(probs, bins, n_bins, labels_rng),
        brier=mean_interval((probs - truth) ** 2, **draw),
    )


def _floor(probs: np.ndarray, bins: np.ndarray, n_bins: int, rng: np.random.Generator) -> float:
    """Average the ECE over 200 truths drawn from the probabilities, one draw an image for all seeds."""
    drawn = rng.random((200, 1, probs.shape[1])) < probs
    errors = [
        np.abs(np.bincount(bins.ravel(), weights=(truth - probs).ravel(), minlength=n_bins)).sum()
        for truth in drawn
    ]
    return float(np.mean(errors) / probs.size)


@dataclass(frozen=True)
class Psychometric:
    """A fitted curve: "bad" has the chance 1 / (1 + exp(-(severity - threshold) 2 ln(3) / width))."""

    threshold: float  # severity at which "bad" and "good" are equally likely
    low: float  # lower end of the threshold's interval
    high: float  # upper end
    width: float  # severity from one "bad" in four to three in four


def fit_psychometric(
    severity: np.ndarray, bad: np.ndarray, groups: np.ndarray, confidence: float = 0.95
) -> Psychometric | None:
    """Fit a logistic psychometric curve to answers `bad` (N,), 0, 1 or shares, at severities (N,) in [0, 1].

    The interval of the threshold comes by the delta method from the covariance clustered by `groups` (N,),
    patients: rows of one group are no independent evidence. There is no curve, but None, for one answer only,
    answers that a severity separates perfectly, fewer than three groups, or "bad" not getting likelier with
    severity.
    """
    severity, bad = np.asarray(severity, dtype=float), np.asarray(bad, dtype=float)
    codes = np.unique(groups, return_inverse=True)[1]
    if np.isnan(bad).any() or np.ptp(bad) == 0 or np.ptp(severity) == 0 or codes.max() < 2:
        return None
    separated = sm.tools.sm_exceptions.PerfectSeparationWarning
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", separated)
        try:
            model = sm.GLM(bad, sm.add_constant(severity), family=sm.families.Binomial())
            fit = model.fit(cov_type="cluster", cov_kwds={"groups": codes})
        except (RuntimeWarning, separated, np.linalg.LinAlgError):
            return None
    intercept, slope = fit.params
    if slope <= 0:
        return None
    threshold = -intercept / slope
    gradient = np.array([-1, -threshold]) / slope
    reach = norm.ppf((1 + confidence) / 2) * np.sqrt(gradient @ fit.cov_params() @ gradient)
    return Psychometric(threshold, threshold - reach, threshold + reach, 2 * np.log(3) / slope)
