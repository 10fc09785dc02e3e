"""The shared representation: do images of a label lie together in it, and does a second task change that?

Purity and silhouette (`riqa.evaluate.neighbourhoods`) of networks, their chance level, and differences
between networks; how far maps of the features may be trusted; and how often experts and models call a detail
good (the paper's Section 4.2 and Figure 7). Rows come without the dataset; `**draw` is `**bootstrap` and the
`seed` of the draws.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances

from riqa.evaluate import neighbourhoods as near
from riqa.evaluate.bootstrap import mean_interval
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS
from riqa.results import rows, stack, tidy
from riqa.studies.answers import Pairs, each

_LEAST = {"purity": 0.0, "silhouette": -1.0, "map_purity": 0.0, "map_silhouette": -1.0}
"""Metric -> the smallest value that it can have; the largest is 1."""


def fitting_k(k: int, n: int) -> int:
    """Lower a number of neighbours where there are too few images: at most a quarter of them."""
    return min(k, n // 4)


def structures(
    distances: Mapping[int, np.ndarray], labels: Mapping[int, pd.DataFrame], patients: np.ndarray, *,
    k: int, n_permutations: int = 500, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Measure how much the images of each label lie together in the spaces of one model.

    Distances are seed -> (N, N); labels seed -> a column per label, N rows, NaN where unknown, which are the
    same images for all seeds; patients (N,). The k neighbours looked at are lowered by `fitting_k` for labels
    that few images have. Labels are shuffled B = `n_permutations` times, with the seed.

    Returns:
        One row per label and measure: target, metric, n (images), seeds, by_patient (S, P), what each patient
        contributes (`riqa.evaluate.neighbourhoods.Together`), and permuted (B,), means over seeds with labels
        shuffled for all seeds alike. None for a label that cannot be measured with some seed (`measurable`).
    """
    found, seeds = [], tuple(sorted(distances))
    for target in labels[seeds[0]]:
        known = labels[seeds[0]][target].notna().to_numpy()
        own, owners = fitting_k(k, known.sum()), patients[known]
        values = [labels[s][target].to_numpy()[known] for s in seeds]
        if own < 1 or not all(near.measurable(value, owners) for value in values):
            continue
        shuffled = near.patient_permutations(owners, n_permutations, seed)
        by_seed = [
            near.together(distances[s][np.ix_(known, known)], value, owners, k=own, permutations=shuffled)
            for s, value in zip(seeds, values, strict=True)
        ]
        for metric in near.MEASURES:
            by_patient = np.stack([one[metric].by_patient for one in by_seed])
            permuted = np.mean([one[metric].permuted for one in by_seed], axis=0)
            found.append((target, metric, int(known.sum()), seeds, by_patient, permuted))
    return pd.DataFrame(found, columns=["target", "metric", "n", "seeds", "by_patient", "permuted"])


def with_chance(measured: pd.DataFrame, *, confidence: float = 0.95, **draw: int) -> pd.DataFrame:
    """Give rows of `structures`, with any further keys of results, their intervals and levels of chance.

    Returns:
        Two rows each. Of the method `leave_one_out`: the value, its interval (not beyond what the measure can
        reach), and p, how often chance does as well (one-sided). Of the method `shuffled`: the mean and the
        central range of the shuffled labels.
    """
    found = []
    for _, one in measured.iterrows():
        keys, chance = one.drop(["by_patient", "permuted"]).to_dict(), one["permuted"]
        value = mean_interval(one["by_patient"], confidence=confidence, **draw)
        inside = {"low": max(value.low, _LEAST[one["metric"]]), "high": min(value.high, 1.0)}
        as_well = (np.sum(chance >= value.value) + 1) / (len(chance) + 1)
        found.append(keys | inside | {"value": value.value, "p": as_well, "method": "leave_one_out"})
        low, high = np.quantile(chance, [(1 - confidence) / 2, (1 + confidence) / 2])
        found.append(keys | {"value": chance.mean(), "low": low, "high": high, "method": "shuffled"})
    return tidy(pd.DataFrame(found), confidence=confidence)


