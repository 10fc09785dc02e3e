"""Advice for recapture: who would repair what, and with what outcome.

Advice is asked for where a Student calls a photograph worse than good. Every function that measures returns
rows of `riqa.results`: means over the pairs of Student and photograph in which advice was asked for, with
intervals over patients and seeds, differences with seeds as readers (`riqa.evaluate.mrmc`). Groups without
any such pair have no row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.mrmc import mean_of_method
from riqa.evaluate.recapture import (
    N_CODES,
    SINGLE,
    causes,
    outcome,
    raised,
    repair_any,
    repair_codes,
    repair_one,
    surely,
)
from riqa.labels import DETAILS
from riqa.phantom.repair import repaired_scores, spoilt_details
from riqa.predictions import OVERALL
from riqa.results import rows
from riqa.studies.answers import by_image

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
        return outcome(self.policies[who], outcomes, self.asked)


def choose_set(
    n_classes: Mapping[str, int], photographs: Path, details_set: str
) -> tuple[str, str, pd.DataFrame | None]:
    """Choose the overall set with the most classes, whose Student advises, and the set on which it does.

    It advises on its own set, or on the details set if only there the truth of the photographs is on file, in
    `truth.parquet` in the folder that `photographs` has for each set. `n_classes` are those of each overall
    set. Returns both sets, and the truth of the second (index image_id), or None.
    """
    home = max(n_classes, key=n_classes.get)
    for studied in (home, details_set):
        if (path := photographs / studied / "truth.parquet").is_file():
            return home, studied, pd.read_parquet(path).set_index("image_id")
    return home, home, None


def give_advice(students: pd.DataFrame, teachers: pd.DataFrame, truth: pd.DataFrame | None) -> Advice:
    """Collect everybody's advice.

    Students are test predictions of one model on one dataset, as `riqa.predictions` reads them. Teachers, of
    the same seeds and dataset, have image_id, seed, split and p_<detail>; the detail that is bad most often
    is counted on the split train, Teacher by Teacher. Truth is `truth.parquet` of the set, index image_id;
    without it there are no policies "best_detail" and "spoilt_detail".
    """
    images, own = by_image(students)
    names, seeds = images["image_id"], sorted(students["seed"].unique())
    called = students.pivot(index="image_id", columns="seed", values="called").to_numpy().T
    best_class = students[OVERALL].notna().any().sum() - 1
    by_seed = [teachers[teachers["seed"] == seed] for seed in seeds]
    columns = [f"p_{detail}" for detail in DETAILS]
    of_teacher = np.stack([answers.set_index("image_id").loc[names, columns] for answers in by_seed])
    bad = np.stack([seen.loc[seen["split"] == "train", columns].lt(0.5).mean() for seen in by_seed])
    worst = own.argmin(axis=-1)  # the first of equals
    (dataset,), (student,) = students["dataset"].unique(), students["model"].unique()
    policies = {
        student: repair_one(worst),
        "teacher": repair_one(of_teacher.argmin(axis=-1)),
        "frequent_detail": repair_one(np.broadcast_to(bad.argmax(axis=1)[:, None], worst.shape)),
        "another_detail": repair_any(worst[..., None] != np.arange(len(DETAILS))),
    }
    if truth is not None:
        spoilt = spoilt_details(truth.loc[names])
        best = repaired_scores(truth.loc[names])[..., SINGLE].argmin(axis=-1)  # leaves the lowest true score
        policies["spoilt_detail"] = repair_any(np.broadcast_to(spoilt, own.shape))
        policies["best_detail"] = repair_one(np.broadcast_to(best, worst.shape))
    policies["all_called_bad"] = surely(repair_codes(own < 0.5))
    policies["all_details"] = surely(np.full(worst.shape, N_CODES - 1))
    return Advice(
        dataset, student, tuple(int(seed) for seed in seeds), images[["image_id", "patient_id"]],
        called < best_class, worst, own.min(axis=-1) < 0.5, policies,
    )  # fmt: skip


def described(advice: Advice, **bootstrap: float) -> pd.DataFrame:
    """Describe the Student's advice; this needs no truth.

    Rows of the metrics `advice_asked` (share of all photographs), and as shares of the advice asked for
    `fault_named` (a detail has a probability of good below 0.5), `same_as_teacher` (their worst detail is the
    same) and `worst_detail`, one per detail.
    """
    same = (advice.policies["teacher"] * advice.policies[advice.student]).sum(axis=-1)
    shares = {("advice_asked", "overall"): advice.asked.astype(float)}
    said = {("fault_named", "overall"): advice.named, ("same_as_teacher", "overall"): same}
    said |= {("worst_detail", detail): advice.worst == k for k, detail in enumerate(DETAILS)}
    shares |= {keys: np.where(advice.asked, one, np.nan) for keys, one in said.items()}
    return _rows(shares, ("metric", "target"), advice, **bootstrap).assign(model=advice.student)


def compared(
    advice: Advice, outcomes: Mapping[str, np.ndarray], rivals: Iterable[str] = (), **bootstrap: float
) -> pd.DataFrame:
    """Judge everybody's advice by every outcome; or, with rivals, the Student's advice minus theirs.

    Outcomes are metric -> (N, 8) or (S, N, 8), what each repair achieves; rivals keys of `advice.policies`.
    """
    values = {(who, "", metric): advice.achieved(who, one)
              for who in advice.policies for metric, one in outcomes.items()}  # fmt: skip
    if rivals:
        own = advice.student
        values = {(own, rival, metric): values[own, "", metric] - values[rival, "", metric]
                  for rival in rivals for metric in outcomes}  # fmt: skip
    return _rows(values, ("model", "rival", "metric"), advice, **bootstrap)


def in_groups(
    advice: Advice, metric: str, outcomes: np.ndarray, groups: Mapping[str, np.ndarray], **bootstrap: float
) -> pd.DataFrame:
    """Judge the Student's advice, and what it is compared with, in groups of photographs.

    Outcomes, which the metric names, are (N, 8) or (S, N, 8); groups name -> bool, (N,) or (S, N).

    For each group a row of the metric `share` (of the advice asked for), rows for the Student and those of
    `IN_GROUPS`, and one for the Student minus another detail.
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

    The order holds positions of photographs that have classes in `own` (S, N, 8), the Student's after each
    repair, NaN where it was not shown. Grades, int (N, 8) of `n_classes`, are the true ones after repair.

    Returns:
        Kind -> position; kinds that do not occur are left out.
    """
    worst = advice.worst[0]
    fits = {detail: (worst == k) & advice.named[0] for k, detail in enumerate(DETAILS)}
    if grades is not None:
        code = np.arange(len(worst)), 2**worst
        truly, noticed = raised(grades)[code] == 1, raised(own[0])[code] == 1
        cause = causes(grades, n_classes)
        wrong = (cause == "one detail would do") & ~truly
        why = ("several details together", "no detail would do", "already good")
        failed = [wrong, *(cause == reason for reason in why), truly & ~noticed]
        fits = {detail: here & truly & noticed for detail, here in fits.items()}
        fits |= dict(zip(FAILURES, failed, strict=True))
    found = {kind: [n for n in order if advice.asked[0, n] and here[n]] for kind, here in fits.items()}
    return {kind: positions[0] for kind, positions in found.items() if positions}


def describe_scenes(
    chosen: Mapping[str, int], advice: Advice, told: Mapping[str, pd.DataFrame], classes: Sequence[str],
    grades: np.ndarray | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Say what the first seed's Student calls the photograph of each scene, and what is true.

    What is chosen, advised and graded is as in `choose_scenes`; `told` holds under "before", and with grades
    under "taken again", the Student's probabilities, one row per scene; classes are named, the worst first.

    Returns:
        One row per scene: `scene`, `Student`; with grades `truth`, `repaired`, `Student then`, `truth then`.
    """
    where = np.array([*chosen.values()], dtype=int)
    worst, columns = advice.worst[0, where], {"scene": [*chosen]}
    for when, then, code in (("before", "", 0 * worst), ("taken again", " then", 2**worst)):
        if when in told:
            probs = told[when][OVERALL[: len(classes)]].astype(float)
            best = zip(probs.to_numpy().argmax(axis=1), probs.max(axis=1), strict=True)
            columns["Student" + then] = [f"{classes[k]} ({p:.2f})" for k, p in best]
        if grades is not None:
            columns["truth" + then] = [classes[k] for k in grades[where, code]]
            columns["repaired"] = [DETAILS[k] for k in worst]
    return pd.DataFrame(columns)


def _rows(
    values: Mapping[tuple[str, ...], np.ndarray], columns: tuple[str, ...], advice: Advice, **bootstrap: float
) -> pd.DataFrame:
    """Make one row per mean of (S, N) values; differences are judged with seeds as readers, and have a p."""
    patients, confidence = advice.images["patient_id"].to_numpy(), bootstrap["confidence"]
    intervals = pooled_intervals(np.stack(list(values.values())), groups=patients, **bootstrap)
    found = dict(zip(values, intervals, strict=True))
    gaps = [key for key in values if key[columns.index("rival")]] if "rival" in columns else []
    found |= {key: mean_of_method(values[key], groups=patients, confidence=confidence) for key in gaps}
    made = rows(found, columns, dataset=advice.dataset, seeds=advice.seeds, confidence=confidence)
    n = [int((~np.isnan(one)).any(axis=0).sum()) for one in values.values()]
    made = made.assign(method=np.where(made["rival"] == "", "pooled", "mrmc"), n=pd.array(n, "Int64"))
    return made.dropna(subset="value", ignore_index=True)
