"""The shared representation: do images of a label lie together in it, and does a second task change that?

Purity and silhouette (`riqa.evaluate.neighbourhoods`) of networks, their chance level, and differences
between networks; how far maps of the features may be trusted; and how often experts and models call a detail
good (the paper's Section 4.2 and Figure 7). Functions return rows of `riqa.results`, without the dataset.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances

from riqa.evaluate.bootstrap import mean_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.neighbourhoods import (
    MEASURES,
    map_quality,
    measurable,
    neighbour_order,
    neighbours_kept,
    patient_permutations,
    purity,
    together,
)
from riqa.labels import DETAILS
from riqa.results import rows, tidy
from riqa.studies.details import judged

LEAST = {"purity": 0.0, "silhouette": -1.0, "map_purity": 0.0, "map_silhouette": -1.0}
"""Metric -> the smallest value that it can have; the largest is 1."""

WHO = ("model", "rival")


def fitting_k(k: int, n: int) -> int:
    """Lower a number of neighbours where there are too few images: at most a quarter of them."""
    return min(k, n // 4)


def structures(
    distances: Mapping[int, np.ndarray], labels: Mapping[int, pd.DataFrame], patients: np.ndarray, *,
    k: int, n_permutations: int = 500, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Measure how much the images of each label lie together in the spaces of one model.

    Args:
        distances: Seed -> (N, N) distances between images.
        labels: Seed -> a column per label, N rows, NaN where unknown; the same images are known to all seeds.
        patients: (N,) patient of each image.
        k: Neighbours looked at, lowered by `fitting_k` for labels that few images have.
        n_permutations: B, how often labels are shuffled.
        seed: Of the shuffling.

    Returns:
        One row per label and measure: target (the label), metric, n (images), seeds, by_patient (S, P), what
        each patient contributes (`riqa.evaluate.neighbourhoods.Together`), and permuted (B,), means over
        seeds with labels shuffled for all seeds alike. No row for a label that cannot be measured
        (`riqa.evaluate.neighbourhoods.measurable`) with some seed.
    """
    found, seeds = [], tuple(sorted(distances))
    for target in labels[seeds[0]]:
        known = labels[seeds[0]][target].notna().to_numpy()
        own, owners = fitting_k(k, known.sum()), patients[known]
        values = [labels[s][target].to_numpy()[known] for s in seeds]
        if own < 1 or not all(measurable(value, owners) for value in values):
            continue
        shuffled = patient_permutations(owners, n_permutations, seed)
        by_seed = [
            together(distances[s][np.ix_(known, known)], value, owners, k=own, permutations=shuffled)
            for s, value in zip(seeds, values, strict=True)
        ]
        for metric in MEASURES:
            by_patient = np.stack([one[metric].by_patient for one in by_seed])
            permuted = np.mean([one[metric].permuted for one in by_seed], axis=0)
            found.append((target, metric, int(known.sum()), seeds, by_patient, permuted))
    return pd.DataFrame(found, columns=["target", "metric", "n", "seeds", "by_patient", "permuted"])


def with_chance(
    measured: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000, seed: int = 0
) -> pd.DataFrame:
    """Give everything that `structures` measured its interval, and its level of chance.

    Args:
        measured: Rows of `structures`, with any further keys of results, such as the model.
        confidence: Coverage of the intervals, and the central share of the shuffled.
        n_resamples: Bootstrap replicates, over patients and seeds.
        seed: Seed of the draws.

    Returns:
        Two rows each. Of the method `leave_one_out`: the value, its interval (not beyond what the measure can
        reach), and p, how often chance does as well (one-sided). Of the method `shuffled`: the mean and the
        central range of the shuffled labels.
    """
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    ends, found = [(1 - confidence) / 2, (1 + confidence) / 2], []
    for _, one in measured.iterrows():
        keys = one.drop(["by_patient", "permuted"]).to_dict() | {"confidence": confidence}
        value, chance = mean_interval(one["by_patient"], **draw), one["permuted"]
        inside = {"low": max(value.low, LEAST[one["metric"]]), "high": min(value.high, 1.0)}
        as_well = (np.sum(chance >= value.value) + 1) / (len(chance) + 1)
        found.append(keys | inside | {"value": value.value, "p": as_well, "method": "leave_one_out"})
        low, high = np.quantile(chance, ends)
        found.append(keys | {"value": chance.mean(), "low": low, "high": high, "method": "shuffled"})
    return tidy(pd.DataFrame(found))


