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
from riqa.evaluate import agreement as panels
from riqa.evaluate import observers as judging
from riqa.evaluate.bootstrap import percentile_interval
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS
from riqa.results import rows, stack, tidy
from riqa.studies.answers import answers_of

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
    def judged(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores, answers and the patient of each image, (N,): what `riqa.evaluate.observers` takes."""
        return self.scores, self.answers, self.images["patient_id"].to_numpy()

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
    own, name = answers_of(predictions), store.meta["name"]
    ids = own.images["image_id"]
    advice = "give raters_set a set with several experts, e.g. phantom_observers or mshf"
    if store.ratings is None:
        raise InputError(f"{store.root} holds no ratings of single experts; {advice}")
    of_details = store.ratings["item"].isin(DETAILS) & store.ratings["image_id"].isin(ids)
    ratings = store.ratings[of_details].reset_index(drop=True)
    scores, raters = judging.score_cube(ratings, ids)
    if len(raters) < 2:
        raise InputError(f"{store.root}: {len(raters)} expert(s) judged details of {name}; {advice}")
    answers = (own.details >= 0.5).astype(float)
    return Observed(name, own.images, ratings, raters, scores, answers, own.keys["seeds"])


def agreement(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Compute the share called good and every coefficient of agreement, detail by detail.

    Cohen's kappa is the mean over pairs of experts for whom it exists, from the smallest to the largest.
    Coefficients that do not exist, because all ratings are alike, are missing.
    """
    found, patients = [], observed.judged[2]
    for k, detail in enumerate(DETAILS):
        votes = observed.scores[:, :, k]
        counts, kappas = panels.vote_counts(votes), pd.Series(panels.pairwise_kappas(votes))
        intervals = panels.agreement_intervals(counts, patients, confidence=confidence, **draws)
        numbers = {
            ("share_good", "count"): panels.class_shares(counts)[1],
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
    found = judging.intra_rater(observed.ratings, observed.images["image_id"])
    found = found.rename(columns={"rater": "group", "item": "target"})
    return observed.rows(
        found.melt(["group", "target", "n"], var_name="metric"), model="experts", method="repeat"
    )


def against_others(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Score every expert, and the Teacher beside each, against the majority of the other experts (Table 5).

    Returns:
        For each expert (the group), detail and metric the expert's score, the Teacher's on the same images,
        and the difference (its p-value is two-sided and uncorrected); and rows of the metric `tied`: how many
        images were left out because the others tie.
    """
    judged, found = judging.against_others(*observed.judged, **draws), []
    for r, k in np.ndindex(judged.n.shape):
        numbers, keys = {}, {"target": DETAILS[k], "group": observed.raters[r]}
        for metric in judging.METRICS:
            expert, teacher = judged.value[metric][r, :, k]
            of_expert, of_teacher = judged.replicates[metric][:, r, :, k].T
            numbers["experts", "", metric] = percentile_interval(expert, of_expert, confidence)
            numbers["teacher", "", metric] = percentile_interval(teacher, of_teacher, confidence)
            gap = teacher - expert, of_teacher - of_expert
            numbers["teacher", "experts", metric] = percentile_interval(*gap, confidence, test_zero=True)
        columns, n, tied = ("model", "rival", "metric"), int(judged.n[r, k]), int(judged.n_tied[r, k])
        found.append(rows(numbers, columns, method="others", n=n, confidence=confidence, **keys))
        found.append(rows({("experts", "", "tied"): tied}, columns, method="count", n=n + tied, **keys))
    return observed.rows(stack(found))


def non_inferiority(
    observed: Observed, ties: str = "leave_out", *, confidence: float = 0.95, **draws: int
) -> pd.DataFrame:
    """Average the Teacher's agreement minus each expert's, for a test against a margin, also over "details".

    Low and high are one-sided bounds, each with `confidence`; the column holds the coverage between them.
    """
    judged = judging.against_others(*observed.judged, ties=ties, **draws)
    gaps = judging.average_gaps(judged, confidence=confidence)
    numbers = {(target,): gap for target, gap in zip((*DETAILS, "details"), gaps, strict=True)}
    keys = {"model": "teacher", "rival": "experts", "metric": "agreement", "method": RULES[ties]}
    keys |= {"n": len(observed.images), "confidence": 2 * confidence - 1}
    return observed.rows(rows(numbers, ("target",), **keys))


def leniency(observed: Observed, **options: float) -> pd.DataFrame:
    """Compute how much more often each expert says good than the others do on the same images.

    The Teacher, whose group is "all", is compared with the whole panel.
    """
    found = judging.rater_bias(*observed.judged, **options)
    judges = [*observed.raters, "all"]
    found["model"] = np.where(found["judge"] == len(observed.raters), "teacher", "experts")
    found["group"] = [judges[judge] for judge in found["judge"]]
    found["target"] = [DETAILS[item] for item in found["item"]]
    keys = {"rival": "others", "metric": "share_good", "method": "others_share"}
    keys |= {"confidence": options.get("confidence", 0.95)}
    return observed.rows(found.drop(columns=["judge", "item", "share", "others"]), **keys)


def errors(observed: Observed, **options: float) -> pd.DataFrame:
    """Split the Teacher's errors against the panel's majority into unanimous and contested images.

    Returns:
        The metrics `error`, the error rate, and `share_of_errors`: how many of all errors are of this group.
    """
    found = judging.errors_by_consent(*observed.judged, **options).rename(columns={"consent": "group"})
    found["target"] = [DETAILS[item] for item in found.pop("item")]
    share = found.pop("share_of_errors")
    rates = found.assign(metric="error", confidence=options.get("confidence", 0.95))
    shares = found[["target", "group", "n"]].assign(value=share, metric="share_of_errors")
    return observed.rows(pd.concat([rates, shares], ignore_index=True), model="teacher", method="panel")


def nearness(
    observed: Observed, labels: Mapping[str, np.ndarray], truth: np.ndarray, **options: float
) -> pd.DataFrame:
    """Compare labels with a known truth, and with the majority vote: shares that are right, and leads.

    Labels are model (`majority` among them) -> (N, 3) or (S, N, 3), truth (N, 3) of 0 bad, 1 good; a label
    NaN is no answer and counts as half right.
    """
    found, patients = [], observed.judged[2]
    for k, detail in enumerate(DETAILS):
        given = {name: label[..., k] for name, label in labels.items()}
        near = panels.nearness_to_truth(given, truth[:, k], patients, baseline="majority", **options)
        numbers = {(name, "", "accuracy"): share for name, (share, _) in near.items()}
        gaps = {(name, "majority", "accuracy"): gap for name, (_, gap) in near.items() if name != "majority"}
        keys = {"target": detail, "method": "planted", "n": len(truth)}
        found.append(rows(numbers | gaps, ("model", "rival", "metric"), **keys))
    return observed.rows(stack(found), confidence=options.get("confidence", 0.95))
