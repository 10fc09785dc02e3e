"""Each expert, and a model as one more, against the others: majorities (paper, Table 5), leniency, errors.

Panels are odd so that a majority exists. Without one expert the rest is even and can tie. The rule here: **a
tie is no majority; such images are left out and counted**. The same computation with every tie called good,
or bad, shows the effect of the rule. An expert and the model are scored against the same reference on the
same images, those seen by the expert, so that their difference is paired.

Everywhere `scores` (N, R, I) are those of R experts on I items of N images: 0 bad, 1 good, NaN not seen;
`answers` (S, N, I) a model's, 0 or 1, one block per training seed; and `groups` (N,) patient ids. The
bootstrap draws patients and seeds (`riqa.evaluate.bootstrap`), but no experts: intervals hold for these
experts and other patients, not for other experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from riqa.evaluate.agreement import cohen_kappa, gwet_ac1, vote_counts
from riqa.evaluate.bootstrap import Draws
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import mean_of_known, ratio, scores_by_class
from riqa.evaluate.mrmc import interval_of_method, jackknife
from riqa.labels import DETAILS

TIES = {"leave_out": np.nan, "good": 1.0, "bad": 0.0}
"""Rule -> what a tie of the others is called."""

METRICS = ("agreement", "f1", "precision", "recall")
"""Share of the same answers; and, with *good* as the positive class, those of Table 5."""


@dataclass(frozen=True)
class AgainstOthers:
    """Scores against the majority of the others; index 0 of the axis of two is the expert, 1 the model."""

    n: np.ndarray  # (R, I) images with a reference, by expert and item
    n_tied: np.ndarray  # (R, I) images that a tie left without one
    value: dict[str, np.ndarray]  # metric -> (R, 2, I), NaN without image; the model's are means over seeds
    replicates: dict[str, np.ndarray]  # metric -> (B, R, 2, I), for each draw of patients and seeds


def score_cube(
    ratings: pd.DataFrame, image_ids: Sequence[str], session: int = 1
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lay ratings of details (image_id, rater, item, score, session) out by image, expert and detail.

    Session 1, or 2 for the blinded second one; of the N images, in the order given. Returns float (N, R, 3),
    NaN where an expert did not judge, and the R experts who judged anything, in order. A ValueError tells of
    an expert who judged a detail of an image twice in the session.
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


def majority_of_rest(scores: np.ndarray) -> np.ndarray:
    """Find, for each of the P pairs of experts, what the majority of all others says: (N, R, I) -> (N, P, I).

    Pairs are in the order of `itertools.combinations`; NaN for a tie, or where no other looked.
    """
    pairs = combinations(range(scores.shape[1]), 2)
    return np.stack([majority(np.delete(scores, pair, axis=1)) for pair in pairs], axis=1)


def majority_of_others(scores: np.ndarray, ties: str = "leave_out") -> tuple[np.ndarray, np.ndarray]:
    """Find, for each expert, what the majority of the others says of the images that the expert has seen.

    It is (N, R, I) of 0, 1; NaN where the expert or all others did not look, or a tie is left out. The second
    array, bool (N, R, I), is true where the others tie.
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {tuple(TIES)}, got {ties!r}")
    seen = ~np.isnan(scores)
    good = np.nansum(scores, axis=1, keepdims=True) - np.where(seen, scores, 0)
    n = seen.sum(axis=1, keepdims=True) - seen
    usable = seen & (n > 0)
    tied = usable & (2 * good == n)
    reference = np.where(tied, TIES[ties], (2 * good > n).astype(float))
    return np.where(usable, reference, np.nan), tied


