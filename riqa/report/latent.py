"""The shared representation in numbers: how much images of a label lie together, by network (Figure 7).

Records are named ``latent.<set>.<model>.<label>.<measure>``. Labels are ``overall``, a detail, or
``predicted_<label>`` for the network's own answers. Measures are ``purity`` and ``silhouette``, with ``map_``
before them where they are of a t-SNE map, and ``_chance`` behind them for labels dealt at random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.means import mean_interval
from riqa.evaluate.neighbourhoods import (
    MEASURES,
    measurable,
    mixing,
    neighbour_order,
    patient_permutations,
    together,
)
from riqa.labels import DETAILS, class_names
from riqa.report.results import Result, record

METHOD = "mean over seeds; leave-one-patient-out contributions, percentile bootstrap over patients and seeds"


@dataclass(frozen=True)
class Structure:
    """How much images of a label lie together, over the seeds of a model.

    Attributes:
        model: name in records, e.g. ``multi_task``.
        label: ``overall``, a detail, or ``predicted_<label>``.
        measure: a name of `riqa.evaluate.neighbourhoods.MEASURES`, perhaps with ``map_`` before it.
        by_patient: (S, P) contributions, see `riqa.evaluate.neighbourhoods.Together`.
        permuted: (B,) mean over seeds with the labels dealt anew, to all seeds alike.
        n: images with this label.
        k: neighbours asked.
        seeds: of the model.
    """

    model: str
    label: str
    measure: str
    by_patient: np.ndarray
    permuted: np.ndarray
    n: int
    k: int
    seeds: tuple[int, ...]


def fitting_k(k: int, n: int) -> int:
    """Lower a number of neighbours where there are too few images: at most a quarter of them."""
    return min(k, n // 4)


def measure_structure(
    model: str,
    distances: Mapping[int, np.ndarray],
    labels: Mapping[int, pd.DataFrame],
    groups: np.ndarray,
    *,
    k: int,
    n_permutations: int = 500,
    prefix: str = "",
    seed: int = 0,
) -> list[Structure]:
    """Measure every label in the spaces of a model's seeds.

    Args:
        model: name in records.
        distances: seed -> (N, N) distances between images.
        labels: seed -> a column a label, N rows, NaN where unknown; known images are the same for all seeds.
        groups: (N,) patient of each image.
        k: neighbours to ask, lowered by `fitting_k` for labels that few images have.
        n_permutations: labels dealt anew, so often.
        prefix: before the measure's name, e.g. ``map_``.
        seed: of the dealing.

    Returns:
        One for each label and measure; none for a label that cannot be measured (see
        `riqa.evaluate.neighbourhoods.measurable`) with some seed.
    """
    found, seeds = [], tuple(sorted(distances))
    for label in labels[seeds[0]]:
        known = labels[seeds[0]][label].notna().to_numpy()
        own, patients = fitting_k(k, known.sum()), groups[known]
        values = [labels[s][label].to_numpy()[known] for s in seeds]
        if own < 1 or not all(measurable(value, patients) for value in values):
            continue
        permutations = patient_permutations(patients, n_permutations, seed)
        by_seed = [
            together(distances[s][np.ix_(known, known)], value, patients, k=own, permutations=permutations)
            for s, value in zip(seeds, values, strict=True)
        ]
        for measure in MEASURES:
            by_patient = np.stack([one[measure].by_patient for one in by_seed])
            permuted = np.mean([one[measure].permuted for one in by_seed], axis=0)
            numbers = (by_patient, permuted, int(known.sum()), own, seeds)
            found.append(Structure(model, label, prefix + measure, *numbers))
    return found


def structure_frame(
    structures: Sequence[Structure], *, confidence: float = 0.95, n_resamples: int = 2_000, seed: int = 0
) -> pd.DataFrame:
    """Give every structure its interval and its chance level.

    Returns:
        A row a structure: model, label, measure, n, k, seeds, value, low, high (over patients and seeds, not
        beyond what the measure can reach), chance (mean of the permuted), chance_low, chance_high (their
        central share), p_value (one-sided: how often chance does as well), above_chance ((value - chance) /
        (1 - chance), as kappas are made).
    """
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    rows = []
    for one in structures:
        found, chance = mean_interval(one.by_patient, **draw), one.permuted.mean()
        least = -1.0 if one.measure.endswith("silhouette") else 0.0
        low, high = np.quantile(one.permuted, ends)
        as_well = (np.sum(one.permuted >= found.value) + 1) / (len(one.permuted) + 1)
        rows.append(
            {
                **{"model": one.model, "label": one.label, "measure": one.measure, "n": one.n, "k": one.k},
                **{
                    "seeds": one.seeds,
                    "value": found.value,
                    "low": max(found.low, least),
                    "high": min(found.high, 1.0),
                },
                **{"chance": chance, "chance_low": low, "chance_high": high, "p_value": as_well},
                "above_chance": (found.value - chance) / (1 - chance),
            }
        )
    columns = ["model", "label", "measure", "n", "k", "seeds", "value", "low", "high"]
    columns += ["chance", "chance_low", "chance_high", "p_value", "above_chance"]
    return pd.DataFrame(rows, columns=columns)


def difference_frame(
    structures: Sequence[Structure],
    pairs: Sequence[tuple[str, str]],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare models on the same images, patient by patient and seed by seed.

    Args:
        structures: of `measure_structure`, of several models.
        pairs: (a, b), for a minus b.
        confidence: coverage of the intervals.
        n_resamples: bootstrap replicates.
        seed: of the draws.

    Returns:
        A row a pair, label and measure that both have: model (``a-b``), label, measure, n, seeds, value, low,
        high.
    """
    by_key = {(one.model, one.label, one.measure): one for one in structures}
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    rows = []
    for a, b in pairs:
        for (model, label, measure), one in by_key.items():
            if model != a or (b, label, measure) not in by_key:
                continue
            found = mean_interval(one.by_patient - by_key[b, label, measure].by_patient, **draw)
            rows.append((f"{a}-{b}", label, measure, one.n, one.seeds, found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["model", "label", "measure", "n", "seeds", "value", "low", "high"])


def structure_records(dataset: str, frame: pd.DataFrame) -> list[Result]:
    """Make records of `structure_frame` or `difference_frame`; the former have one more for chance."""
    records = []
    for row in frame.itertuples():
        place = f"latent.{dataset}.{row.model}.{row.label}.{row.measure}"
        given = {"n": row.n, "seeds": row.seeds}
        records.append(record(place, row.value, low=row.low, high=row.high, method=METHOD, **given))
        if "chance" in frame:
            ends = {"low": row.chance_low, "high": row.chance_high, "method": "labels dealt anew to patients"}
            records.append(record(f"{place}_chance", row.chance, **ends, **given))
    return records


def answers_as_labels(predictions: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Turn one seed's probabilities into labels: predicted_overall (most probable) and predicted_<detail>.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of a Student, one an image.
        n_classes: of its overall head.
    """
    overall = predictions[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy().argmax(axis=1)
    details = {f"predicted_{d}": predictions[f"p_{d}"].ge(0.5).to_numpy(dtype=float) for d in DETAILS}
    return pd.DataFrame({"predicted_overall": overall.astype(float), **details})


def neighbour_shares(
    distances: Mapping[int, np.ndarray], overall: np.ndarray, groups: np.ndarray, k: int, n_classes: int
) -> pd.DataFrame:
    """Count which grades the neighbours of images of each grade have.

    Args:
        distances: seed -> (N, N) distances between images.
        overall: (N,) grades, NaN where unknown; such images neither ask nor answer.
        groups: (N,) patient of each image.
        k: neighbours to ask, lowered by `fitting_k`.
        n_classes: 2 or 3.

    Returns:
        Index "<class> images" and "all images", columns the classes: shares, mean over seeds; each row sums
        to one, or is NaN where no image has that grade.
    """
    known = ~np.isnan(overall)
    codes, own = overall[known], fitting_k(k, known.sum())
    found = [
        mixing(neighbour_order(space[np.ix_(known, known)], groups[known], own)[:, :own], codes, n_classes)
        for space in distances.values()
    ]
    names = class_names(n_classes)
    table = pd.DataFrame(np.mean(found, axis=0), [f"{name} images" for name in names], list(names))
    table.loc["all images"] = [np.mean(codes == code) for code in range(n_classes)]
    return table


def neighbour_records(
    dataset: str, model: str, table: pd.DataFrame, n: int, seeds: Sequence[int]
) -> list[Result]:
    """Make records ``latent.<set>.<model>.overall.neighbours.<class>.<class of the neighbours>``.

    Args:
        dataset: the set's name.
        model: the model's.
        table: of `neighbour_shares`.
        n: images with a grade.
        seeds: of the model.
    """
    return [
        record(
            f"latent.{dataset}.{model}.overall.neighbours.{row.removesuffix(' images')}.{column}",
            share,
            n=n,
            seeds=seeds,
            method="share of neighbours, mean over images and seeds",
        )
        for row, shares in table.iterrows()
        for column, share in shares.items()
    ]
