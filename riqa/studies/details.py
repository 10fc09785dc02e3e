"""Quality details: how well models judge illumination, clarity and contrast (the paper's Table 4).

Every function takes predictions as `riqa.predictions` reads them, of one or more datasets and models, and
returns rows of `riqa.results`. *Good* is the positive class, as in the paper. Details that nobody has judged
are left out, and so are those of a model that is silent about them. A difference is always the first model of
a pair minus the second, judged with seeds as readers (`riqa.evaluate.mrmc`). Values are means over seeds; for
the intervals of scores the bootstrap draws patients and seeds.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.calibration import calibration
from riqa.evaluate.comparisons import margin_verdict, mcnemar_over_seeds
from riqa.evaluate.interval import Interval
from riqa.evaluate.mrmc import method_difference
from riqa.evaluate.stats import bootstrap_interval, detail_intervals
from riqa.labels import DETAILS
from riqa.results import rows, stack
from riqa.studies.answers import Pairs, by_image, by_model, judged

SCORES = {f"{d}.{score}": (d, score, "good") for d in DETAILS for score in ("f1", "precision", "recall")}
SCORES |= {"macro_f1": ("details", "macro_f1", "good")}
SCORES |= {"macro_f1_both_classes": ("details", "macro_f1", "all")}
"""Score of `riqa.evaluate.metrics.detail_scores_from_counts` -> target, metric and group of its row.

The target "details" is the mean over the three; its macro-F1 averages F1 of good ("good"), or of both classes
("all"): a model that calls everything good does not do well in the latter.
"""

OF_BOTH = {"macro_f1": ("macro_f1", "all"), "f1.bad": ("f1", "bad"), "accuracy": ("accuracy", "all")}
"""Score of `riqa.evaluate.metrics.scores_from_counts` with two classes -> metric and group of its row."""
COMPARED = {"f1.good": ("f1", "good"), "macro_f1": ("macro_f1", "all")}
"""Score that differences are made of -> metric and group of its row."""


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Score each model on each dataset: F1, precision and recall of each detail, and their means."""
    found, how = [], {"confidence": confidence, "n_resamples": n_resamples}
    for keys, own in by_model(predictions):
        images, probs = by_image(own)
        groups, told = images["patient_id"].to_numpy(), keys | {"n": len(images), "confidence": confidence}
        intervals = detail_intervals(images[list(DETAILS)].to_numpy(), probs, groups=groups, **how)
        numbers = {SCORES[score]: interval for score, interval in intervals.items()}
        found.append(rows(numbers, ("target", "metric", "group"), **told))
    return stack(found)


