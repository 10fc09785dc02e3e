"""Observers: how far experts agree, with each other, with themselves, with the Teacher and with the truth.

Every function takes an `Observed` and returns rows of `riqa.results`. `experts` are those who judged; a row
of one of them has their name as its `group`, and so has the Teacher's row on the same images. Options are
those of the bootstrap (`n_resamples`, `confidence`, `seed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.evaluate import observers as measure
from riqa.evaluate.agreement import agreement_intervals, class_shares, cohen_kappa, vote_counts
from riqa.evaluate.bootstrap import Draws, drawn_means, percentile_interval
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS
from riqa.phantom.raters import EXPERTS
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

    def means(self, values: Mapping[tuple, np.ndarray], **draws: int) -> dict[tuple, np.ndarray]:
        """Average values (N, S, 3), NaN where there is none: the mean, then its replicates, (1 + B, 3)."""
        drawn, once = Draws(self.patients, **draws), np.ones((1, len(self.images)))
        return {
            key: np.concatenate([drawn_means(value, once).mean(axis=1), drawn.means(value)])
            for key, value in values.items()
        }

    def intervals(
        self, drawn: Mapping[tuple, np.ndarray], columns: tuple[str, ...], confidence: float, **keys: object
    ) -> pd.DataFrame:
        """Make one row per detail and key, whose parts are `columns`, from (1 + B, 3) as `means` returns."""
        numbers = {
            (*key, detail): percentile_interval(own[0, k], own[1:, k], confidence, test_zero=True)
            for k, detail in enumerate(DETAILS) for key, own in drawn.items()
        }  # fmt: skip
        return self.rows(rows(numbers, (*columns, "target"), confidence=confidence), **keys)


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
    scores, raters = measure.score_cube(ratings, images["image_id"])
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
        kappas = pd.Series([cohen_kappa(a, b) for a, b in combinations(votes.T, 2)])
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
    found = measure.intra_rater(observed.ratings, observed.images["image_id"])
    found = found.rename(columns={"rater": "group", "item": "target"})
    found = found.melt(["group", "target", "n"], var_name="metric")
    return observed.rows(found, model="experts", method="repeat")


def against_others(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Score every expert, and the Teacher beside each, against the majority of the other experts (Table 5).

    Returns:
        For each expert (the group), detail and metric the expert's score, the Teacher's on the same images,
        and the difference (its p-value is two-sided and uncorrected); and `tied`, images that ties left out.
    """
    judged = measure.against_others(observed.scores, observed.answers, observed.patients, **draws)
    found = []
    for (r, rater), (k, detail) in ((r, k) for r in enumerate(observed.raters) for k in enumerate(DETAILS)):
        numbers = {}
        for metric in measure.METRICS:
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


def non_inferiority(observed: Observed, ties: str = "leave_out", *, confidence: float = 0.95) -> pd.DataFrame:
    """Average the Teacher's agreement minus each expert's, for a test against a margin, also over "details".

    Low and high are one-sided bounds, each with `confidence`; the column holds the coverage between them.
    """
    how = {"ties": ties, "confidence": confidence}
    gaps = measure.average_gaps(observed.scores, observed.answers, observed.patients, **how)
    numbers = {(target,): gap for target, gap in zip((*DETAILS, "details"), gaps, strict=True)}
    keys = {"model": "teacher", "rival": "experts", "metric": "agreement", "method": RULES[ties]}
    keys |= {"n": len(observed.images), "confidence": 2 * confidence - 1}
    return observed.rows(rows(numbers, ("target",), **keys))


