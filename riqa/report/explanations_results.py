"""From rows of measures of explanations to records with intervals, and to tables and sentences."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.draws import drawn_means, drawn_seeds, image_weights
from riqa.evaluate.stats import percentile_interval
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD
from riqa.report.style import model_name
from riqa.report.tables import page_table

_WIDE = 'class="dataframe" style="margin-bottom: 1.5em; font-size: 0.85em"'  # fits the page's column

METRIC_NAMES = {
    "pointing": "pointing game",
    "pointing_gain": "pointing game above chance",
    "energy": "energy inside",
    "energy_gain": "energy inside above chance",
    "iou_0.5": "IoU at half of the maximum",
    "share": "chance level (share of the field)",
    "deletion_gain": "deletion, better than noise by",
    "insertion_gain": "insertion, better than noise by",
    "repair_gain": "repair, better than noise by",
    "repair_best": "repair in the true order, better than noise by",
    "outside": "share of the map outside the field of view",
    "empty": "share of empty maps",
    "heads_shuffled": "rank correlation after shuffling the heads",
    "all_shuffled": "rank correlation after shuffling all weights",
    "other_seed": "rank correlation with another training seed",
}


def mean_records(
    rows: pd.DataFrame,
    prefix: str,
    metrics: Sequence[str],
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> list[Result]:
    """Average measures of one network kind over images and seeds, with intervals over patients and seeds.

    Args:
        rows: A row an image and seed: image_id, patient_id, seed and the metrics, NaN where there is none.
        prefix: Name of the records before the metric.
        metrics: Columns of `rows`.
        n_resamples: Bootstrap replicates.
        confidence: Coverage of the intervals.

    Returns:
        Records ``<prefix>.<metric>``; `n` counts the images with a value in some seed.
    """
    patients, seeds, values = _stacked(rows, metrics)
    return _records(values, patients, seeds, prefix, metrics, n_resamples, confidence)


def difference_records(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    prefix: str,
    metrics: Sequence[str],
    n_resamples: int = 2_000,
    confidence: float = 0.95,
) -> list[Result]:
    """Average differences A minus B, paired by image and seed; as `mean_records`.

    Raises:
        ValueError: If A and B do not have the same images and seeds.
    """
    patients, seeds, values_a = _stacked(rows_a, metrics)
    patients_b, seeds_b, values_b = _stacked(rows_b, metrics)
    if seeds != seeds_b or not np.array_equal(patients, patients_b):
        raise ValueError(f"{prefix}: both networks must be measured on the same images and seeds")
    return _records(values_a - values_b, patients, seeds, prefix, metrics, n_resamples, confidence)


def record_table(
    results: Iterable[Result], dataset: str, caption: str, models: Sequence[str], tail: str = ""
) -> Styler:
    """Lay records of several models on one set out: a row a metric, a column a model, value over interval.

    Args:
        results: Records ``explanations.<set>.<model>.<tail>.<metric>``.
        dataset: The set.
        caption: The table's caption.
        models: In the order of the columns, differences among them.
        tail: What stands between model and metric, "" for nothing.
    """
    by_model: dict[str, dict[str, str]] = {model: {} for model in models}
    for item in results:
        _, own, model, *between, metric = _parts(item.name)
        if own == dataset and model in by_model and ".".join(between) == tail and metric in METRIC_NAMES:
            by_model[model][METRIC_NAMES[metric]] = cell(item, signed="-" in model)
    frame = pd.DataFrame(by_model).fillna("")
    order = [name for name in METRIC_NAMES.values() if name in frame.index]
    shown = page_table(frame.loc[order].rename(columns=model_name), caption)
    return shown.set_table_attributes(_WIDE)


def similarity_frame(
    results: Mapping[str, Result], sets: Sequence[str], kinds: Mapping[str, str], models: Sequence[str]
) -> pd.DataFrame:
    """Collect rank correlations for `riqa.report.figures.interval_plot`: set, label, value, low, high.

    Args:
        results: Name -> record, ``explanations.<set>.<model>.<kind>``; those without a value are left out.
        sets: Names of sets, in this order.
        kinds: Metric -> words for its label.
        models: Names of models.
    """
    found = [
        (name, f"{model_name(model)}, {words}", results[f"explanations.{name}.{model}.{kind}"])
        for name in sets
        for kind, words in kinds.items()
        for model in models
    ]
    rows = [(name, label, r.value, r.low, r.high) for name, label, r in found if r.low is not None]
    return pd.DataFrame(rows, columns=["set", "label", "value", "low", "high"])


def cell(item: Result, signed: bool = False) -> str:
    """Write a record as value over interval; "–" where this build has no such number."""
    if item.value is None:
        return "–"
    form = "+.3f" if signed else ".3f"
    if item.low is None:
        return f"{item.value:{form}}"
    return f"{item.value:{form}}<br><small>{item.low:{form}} – {item.high:{form}}</small>"


def sentence(item: Result, what: str, a: str, b: str) -> str:
    """Say what the record of a difference A minus B shows, and no more than that."""
    if item.value is None or item.low is None:
        return f"{what}: no image has a value, so nothing can be said."
    interval = f"{item.value:+.3f}, interval {item.low:+.3f} to {item.high:+.3f}, {item.n} images"
    if item.low <= 0 <= item.high:
        return f"{what}: {a} and {b} cannot be told apart ({interval})."
    return f"{what}: larger for {a if item.value > 0 else b} ({interval})."


def chance_sentence(item: Result, what: str) -> str:
    """Say whether a record of a gain over chance is above or below it, and no more than that."""
    if item.value is None or item.low is None:
        return f"{what}: no image has a value, so nothing can be said."
    interval = f"{item.value:+.3f}, interval {item.low:+.3f} to {item.high:+.3f}, {item.n} images"
    if item.low <= 0 <= item.high:
        return f"{what} cannot be told from chance ({interval})."
    return f"{what} is {'above' if item.value > 0 else 'below'} chance ({interval})."


def above_chance(results: Mapping[str, Result], names: Sequence[str]) -> tuple[int, int]:
    """Count the records whose interval lies above zero: (how many, of how many that have a value)."""
    known = [results[name] for name in names if name in results and results[name].low is not None]
    return sum(item.low > 0 for item in known), len(known)


def _parts(name: str) -> list[str]:
    """Split a record's name at its dots; the metric keeps the one of "iou_0.5"."""
    parts = name.split(".")
    return [*parts[:-2], ".".join(parts[-2:])] if parts[-2].startswith("iou_") else parts


