"""Overall quality: how good are models, which is better, and which differences matter?

Every function takes test predictions of one or more datasets and models, as `riqa.predictions` reads them,
and returns rows of `riqa.results`. A difference is always the first model of a pair minus the second. What
nobody has graded is left out. Values are means over seeds; the bootstrap draws patients and seeds.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.comparisons import (
    detectable_difference,
    joint_counts,
    mcnemar_test,
    power_curve,
    wilcoxon_test,
)
from riqa.evaluate.comparisons import power as power_of
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import aggregate_eyes
from riqa.labels import class_names
from riqa.predictions import with_answers
from riqa.results import rows, stack
from riqa.studies.answers import Graded, by_model, drawn_as_one, graded

UNITS = {"patient": "bootstrap", "eye": "bootstrap_eye", "image": "bootstrap_image"}
"""What the bootstrap can draw as a whole -> the method that it is then."""
READINGS = ("image_probability", "image_correct", "seed_score")
"""What Wilcoxon's test can pair: probability of the true class, being right, macro-F1 seed by seed."""
SIDES = {"wilcoxon": "two-sided", "wilcoxon_greater": "greater"}

Pairs = Iterable[tuple[str, str]]


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Score each model on each dataset.

    With three classes precision and recall are macro averages (group "all"), with two those of the class bad.
    """
    found = []
    for keys, own in by_model(predictions):
        model = graded(own)
        intervals = model.scores(confidence=confidence, n_resamples=n_resamples)
        of_one = "bad" if model.n_classes == 2 else "all"
        asked = {"macro_f1": "all", "precision": of_one, "recall": of_one, "accuracy": "all"}
        numbers = {(score, group): intervals[score] for score, group in asked.items()}
        numbers |= {("f1", name): intervals[f"f1.{name}"] for name in class_names(model.n_classes)}
        found.append(rows(numbers, n=len(model.images), confidence=confidence, **keys))
    return stack(found)


def differences(
    predictions: pd.DataFrame, pairs: Pairs, *, unit: str = "patient", confidence: float = 0.95,
    n_resamples: int = 10_000,
) -> pd.DataFrame:  # fmt: skip
    """Compare macro-F1 on the same draws of seeds and of units, a key of `UNITS`: the paired bootstrap."""
    how, shared = {"n_resamples": n_resamples, "confidence": confidence}, {"confidence": confidence}
    return stack(
        rows({("macro_f1", "all"): a.minus(b, unit, **how)}, method=UNITS[unit], **shared, **keys)
        for keys, a, b in _paired(predictions, pairs)
    )


def equivalence(predictions: pd.DataFrame, pairs: Pairs, *, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    intervals = differences(predictions, pairs, confidence=0.9, n_resamples=n_resamples)
    return intervals.assign(method="equivalence", p=np.nan)


def wilcoxon(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by Wilcoxon's signed ranks, in each of `READINGS`; values are mean differences."""
    found = []
    for keys, a, b in _paired(predictions, pairs):
        for reading, x, y in zip(READINGS, _readings(a), _readings(b), strict=True):
            for method, side in SIDES.items():
                test = Interval((x - y).mean(), np.nan, np.nan, wilcoxon_test(x, y, side))
                found.append(rows({(reading, "all"): test}, **keys | {"n": len(x), "method": method}))
    return stack(found)


