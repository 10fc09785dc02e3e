"""When to trust an answer about overall quality: calibration, abstention, and sets of classes.

Every function takes predictions as `riqa.predictions` reads them, of the splits "val" and "test": what has to
be chosen is chosen on the first, network by network, and judged on the second. What nobody has graded is left
out. Values are means over seeds; the bootstrap draws patients and seeds.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.calibration import calibration
from riqa.evaluate.selective import aurc_interval, conformal_limit
from riqa.learn.confidence import fit_temperature, tempered
from riqa.predictions import OVERALL, with_answers
from riqa.results import rows, stack
from riqa.studies.answers import by_model, drawn_as_one, graded


def temper(predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each network the temperature that suits its validation images.

    Returns:
        The predictions with other probabilities; and rows of `temperature`, from the least to the largest.
    """
    parts, found = [], []
    for keys, own in by_model(predictions.dropna(subset="overall")):
        val, temperatures = graded(own[own["split"] == "val"]), []
        for (_, of_seed), probs in zip(own.groupby("seed"), val.probs, strict=True):
            columns = OVERALL[: val.n_classes]
            temperatures.append(fit_temperature(probs, val.truth.astype(int)))
            parts.append(of_seed.copy())
            parts[-1][columns] = tempered(of_seed[columns].to_numpy(), temperatures[-1])
        numbers = {("temperature", "all"): np.mean(temperatures)}
        row = rows(numbers, method="seeds", n=len(val.images), **keys)
        found.append(row.assign(low=min(temperatures), high=max(temperatures)))
    return with_answers(pd.concat(parts).sort_index()), stack(found)


def calibrations(
    predictions: pd.DataFrame, n_bins: int, *, is_tempered: bool = False, confidence: float = 0.95,
    n_resamples: int = 2_000,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Measure whether the probability of the class called is the share that is right, in bins of equal width.

    Returns:
        The bins (`riqa.evaluate.calibration.Calibration.table`, with dataset and model); and rows of the
        metrics `ece`, `ece_floor` (what chance gives a calibrated model) and `brier`, whose methods tell
        predictions of `temper` (`is_tempered`) from others.
    """
    bins, found, ending = [], [], "_tempered" if is_tempered else ""
    how = {"n_bins": n_bins, "confidence": confidence, "n_resamples": n_resamples}
    for keys, own in by_model(predictions[predictions["split"] == "test"]):
        test = graded(own)
        right, groups = test.called == test.truth, drawn_as_one(test.images)
        of = calibration(right, test.probs.max(axis=-1), groups=groups, **how)
        numbers = {("ece", "bins" + ending): of.ece, ("ece_floor", "drawn" + ending): of.floor}
        numbers |= {("brier", "bootstrap" + ending): of.brier}
        found.append(rows(numbers, ("metric", "method"), n=len(test.images), confidence=confidence, **keys))
        bins.append(of.table.assign(dataset=keys["dataset"], model=keys["model"]))
    return pd.concat(bins, ignore_index=True), stack(found)


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score each model's order of answers by `aurc`, and the distance of its errors by `quadratic_kappa`."""
    found, how = [], {"confidence": confidence, "n_resamples": n_resamples}
    for keys, own in by_model(predictions[predictions["split"] == "test"]):
        test = graded(own)
        wrong, groups = test.called != test.truth, drawn_as_one(test.images)
        aurc = aurc_interval(wrong, test.probs.max(axis=-1), groups=groups, **how)
        numbers = {("aurc",): aurc, ("quadratic_kappa",): test.scores(**how)["quadratic_kappa"]}
        found.append(rows(numbers, ("metric",), n=len(test.images), confidence=confidence, **keys))
    return stack(found)


def sets(predictions: pd.DataFrame, miss: float, *, by_class: bool) -> pd.DataFrame:
    """Answer with sets of classes that lack the true one in a share `miss` of images at most.

    With `by_class` each class has the limit of its own images, and so the promise for itself.

    Returns:
        The predictions of graded test images with the columns `covered` (whether the true class is in the
        set) and `set_size`.
    """
    found = []
    for _, own in predictions.dropna(subset="overall").groupby(["dataset", "model", "seed"], sort=False):
        val, test = (own[own["split"] == split] for split in ("val", "test"))
        columns = OVERALL[: int(own[OVERALL].notna().any().sum())]
        parts = [val[val["overall"] == code] if by_class else val for code in range(len(columns))]
        inside = 1 - test[columns] <= [conformal_limit(1 - part["p_true"], miss) for part in parts]
        covered = inside.to_numpy()[np.arange(len(test)), test["overall"].astype(int)]
        found.append(test.assign(covered=covered, set_size=inside.sum(axis=1)))
    return pd.concat(found, ignore_index=True)


def means(
    predictions: pd.DataFrame, columns: Sequence[str], *, confidence: float = 0.95, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Average columns that belong to an image and a seed; a row of results for each, the column its metric.

    NaN is left out: the mean is over those pairs of image and seed that have a value.
    """
    found, how = [], {"confidence": confidence, "n_resamples": n_resamples}
    for keys, own in by_model(predictions):
        wide = own.pivot(index=["patient_id", "image_id"], columns="seed", values=list(columns)).astype(float)
        values = np.stack([wide[column].to_numpy().T for column in columns])
        groups = wide.index.get_level_values("patient_id").to_numpy()
        intervals = pooled_intervals(values, groups=groups, **how)
        numbers = {(column,): mean for column, mean in zip(columns, intervals, strict=True)}
        found.append(rows(numbers, ("metric",), method="pooled", n=len(wide), confidence=confidence, **keys))
    return stack(found)
