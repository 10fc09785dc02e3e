"""Two models on the same images: paired differences, results by eye, and the realism of the phantoms."""

import numpy as np
import pandas as pd

from riqa.evaluate.auc import auc_interval
from riqa.evaluate.stats import paired_bootstrap
from riqa.report.overall import stacked_labels
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD, stack_seeds


def compare_models(
    predictions: pd.DataFrame,
    model_a: str,
    model_b: str,
    *,
    metric: str = "macro_f1",
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> tuple[Result, Result]:
    """Compare two models on the same images and seeds: A minus B.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset, with both models.
        model_a: the model that a positive difference favours.
        model_b: the other one.
        metric: a key of `riqa.evaluate.metrics.overall_scores`.
        n_resamples: bootstrap replicates.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Records ``overall.<dataset>.<a>-<b>.<metric>`` and ``overall.<dataset>.<a>-<b>.<metric>.p_value``.

    Raises:
        ValueError: If the two models have not the same seeds and images.
    """
    (dataset,) = predictions["dataset"].unique()
    of_a, of_b = (predictions[predictions["model"] == model] for model in (model_a, model_b))
    seeds = sorted(of_a["seed"].unique())
    if seeds != sorted(of_b["seed"].unique()):
        raise ValueError(f"{model_a} and {model_b} must have predicted with the same seeds")
    (images, labels_a, n_classes), (images_b, labels_b, _) = stacked_labels(of_a), stacked_labels(of_b)
    if not images.equals(images_b):
        raise ValueError(f"{model_a} and {model_b} must have predicted the same images")
    found = paired_bootstrap(
        images["overall"].to_numpy(),
        labels_a,
        labels_b,
        n_classes=n_classes,
        metric=metric,
        groups=images["patient_id"].to_numpy(),
        n_resamples=n_resamples,
        confidence=confidence,
    )
    name = f"overall.{dataset}.{model_a}-{model_b}.{metric}"
    shared = {"n": len(images), "seeds": seeds}
    return (
        record(name, found.value, low=found.low, high=found.high, method=f"paired; {METHOD}", **shared),
        record(f"{name}.p_value", found.p_value, method="two-sided, from the same replicates", **shared),
    )


def average_views(predictions: pd.DataFrame) -> pd.DataFrame:
    """Merge the photographs of one eye into one row, for each model and seed, by mean probability.

    Args:
        predictions: rows of `riqa.learn.predict.predict`.

    Returns:
        The same columns, `image_id` naming the eye (``<patient_id>-<eye>``). The truth becomes the worst
        grade of the eye's photographs; sets that are graded by eye give all of them the same one.
    """
    keys = ["dataset", "split", "trained_on", "model", "seed", "patient_id", "eye"]
    means = {name: "mean" for name in predictions if name.startswith("p_")}
    worst = dict.fromkeys(("overall", "illumination", "clarity", "contrast"), "min")
    merged = predictions.groupby(keys, sort=False, as_index=False).agg(means | worst)
    eyes = merged["patient_id"].astype(str) + "-" + merged["eye"].astype(str)
    return merged.assign(image_id=eyes)[list(predictions.columns)]


def reject_against_good(
    predictions: pd.DataFrame, n_resamples: int = 2_000, confidence: float = 0.95
) -> Result:
    """Compute the area under the curve (AUC) with which a model tells reject from good; usable is left out.

    The score is the probability of good, given that the image is either good or reject.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset and model, three classes, any seeds.
        n_resamples: bootstrap replicates.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Record ``realism.<dataset>.<model>.auc_reject_vs_good``, mean over seeds.
    """
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    images, probs = stack_seeds(predictions, ["p_overall_0", "p_overall_2"])
    sides = images["overall"].isin([0, 2]).to_numpy()
    reject, good = np.moveaxis(probs[:, sides], -1, 0)
    found = auc_interval(
        images.loc[sides, "overall"].to_numpy() == 2,
        good / np.maximum(good + reject, np.finfo(float).tiny),
        groups=images.loc[sides, "patient_id"].to_numpy(),
        n_resamples=n_resamples,
        confidence=confidence,
    )
    seeds = sorted(predictions["seed"].unique())
    name = f"realism.{dataset}.{model}.auc_reject_vs_good"
    n = int(sides.sum())
    return record(name, found.value, low=found.low, high=found.high, n=n, seeds=seeds, method=METHOD)
