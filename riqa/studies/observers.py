"""Observers: how far experts agree, with each other, with themselves, with the Teacher and with the truth.

Every function takes an `Observed` and returns rows of `riqa.results`. `experts` are those who judged; a row
of one of them has their name as its `group`, and so has the Teacher's row on the same images. Options are
those of the bootstrap (`n_resamples`, `confidence`, `seed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.evaluate.agreement import (
    agreement_intervals,
    class_shares,
    nearness_to_truth,
    pairwise_kappas,
    vote_counts,
)
from riqa.evaluate.bootstrap import percentile_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.observers import (
    METRICS,
    average_gaps,
    errors_by_consent,
    intra_rater,
    rater_bias,
    score_cube,
)
from riqa.evaluate.observers import against_others as score_against_others
from riqa.labels import DETAILS
from riqa.results import rows, stack, tidy
from riqa.studies.answers import by_image

RULES = {"leave_out": "non_inferiority", "good": "non_inferiority_good", "bad": "non_inferiority_bad"}
"""What a tie of the others is called -> the method that the test is then."""


@dataclass(frozen=True)
class Observed:
    """A set that several experts have judged, and what the Teacher says of it."""

    dataset: str
    images: pd.DataFrame  # N rows with image_id and patient_id, sorted by name
    ratings: pd.DataFrame  # of details, both sessions: image_id, rater, item, score, session
    raters: tuple[str, ...]  # the R experts of session 1
    scores: np.ndarray  # (N, R, 3) of session 1: 0 bad, 1 good, NaN not asked
    answers: np.ndarray  # (S, N, 3) of 0 and 1, the Teacher's, one block per training seed
    seeds: tuple[int, ...]

    @property
    def patients(self) -> np.ndarray:
        """Patient of each image, (N,): what the bootstrap draws."""
        return self.images["patient_id"].to_numpy()

    def rows(self, found: pd.DataFrame, **keys: object) -> pd.DataFrame:
        """Complete rows of results: the set; and the seeds of the Teacher's rows, people have none."""
        found = found.assign(**keys)
        seeds = [self.seeds if model == "teacher" else () for model in found["model"]]
        return tidy(found.assign(seeds=seeds), dataset=self.dataset)


def observe(store: Store, predictions: pd.DataFrame) -> Observed:
    """Bring a store's ratings of details, and one model's answers for some of its images, into one order.

    Raises:
        InputError: If the store has no ratings of the details of these images, or of fewer than two experts.
    """
    images, probs = by_image(predictions)
    name = store.meta["name"]
    advice = "give raters_set a set with several experts, e.g. phantom_observers or mshf"
    if store.ratings is None:
        raise InputError(f"{store.root} holds no ratings of single experts; {advice}")
    of_details = store.ratings["item"].isin(DETAILS) & store.ratings["image_id"].isin(images["image_id"])
    ratings = store.ratings[of_details].reset_index(drop=True)
    scores, raters = score_cube(ratings, images["image_id"])
    if len(raters) < 2:
        raise InputError(f"{store.root}: {len(raters)} expert(s) judged details of {name}; {advice}")
    seeds = tuple(int(seed) for seed in sorted(predictions["seed"].unique()))
    return Observed(name, images, ratings, raters, scores, (probs >= 0.5).astype(float), seeds)