def against_others(
    scores: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, n_resamples: int = 2_000, seed: int = 0
) -> AgainstOthers:
    """Score every expert, and the model beside each, against the majority of the other experts."""
    n, n_raters, n_items = scores.shape
    if answers.shape[1:] != (n, n_items) or len(groups) != n:
        raise ValueError(f"scores {scores.shape}, answers {answers.shape}, groups {len(groups)} disagree")
    reference, tied = majority_of_others(scores)
    models = np.broadcast_to(answers.transpose(1, 0, 2)[:, None], (n, n_raters, len(answers), n_items))
    judged = np.concatenate([scores[:, :, None], models], axis=2)  # (N, R, 1 + S, I)
    cells = 2 * reference[:, :, None] + judged  # NaN, so in no cell, without a reference
    one_hot = (cells[..., None] == np.arange(4)).reshape(n, -1).astype(float)
    draws = Draws(groups, n_resamples, seed)
    weights = np.concatenate([np.ones((1, n), int), draws.weights])  # the first are the images as they are
    counts = (weights @ one_hot).reshape(-1, n_raters, 1 + len(answers), n_items, 2, 2)
    value, replicates = {}, {}
    for metric, found in _scores(counts).items():
        rater, model = found[:, :, 0], found[:, :, 1:]  # (1 + B, R, I), (1 + B, R, S, I)
        value[metric] = np.stack([rater[0], model[0].mean(axis=1)], axis=1)
        replicates[metric] = np.stack([rater[1:], draws.over_seeds(np.swapaxes(model[1:], 1, 2))], axis=2)
    return AgainstOthers((~np.isnan(reference)).sum(axis=0), tied.sum(axis=0), value, replicates)


def _scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Compute `METRICS` from counts (..., truth, answer) of 0 bad, 1 good; NaN without any image."""
    hits, true, *by_class = scores_by_class(counts)
    n = true.sum(axis=-1)
    precision, recall, f1 = (np.where(n > 0, of[..., 1], np.nan) for of in by_class)
    return dict(zip(METRICS, (ratio(hits.sum(axis=-1), n), f1, precision, recall), strict=True))


def average_gaps(
    scores: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, ties: str = "leave_out",
    confidence: float = 0.95,
) -> list[Interval]:  # fmt: skip
    """Average the model's agreement with the others minus the expert's over experts, each counting the same.

    With a margin the lower bound is a one-sided test: is the model no worse than an average expert, up to
    that margin? (Walker and Nowacki 2011, doi:10.1007/s11606-010-1513-8.) The model is a way of training, so
    its seeds are readers, and patients are cases (`riqa.evaluate.mrmc`); experts are given. `confidence`, in
    (0.5, 1), is that of each of the two one-sided bounds. Returned are an interval per item, then one for the
    mean over items; NaN where there is nothing to compare.
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"no one-sided bounds with confidence={confidence!r}")
    reference, _ = majority_of_others(scores, ties)  # (N, R, I)
    known = ~np.isnan(reference)
    same = answers.transpose(1, 0, 2)[:, :, None] == reference[:, None]  # (N, S, R, I)
    gaps = (same.astype(int) - (scores == reference)[:, None]) * known[:, None]
    shape, of_model = gaps.shape[1:], gaps[0].size
    images = np.concatenate([gaps.reshape(len(gaps), -1), known.reshape(len(gaps), -1)], axis=1)

    def by_item(sums: np.ndarray) -> np.ndarray:  # (..., S * R * I + R * I) -> (..., S, I)
        gap = sums[..., :of_model].reshape(*sums.shape[:-1], *shape)
        n = sums[..., of_model:].reshape(*sums.shape[:-1], 1, *shape[1:])
        return mean_of_known(ratio(gap, n), axis=-2)

    asked = [lambda sums, k=k: by_item(sums)[..., k] for k in range(shape[-1])]
    asked.append(lambda sums: mean_of_known(by_item(sums), axis=-1))
    return [interval_of_method(jackknife(images, gap, groups), 2 * confidence - 1) for gap in asked]


def intra_rater(ratings: pd.DataFrame, image_ids: Sequence[str]) -> pd.DataFrame:
    """Compare what each expert said of the same image in session 1 and, blinded, in session 2.

    One row per expert and detail, if there are such images: rater, item, n, agreement, cohen_kappa (NaN if
    undefined) and gwet_ac1.
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


def excess_of_good(scores: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare what each expert says with the share of the others who say good, on the same image.

    Panels differ from image to image, so plain shares would compare different images. Returns the excess over
    the other experts (N, R, I), NaN where the expert or all others did not look, and that of the model over
    the whole panel (N, S, I).
    """
    seen = ~np.isnan(scores)
    n, good = seen.sum(axis=1, keepdims=True), np.nansum(scores, axis=1, keepdims=True)
    others = ratio(good - np.where(seen, scores, 0), n - seen)
    return scores - others, answers.transpose(1, 0, 2) - ratio(good, n)


