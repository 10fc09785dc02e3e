"""Contrasts: does a gain change with the conditions in which it is measured?

That one gain is beyond chance and another is not does not say that they differ. Their difference must be
judged itself, on the same draws of seeds and patients.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.mrmc import interval_of_method, jackknife
from riqa.evaluate.stats import one_hot_cells
from riqa.results import rows
from riqa.studies.answers import drawn_as_one, graded


def contrast(
    predictions: pd.DataFrame, coefficients: Mapping[tuple[str, str], float], *, confidence: float = 0.95,
    **keys: str,
) -> pd.DataFrame:  # fmt: skip
    """Compute a sum of coefficients times macro-F1 of overall quality: seeds as readers, patients as cases.

    With +1 and -1 for the two models of a gain, and -1 and +1 for those of another, it is the difference of
    the gains; with two models it is the row of `riqa.studies.overall.methods`.

    Args:
        predictions: Test predictions as `riqa.predictions` reads them. Datasets are conditions here: the same
            images, perhaps with other grades.
        coefficients: (dataset, model) -> its coefficient; they sum to 0.
        confidence: Coverage aimed at, in (0, 1).
        **keys: What the row of results says of itself: dataset, model, rival, group.

    Returns:
        One row of `macro_f1` by `mrmc`; with one seed it has neither interval nor p-value.

    Raises:
        ValueError: If the coefficients do not sum to 0, or images, seeds or classes are not all the same.
    """
    factors = np.array(list(coefficients.values()), dtype=float)
    if abs(factors.sum()) > 1e-9:
        raise ValueError(f"coefficients sum to {factors.sum()}, must sum to 0")
    by_name = dict(list(predictions.groupby(["dataset", "model"], sort=False)))
    if missing := coefficients.keys() - by_name.keys():
        raise ValueError(f"no predictions of {sorted(missing)}")
    models = [graded(by_name[name]) for name in coefficients]
    first = models[0]
    for name, one in zip(coefficients, models, strict=True):
        same = one.images["image_id"].equals(first.images["image_id"])
        if not same or (one.seeds, one.n_classes) != (first.seeds, first.n_classes):
            raise ValueError(f"{name} must have the images, seeds and classes of the first")
    shape = len(models), len(first.seeds), first.n_classes, first.n_classes

    def combined(counts: np.ndarray) -> np.ndarray:
        f1 = scores_from_counts(counts.reshape(*counts.shape[:-1], *shape))["macro_f1"]
        return np.einsum("m,...ms->...s", factors, f1)

    cells = [one_hot_cells(one.truth, one.called, one.n_classes) for one in models]
    by_seed = jackknife(np.concatenate(cells, axis=1), combined, drawn_as_one(first.images))
    number = {("macro_f1", "all"): interval_of_method(by_seed, confidence)}
    told = {"method": "mrmc", "confidence": confidence, "n": len(first.images), "seeds": first.seeds}
    return rows(number, **told | keys)