def _readings(of: Graded) -> Iterator[np.ndarray]:
    """Yield what Wilcoxon's test can rank, in the order of `READINGS`."""
    yield of.by_seed("p_true").mean(axis=1).to_numpy()
    yield (of.called == of.truth).mean(axis=0)
    yield np.array([f1_score(of.truth, called, average="macro", zero_division=0) for called in of.called])


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by McNemar, seed by seed, whether two networks are right equally often."""
    found = []
    for keys, a, b in _paired(predictions, pairs):
        for seed, *both in zip(a.seeds, a.called == a.truth, b.called == a.truth, strict=True):
            lead = both[0].mean() - both[1].mean()
            test = Interval(lead, np.nan, np.nan, mcnemar_test(*both))
            own = keys | {"seeds": [seed], "method": "mcnemar"}
            found.append(rows({("accuracy", f"seed {seed}"): test}, **own))
    return stack(found)


def power(
    predictions: pd.DataFrame, pair: tuple[str, str], sizes: Sequence[int], n_studies: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute what test sets of some sizes could find between two models that disagree as these on one set.

    Returns:
        The curves (`riqa.evaluate.comparisons.power_curve`) with a column `images`; and rows of the metrics
        `detectable_difference` (found with a power of 0.8; NaN if more than the curve reaches) and `power`
        (for the difference found).
    """
    ((keys, a, b),) = _paired(predictions, [pair])
    joint = joint_counts(a.truth, a.called, b.called, a.n_classes)
    curves, found = [], []
    for size in sizes:
        curve = power_curve(joint, size, n_studies=n_studies)
        either = max(power_of(world, size, n_studies=n_studies) for world in (joint, joint.swapaxes(1, 2)))
        numbers = {"detectable_difference": detectable_difference(curve), "power": either}
        numbers = {(metric, f"{size} images"): value for metric, value in numbers.items()}
        found.append(rows(numbers, **keys | {"n": size, "method": "simulation"}))
        curves.append(curve.assign(images=size))
    return pd.concat(curves, ignore_index=True), stack(found)


def by_eye(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the answers about an eye's views; eyes whose views have different grades are left out."""
    eyes = aggregate_eyes(predictions.drop(columns=["called", "p_true"]))
    return with_answers(eyes[eyes["overall"].notna()].reset_index(drop=True))


def beside_published(predictions: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame | None:
    """Put published predictions (`riqa.data.published_predictions`, `with_answers`) beside ours on one set.

    Returns:
        Our rows, and those of the published models for the same images, repeated for each of our seeds (they
        have one run). None if one of our images has no published prediction: nothing could be paired.
    """
    images = predictions["image_id"].unique()
    if not np.isin(images, published["image_id"].unique()).all():
        return None
    same = published[published["image_id"].isin(images)]
    (dataset,) = predictions["dataset"].unique()
    copies = [same.assign(seed=seed, dataset=dataset) for seed in sorted(predictions["seed"].unique())]
    return pd.concat([predictions, *copies], ignore_index=True)


def reject_against_good(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> pd.DataFrame:
    """Compute the AUC with which each model tells reject from good; usable is left out.

    The score is the probability of good, given that the image is either good or reject.
    """
    found = []
    for keys, own in by_model(predictions):
        ends = graded(own[own["overall"].isin([0, 2])])
        reject, good = (ends.by_seed(column).to_numpy().T for column in ("p_overall_0", "p_overall_2"))
        score = good / np.maximum(good + reject, np.finfo(float).tiny)
        how = {"groups": drawn_as_one(ends.images), "confidence": confidence, "n_resamples": n_resamples}
        number = {("auc", "reject against good"): auc_interval(ends.truth == 2, score, **how)}
        found.append(rows(number, n=len(ends.images), confidence=confidence, **keys))
    return stack(found)


def _paired(predictions: pd.DataFrame, pairs: Pairs) -> Iterator[tuple[dict, Graded, Graded]]:
    """Yield, for each dataset and pair: keys of its rows, and both models' answers about the same images."""
    for dataset, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            a, b = (graded(here[here["model"] == name]) for name in (model, rival))
            if not a.images["image_id"].equals(b.images["image_id"]) or a.seeds != b.seeds:
                raise ValueError(f"{model} and {rival} must have the same images and seeds")
            keys = {"dataset": dataset, "model": model, "rival": rival, "seeds": a.seeds, "n": len(a.images)}
            yield keys, a, b
