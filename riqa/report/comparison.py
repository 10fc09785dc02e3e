"""Two models on the same images: paired differences, others' published predictions, realism of phantoms."""

import numpy as np
import pandas as pd

from riqa.evaluate.auc import auc_interval
from riqa.evaluate.stats import paired_bootstrap
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD, stack_seeds

BY = ("patient", "eye", "image")
"""What the bootstrap can draw as a whole."""


def groups_of(images: pd.DataFrame, by: str = "patient") -> np.ndarray:
    """Return what is drawn as a whole, one name an image (N,): its patient, its eye or the image itself.

    An eye is a patient's left or right one; where the eye is "unknown", the image stands alone.

    Args:
        images: columns image_id, patient_id, eye.
        by: one of `BY`.

    Raises:
        ValueError: If `by` is not one of `BY`.
    """
    if by not in BY:
        raise ValueError(f"by must be one of {', '.join(BY)}; got {by!r}")
    ids, patients = images["image_id"].astype(str), images["patient_id"].astype(str)
    eyes = (patients + "/" + images["eye"]).where(images["eye"] != "unknown", "image " + ids)
    return {"patient": patients, "eye": eyes, "image": ids}[by].to_numpy()


def paired_probs(
    predictions: pd.DataFrame, model_a: str, model_b: str
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bring two models' probabilities of overall quality into the same order of seeds and images.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset, with both models.
        model_a: one model.
        model_b: the other one.

    Returns:
        images (a row an image, sorted by image_id, with the truth), and probs (S, N, K) of A and of B.

    Raises:
        ValueError: If the two models have not the same seeds and images.
    """
    of_a, of_b = (predictions[predictions["model"] == model] for model in (model_a, model_b))
    if sorted(of_a["seed"].unique()) != sorted(of_b["seed"].unique()):
        raise ValueError(f"{model_a} and {model_b} must have predicted with the same seeds")
    columns = [name for name in predictions if name.startswith("p_overall_") and of_a[name].notna().all()]
    (images, probs_a), (images_b, probs_b) = stack_seeds(of_a, columns), stack_seeds(of_b, columns)
    if not images.equals(images_b):
        raise ValueError(f"{model_a} and {model_b} must have predicted the same images")
    return images, probs_a, probs_b


def compare_models(
    predictions: pd.DataFrame,
    model_a: str,
    model_b: str,
    *,
    metric: str = "macro_f1",
    by: str = "patient",
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> tuple[Result, Result]:
    """Compare two models on the same images and seeds: A minus B.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset, with both models.
        model_a: the model that a positive difference favours.
        model_b: the other one.
        metric: a key of `riqa.evaluate.metrics.overall_scores`.
        by: what is drawn as a whole, one of `BY`.
        n_resamples: bootstrap replicates.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Records ``overall.<dataset>.<a>-<b>.<metric>`` and ``overall.<dataset>.<a>-<b>.<metric>.p_value``;
        drawn by eye or image they are called ``<metric>.by_eye`` and ``<metric>.by_image``.

    Raises:
        ValueError: If the two models have not the same seeds and images, or `by` is not one of `BY`.
    """
    (dataset,) = predictions["dataset"].unique()
    images, probs_a, probs_b = paired_probs(predictions, model_a, model_b)
    found = paired_bootstrap(
        images["overall"].to_numpy(),
        probs_a.argmax(axis=-1),
        probs_b.argmax(axis=-1),
        n_classes=probs_a.shape[-1],
        metric=metric,
        groups=groups_of(images, by),
        n_resamples=n_resamples,
        confidence=confidence,
    )
    name = f"overall.{dataset}.{model_a}-{model_b}.{metric}" + (f".by_{by}" if by != "patient" else "")
    seeds = sorted(predictions.loc[predictions["model"] == model_a, "seed"].unique())
    shared, method = {"n": len(images), "seeds": seeds}, METHOD.replace("patients", f"{by}s")
    return (
        record(name, found.value, low=found.low, high=found.high, method=f"paired; {method}", **shared),
        record(f"{name}.p_value", found.p_value, method="two-sided, from the same replicates", **shared),
    )


def beside_published(predictions: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame | None:
    """Put published predictions beside ours, as further models, if they are of the same photographs.

    Args:
        predictions: ours on one dataset, test images only.
        published: what `riqa.data.published_predictions.read_published_predictions` returns.

    Returns:
        Our rows, and those of the published models for the same images, repeated for each of our seeds
        (they have one run). None if any of our test images has no published prediction: what was answered
        about other images cannot be paired.
    """
    images = predictions["image_id"].unique()
    if not np.isin(images, published["image_id"].unique()).all():
        return None
    same = published[published["image_id"].isin(images)]
    (dataset,) = predictions["dataset"].unique()
    copies = [same.assign(seed=seed, dataset=dataset) for seed in sorted(predictions["seed"].unique())]
    return pd.concat([predictions, *copies], ignore_index=True)


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
