"""Each expert, and a model as one more, against the majority of the other experts (paper, Table 5).

Panels are odd so that a majority exists. Without one expert the rest is even and can tie. The rule here: **a
tie is no majority; such images are left out and counted**. The same computation with every tie called good,
or bad, shows the effect of the rule.

An expert and the model are scored against the same reference on the same images, those seen by the expert, so
that their difference is paired. Experts are not drawn anew by the bootstrap: intervals hold for these
experts and other patients (and other training seeds), not for other experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.draws import drawn_seeds, image_weights
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import percentile_interval
from riqa.labels import DETAILS

TIES = ("leave_out", "good", "bad")
METRICS = ("agreement", "f1", "precision", "recall")
"""Share of the same answers; and, with *good* as the positive class, those of Table 5."""


@dataclass(frozen=True)
class AgainstOthers:
    """Scores against the majority of the others; index 0 of the axis of two is the expert, 1 the model.

    Attributes:
        n: (R, I) images with a reference, by expert and item.
        n_tied: (R, I) images that a tie left without one (0 where ties are called something).
        value: Metric -> (R, 2, I), NaN where there is no image; the model's are means over seeds.
        replicates: Metric -> (B, R, 2, I), the same for each draw of patients and seeds.
    """

    n: np.ndarray
    n_tied: np.ndarray
    value: dict[str, np.ndarray]
    replicates: dict[str, np.ndarray]


def score_cube(
    ratings: pd.DataFrame, image_ids: Sequence[str], items: Sequence[str] = DETAILS, session: int = 1
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lay ratings out by image, expert and item.

    Args:
        ratings: image_id, rater, item, score, session.
        image_ids: N images, in the order wanted; ratings of others are left out.
        items: I items.
        session: 1, or 2 for the blinded second one.

    Returns:
        float (N, R, I), NaN where an expert did not judge; and the R experts who judged anything, in order.

    Raises:
        ValueError: If an expert judged an item of an image twice in the session.
    """
    chosen = ratings[
        ratings["image_id"].isin(list(image_ids))
        & ratings["item"].isin(items)
        & ratings["session"].eq(session)
    ]
    twice = chosen.duplicated(["image_id", "rater", "item"])
    if twice.any():
        first = chosen[twice].iloc[0]
        raise ValueError(f"{first['rater']} judged {first['item']} of {first['image_id']} twice in a session")
    raters = tuple(sorted(chosen["rater"].unique()))
    wide = chosen.set_index(["image_id", "rater", "item"])["score"].astype(float)
    index = pd.MultiIndex.from_product([list(image_ids), raters, items])
    return wide.reindex(index).to_numpy().reshape(len(image_ids), len(raters), len(items)), raters


def majority(scores: np.ndarray) -> np.ndarray:
    """Return the majority of each panel: (N, R, I) of 0, 1, NaN -> (N, I), NaN for a tie or no rating."""
    good, n = np.nansum(scores, axis=1), (~np.isnan(scores)).sum(axis=1)
    return np.where(2 * good == n, np.nan, (2 * good > n).astype(float))


