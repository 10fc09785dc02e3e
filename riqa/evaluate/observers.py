"""Each expert, and a model as one more, against the others: majorities (paper, Table 5), leniency, errors.

Panels are odd so that a majority exists. Without one expert the rest is even and can tie. The rule here: **a
tie is no majority; such images are left out and counted**. The same computation with every tie called good,
or bad, shows the effect of the rule. An expert and the model are scored against the same reference on the
same images, those seen by the expert, so that their difference is paired.

Everywhere `scores` (N, R, I) are those of R experts on I items of N images: 0 bad, 1 good, NaN not seen;
`answers` (S, N, I) a model's, 0 or 1, one block per training seed; and `groups` (N,) patient ids. The
bootstrap draws patients and seeds (`draws` and `confidence` as in `riqa.evaluate.bootstrap`), but no experts:
intervals hold for these experts and other patients, not for other experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.agreement import cohen_kappa, gwet_ac1, vote_counts
from riqa.evaluate.bootstrap import Draws, drawn_means, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import mean_of_known, scores_by_class
from riqa.labels import DETAILS

_TIES = {"leave_out": np.nan, "good": 1.0, "bad": 0.0}  # rule -> what a tie of the others is called

METRICS = ("agreement", "f1", "precision", "recall")
"""Share of the same answers; and, with *good* as the positive class, those of Table 5."""


@dataclass(frozen=True)
class AgainstOthers:
    """Scores against the majority of the others; index 0 of the axis of two is the expert, 1 the model."""

    n: np.ndarray  # (R, I) images with a reference, by expert and item
    n_tied: np.ndarray  # (R, I) images that a tie left without one (0 where ties are called something)
    value: dict[str, np.ndarray]  # metric -> (R, 2, I), NaN without image; the model's are means over seeds
    replicates: dict[str, np.ndarray]  # metric -> (B, R, 2, I), for each draw of patients and seeds


def score_cube(
    ratings: pd.DataFrame, image_ids: Sequence[str], session: int = 1
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lay ratings of details (image_id, rater, item, score, session) out by image, expert and detail.

    Session 1, or 2 for the blinded second one; an expert judges a detail of an image once in it.

    Returns:
        float (N, R, 3), NaN where an expert did not judge; and the R experts who judged anything, in order.
    """
    image_ids, cell = list(image_ids), ["image_id", "rater", "item"]
    chosen = ratings[ratings["image_id"].isin(image_ids) & ratings["item"].isin(DETAILS)]
    chosen = chosen[chosen["session"] == session]
    twice = chosen[chosen.duplicated(cell)]
    if len(twice):
        image, rater, item = twice.iloc[0][cell]
        raise ValueError(f"{rater} judged {item} of {image} twice in a session")
    raters = tuple(sorted(chosen["rater"].unique()))
    index = pd.MultiIndex.from_product([image_ids, raters, DETAILS])
    scores = chosen.set_index(cell)["score"].astype(float).reindex(index)
    return scores.to_numpy().reshape(len(image_ids), len(raters), len(DETAILS)), raters


def majority(scores: np.ndarray) -> np.ndarray:
    """Return the majority of each panel: (N, R, I) of 0, 1, NaN -> (N, I), NaN for a tie or no rating."""
    good, n = np.nansum(scores, axis=1), (~np.isnan(scores)).sum(axis=1)
    return np.where(2 * good == n, np.nan, (2 * good > n).astype(float))


def against_others(
    scores: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, ties: str = "leave_out", **draws: int
) -> AgainstOthers:
    """Score every expert, and the model beside each, against the majority of the other experts.

    An image that the others did not see, or on which they tie (`ties` may call that "good" or "bad" instead
    of "leave_out"), has no reference.
    """
    n, n_raters, n_items = scores.shape
    if answers.shape[1:] != (n, n_items) or len(groups) != n:
        raise ValueError(f"scores {scores.shape}, answers {answers.shape}, groups {len(groups)} disagree")
    if ties not in _TIES:
        raise ValueError(f"ties must be one of {tuple(_TIES)}, got {ties!r}")
    good, n_others, asked = _others(scores)
    tied = asked & (2 * good == n_others)
    called = np.where(tied, _TIES[ties], 2 * good > n_others)
    reference = np.where(asked, called, np.nan)  # (N, R, I)
    models = np.broadcast_to(answers.transpose(1, 0, 2)[:, None], (n, n_raters, len(answers), n_items))
    judged = np.concatenate([scores[:, :, None], models], axis=2)  # (N, R, 1 + S, I)
    cells = 2 * reference[:, :, None] + judged  # NaN, so in no cell, without a reference
    one_hot = (cells[..., None] == np.arange(4)).reshape(n, -1).astype(float)
    drawn = Draws(groups, **draws)
    weights = np.concatenate([np.ones((1, n), int), drawn.weights])  # the first are the images as they are
    counts = (weights @ one_hot).reshape(-1, n_raters, 1 + len(answers), n_items, 2, 2)
    agreement, *by_class = scores_by_class(counts)
    value, replicates = {}, {}
    for metric, found in zip(METRICS, [agreement, *(of[..., 1] for of in by_class)], strict=True):
        found = np.where(counts.sum(axis=(-2, -1)) > 0, found, np.nan)
        rater, model = found[:, :, 0], found[:, :, 1:]  # (1 + B, R, I), (1 + B, R, S, I)
        value[metric] = np.stack([rater[0], model[0].mean(axis=1)], axis=1)
        replicates[metric] = np.stack([rater[1:], drawn.over_seeds(np.swapaxes(model[1:], 1, 2))], axis=2)
    n_tied = tied.sum(axis=0) * (ties == "leave_out")
    return AgainstOthers((~np.isnan(reference)).sum(axis=0), n_tied, value, replicates)


