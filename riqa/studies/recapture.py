"""Advice for recapture: who would repair what, and with what outcome.

Advice is asked for where a Student calls a photograph worse than good. Every function that measures returns
rows of `riqa.results`: means over the pairs of Student and photograph in which advice was asked for, with
intervals over patients and seeds. Groups without any such pair have no row. Outcomes, of a metric, are (N, 8)
or (S, N, 8): what each repair (`riqa.phantom.repair.REPAIRS`) achieves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate import recapture as repairs
from riqa.evaluate.bootstrap import pooled_intervals
from riqa.labels import DETAILS
from riqa.phantom.repair import repaired_scores, spoilt_details
from riqa.results import rows
from riqa.studies.answers import answers_of

RIVALS = ("another_detail", "spoilt_detail", "frequent_detail", "teacher")
"""With whose advice the Student's is compared."""
IN_GROUPS = ("another_detail", "best_detail", "all_details")
"""Whose advice is compared with the Student's in groups of photographs."""
FAILURES = ("wrong detail", "not enough", "no word for it", "false alarm", "not noticed")
"""Kinds of scenes in which advice does not help; see `choose_scenes`."""


@dataclass(frozen=True)
class Advice:
    """What everybody advises for N photographs, with S training seeds."""

    dataset: str
    student: str  # the key of its policy
    seeds: tuple[int, ...]
    images: pd.DataFrame  # N rows, with image_id and patient_id
    asked: np.ndarray  # bool (S, N), whether the Student calls the photograph worse than good
    worst: np.ndarray  # int (S, N), position in `DETAILS` of the Student's lowest probability of good
    named: np.ndarray  # bool (S, N), whether that probability lies below 0.5
    policies: dict[str, np.ndarray]  # who advises -> (S, N, 8) chances of each repair

    def achieved(self, who: str, outcomes: np.ndarray) -> np.ndarray:
        """Return what somebody's advice achieves: (S, N), NaN where it is not asked for or nobody knows."""
        return repairs.outcome(self.policies[who], outcomes, self.asked)


def give_advice(students: pd.DataFrame, teachers: pd.DataFrame, truth: pd.DataFrame | None) -> Advice:
    """Collect everybody's advice.

    Args:
        students: Test predictions of one model on one dataset, as `riqa.predictions` reads them.
        teachers: image_id, seed, split and p_<detail> of the Teachers of the same seeds on the same dataset;
            the detail that is bad most often is counted on the split train, Teacher by Teacher.
        truth: `truth.parquet` of the set, index image_id; None where nobody knows what is wrong, which leaves
            out the policies "best_detail" and "spoilt_detail".
    """
    student = answers_of(students)
    own, worst, seeds = student.details, repairs.worst_detail(student.details), student.keys["seeds"]
    names, columns = student.images["image_id"], [f"p_{detail}" for detail in DETAILS]
    by_seed = [teachers[teachers["seed"] == seed] for seed in seeds]
    of_teacher = np.stack([answers.set_index("image_id").loc[names, columns] for answers in by_seed])
    bad = [answers.loc[answers["split"] == "train", columns].lt(0.5).mean() for answers in by_seed]
    frequent = np.array([often.to_numpy().argmax() for often in bad])[:, None]
    policies = {
        student.keys["model"]: repairs.repair_one(worst),
        "teacher": repairs.repair_one(repairs.worst_detail(of_teacher)),
        "frequent_detail": repairs.repair_one(np.broadcast_to(frequent, worst.shape)),
        "another_detail": repairs.repair_any(worst[..., None] != np.arange(len(DETAILS))),
    }
    if truth is not None:
        truth = truth.loc[names]
        best = repairs.best_detail(repaired_scores(truth))
        policies["spoilt_detail"] = repairs.repair_any(np.broadcast_to(spoilt_details(truth), own.shape))
        policies["best_detail"] = repairs.repair_one(np.broadcast_to(best, worst.shape))
    policies["all_called_bad"] = repairs.surely(repairs.repair_codes(own < 0.5))
    policies["all_details"] = repairs.surely(np.full(worst.shape, repairs.N_CODES - 1))
    asked, named = student.column("called") < student.n_classes - 1, own.min(axis=-1) < 0.5
    who, images = (student.keys["dataset"], student.keys["model"]), student.images[["image_id", "patient_id"]]
    return Advice(*who, seeds, images, asked, worst, named, policies)


def described(advice: Advice, **bootstrap: float) -> pd.DataFrame:
    """Describe the Student's advice; this needs no truth.

    Rows of the metrics `advice_asked` (share of all photographs), and as shares of the advice asked for
    `fault_named` (a detail has a probability of good below 0.5), `same_as_teacher` (their worst detail is the
    same) and `worst_detail`, one per detail.
    """
    same = (advice.policies["teacher"] * advice.policies[advice.student]).sum(axis=-1)
    said = {("fault_named", "overall"): advice.named, ("same_as_teacher", "overall"): same}
    said |= {("worst_detail", detail): advice.worst == k for k, detail in enumerate(DETAILS)}
    shares = {("advice_asked", "overall"): advice.asked.astype(float)}
    shares |= {keys: np.where(advice.asked, one, np.nan) for keys, one in said.items()}
    return _rows(shares, ("metric", "target"), advice, **bootstrap).assign(model=advice.student)


