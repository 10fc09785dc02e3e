"""Contrasts: which method is better, and does a gain change with the conditions in which it is measured?

That one gain is beyond chance and another is not does not say that they differ. Their difference must be
judged itself, on the same draws of seeds and patients.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.mrmc import interval_of_method, jackknife
from riqa.predictions import OVERALL
from riqa.results import rows


def contrast(
    predictions: pd.DataFrame, coefficients: Mapping[tuple[str, str], float], *,
    targets: Sequence[str] = ("overall",), metric: str = "macro_f1", confidence: float = 0.95, **keys: str,
) -> pd.DataFrame:  # fmt: skip
    """Compute a sum of coefficients times a score of trained methods: seeds as readers, patients as cases.

    With +1 and -1 for two models it is a gain, and with -1 and +1 for two more the difference of two gains.
    Seeds may have met photographs of their own, and labels may differ by seed.

    Args:
        predictions: Test predictions as `riqa.predictions` reads them. Datasets are conditions here: the same
            images, perhaps with other grades.
        coefficients: (dataset, model) -> its coefficient; they sum to 0. One alone makes a plain score.
        targets: `overall`, or details, of whose scores the mean counts. What is not judged is left out.
        metric: A key of `riqa.evaluate.metrics.scores_from_counts`.
        confidence: Coverage aimed at, in (0, 1).
        **keys: What the row of results says of itself: dataset, model, rival, group.

    Returns:
        One row by `mrmc`. With one seed it has neither interval nor p-value, a plain score has no p-value.

    Raises:
        ValueError: If the coefficients do not sum to 0, images, seeds or classes are not all the same, or the
            metric is unknown.
    """
    factors = np.array(list(coefficients.values()), dtype=float)
    if len(factors) > 1 and abs(factors.sum()) > 1e-9:
        raise ValueError(f"coefficients sum to {factors.sum()}, must sum to 0")
    by_name = dict(list(predictions.groupby(["dataset", "model"], sort=False)))
    if missing := coefficients.keys() - by_name.keys():
        raise ValueError(f"no predictions of {sorted(missing)}")
    asked = list(product(targets, coefficients))
    tables = [_cells(by_name[name], target) for target, name in asked]
    first, n_classes = tables[0]
    for of, (cells, classes) in zip(asked, tables, strict=True):
        if classes != n_classes or not cells.isna().equals(first.isna()):
            raise ValueError(f"{of} must have the images, seeds and classes of the first")
    shape = len(targets), len(factors), first.shape[1], n_classes, n_classes

    def combined(counts: np.ndarray) -> np.ndarray:
        scores = scores_from_counts(counts.reshape(*counts.shape[:-1], *shape))
        if metric not in scores:
            raise ValueError(f"metric must be one of {', '.join(scores)}; got {metric!r}")
        return np.einsum("m,...tms->...ts", factors, scores[metric]).mean(axis=-2)

    marks = [cells.to_numpy()[..., None] == np.arange(n_classes**2) for cells, _ in tables]
    images = by_name[next(iter(coefficients))].drop_duplicates("image_id").set_index("image_id")
    patients = images["patient_id"][first.index].astype(str)
    by_seed = jackknife(np.stack(marks, axis=1).reshape(len(first), -1), combined, patients)
    told = {"method": "mrmc", "confidence": confidence, "n": len(first), "seeds": first.columns}
    told["target"] = targets[0] if len(targets) == 1 else "details"
    row = rows({(metric, "all"): interval_of_method(by_seed, confidence)}, **told | keys)
    return row if len(factors) > 1 else row.assign(p=np.nan)


def _cells(own: pd.DataFrame, target: str) -> tuple[pd.DataFrame, int]:
    """Lay out truth * K + answer, one row per image, one column per seed (NaN: not met); and K classes."""
    own, n_classes = own.dropna(subset=target), 2
    if target == "overall":
        n_classes, called = int(own[OVERALL].notna().any().sum()), own["called"]
    else:
        called = own[f"p_{target}"] >= 0.5
    own = own.assign(cell=own[target] * n_classes + called)
    if own["cell"].isna().any():
        raise ValueError(f"a model has no answer about {target}")
    return own.pivot(index="image_id", columns="seed", values="cell"), n_classes
