"""Overall quality: from predictions to results and to the table that a page shows (the paper's Table 2)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.metrics import predicted_labels
from riqa.evaluate.stats import bootstrap_interval
from riqa.report.results import Result, interval_records
from riqa.report.seeds import METHOD, stack_seeds
from riqa.report.style import model_name


def stacked_labels(predictions: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Return graded images, predicted classes (S, N) and the number of classes of one model on one set."""
    columns = [
        name for name in predictions if name.startswith("p_overall_") and predictions[name].notna().all()
    ]
    images, probs = stack_seeds(predictions.dropna(subset="overall"), columns)
    return images, predicted_labels(probs), len(columns)


def overall_results(
    predictions: pd.DataFrame, n_resamples: int = 2_000, confidence: float = 0.95
) -> list[Result]:
    """Score one model's overall quality on one dataset, with intervals over patients and seeds.

    Args:
        predictions: rows of `riqa.learn.predict.predict`, one value of `dataset` and of `model`, any seeds.
        n_resamples: bootstrap replicates.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        Records ``overall.<dataset>.<model>.<metric>``, metrics of `riqa.evaluate.metrics.overall_scores`.
    """
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    images, labels, n_classes = stacked_labels(predictions)
    intervals = bootstrap_interval(
        images["overall"].to_numpy(),
        labels,
        n_classes=n_classes,
        groups=images["patient_id"].to_numpy(),
        n_resamples=n_resamples,
        confidence=confidence,
    )
    prefix, seeds = f"overall.{dataset}.{model}", predictions["seed"].unique()
    return interval_records(prefix, intervals, n=len(images), seeds=seeds, method=METHOD)


def overall_table(results: Sequence[Result]) -> pd.DataFrame:
    """Lay records of `overall_results` out as a table: a row a set and a model, a column a metric."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for item in results:
        _, dataset, model, metric = item.name.split(".", 3)
        text = f"{item.value:.3f} [{item.low:.3f}, {item.high:.3f}]"
        rows.setdefault((dataset, model_name(model)), {})[metric.replace("f1.", "F1 ").replace("_", "-")] = (
            text
        )
    table = pd.DataFrame.from_dict(rows, orient="index").fillna("")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["set", "model"])
    return table