def leniency(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Compute how much more often each expert says good than the others do on the same images.

    The Teacher, whose group is "all", is compared with the whole panel.
    """
    people, teacher = measure.excess_of_good(observed.scores, observed.answers)
    values = {("experts", rater): people[:, [r]] for r, rater in enumerate(observed.raters)}
    values["teacher", "all"] = teacher
    keys = {"rival": "others", "metric": "share_good", "method": "others_share", "p": np.nan}
    found = observed.intervals(observed.means(values, **draws), ("model", "group"), confidence, **keys)
    return found.assign(n=_counts(values)).dropna(subset="value", ignore_index=True)


def rank_as_planted(lenient: pd.DataFrame) -> pd.Series:
    """Rank-correlate the rows of `leniency` with the thresholds planted in the phantom's experts, by detail.

    Empty where fewer than three rows are of them.
    """
    planted = EXPERTS.bias.stack().to_dict()
    given = pd.Series(zip(lenient["group"], lenient["target"], strict=True), lenient.index).map(planted)
    known = lenient[given.notna()]
    ranks = given.groupby(known["target"], sort=False).corr(known["value"], method="spearman")
    return ranks if len(known) > 2 else ranks.iloc[:0]


def errors(observed: Observed, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Split the Teacher's errors against the panel's majority into unanimous and contested images.

    Returns:
        The metrics `error`, the error rate, and `share_of_errors`: how many of all errors are of this group.
    """
    parts = measure.errors_by_consent(observed.scores, observed.answers)
    values = {(key,): wrong for key, wrong in parts.items()}
    keys = {"model": "teacher", "metric": "error", "method": "panel", "p": np.nan}
    rates = observed.intervals(observed.means(values, **draws), ("group",), confidence, **keys)
    rates = rates.assign(n=_counts(values))
    sums = np.stack([np.nansum(wrong, axis=(0, 1)) for wrong in values.values()], axis=1)  # (3, 2)
    total = sums.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, sums / np.maximum(total, 1), np.nan).ravel()
    none = dict.fromkeys(("low", "high", "confidence"), np.nan)
    return stack([rates, rates.assign(metric="share_of_errors", value=shares, **none)])


def _counts(values: Mapping[tuple, np.ndarray]) -> pd.array:
    """Count images with a value, (N, S, 3), in the order of `Observed.intervals`."""
    counts = [(~np.isnan(value)).any(axis=1).sum(axis=0) for value in values.values()]
    return pd.array(np.stack(counts, axis=1).ravel(), "Int64")


def consistency(
    observed: Observed, truth: np.ndarray | None = None, groups: Mapping[str, np.ndarray] | None = None, *,
    confidence: float = 0.95, **draws: int,
) -> pd.DataFrame:  # fmt: skip
    """Ask whether the Teachers' errors are of the experts' kind: who is wrong where, and together with whom.

    They are right or wrong by `truth`, (N, 3) of 0 bad, 1 good, or else by the majority of those experts who
    are not compared. `groups`, after "all" images that several experts judged, are name -> bool (N, 3).
    Intervals hold for these experts and Teachers: patients alone are drawn.

    Returns:
        For each group and detail the metrics `error` and `error_consistency` of experts, of Teachers, and of
        Teachers minus experts; and the consistency of a Teacher "with experts", which is a group in itself.
    """
    scores, found = observed.scores, []
    several = (~np.isnan(scores)).sum(axis=1) > 1  # (N, 3)
    weights = np.concatenate([np.ones((1, len(scores)), int), Draws(observed.patients, **draws).weights])
    right = measure.majority_of_rest(scores) if truth is None else truth[:, None]
    for group, here in {"all": several, **(groups or {})}.items():
        reference = np.where((several & here)[:, None], right, np.nan)
        drawn, values = measure.errors_together(scores, observed.answers, reference, weights), {}
        for metric in ("error", "error_consistency"):
            teacher, experts = drawn[metric, "model"], drawn[metric, "experts"]
            values |= {("teacher", "", metric, group): teacher, ("experts", "", metric, group): experts}
            values["teacher", "experts", metric, group] = teacher - experts
        if group == "all":
            values["teacher", "", "error_consistency", "with experts"] = drawn["error_consistency", "between"]
        own = observed.intervals(values, ("model", "rival", "metric", "group"), confidence, method="together")
        n = _counts({(): reference})
        found.append(own.assign(n=np.repeat(n, len(values)), p=own["p"].where(own["rival"] != "")))
    return stack(found)


def nearness(
    observed: Observed, labels: Mapping[str, np.ndarray], truth: np.ndarray, *, confidence: float = 0.95,
    **draws: int,
) -> pd.DataFrame:  # fmt: skip
    """Compare labels with a known truth, and with the majority vote: shares that are right, and leads.

    Labels are model (`majority` among them) -> (N, 3) or (S, N, 3), truth (N, 3) of 0 bad, 1 good; a label
    NaN is no answer and counts as half right.
    """
    right = {
        model: np.where(np.isnan(given), 0.5, given == truth).reshape(-1, *truth.shape).transpose(1, 0, 2)
        for model, given in labels.items()
    }
    drawn = observed.means({(model, ""): one for model, one in right.items()}, **draws)
    vote = drawn["majority", ""]
    drawn |= {(model, "majority"): drawn[model, ""] - vote for model in right if model != "majority"}
    keys = {"metric": "accuracy", "method": "planted", "n": len(truth), "p": np.nan}
    return observed.intervals(drawn, ("model", "rival"), confidence, **keys)