def majority_of_others(scores: np.ndarray, ties: str = "leave_out") -> tuple[np.ndarray, np.ndarray]:
    """Find, for each expert, what the majority of the others says of the images that the expert has seen.

    Args:
        scores: (N, R, I) of 0 bad, 1 good, NaN not seen.
        ties: "leave_out" (a tie is no majority), "good" or "bad" (what a tie is called).

    Returns:
        reference: (N, R, I) of 0, 1; NaN where the expert or all others did not look, or a tie is left out.
        tied: bool (N, R, I), where the others tie.

    Raises:
        ValueError: If `ties` is none of `TIES`.
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}, got {ties!r}")
    seen = ~np.isnan(scores)
    good = np.nansum(scores, axis=1, keepdims=True) - np.where(seen, scores, 0)
    n = seen.sum(axis=1, keepdims=True) - seen
    usable = seen & (n > 0)
    tied = usable & (2 * good == n)
    called = {"leave_out": np.nan, "good": 1.0, "bad": 0.0}[ties]
    reference = np.where(tied, called, (2 * good > n).astype(float))
    return np.where(usable, reference, np.nan), tied


def against_others(
    scores: np.ndarray,
    answers: np.ndarray,
    groups: np.ndarray,
    *,
    ties: str = "leave_out",
    n_resamples: int = 2_000,
    seed: int = 0,
) -> AgainstOthers:
    """Score every expert, and the model beside each, against the majority of the other experts.

    Args:
        scores: (N, R, I) of 0 bad, 1 good, NaN not seen.
        answers: (S, N, I) the model's answers, 0 or 1, one block per training seed.
        groups: (N,) patient ids, drawn as a whole.
        ties: See `majority_of_others`.
        n_resamples: Number of bootstrap replicates.
        seed: Seed of the draws.

    Raises:
        ValueError: If shapes disagree, or `ties` is unknown.
    """
    n, n_raters, n_items = scores.shape
    if answers.shape[1:] != (n, n_items) or len(groups) != n:
        raise ValueError(f"scores {scores.shape}, answers {answers.shape}, groups {len(groups)} disagree")
    reference, tied = majority_of_others(scores, ties)
    models = np.broadcast_to(answers.transpose(1, 0, 2)[:, None], (n, n_raters, len(answers), n_items))
    judged = np.concatenate([scores[:, :, None], models], axis=2)  # (N, R, 1 + S, I)
    cells = 2 * reference[:, :, None] + judged  # NaN, so in no cell, without a reference
    one_hot = (cells[..., None] == np.arange(4)).reshape(n, -1).astype(float)
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    drawn = image_weights(groups, n_resamples, np.random.default_rng(of_images))
    weights = np.concatenate([np.ones((1, n), int), drawn])  # the first replicate is the images as they are
    counts = (weights @ one_hot).reshape(-1, n_raters, 1 + len(answers), n_items, 2, 2)
    value, replicates = {}, {}
    for metric, found in _scores(counts).items():
        rater, model = found[:, :, 0], found[:, :, 1:]  # (1 + B, R, I), (1 + B, R, S, I)
        means = drawn_seeds(np.swapaxes(model[1:], 1, 2), np.random.default_rng(of_seeds))
        value[metric] = np.stack([rater[0], model[0].mean(axis=1)], axis=1)
        replicates[metric] = np.stack([rater[1:], means], axis=2)
    left_out = tied.sum(axis=0) if ties == "leave_out" else np.zeros_like(tied.sum(axis=0))
    return AgainstOthers((~np.isnan(reference)).sum(axis=0), left_out, value, replicates)


def average_gaps(
    found: AgainstOthers, *, metric: str = "agreement", confidence: float = 0.95
) -> list[Interval]:
    """Average the model's score minus the expert's over experts, each counting the same.

    With a margin the lower bound is a one-sided test: is the model no worse than an average expert, up to
    that margin? (Walker and Nowacki 2011, doi:10.1007/s11606-010-1513-8.)

    Args:
        found: Scores of experts and model against the same references.
        metric: One of `METRICS`.
        confidence: Of each of the two one-sided bounds, in (0.5, 1).

    Returns:
        One per item, then one for the mean over items; NaN where there is nothing to compare.

    Raises:
        ValueError: If `metric` or `confidence` is out of range.
    """
    if metric not in METRICS or not 0.5 < confidence < 1:
        raise ValueError(f"no bounds with metric={metric!r}, confidence={confidence!r}")
    value = mean_of_known(found.value[metric][:, 1] - found.value[metric][:, 0], axis=0)
    drawn = mean_of_known(found.replicates[metric][:, :, 1] - found.replicates[metric][:, :, 0], axis=1)
    columns = [*zip(value, drawn.T, strict=True), (mean_of_known(value, 0), mean_of_known(drawn, 1))]
    return [percentile_interval(v, d, 2 * confidence - 1) for v, d in columns]


def _scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute `METRICS` from counts (..., truth, answer) of 0 bad, 1 good; NaN without any image."""
    hits = counts[..., 1, 1]
    true, called, n = counts[..., 1, :].sum(axis=-1), counts[..., 1].sum(axis=-1), counts.sum(axis=(-2, -1))
    parts = {
        "agreement": (hits + counts[..., 0, 0], n),
        "f1": (2 * hits, true + called),
        "precision": (hits, called),
        "recall": (hits, true),
    }
    return {
        name: np.where(n > 0, top / np.where(bottom > 0, bottom, 1), np.nan)
        for name, (top, bottom) in parts.items()
    }


def mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Average without NaN; NaN where there is nothing else."""
    known = (~np.isnan(values)).sum(axis=axis)
    return np.where(known > 0, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan)
