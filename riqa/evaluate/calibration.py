"""Whether probabilities mean what they say: reliability with intervals, calibration error, Brier score.

The expected calibration error (ECE) is never negative, so chance alone makes it positive: a perfectly
calibrated model has an ECE above zero on any finite set, the more so the fewer images and the more bins
(Broecker and Smith 2007, doi:10.1175/WAF993.1, conclude the same for reliability diagrams). `floor` is that
amount; read an ECE beside it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.draws import drawn_seeds, image_weights
from riqa.evaluate.means import mean_interval
from riqa.evaluate.metrics import expected_calibration_error, reliability_table
from riqa.evaluate.stats import Interval, percentile_interval


@dataclass(frozen=True)
class Calibration:
    """Calibration of one probability."""

    table: pd.DataFrame  # `reliability_table` of all seeds' answers, with `low` and `high` of the share
    ece: Interval  # of that table, so of what its diagram shows
    floor: float  # mean ECE of a perfectly calibrated model with the same probabilities
    brier: Interval  # mean squared distance of probability and truth; 0 is perfect


def calibration(
    y_true: np.ndarray,
    probs: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_bins: int = 10,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Calibration:
    """Measure the calibration of one yes-or-no answer.

    The answers of all seeds go into one reliability table. A replicate of the bootstrap draws groups and
    seeds. Drawing anew adds noise to every bin and so, on average, error: the replicates of the ECE are
    shifted back by that much, and not below zero.

    Args:
        y_true: (N,) of 0 and 1; NaN where unknown, left out.
        probs: (N,) probabilities of 1 in [0, 1], or (S, N) with one row per training seed.
        groups: (N,) what is drawn as a whole, e.g. patient ids; None draws single images.
        n_bins: Bins of equal width.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage aimed at, in (0, 1).
        seed: Seed of the draws.

    Raises:
        ValueError: If shapes disagree, no truth is known, or a number is out of range.
    """
    y_true, probs = np.asarray(y_true, dtype=float), np.atleast_2d(np.asarray(probs, dtype=float))
    groups = np.arange(len(y_true)) if groups is None else np.asarray(groups)
    if not probs.shape[1:] == y_true.shape == groups.shape:
        raise ValueError(f"y_true {y_true.shape} and groups {groups.shape} must be (N,), probs {probs.shape}")
    known = ~np.isnan(y_true)
    truth, probs, groups = y_true[known], probs[:, known], groups[known]
    table = reliability_table(np.tile(truth, len(probs)), probs.ravel(), n_bins)
    bins = np.digitize(probs, table["bin_low"].to_numpy()[1:])

    images_rng, seeds_rng, labels_rng = np.random.default_rng(seed).spawn(3)
    weights = image_weights(groups, n_resamples, images_rng)
    in_bin = bins[..., None] == np.arange(n_bins)  # (S, N, B)
    numbers = np.stack([np.ones_like(probs), np.broadcast_to(truth, probs.shape), probs])
    sums = np.einsum("ksn,snb->nskb", numbers, in_bin)  # what each image adds to each bin
    by_seed = (weights @ sums.reshape(len(truth), -1)).reshape(n_resamples, *sums.shape[1:])
    count, positive, predicted = np.moveaxis(drawn_seeds(by_seed, seeds_rng), 1, 0)
    error = expected_calibration_error(table)
    errors = np.abs(positive - predicted).sum(axis=1) / count.sum(axis=1)
    errors = np.maximum(0, errors - (errors.mean() - error))  # what drawing anew has added by chance
    shares = positive / np.where(count > 0, count, np.nan)
    ends = [percentile_interval(np.nan, of_bin[~np.isnan(of_bin)], confidence) for of_bin in shares.T]
    draw = {"groups": groups, "n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    return Calibration(
        table=table.assign(low=[end.low for end in ends], high=[end.high for end in ends]),
        ece=percentile_interval(error, errors, confidence),
        floor=_floor(probs, bins, n_bins, labels_rng),
        brier=mean_interval((probs - truth) ** 2, **draw),
    )


def _floor(
    probs: np.ndarray, bins: np.ndarray, n_bins: int, rng: np.random.Generator, draws: int = 200
) -> float:
    """Average the ECE over truths that are drawn from the probabilities themselves.

    One uniform number per image decides for all seeds, so that their truths agree as far as they can.
    """
    drawn = rng.random((draws, 1, probs.shape[1])) < probs
    errors = [
        np.abs(np.bincount(bins.ravel(), weights=(truth - probs).ravel(), minlength=n_bins)).sum()
        for truth in drawn
    ]
    return float(np.mean(errors) / probs.size)
