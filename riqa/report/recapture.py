"""Advice for recapture: who would repair what, what comes of it, and records of both.

Advice is asked for where the Student calls a photograph worse than good. What comes of it is judged twice: by
the true grade (`riqa.phantom.grades`), which needs no photograph, and by the Student itself, which is shown
the photograph with the repair made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.means import pooled_intervals
from riqa.evaluate.recapture import (
    N_CODES,
    best_detail,
    outcome,
    repair_any,
    repair_codes,
    repair_one,
    surely,
    worst_detail,
)
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet
from riqa.learn.predict import predict_images
from riqa.phantom.repair import repaired_scores, spoilt_details
from riqa.report.results import Result, record
from riqa.report.seeds import stack_seeds

POLICIES = {
    "student": "Student: its worst detail",
    "teacher": "Teacher: its worst detail",
    "frequent": "always the most frequent one",
    "random_other": "another one, at random",
    "random_spoilt": "a spoilt one, at random",
    "oracle": "the best one, truth known",
    "flagged": "all that the Student calls bad",
    "all": "all three",
}
"""Whose advice is followed; the first six repair one detail an image."""

OUTCOMES = {
    "true_raised": "true class raised",
    "grade_gain": "expected grade gained",
    "model_raised": "Student's class raised",
}
"""What can come of advice: shares of photographs, and a gain in grades."""

RIVALS = ("random_other", "random_spoilt", "frequent", "teacher")
"""With whom the Student's advice is compared."""

METHOD = "mean over advice given; percentile bootstrap over patients and seeds"


@dataclass(frozen=True)
class Advice:
    """What everybody advises for N photographs, with S training seeds.

    Attributes:
        images: N rows with image_id and patient_id.
        seeds: S training seeds.
        asked: bool (S, N), whether the Student calls the photograph worse than good.
        worst: int (S, N), position in `DETAILS` of the Student's lowest probability of good.
        named: bool (S, N), whether that probability lies below 0.5.
        policies: key of `POLICIES` -> (S, N, 8) chances of each repair, see `riqa.evaluate.recapture`.
    """

    images: pd.DataFrame
    seeds: tuple[int, ...]
    asked: np.ndarray
    worst: np.ndarray
    named: np.ndarray
    policies: dict[str, np.ndarray]


def give_advice(
    students: pd.DataFrame,
    teachers: pd.DataFrame,
    frequent: Mapping[int, str],
    truth: pd.DataFrame | None,
) -> Advice:
    """Collect everybody's advice.

    Args:
        students: rows of `riqa.learn.predict.predict` of one Student on one set, any seeds.
        teachers: image_id, seed and p_<detail> of the Teachers of the same seeds.
        frequent: seed -> the detail that is bad most often, see `most_frequent`.
        truth: `truth.parquet` of the set, index image_id; None where nobody knows, which leaves out the
            policies "oracle" and "random_spoilt".
    """
    columns = [f"p_{detail}" for detail in DETAILS]
    overall = [name for name in students if name.startswith("p_overall_") and students[name].notna().all()]
    images, probs = stack_seeds(students, [*overall, *columns])
    own, names = probs[..., len(overall) :], images["image_id"]
    seeds = tuple(int(seed) for seed in sorted(students["seed"].unique()))
    of_teacher = np.stack(
        [teachers[teachers["seed"] == seed].set_index("image_id").loc[names, columns] for seed in seeds]
    )
    worst = worst_detail(own)
    always = np.array([DETAILS.index(frequent[seed]) for seed in seeds])[:, None]
    policies = {
        "student": repair_one(worst),
        "teacher": repair_one(worst_detail(of_teacher)),
        "frequent": repair_one(np.broadcast_to(always, worst.shape)),
        "random_other": repair_any(worst[..., None] != np.arange(len(DETAILS))),
        "flagged": surely(repair_codes(own < 0.5)),
        "all": surely(np.full(worst.shape, N_CODES - 1)),
    }
    if truth is not None:
        best = best_detail(repaired_scores(truth.loc[names]))
        policies["oracle"] = repair_one(np.broadcast_to(best, worst.shape))
        policies["random_spoilt"] = repair_any(np.broadcast_to(spoilt_details(truth.loc[names]), own.shape))
    asked = probs[..., : len(overall)].argmax(axis=-1) < len(overall) - 1
    return Advice(images[["image_id", "patient_id"]], seeds, asked, worst, own.min(axis=-1) < 0.5, policies)