def _others(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count others who say good, and who saw the image; did the expert and another see it? All (N, R, I)."""
    seen = ~np.isnan(scores)
    good = np.nansum(scores, axis=1, keepdims=True) - np.where(seen, scores, 0)
    n = seen.sum(axis=1, keepdims=True) - seen
    return good, n, seen & (n > 0)


def average_gaps(found: AgainstOthers, *, confidence: float = 0.95) -> list[Interval]:
    """Average the model's agreement minus the expert's over experts, each counting the same.

    With a margin the lower bound is a one-sided test: is the model no worse than an average expert, up to
    that margin? (Walker and Nowacki 2011, doi:10.1007/s11606-010-1513-8.) `confidence`, in (0.5, 1), is that
    of each of the two one-sided bounds.

    Returns:
        One per item, then one for the mean over items; NaN where there is nothing to compare.
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"no bounds with confidence={confidence!r}")
    value, drawn = found.value["agreement"], found.replicates["agreement"]
    value = mean_of_known(value[:, 1] - value[:, 0], axis=0)
    drawn = mean_of_known(drawn[:, :, 1] - drawn[:, :, 0], axis=1)
    columns = [*zip(value, drawn.T, strict=True), (mean_of_known(value, 0), mean_of_known(drawn, 1))]
    return [percentile_interval(v, d, 2 * confidence - 1) for v, d in columns]


def intra_rater(ratings: pd.DataFrame, image_ids: Sequence[str]) -> pd.DataFrame:
    """Compare what each expert said of the same image in session 1 and, blinded, in session 2.

    Returns:
        One row per expert and detail: rater, item, n, agreement, cohen_kappa (NaN if undefined) and gwet_ac1;
        none without n.
    """
    rows = []
    (first, names), (second, again) = (score_cube(ratings, image_ids, session) for session in (1, 2))
    for rater in filter(names.__contains__, again):
        for i, item in enumerate(DETAILS):
            both = np.stack([first[:, names.index(rater), i], second[:, again.index(rater), i]], axis=1)
            both = both[~np.isnan(both).any(axis=1)]
            if len(both):
                same, kappa = (both[:, 0] == both[:, 1]).mean(), cohen_kappa(*both.T)
                rows.append((rater, item, len(both), same, kappa, gwet_ac1(vote_counts(both))))
    return pd.DataFrame(rows, columns=["rater", "item", "n", "agreement", "cohen_kappa", "gwet_ac1"])


def rater_bias(
    scores: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, confidence: float = 0.95, **draws: int
) -> pd.DataFrame:
    """Compare how often an expert says *good* with how often the others do, on the same images.

    Panels differ from image to image, so plain shares would compare different images.

    Returns:
        One row per expert and item: judge (0..R-1; R is the model, compared with the whole panel), item
        (0..I-1), n, value (share called good, minus the mean over images of the others' share), low, high.
    """
    good, n_others, asked = _others(scores)
    n = (~np.isnan(scores)).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        others = np.where(asked, good / n_others, np.nan)
        panel = np.where(n > 0, np.nansum(scores, axis=1, keepdims=True) / n, np.nan)  # (N, 1, I)
    drawn = Draws(groups, **draws)
    of_experts = drawn_means(scores - others, drawn.weights)
    of_model = drawn.means(answers.transpose(1, 0, 2) - panel)
    replicates = np.concatenate([of_experts, of_model[:, None]], axis=1)  # (B, R + 1, I)
    called = np.concatenate([scores, answers.mean(axis=0)[:, None]], axis=1)  # (N, R + 1, I)
    reference, rows = np.concatenate([others, panel], axis=1), []
    for judge, item in np.ndindex(*called.shape[1:]):
        here = ~np.isnan(reference[:, judge, item])
        if here.any():
            lead = called[here, judge, item].mean() - reference[here, judge, item].mean()
            found = percentile_interval(lead, replicates[:, judge, item], confidence)
            rows.append((judge, item, here.sum(), found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["judge", "item", "n", "value", "low", "high"])


def errors_by_consent(
    scores: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, confidence: float = 0.95, **draws: int
) -> pd.DataFrame:
    """Split a model's errors against the majority of the panel into unanimous and contested images.

    Images with fewer than two ratings, or with a tie, are left out.

    Returns:
        One row per item and consent ("unanimous": all experts of an image say the same; or "contested"):
        item (0..I-1), consent, n, value (error rate, mean over seeds), low, high (NaN without an image),
        share_of_errors (of this item's errors, those here; NaN without one).
    """
    label, n, good = majority(scores), (~np.isnan(scores)).sum(axis=1), np.nansum(scores, axis=1)
    usable, unanimous = (n > 1) & ~np.isnan(label), (good == 0) | (good == n)
    wrong = np.where(usable, answers != label, np.nan).transpose(1, 0, 2)  # (N, S, I)
    drawn, rows = Draws(groups, **draws), []
    for item in range(scores.shape[2]):
        errors = wrong[:, :, item]
        total = np.nansum(errors)
        for consent, members in (("unanimous", unanimous), ("contested", ~unanimous)):
            here = usable[:, item] & members[:, item]
            part = np.where(here[:, None], errors, np.nan)
            value = part[here].mean() if here.any() else np.nan
            found = percentile_interval(value, drawn.means(part), confidence)
            share = np.nansum(part) / total if total else np.nan
            rows.append((item, consent, here.sum(), found.value, found.low, found.high, share))
    columns = ["item", "consent", "n", "value", "low", "high", "share_of_errors"]
    return pd.DataFrame(rows, columns=columns)