def both_classes(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> pd.DataFrame:
    """Score each detail for both of its classes (macro-F1, F1 of bad, accuracy), where both occur."""
    found, how = [], {"n_classes": 2, "confidence": confidence, "n_resamples": n_resamples}
    for keys, images, truth, probs in _details(predictions):
        if len(set(truth)) == 2:
            groups = images["patient_id"].to_numpy()
            intervals = bootstrap_interval(truth, (probs >= 0.5).astype(int), groups=groups, **how)
            numbers = {key: intervals[score] for score, key in OF_BOTH.items()}
            found.append(rows(numbers, confidence=confidence, **keys))
    return stack(found)


def always_good(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the F1 that answering *good* every time earns on each dataset, as of a model `always_good`."""
    found = []
    for dataset, own in predictions.groupby("dataset", sort=False):
        for detail in DETAILS:
            truth = own.dropna(subset=detail).drop_duplicates("image_id")[detail]
            share = truth.mean()
            keys = {"dataset": dataset, "model": "always_good", "target": detail, "n": len(truth)}
            found.append(rows({("f1", "good"): 2 * share / (1 + share)}, method="count", **keys))
    return stack(found)


def aucs(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return how well each model ranks each dataset's images by each detail, whatever share of them is good.

    The AUC is the chance that a good image gets a higher probability than a bad one; NaN where only one of
    the two occurs.
    """
    found, how = [], {"confidence": confidence, "n_resamples": n_resamples}
    for keys, images, truth, probs in _details(predictions):
        auc = np.nan
        if len(set(truth)) == 2:
            auc = auc_interval(truth, probs, groups=images["patient_id"].to_numpy(), **how)
        found.append(rows({("auc", "all"): auc}, confidence=confidence, **keys))
    return stack(found)


def methods(predictions: pd.DataFrame, pairs: Pairs, *, confidence: float = 0.95) -> pd.DataFrame:
    """Compare each detail's F1 of good and macro-F1: trained methods, seeds as readers, patients as cases."""
    found, how = [], {"n_classes": 2, "confidence": confidence}
    for keys, images, truth, a, b in _paired(predictions, pairs):
        how["groups"] = images["patient_id"].to_numpy()
        numbers = {key: method_difference(truth, a, b, metric=of, **how) for of, key in COMPARED.items()}
        found.append(rows(numbers, method="mrmc", confidence=confidence, **keys))
    return stack(found)


def equivalence(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    return methods(predictions, pairs, confidence=0.9).assign(method="mrmc_equivalence", p=np.nan)


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by McNemar, over all seeds, whether two models are right equally often about each detail."""
    found = []
    for keys, _, truth, a, b in _paired(predictions, pairs):
        p = mcnemar_over_seeds(a == truth, b == truth)
        test = Interval(((a == truth).mean() - (b == truth).mean()), np.nan, np.nan, p)
        found.append(rows({("accuracy", "all"): test}, method="mcnemar_exact", **keys))
    return stack(found)


def findings(differences: pd.DataFrame, within: pd.DataFrame, margin: float) -> list[str]:
    """Return the finding that each of `methods`, with its p-value corrected in a column `holm`, supports.

    "differs" where that is below 0.05; "equivalent" where the 90 % interval `within` (rows of `equivalence`
    in the same order) lies within the margin (above 0), else "non-inferior" where its lower end lies above
    minus the margin; "undecided" where none of these holds.
    """
    found = []
    for p, row in zip(differences["holm"], within.itertuples(), strict=True):
        words = ["differs" * (p < 0.05), margin_verdict(Interval(row.value, row.low, row.high), margin)]
        found.append(", ".join(filter(None, words)) or "undecided")
    return found


def calibrations(
    predictions: pd.DataFrame, n_bins: int, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the calibration of each model's probabilities of each detail, in bins of equal width.

    Returns:
        The bins (`riqa.evaluate.calibration.Calibration.table`, with dataset, model and target); and rows of
        the metrics `ece`, `ece_floor` (what chance gives a calibrated model) and `brier`.
    """
    found, bins = [], []
    how = {"n_bins": n_bins, "confidence": confidence, "n_resamples": n_resamples}
    for keys, images, truth, probs in _details(predictions):
        if len(truth):
            of = calibration(truth, probs, groups=images["patient_id"].to_numpy(), **how)
            numbers = {("ece", "bins"): of.ece, ("ece_floor", "drawn"): of.floor}
            numbers |= {("brier", "bootstrap"): of.brier}
            found.append(rows(numbers, ("metric", "method"), confidence=confidence, **keys))
            bins.append(of.table.assign(**{key: keys[key] for key in ("dataset", "model", "target")}))
    return stack(bins), stack(found)


def _details(predictions: pd.DataFrame) -> Iterator[tuple[dict, pd.DataFrame, np.ndarray, np.ndarray]]:
    """Yield, for each dataset, model and detail: keys of its rows, and what `judged` returns."""
    for keys, own in by_model(predictions):
        for detail in DETAILS:
            images, truth, probs = judged(own, detail)
            yield keys | {"target": detail, "n": len(truth)}, images, truth, probs


def _paired(
    predictions: pd.DataFrame, pairs: Pairs
) -> Iterator[tuple[dict, pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, for each dataset, pair and detail with both classes: keys, images, truth, what each called."""
    for _, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            both = (list(_details(here[here["model"] == name])) for name in (model, rival))
            for (keys, images, truth, a), (of_rival, others, _, b) in zip(*both, strict=True):
                if len(set(truth)) < 2:
                    continue
                if not images["image_id"].equals(others["image_id"]) or keys["seeds"] != of_rival["seeds"]:
                    raise ValueError(f"{model} and {rival} must have the same images and seeds")
                called = ((probs >= 0.5).astype(int) for probs in (a, b))
                yield keys | {"rival": rival}, images, truth, *called
