"""Overall quality: how good are models, which is better, and which differences matter?

Every function takes test predictions of one or more datasets and models, as `riqa.predictions` reads them,
and returns rows of `riqa.results`. A difference is always the first model of a pair minus the second. What
nobody has graded is left out. Values are means over seeds. Two methods are compared by `methods`, two
networks by `differences`, with one seed each.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.comparisons import mcnemar_test, wilcoxon_test
from riqa.evaluate.interval import Interval
from riqa.evaluate.label_shift import class_shares, corrected
from riqa.evaluate.metrics import aggregate_eyes
from riqa.evaluate.mrmc import jackknife, method_power, spread_of
from riqa.evaluate.stats import paired_bootstrap, paired_cells
from riqa.labels import class_names
from riqa.predictions import OVERALL, with_answers
from riqa.results import rows, stack
from riqa.studies.answers import Graded, Pairs, by_model, drawn_as_one, graded
from riqa.studies.contrasts import contrast

UNITS = {"patient": "bootstrap", "eye": "bootstrap_eye", "image": "bootstrap_image"}
"""What the bootstrap can draw as a whole -> the method that it is then."""
macro_f1 = partial(f1_score, average="macro", zero_division=0)
READINGS = {
    "image_probability": lambda of: of.by_seed("p_true").mean(axis=1).to_numpy(),
    "image_correct": lambda of: (of.called == of.truth).mean(axis=0),
    "seed_score": lambda of: np.array([macro_f1(of.truth, called) for called in of.called]),
}
"""What Wilcoxon's test can pair: probability of the true class, being right, macro-F1 seed by seed."""
SIDES = {"wilcoxon": "two-sided", "wilcoxon_greater": "greater"}


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
    found, how = [], {"n_resamples": n_resamples, "confidence": confidence}
    for keys, a, b in _paired(predictions, pairs):
        how |= {"n_classes": a.n_classes, "groups": drawn_as_one(a.images, unit)}
        gap = {("macro_f1", "all"): paired_bootstrap(a.truth, a.called, b.called, **how)}
        found.append(rows(gap, method=UNITS[unit], confidence=confidence, **keys))
    return stack(found)


def methods(
    predictions: pd.DataFrame, pairs: Pairs, *, confidence: float = 0.95, metric: str = "macro_f1",
    targets: Sequence[str] = ("overall",), group: str = "all",
) -> pd.DataFrame:  # fmt: skip
    """Compare a score of trained methods, see `riqa.studies.contrasts.contrast`: its targets, too.

    With one seed there is a value, and neither interval nor p-value. A pair whose second is "" makes a plain
    score. `group` tells the rows what the photographs have in common.
    """
    found, how = [], {"targets": targets, "metric": metric, "confidence": confidence, "group": group}
    for dataset, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            signs = {(dataset, model): 1} | ({(dataset, rival): -1} if rival else {})
            found.append(contrast(here, signs, dataset=dataset, model=model, rival=rival, **how))
    return stack(found)


def equivalence(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    return methods(predictions, pairs, confidence=0.9).assign(method="mrmc_equivalence", p=np.nan)


def wilcoxon(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by Wilcoxon's signed ranks, in each of `READINGS`; values are mean differences."""
    found = []
    for keys, a, b in _paired(predictions, pairs):
        for reading, read in READINGS.items():
            x, y = read(a), read(b)
            for method, side in SIDES.items():
                test = Interval((x - y).mean(), np.nan, np.nan, wilcoxon_test(x, y, side))
                found.append(rows({(reading, "all"): test}, **keys | {"n": len(x), "method": method}))
    return stack(found)


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by McNemar, seed by seed, whether two networks are right equally often."""
    found = []
    for keys, a, b in _paired(predictions, pairs):
        for seed, x, y in zip(a.seeds, a.called == a.truth, b.called == a.truth, strict=True):
            test = Interval(x.mean() - y.mean(), np.nan, np.nan, mcnemar_test(x, y))
            own = keys | {"seeds": [seed], "method": "mcnemar"}
            found.append(rows({("accuracy", f"seed {seed}"): test}, **own))
    return stack(found)


def power(
    predictions: pd.DataFrame, pair: tuple[str, str], sizes: Sequence[int], seeds: Sequence[int], true: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute what studies of other sizes could find, if methods vary as these two do on this one set.

    Nothing depends on the difference that was found: that power would be the p-value in other words. Sizes
    are numbers of test images, with as many images per patient as here; `seeds` numbers of seeds, and with
    one power is NaN; `true` is a difference in macro-F1.

    Returns:
        A table with columns images, seeds, power (of finding `true`) and detectable (the least difference
        that is found with a power of 0.8, NaN above 0.5); and the same as rows of `power` and
        `detectable_difference`, with three rows of `standard_deviation` (`riqa.evaluate.mrmc.Spread`).
    """
    ((keys, a, b),) = _paired(predictions, [pair])
    cells, difference = paired_cells(a.truth, a.called, b.called, a.n_classes, "macro_f1")
    spread = spread_of(jackknife(cells, difference, drawn_as_one(a.images)))
    grid, found = np.geomspace(1e-4, 0.5, 400), []
    numbers = {("standard_deviation", part): np.sqrt(getattr(spread, part)) for part in spread._fields}
    for size, n in product(sizes, seeds):
        how = {"n_seeds": n, "times_patients": size / len(a.images)}
        on_grid, at_true = method_power(grid, spread, **how), float(method_power(true, spread, **how))
        least = float(np.interp(0.8, on_grid, grid)) if on_grid[-1] >= 0.8 else np.nan
        found.append((size, n, at_true, least))
        group = f"{size} images, {n} seeds"
        numbers |= {("power", group): at_true, ("detectable_difference", group): least}
    table = pd.DataFrame(found, columns=["images", "seeds", "power", "detectable"])
    return table, rows(numbers, **keys | {"method": "mrmc_power"})


def prior_corrected(
    predictions: pd.DataFrame, trained_on: Mapping[str, np.ndarray]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correct each network's answers to class shares that it estimates itself, without labels, on the set.

    Probabilities sum to 1; `trained_on` is dataset -> (K,) shares of classes among its training photographs.

    Returns:
        The predictions with corrected probabilities and answers; and for each model rows of `class_share`, as
        estimated: mean over seeds, smallest and largest.
    """
    frames, found = [], []
    for keys, own in by_model(predictions):
        old = np.asarray(trained_on[keys["dataset"]])
        columns, estimates = OVERALL[: len(old)], []
        for _, run in own.groupby("seed", sort=False):
            probs = run[columns].to_numpy()
            estimates.append(class_shares(probs, old))
            better = corrected(probs, old, estimates[-1])
            frames.append(run.assign(**dict(zip(columns, better.T, strict=True))))
        each = zip(class_names(len(old)), np.transpose(estimates), strict=True)
        numbers = {("class_share", label): Interval(x.mean(), x.min(), x.max()) for label, x in each}
        found.append(rows(numbers, method="em", n=own["image_id"].nunique(), **keys))
    return with_answers(pd.concat(frames, ignore_index=True)), stack(found)


def by_eye(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the answers about an eye's views; eyes whose views have different grades are left out."""
    eyes = aggregate_eyes(predictions.drop(columns=["called", "p_true"]))
    return with_answers(eyes[eyes["overall"].notna()].reset_index(drop=True))


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