def agreement(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Compute the share called good and every coefficient of agreement, detail by detail.

    Cohen's kappa is the mean over pairs of experts for whom it exists, from the smallest to the largest.
    Coefficients that do not exist, because all ratings are alike, are missing.
    """
    found = []
    for k, detail in enumerate(DETAILS):
        votes = observed.scores[:, :, k]
        counts = vote_counts(votes)
        kappas = pd.Series(pairwise_kappas(votes))
        intervals = agreement_intervals(counts, observed.patients, confidence=confidence, **draws)
        numbers = {
            ("share_good", "count"): class_shares(counts)[1],
            ("agreement", "patients"): intervals.pop("agreement"),
            ("cohen_kappa", "pairs"): Interval(kappas.mean(), kappas.min(), kappas.max()),
        }
        numbers |= {(name, "patients"): interval for name, interval in intervals.items()}
        keys = {"model": "experts", "target": detail, "n": int((counts.sum(axis=1) >= 2).sum())}
        found.append(rows(numbers, ("metric", "method"), **keys))
    found = stack(found)
    return observed.rows(found, confidence=np.where(found["method"] == "patients", confidence, np.nan))


def with_themselves(observed: Observed) -> pd.DataFrame:
    """Compare what each expert said of the same image in both sessions; no rows without a second one."""
    found = intra_rater(observed.ratings, observed.images["image_id"])
    found = found.rename(columns={"rater": "group", "item": "target"})
    found = found.melt(["group", "target", "n"], var_name="metric")
    return observed.rows(found, model="experts", method="repeat")


def against_others(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Score every expert, and the Teacher beside each, against the majority of the other experts (Table 5).

    Returns:
        For each expert (the group), detail and metric the expert's score, the Teacher's on the same images,
        and the difference (its p-value is two-sided and uncorrected); and rows of the metric `tied`: how many
        images were left out because the others tie.
    """
    judged = score_against_others(observed.scores, observed.answers, observed.patients, **draws)
    found = []
    for (r, rater), (k, detail) in ((r, k) for r in enumerate(observed.raters) for k in enumerate(DETAILS)):
        numbers = {}
        for metric in METRICS:
            (expert, teacher), drawn = judged.value[metric][r, :, k], judged.replicates[metric][:, r, :, k]
            for j, (model, value) in enumerate({"experts": expert, "teacher": teacher}.items()):
                numbers[model, "", metric] = percentile_interval(value, drawn[:, j], confidence)
            gap = percentile_interval(teacher - expert, drawn[:, 1] - drawn[:, 0], confidence, test_zero=True)
            numbers["teacher", "experts", metric] = gap
        columns, keys = ("model", "rival", "metric"), {"target": detail, "group": rater}
        n, n_tied = int(judged.n[r, k]), int(judged.n_tied[r, k])
        found.append(rows(numbers, columns, method="others", n=n, confidence=confidence, **keys))
        found.append(rows({("experts", "", "tied"): n_tied}, columns, method="count", n=n + n_tied, **keys))
    return observed.rows(stack(found))


def non_inferiority(
    observed: Observed, ties: str = "leave_out", *, confidence: float = 0.95, **draws: int
) -> pd.DataFrame:
    """Average the Teacher's agreement minus each expert's, for a test against a margin, also over "details".

    Low and high are one-sided bounds, each with `confidence`; the column holds the coverage between them.
    """
    judged = score_against_others(observed.scores, observed.answers, observed.patients, ties=ties, **draws)
    gaps = average_gaps(judged, confidence=confidence)
    numbers = {(target,): gap for target, gap in zip((*DETAILS, "details"), gaps, strict=True)}
    keys = {"model": "teacher", "rival": "experts", "metric": "agreement", "method": RULES[ties]}
    keys |= {"n": len(observed.images), "confidence": 2 * confidence - 1}
    return observed.rows(rows(numbers, ("target",), **keys))


def leniency(observed: Observed, **options: float) -> pd.DataFrame:
    """Compute how much more often each expert says good than the others do on the same images.

    The Teacher, whose group is "all", is compared with the whole panel.
    """
    found = rater_bias(observed.scores, observed.answers, observed.patients, **options)
    teacher = found["judge"] == len(observed.raters)
    found = found.assign(
        model=np.where(teacher, "teacher", "experts"),
        group=found["judge"].map([*observed.raters, "all"].__getitem__),
        target=found["item"].map(DETAILS.__getitem__),
    ).drop(columns=["judge", "item"])
    keys = {"rival": "others", "metric": "share_good", "method": "others_share"}
    return observed.rows(found, confidence=options.get("confidence", 0.95), **keys)


def errors(observed: Observed, **options: float) -> pd.DataFrame:
    """Split the Teacher's errors against the panel's majority into unanimous and contested images.

    Returns:
        The metrics `error`, the error rate, and `share_of_errors`: how many of all errors are of this group.
    """
    found = errors_by_consent(observed.scores, observed.answers, observed.patients, **options)
    found = found.assign(target=found["item"].map(DETAILS.__getitem__)).rename(columns={"consent": "group"})
    rates = found.assign(metric="error", confidence=options.get("confidence", 0.95))
    shares = found[["target", "group", "n"]].assign(value=found["share_of_errors"], metric="share_of_errors")
    found = pd.concat([rates.drop(columns=["item", "share_of_errors"]), shares], ignore_index=True)
    return observed.rows(found, model="teacher", method="panel")


def nearness(
    observed: Observed, labels: Mapping[str, np.ndarray], truth: np.ndarray, **options: float
) -> pd.DataFrame:
    """Compare labels with a known truth, and with the majority vote: shares that are right, and leads.

    Labels are model (`majority` among them) -> (N, 3) or (S, N, 3), truth (N, 3) of 0 bad, 1 good; a label
    NaN is no answer and counts as half right.
    """
    found = []
    for k, detail in enumerate(DETAILS):
        given = {name: label[..., k] for name, label in labels.items()}
        near = nearness_to_truth(given, truth[:, k], observed.patients, baseline="majority", **options)
        numbers = {(name, "", "accuracy"): share for name, (share, _) in near.items()}
        gaps = {(name, "majority", "accuracy"): gap for name, (_, gap) in near.items() if name != "majority"}
        keys = {"target": detail, "method": "planted", "n": len(truth)}
        found.append(rows(numbers | gaps, ("model", "rival", "metric"), **keys))
    return observed.rows(stack(found), confidence=options.get("confidence", 0.95))