def differences(measured: pd.DataFrame, pairs: Pairs, **draw: float) -> pd.DataFrame:
    """Subtract models, the second of a pair from the first, patient by patient and seed by seed.

    Rows of `structures` have a column `model` here, and are one per model, target and metric.
    """
    found = []
    for model, rival in pairs:
        one, other = (measured[measured["model"] == key] for key in (model, rival))
        for row in one.merge(other, on=["target", "metric"]).itertuples():
            gap = mean_interval(row.by_patient_x - row.by_patient_y, **draw)
            keys = {"model": model, "rival": rival, "target": row.target, "method": "leave_one_out"}
            keys |= {"n": row.n_x, "seeds": row.seeds_x, "confidence": draw.get("confidence", 0.95)}
            found.append(rows({(row.metric,): gap}, ("metric",), **keys))
    return stack(found)


def map_quality_rows(
    features: np.ndarray, maps: Mapping[str, Sequence[np.ndarray]], labels: np.ndarray,
    patients: np.ndarray, k: int, metric: str = "euclidean",
) -> pd.DataFrame:  # fmt: skip
    """Measure what each kind of map, (N, 2) per random start, keeps of features (N, D) at k neighbours.

    Labels (N,) for the purity are NaN where unknown; metric is the distance between features.

    Returns:
        One row per kind (group) and metric; value, low and high are the mean, least and most of the starts.
        Metrics are those of `riqa.evaluate.neighbourhoods.map_quality`; map_purity; and neighbours_shared,
        the mean share of an image's k nearest images that two starts share (none if there is one start).
    """
    known, found = ~np.isnan(labels), []
    for kind, starts in maps.items():
        table = pd.DataFrame([near.map_quality(features, at, k, metric) for at in starts])
        spaces = [pairwise_distances(at[known]) for at in starts]
        orders = [near.neighbour_order(space, patients[known], k)[:, :k] for space in spaces]
        measured = table.to_dict("list")
        measured["map_purity"] = [float(near.purity(order, labels[known])) for order in orders]
        planes = [pairwise_distances(at) for at in starts]
        shared = [near.neighbours_kept(a, b, k) for a, b in combinations(planes, 2)]
        measured |= {"neighbours_shared": shared} if shared else {}
        ends = {(name, kind): Interval(np.mean(v), min(v), max(v)) for name, v in measured.items()}
        found.append(rows(ends, n=len(features), method="starts"))
    return stack(found)


def answers_as_labels(answers: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Turn one network's answers into labels: the most probable class, and details good from one half."""
    overall = answers[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy().argmax(axis=1)
    details = {detail: answers[f"p_{detail}"].ge(0.5).to_numpy(dtype=float) for detail in DETAILS}
    return pd.DataFrame({"overall": overall.astype(float)} | details)


def shares_of_good(answers: pd.DataFrame, **draw: float) -> pd.DataFrame:
    """Compare how often experts and models call a detail of one dataset good, image by image.

    Returns:
        Rows of the metric share_good: the experts' share, each model's, and the experts' minus each model's
        with its interval (negative where the experts are stricter). Details that nobody judged have none.
    """
    found, who = [], ("model", "rival")
    for own in each(answers, *DETAILS, **draw):
        if len(own.images) == 0:
            continue
        model, shared = own.keys["model"], {"metric": "share_good", "dataset": ""}
        plain = shared | {"confidence": np.nan}
        by_experts, by_model = {("experts", ""): own.truth.mean()}, {(model, ""): own.called.mean()}
        found.append(own.rows(by_experts, who, method="count", **plain, seeds=()))
        found.append(own.rows(by_model, who, method="mean", **plain))
        found.append(own.rows({("experts", model): own.mean(own.truth - own.called)}, who, **shared))
    return pd.concat(found).drop_duplicates([*who, "target"], ignore_index=True)