def errors_by_consent(scores: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """Split a model's errors against the majority of the panel into unanimous and contested images.

    "unanimous" (all experts of an image say the same) and "contested" -> (N, S, I), 1 where the model is
    wrong, NaN on images of the other kind, with fewer than two ratings, or with a tie.
    """
    label, n, good = majority(scores), (~np.isnan(scores)).sum(axis=1), np.nansum(scores, axis=1)
    usable, unanimous = (n > 1) & ~np.isnan(label), (good == 0) | (good == n)
    parts = {"unanimous": usable & unanimous, "contested": usable & ~unanimous}
    return {
        consent: np.where(here, answers != label, np.nan).transpose(1, 0, 2)
        for consent, here in parts.items()
    }


def errors_together(
    scores: np.ndarray, answers: np.ndarray, reference: np.ndarray, weights: np.ndarray
) -> dict[tuple[str, str], np.ndarray]:
    """Compute error rates and error consistency of experts, of a model's seeds, and between the two.

    Error consistency is Cohen's kappa of being wrong (Geirhos et al. 2020, arXiv:2006.16736),
    2 (p_jk - p_j p_k) / (p_j + p_k - 2 p_j p_k), where j and k are wrong on shares p_j and p_k of the images
    and both on p_jk. Every kind of pair is looked at on the images that a pair of experts has judged, against
    one reference; numerator and denominator are summed over pairs, each weighed by its images.

    The reference is what is right, 0 or 1, NaN where that is unknown: (N, 1, I), or (N, P, I) by pair of
    experts as `majority_of_rest` does. Weights (B, N) say how often each image counts.

    Returns:
        ("error" or "error_consistency", kind) -> (B, I), kind "experts", "model" or "between" (consistency
        only). NaN without an image or an error, and for the consistency of a single seed.
    """
    pairs = np.array([*combinations(range(scores.shape[1]), 2)]).T
    wrong = np.abs(scores[:, pairs] - reference[:, None])  # (N, 2, P, I), NaN: not judged, or no reference
    known = ~np.isnan(wrong).any(axis=1)  # (N, P, I)
    j, k = np.moveaxis(np.where(known[:, None], wrong, 0), 1, 0)
    by_seed = known & (answers[:, :, None] != reference)  # (S, N, P, I)
    of_seeds = by_seed.sum(axis=0)
    parts = [known, j, k, j * k, of_seeds * (of_seeds - 1) / 2, (j + k) * of_seeds, *by_seed]
    sums = weights @ np.stack(parts, axis=1).reshape(len(scores), -1)
    sums = np.moveaxis(sums.reshape(len(weights), len(parts), *known.shape[1:]), 1, 0)  # of (B, P, I)
    n, j, k, j_and_k, two_seeds, one_each, *by_seed = sums
    of_seeds, n_seeds, some = sum(by_seed), len(by_seed), np.maximum(n, 1)
    seeds_squared = (of_seeds**2 - sum(one**2 for one in by_seed)) / 2
    found = {}
    for kind, met, expected, alone in (
        ("experts", j_and_k, j * k, j + k),
        ("model", two_seeds, seeds_squared, (n_seeds - 1) * of_seeds),
        ("between", one_each, (j + k) * of_seeds, n_seeds * (j + k) + 2 * of_seeds),
    ):
        top, bottom = 2 * (met - expected / some), alone - 2 * expected / some
        found["error_consistency", kind] = ratio(top.sum(axis=1), bottom.sum(axis=1))
    found["error", "experts"] = ratio((j + k).sum(axis=1), 2 * n.sum(axis=1))
    found["error", "model"] = ratio(of_seeds.sum(axis=1), n_seeds * n.sum(axis=1))
    return found