def answers_after_repairs(model: QualityNet, images: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Ask a Student about photographs taken again after each of `riqa.phantom.repair.REPAIRS`.

    Args:
        model: the Student.
        images: position of the photograph -> uint8 (8, size, size, 3), of `riqa.phantom.repair.recaptures`.

    Returns:
        Index position and code of the repair, columns `riqa.learn.predict.PROBABILITIES`.
    """
    index = pd.MultiIndex.from_product([images, range(N_CODES)], names=["position", "code"])
    return predict_images(model, np.concatenate(list(images.values()))).set_axis(index)


def own_grades(answers: Sequence[pd.DataFrame], n_images: int, n_classes: int) -> np.ndarray:
    """Return the Students' classes after each repair, (S, N, 8), NaN where they saw no photograph.

    Args:
        answers: of `answers_after_repairs`, one a seed.
        n_images: N.
        n_classes: 2 or 3.
    """
    grades = np.full((len(answers), n_images, N_CODES), np.nan)
    for of_seed, said in zip(grades, answers, strict=True):
        labels = said[[f"p_overall_{k}" for k in range(n_classes)]].to_numpy().argmax(axis=1)
        of_seed[said.index.get_level_values("position"), said.index.get_level_values("code")] = labels
    return grades


def most_frequent(teachers: pd.DataFrame) -> dict[int, str]:
    """Find the detail that each Teacher calls bad most often on training images: seed -> detail."""
    training = teachers[teachers["split"] == "train"]
    bad = training[[f"p_{detail}" for detail in DETAILS]].lt(0.5).groupby(training["seed"]).mean()
    return {int(seed): name.removeprefix("p_") for seed, name in bad.idxmax(axis=1).items()}


def achieved(advice: Advice, policy: str, outcomes: np.ndarray) -> np.ndarray:
    """Return what a policy achieves: (S, N), NaN where no advice is asked for or nobody knows."""
    return outcome(advice.policies[policy], outcomes, advice.asked)


def advice_results(dataset: str, advice: Advice, *, n_resamples: int, confidence: float) -> list[Result]:
    """Describe the advice; this needs no truth.

    Returns:
        Records ``recapture.<dataset>.asked`` (share of all photographs), and as shares of the advice asked
        for ``.asked.worst.<detail>``, ``.asked.named`` (a detail has a probability of good below 0.5) and
        ``.asked.same_as_teacher`` (the Teacher's worst detail is the Student's).
    """
    same = (advice.policies["teacher"] * advice.policies["student"]).sum(axis=-1)
    said = {f".worst.{detail}": advice.worst == k for k, detail in enumerate(DETAILS)}
    said |= {".named": advice.named, ".same_as_teacher": same}
    prefix = f"recapture.{dataset}.asked"
    values = {prefix: advice.asked.astype(float)}
    values |= {prefix + name: np.where(advice.asked, one, np.nan) for name, one in said.items()}
    return _records(values, advice, n_resamples=n_resamples, confidence=confidence)


def confused_advice(advice: Advice, members: np.ndarray) -> pd.DataFrame:
    """Set the Student's advice against the best: shares of each row, as text.

    Args:
        advice: of `give_advice`, with the policy "oracle".
        members: bool (N,), the photographs that count.

    Returns:
        A row a detail that is best to repair, a column a detail that the Student calls worst, and "advice
        given" (pairs of Student and photograph); a row without any has "–".
    """
    here = advice.asked & members
    best = (advice.policies["oracle"][..., 2 ** np.arange(len(DETAILS))]).argmax(axis=-1)
    counts = np.zeros((len(DETAILS), len(DETAILS)), dtype=int)
    np.add.at(counts, (best[here], advice.worst[here]), 1)
    rows = [
        [*(f"{count / row.sum():.0%}" if row.sum() else "–" for count in row), str(row.sum())]
        for row in counts
    ]
    return pd.DataFrame(rows, index=list(DETAILS), columns=[*DETAILS, "advice given"])


def policy_results(
    dataset: str, advice: Advice, outcomes: Mapping[str, np.ndarray], *, n_resamples: int, confidence: float
) -> list[Result]:
    """Judge every policy by every outcome, and the Student against its `RIVALS`.

    Args:
        dataset: name of the set.
        advice: of `give_advice`.
        outcomes: key of `OUTCOMES` -> (N, 8) or (S, N, 8), what each repair achieves.
        n_resamples: bootstrap replicates over patients and seeds.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Records ``recapture.<dataset>.<policy>.<outcome>`` and ``.repairs`` (details repaired an image),
        ``recapture.<dataset>.student-<rival>.<outcome>`` (a difference) and ``.<outcome>.p_value``.
    """
    counted = {**outcomes, "repairs": np.array([code.bit_count() for code in range(N_CODES)], dtype=float)}
    values = {
        f"recapture.{dataset}.{policy}.{metric}": achieved(advice, policy, one)
        for policy in advice.policies
        for metric, one in counted.items()
    }
    for rival in RIVALS:
        for metric, one in outcomes.items():
            difference = achieved(advice, "student", one) - achieved(advice, rival, one)
            values[f"recapture.{dataset}.student-{rival}.{metric}"] = difference
    return _records(values, advice, n_resamples=n_resamples, confidence=confidence)


def group_results(
    dataset: str,
    advice: Advice,
    outcomes: np.ndarray,
    metric: str,
    groups: Mapping[str, np.ndarray],
    *,
    n_resamples: int,
    confidence: float,
) -> list[Result]:
    """Judge the Student's advice, and what it is compared with, in groups of photographs.

    Args:
        dataset: name of the set.
        advice: of `give_advice`.
        outcomes: (N, 8) or (S, N, 8), what each repair achieves.
        metric: key of `OUTCOMES`, for the names.
        groups: name -> bool, (N,) or (S, N).
        n_resamples: bootstrap replicates over patients and seeds.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Records ``recapture.<dataset>.asked.share.<group>`` (of the advice asked for) and
        ``recapture.<dataset>.<student|random_other|student-random_other|oracle|all>.<metric>.<group>``.
    """
    judged = {name: achieved(advice, name, outcomes) for name in ("student", "random_other", "oracle", "all")}
    judged["student-random_other"] = judged["student"] - judged["random_other"]
    values = {}
    for group, members in groups.items():
        here, word = np.broadcast_to(members, advice.asked.shape), group.replace(" ", "_")
        values[f"recapture.{dataset}.asked.share.{word}"] = np.where(advice.asked, here.astype(float), np.nan)
        for who, one in judged.items():
            values[f"recapture.{dataset}.{who}.{metric}.{word}"] = np.where(here, one, np.nan)
    return _records(values, advice, n_resamples=n_resamples, confidence=confidence)


def _records(values: Mapping[str, np.ndarray], advice: Advice, **knobs) -> list[Result]:
    """Make the record of every mean (S, N), by name, and of the p-value where it is a difference."""
    patients, results = advice.images["patient_id"].to_numpy(), []
    intervals = pooled_intervals(np.stack(list(values.values())), groups=patients, **knobs)
    for (name, one), found in zip(values.items(), intervals, strict=True):
        shared = {"n": int((~np.isnan(one)).any(axis=0).sum()), "seeds": advice.seeds}
        ends = {"low": found.low, "high": found.high}
        results.append(record(name, found.value, method=METHOD, **ends, **shared))
        if "-" in name.split(".")[2]:
            method = "two-sided, of no difference; bootstrap over patients and seeds"
            results.append(record(f"{name}.p_value", found.p_value, method=method, **shared))
    return results