def differences(
    measured: pd.DataFrame, pairs: Iterable[tuple[str, str]], *, confidence: float = 0.95,
    n_resamples: int = 2_000, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Subtract models on the same images, patient by patient and seed by seed.

    Args:
        measured: Rows of `structures` with a column `model`, one per model, target and metric.
        pairs: Models a and b, for a minus b.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates, over patients and seeds.
        seed: Seed of the draws.

    Returns:
        One row per pair and what both have; pairs first.
    """
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    found = []
    for model, rival in pairs:
        one, other = (measured[measured["model"] == key] for key in (model, rival))
        for _, row in one.merge(other, on=["target", "metric"]).iterrows():
            gap = mean_interval(row["by_patient_x"] - row["by_patient_y"], **draw)
            keys = {"model": model, "rival": rival, "target": row["target"], "method": "leave_one_out"}
            about = {"n": row["n_x"], "seeds": row["seeds_x"], "confidence": confidence}
            found.append(rows({(row["metric"],): gap}, ("metric",), **keys, **about))
    return pd.concat(found, ignore_index=True)


def map_quality_rows(
    features: np.ndarray, maps: Mapping[str, Sequence[np.ndarray]], labels: np.ndarray,
    patients: np.ndarray, k: int, metric: str = "euclidean",
) -> pd.DataFrame:  # fmt: skip
    """Measure what each kind of map keeps of the features.

    Args:
        features: (N, D).
        maps: Kind of map -> its maps (N, 2), one per random start.
        labels: (N,) codes for the purity, NaN where unknown.
        patients: (N,) patient of each image.
        k: Neighbours looked at.
        metric: Distance between features.

    Returns:
        One row per kind (group) and metric; value, low and high are the mean, least and most of the starts.
        Metrics are those of `riqa.evaluate.neighbourhoods.map_quality`; map_purity; and neighbours_shared,
        the mean share of an image's k nearest images that two starts share (none if there is one start).
    """
    known, found = ~np.isnan(labels), []
    for kind, starts in maps.items():
        measured = pd.DataFrame([map_quality(features, at, k, metric) for at in starts]).to_dict("list")
        near = [neighbour_order(pairwise_distances(at[known]), patients[known], k)[:, :k] for at in starts]
        measured["map_purity"] = [float(purity(one, labels[known])) for one in near]
        planes = [pairwise_distances(at) for at in starts]
        measured["neighbours_shared"] = [neighbours_kept(a, b, k) for a, b in combinations(planes, 2)]
        numbers = {
            (name, kind): Interval(np.mean(values), min(values), max(values))
            for name, values in measured.items()
            if values
        }
        found.append(rows(numbers, n=len(features), method="starts"))
    return pd.concat(found, ignore_index=True)


def answers_as_labels(answers: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Turn one network's probabilities into labels: the most probable class, and details good from one half.

    Args:
        answers: One row per image, as `riqa.learn.predict.predict` returns them.
        n_classes: Of the overall head.
    """
    overall = answers[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy().argmax(axis=1)
    details = {detail: answers[f"p_{detail}"].ge(0.5).to_numpy(dtype=float) for detail in DETAILS}
    return pd.DataFrame({"overall": overall.astype(float)} | details)


def shares_of_good(
    answers: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000, seed: int = 0
) -> pd.DataFrame:
    """Compare how often experts and models call a detail good, image by image.

    Args:
        answers: Answers of any models about one dataset, as `riqa.predictions` reads them.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates, over patients and seeds.
        seed: Seed of the draws.

    Returns:
        Rows of the metric share_good: the experts' share, each model's, and the experts' minus each model's
        with its interval (negative where the experts are stricter). Details that nobody judged have none.
    """
    draw = {"n_resamples": n_resamples, "confidence": confidence, "seed": seed}
    found = []
    for model, own in answers.groupby("model", sort=False):
        for detail in DETAILS:
            if own[detail].isna().all():
                continue
            images, truth, probs = judged(own, detail)
            called = probs >= 0.5
            gap = mean_interval(truth - called.astype(float), groups=images["patient_id"], **draw)
            seeds = sorted(own["seed"].unique())
            keys = {"target": detail, "metric": "share_good", "n": len(truth)}
            found += [
                rows({("experts", ""): truth.mean()}, WHO, method="count", **keys),
                rows({(model, ""): called.mean()}, WHO, method="mean", seeds=seeds, **keys),
                rows({("experts", model): gap}, WHO, confidence=confidence, seeds=seeds, **keys),
            ]
    return pd.concat(found).drop_duplicates([*WHO, "target"], ignore_index=True)