def compared(
    advice: Advice, outcomes: Mapping[str, np.ndarray], rivals: Iterable[str] = (), **bootstrap: float
) -> pd.DataFrame:
    """Judge everybody's advice by every outcome; or, with rivals, the Student's advice minus theirs."""
    achieved = {(who, metric): advice.achieved(who, one)
                for who in advice.policies for metric, one in outcomes.items()}  # fmt: skip
    values = {(who, "", metric): value for (who, metric), value in achieved.items()}
    if rivals:
        own = advice.student
        values = {(own, rival, metric): achieved[own, metric] - achieved[rival, metric]
                  for rival in rivals for metric in outcomes}  # fmt: skip
    return _rows(values, ("model", "rival", "metric"), advice, **bootstrap)


def in_groups(
    advice: Advice, metric: str, outcomes: np.ndarray, groups: Mapping[str, np.ndarray], **bootstrap: float
) -> pd.DataFrame:
    """Judge the Student's advice, and what it is compared with, in groups of photographs.

    Groups are name -> bool, (N,) or (S, N). For each a row of the metric `share` (of the advice asked for),
    rows for the Student and those of `IN_GROUPS`, and one for the Student minus another detail.
    """
    student, other = advice.student, IN_GROUPS[0]
    judged = {(who, ""): advice.achieved(who, outcomes) for who in (student, *IN_GROUPS)}
    judged[student, other] = judged[student, ""] - judged[other, ""]
    values = {}
    for group, members in groups.items():
        here = np.broadcast_to(members, advice.asked.shape)
        values[student, "", "share", group] = np.where(advice.asked, here.astype(float), np.nan)
        values |= {(*who, metric, group): np.where(here, one, np.nan) for who, one in judged.items()}
    return _rows(values, ("model", "rival", "metric", "group"), advice, **bootstrap)


def choose_scenes(
    advice: Advice, order: Sequence[int], grades: np.ndarray | None = None,
    own: np.ndarray | None = None, n_classes: int = 3,
) -> dict[str, int]:  # fmt: skip
    """Choose the first photograph, in a given order, that fits each kind of scene for the first seed.

    The three successes are named after the detail that the Student calls worst, and bad: repairing it raises
    the true class and the Student's. The failures: repairing another single detail would have raised the true
    class ("wrong detail"); only several together would ("not enough"); not even all three would, because of
    artifacts ("no word for it"); the photograph is truly good ("false alarm"); the true class rises but the
    Student's does not ("not noticed"). Without grades, where no photograph can be taken again, there is one
    scene per detail that the Student calls worst, and bad.

    The order is positions of photographs, none of them NaN in `own`; grades are int (N, 8), the true grade
    after each repair, one of `n_classes`; own is (S, N, 8), the Student's class after each repair, NaN where
    it was not shown. Returns kind -> position; kinds that do not occur are left out.
    """
    worst = advice.worst[0]
    fits = {detail: (worst == k) & advice.named[0] for k, detail in enumerate(DETAILS)}
    if grades is not None:
        code = np.arange(len(worst)), 2**worst
        truly, noticed = repairs.raised(grades)[code] == 1, repairs.raised(own[0])[code] == 1
        good, one, several, nothing = (repairs.causes(grades, n_classes) == cause for cause in repairs.CAUSES)
        failed = one & ~truly, several, nothing, good, truly & ~noticed
        fits = {detail: here & truly & noticed for detail, here in fits.items()}
        fits |= dict(zip(FAILURES, failed, strict=True))
    found = {kind: [n for n in order if advice.asked[0, n] and here[n]] for kind, here in fits.items()}
    return {kind: positions[0] for kind, positions in found.items() if positions}


def _rows(
    values: Mapping[tuple[str, ...], np.ndarray], columns: tuple[str, ...], advice: Advice, **bootstrap: float
) -> pd.DataFrame:
    """Make one row per mean of (S, N) values; differences keep their p-value."""
    patients = advice.images["patient_id"].to_numpy()
    intervals = pooled_intervals(np.stack(list(values.values())), groups=patients, **bootstrap)
    shared = {"dataset": advice.dataset, "seeds": advice.seeds, "method": "pooled"}
    shared["confidence"] = bootstrap["confidence"]
    found = rows(dict(zip(values, intervals, strict=True)), columns, **shared)
    n = [int((~np.isnan(one)).any(axis=0).sum()) for one in values.values()]
    found = found.assign(n=pd.array(n, "Int64"), p=found["p"].where(found["rival"] != ""))
    return found.dropna(subset="value", ignore_index=True)
