"""How steady and how lenient single experts are; and where a model errs, by whether experts agree."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.agreement import cohen_kappa, gwet_ac1, vote_counts
from riqa.evaluate.draws import drawn_means, drawn_seeds, image_weights
from riqa.evaluate.observers import majority, score_cube
from riqa.evaluate.stats import percentile_interval
from riqa.labels import DETAILS

CONSENT = ("unanimous", "contested")
"""All experts of an image say the same of it; or they do not."""


def intra_rater(ratings: pd.DataFrame, image_ids: Sequence[str]) -> pd.DataFrame:
    """Compare what each expert said of the same image in session 1 and, blinded, in session 2.

    Args:
        ratings: image_id, rater, item, score, session.
        image_ids: Images to use.

    Returns:
        One row per expert and detail: rater, item, n, agreement, cohen_kappa (NaN if undefined) and gwet_ac1;
        none without n.
    """
    rows = []
    (first, names), (second, again) = (score_cube(ratings, image_ids, session=k) for k in (1, 2))
    for r, rater in enumerate(again):
        for i, item in enumerate(DETAILS):
            if rater not in names:
                continue
            both = np.stack([first[:, names.index(rater), i], second[:, r, i]], axis=1)
            both = both[~np.isnan(both).any(axis=1)]
            if len(both):
                same, kappa = (both[:, 0] == both[:, 1]).mean(), cohen_kappa(*both.T)
                rows.append((rater, item, len(both), same, kappa, gwet_ac1(vote_counts(both))))
    return pd.DataFrame(rows, columns=["rater", "item", "n", "agreement", "cohen_kappa", "gwet_ac1"])


def rater_bias(
    scores: np.ndarray,
    answers: np.ndarray,
    groups: np.ndarray,
    *,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare how often an expert says *good* with how often the others do, on the same images.

    Panels differ from image to image, so plain shares would compare different images.

    Args:
        scores: (N, R, I) of 0 bad, 1 good, NaN not seen.
        answers: (S, N, I) a model's answers, 0 or 1, one block per training seed.
        groups: (N,) patient ids.
        n_resamples: Number of bootstrap replicates.
        confidence: Coverage of the intervals.
        seed: Seed of the draws.

    Returns:
        One row per expert and item: judge (0..R-1; R is the model), item (0..I-1), n, share (called good),
        others (mean over images of the share of others who say good), value (share - others), low, high.
    """
    seen = ~np.isnan(scores)
    n, good = seen.sum(axis=1, keepdims=True), np.nansum(scores, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        others = np.where(seen & (n > 1), (good - np.where(seen, scores, 0)) / (n - seen), np.nan)
        panel = np.where(n > 0, good / n, np.nan)[:, 0]
    difference = scores - others
    of_model = answers.transpose(1, 0, 2) - panel[:, None]  # (N, S, I)
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    weights = image_weights(groups, n_resamples, np.random.default_rng(of_images))
    drawn = drawn_means(difference, weights)
    drawn_model = drawn_seeds(drawn_means(of_model, weights), np.random.default_rng(of_seeds))
    replicates = np.concatenate([drawn, drawn_model[:, None]], axis=1)  # (B, R + 1, I)
    known = np.concatenate([~np.isnan(difference), ~np.isnan(panel)[:, None]], axis=1)
    called = np.concatenate([scores, answers.mean(axis=0)[:, None]], axis=1)
    reference = np.concatenate([others, panel[:, None]], axis=1)
    rows = []
    for judge, item in np.ndindex(*known.shape[1:]):
        rows_of = known[:, judge, item]
        if rows_of.any():
            share, other = called[rows_of, judge, item].mean(), reference[rows_of, judge, item].mean()
            found = percentile_interval(share - other, replicates[:, judge, item], confidence)
            rows.append((judge, item, rows_of.sum(), share, other, found.value, found.low, found.high))
    columns = ["judge", "item", "n", "share", "others", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def errors_by_consent(
    scores: np.ndarray,
    answers: np.ndarray,
    groups: np.ndarray,
    *,
    n_resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Split a model's errors against the majority of the panel into unanimous and contested images.

    Images with fewer than two ratings, or with a tie, are left out.

    Args: As `rater_bias`.

    Returns:
        One row per item and `CONSENT`: item (0..I-1), consent, n, value (error rate, mean over seeds), low,
        high (NaN without an image), share_of_errors (of this item's errors, those here; NaN without one).
    """
    label, n = majority(scores), (~np.isnan(scores)).sum(axis=1)
    good = np.nansum(scores, axis=1)
    usable = (n > 1) & ~np.isnan(label)
    unanimous = (good == 0) | (good == n)
    wrong = np.where(usable, answers != label, np.nan).transpose(1, 0, 2)  # (N, S, I)
    of_images, of_seeds = np.random.SeedSequence(seed).spawn(2)
    weights = image_weights(groups, n_resamples, np.random.default_rng(of_images))
    rows = []
    for item in range(scores.shape[2]):
        errors = wrong[:, :, item]
        total = np.nansum(errors)
        for consent in CONSENT:
            here = usable[:, item] & (unanimous[:, item] == (consent == "unanimous"))
            part = np.where(here[:, None], errors, np.nan)
            drawn = drawn_seeds(drawn_means(part, weights), np.random.default_rng(of_seeds))
            value = part[here].mean() if here.any() else np.nan
            found = percentile_interval(value, drawn, confidence)
            share = np.nansum(part) / total if total else np.nan
            rows.append((item, consent, here.sum(), found.value, found.low, found.high, share))
    columns = ["item", "consent", "n", "value", "low", "high", "share_of_errors"]
    return pd.DataFrame(rows, columns=columns)