def _stacked(rows: pd.DataFrame, metrics: Sequence[str]) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """Return patients (N,), seeds, and values (N, S, M)."""
    by_seed = {seed: own.sort_values("image_id") for seed, own in rows.groupby("seed", sort=True)}
    first = next(iter(by_seed.values()))
    for own in by_seed.values():
        if list(own["image_id"]) != list(first["image_id"]) or own["image_id"].duplicated().any():
            raise ValueError("rows of different seeds must cover the same images, each once")
    values = np.stack([own[list(metrics)].to_numpy(float) for own in by_seed.values()], axis=1)
    return first["patient_id"].to_numpy(), tuple(by_seed), values


def _records(values, patients, seeds, prefix, metrics, n_resamples, confidence) -> list[Result]:
    images_rng, seeds_rng = np.random.default_rng(0).spawn(2)
    weights = image_weights(patients, n_resamples, images_rng)
    replicates = drawn_seeds(drawn_means(values, weights), seeds_rng)
    means = drawn_means(values, np.ones((1, len(values))))[0].mean(axis=0)
    results = []
    for k, metric in enumerate(metrics):
        found = percentile_interval(means[k], replicates[:, k], confidence)
        n = int((~np.isnan(values[:, :, k])).any(axis=1).sum())
        ends = {} if np.isnan([found.value, found.low]).any() else {"low": found.low, "high": found.high}
        results.append(record(f"{prefix}.{metric}", found.value, **ends, n=n, seeds=seeds, method=METHOD))
    return results
