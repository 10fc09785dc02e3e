"""Observer agreement: from ratings and a model's answers to tidy tables and to results (paper, Table 5).

Every table has the columns `name` (what is measured, dotted), `value`, `low`, `high` and `n`, from which
`observer_records` makes the records ``observers.<set>.<name>``, and further columns for pages and figures.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.evaluate.agreement import agreement_intervals, class_shares, cohen_table, vote_counts
from riqa.evaluate.equivalence import MarginVerdict
from riqa.evaluate.observers import METRICS, AgainstOthers, conclusion, score_cube
from riqa.evaluate.raters import errors_by_consent, intra_rater, rater_bias
from riqa.evaluate.stats import percentile_interval
from riqa.labels import DETAILS
from riqa.report.results import Result, record
from riqa.report.seeds import stack_seeds

TOGETHER = "details_together"
"""Item that stands for the mean over the three details."""


@dataclass(frozen=True)
class Observed:
    """A set that several raters have judged, and what a model says of it.

    Attributes:
        name: Name of the set.
        images: N rows with image_id, patient_id and the labels.
        ratings: What single raters said of these images, both sessions.
        raters: Names of the R raters of session 1.
        scores: (N, R, 3) of session 1: 0 bad, 1 good, NaN not seen.
        answers: (S, N, 3) of 0 and 1, the model's answers, a block a training seed.
        probs: (S, N, 3) its probabilities of good.
        seeds: The S training seeds.
    """

    name: str
    images: pd.DataFrame
    ratings: pd.DataFrame
    raters: tuple[str, ...]
    scores: np.ndarray
    answers: np.ndarray
    probs: np.ndarray
    seeds: tuple[int, ...]

    @property
    def groups(self) -> np.ndarray:
        """Patient of each image, (N,): what the bootstrap draws."""
        return self.images["patient_id"].to_numpy()


def observe(store: Store, predictions: pd.DataFrame) -> Observed:
    """Bring the ratings of a store and a model's predictions for it together, in the same order.

    Args:
        store: A set with ratings of the details.
        predictions: Rows of `riqa.learn.predict.predict` for some images of the store, one model, any seeds.

    Raises:
        InputError: If the store has no ratings of the details of these images, or of fewer than two raters.
    """
    images, probs = stack_seeds(predictions, [f"p_{detail}" for detail in DETAILS])
    name = store.meta["name"]
    advice = "give raters_set a set with several raters, e.g. phantom_observers or mshf"
    if store.ratings is None:
        raise InputError(f"{store.root} holds no ratings of single readers; {advice}")
    ratings = store.ratings[store.ratings["image_id"].isin(images["image_id"])].reset_index(drop=True)
    scores, raters = score_cube(ratings, images["image_id"])
    if len(raters) < 2:
        raise InputError(f"{store.root}: {len(raters)} rater(s) judged details of {name}; {advice}")
    seeds = tuple(int(seed) for seed in sorted(predictions["seed"].unique()))
    return Observed(name, images, ratings, raters, scores, (probs >= 0.5).astype(float), probs, seeds)


def agreement_frame(observed: Observed, **options) -> pd.DataFrame:
    """Compute agreement, detail by detail; `options` go to `riqa.evaluate.agreement.agreement_intervals`.

    Returns:
        Columns item, coefficient and those of the module; coefficients `share_good` (no interval),
        `agreement`, `fleiss_kappa`, `krippendorff_alpha`, `gwet_ac1` and `cohen_kappa`: the mean over pairs
        of raters for which it is defined, with the smallest and the largest as its ends.
    """
    rows = []
    for i, item in enumerate(DETAILS):
        counts = vote_counts(observed.scores[:, :, i])
        n = int((counts.sum(axis=1) >= 2).sum())
        rows.append((item, "share_good", class_shares(counts)[1], np.nan, np.nan, n))
        for name, found in agreement_intervals(counts, observed.groups, **options).items():
            rows.append((item, name, found.value, found.low, found.high, n))
        pairs = cohen_table(pd.DataFrame(observed.scores[:, :, i], columns=observed.raters))["kappa"]
        rows.append((item, "cohen_kappa", pairs.mean(), pairs.min(), pairs.max(), n))
    frame = pd.DataFrame(rows, columns=["item", "coefficient", "value", "low", "high", "n"])
    return frame.assign(name="agreement." + frame["item"] + "." + frame["coefficient"])


def intra_frame(observed: Observed) -> pd.DataFrame:
    """Lay `riqa.evaluate.raters.intra_rater` out, a row a rater, item and coefficient; no intervals."""
    found = intra_rater(observed.ratings, observed.images["image_id"])
    frame = found.melt(["rater", "item", "n"], var_name="coefficient").assign(low=np.nan, high=np.nan)
    names = "intra." + frame["rater"].map(_word) + "." + frame["item"] + "." + frame["coefficient"]
    return frame.assign(name=names)


def against_others_frame(observed: Observed, found: AgainstOthers, confidence: float = 0.95) -> pd.DataFrame:
    """Lay out the scores of every rater and of the model against the majority of the other raters.

    Returns:
        Columns rater, item, metric, judge ("rater", "teacher" or "teacher-rater", the paired difference),
        n_tied (images left out because the others tie), p_value (of the difference; two-sided, uncorrected)
        and those of the module.
    """
    rows = []
    for metric in METRICS:
        value, drawn = found.value[metric], found.replicates[metric]
        judges = {"rater": (value[:, 0], drawn[:, :, 0]), "teacher": (value[:, 1], drawn[:, :, 1])}
        judges["teacher-rater"] = tuple(judges["teacher"][k] - judges["rater"][k] for k in (0, 1))
        for (r, rater), (i, item) in ((r, i) for r in enumerate(observed.raters) for i in enumerate(DETAILS)):
            for judge, (values, replicates) in judges.items():
                test = judge == "teacher-rater"
                one = percentile_interval(values[r, i], replicates[:, r, i], confidence, test_zero=test)
                rows.append((rater, item, metric, judge, found.n[r, i], found.n_tied[r, i],
                             one.value, one.low, one.high, one.p_value))  # fmt: skip
    columns = ["rater", "item", "metric", "judge", "n", "n_tied", "value", "low", "high", "p_value"]
    frame = pd.DataFrame(rows, columns=columns).astype({"p_value": float})
    names = frame["rater"].map(_word) + "." + frame["item"] + "." + frame["metric"] + "." + frame["judge"]
    return frame.assign(name="against_others." + names)


def non_inferiority_frame(by_rule: Mapping[str, list[MarginVerdict]], n: int) -> pd.DataFrame:
    """Lay out tests of `riqa.evaluate.observers.non_inferiority`, by the rule for ties.

    Returns:
        Columns ties, item (a detail or `TOGETHER`), margin, verdict (`riqa.evaluate.observers.conclusion`),
        equivalent (the upper bound is below the margin, too) and those of the module; `low` and `high` are
        the two one-sided bounds.
    """
    rows = [
        (ties, item, test.margin, conclusion(test), test.equivalent,
         test.difference.value, test.difference.low, test.difference.high, n)
        for ties, tests in by_rule.items()
        for item, test in zip((*DETAILS, TOGETHER), tests, strict=True)
    ]  # fmt: skip
    columns = ["ties", "item", "margin", "verdict", "equivalent", "value", "low", "high", "n"]
    frame = pd.DataFrame(rows, columns=columns)
    rule = frame["ties"].map(lambda ties: "" if ties == "leave_out" else f".ties_{ties}")
    return frame.assign(name="non_inferiority." + frame["item"] + rule)


def bias_frame(observed: Observed, **options) -> pd.DataFrame:
    """Name judges and items of `riqa.evaluate.raters.rater_bias`; the last judge is "teacher"."""
    frame = rater_bias(observed.scores, observed.answers, observed.groups, **options)
    judges = (*observed.raters, "teacher")
    frame = frame.assign(judge=frame["judge"].map(judges.__getitem__))
    frame = frame.assign(item=frame["item"].map(DETAILS.__getitem__))
    return frame.assign(name="excess_of_good." + frame["judge"].map(_word) + "." + frame["item"])


def consent_frame(observed: Observed, **options) -> pd.DataFrame:
    """Name the items of `riqa.evaluate.raters.errors_by_consent`."""
    frame = errors_by_consent(observed.scores, observed.answers, observed.groups, **options)
    frame = frame.assign(item=frame["item"].map(DETAILS.__getitem__))
    return frame.assign(name="teacher_error." + frame["item"] + "." + frame["consent"])


def observer_records(observed: Observed, frame: pd.DataFrame, method: str) -> list[Result]:
    """Make one record ``observers.<set>.<name>`` a row of a table of this module."""
    return [
        record(f"observers.{observed.name}.{row.name}", row.value, low=row.low, high=row.high, n=row.n,
               seeds=observed.seeds if "teacher" in row.name or "non_inf" in row.name else (), method=method)
        for row in frame[["name", "value", "low", "high", "n"]].itertuples(index=False)
    ]  # fmt: skip


def _word(name: str) -> str:
    """Make a rater's name one word of a dotted name."""
    return re.sub(r"[\s.]+", "_", name)
