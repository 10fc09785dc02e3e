"""The shared representation: do images of a label lie together in it, and does a second task change that?

Purity and silhouette (`riqa.evaluate.neighbourhoods`) of networks, their chance level, and differences
between networks; how far maps of the features may be trusted; and how often experts and models call a detail
good (the paper's Section 4.2 and Figure 7). Functions return rows of `riqa.results`, without the dataset;
`draws` are `n_resamples` and `seed` of the bootstrap.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import pairwise_distances

from riqa.evaluate.bootstrap import mean_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.mrmc import mean_of_method
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
from riqa.results import rows, stack, tidy
from riqa.studies.answers import judged


def fitting_k(k: int, n: int) -> int:
    """Lower a number of neighbours where there are too few images: at most a quarter of them."""
    return min(k, n // 4)


def structures(
    distances: Mapping[int, np.ndarray], labels: Mapping[int, pd.DataFrame], patients: np.ndarray, *,
    k: int, n_permutations: int = 500, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Measure how much the images of each label lie together in the spaces of one model.

    By seed are given distances (N, N) between images, and labels: a column each, N rows, NaN where unknown,
    for the same images in all seeds. Images of `patients` (N,) have k neighbours that are looked at, fewer
    for labels that few images have (`fitting_k`). Labels are shuffled `n_permutations` (B) times, by `seed`.

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


def with_chance(measured: pd.DataFrame, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Give rows of `structures`, with any further keys of results, their intervals and levels of chance.

    Returns:
        Two rows each. By `leave_one_out`: value, interval (not beyond what the measure can reach), and p, how
        often chance does as well (one-sided). By `shuffled`: mean and central range of shuffled labels.
    """
    ends, found = [(1 - confidence) / 2, (1 + confidence) / 2], []
    for _, one in measured.iterrows():
        keys = one.drop(["by_patient", "permuted"]).to_dict() | {"confidence": confidence}
        value, chance = mean_interval(one["by_patient"], confidence=confidence, **draws), one["permuted"]
        least = -1.0 if one["metric"].endswith("silhouette") else 0.0
        inside = {"low": max(value.low, least), "high": min(value.high, 1.0)}
        as_well = (np.sum(chance >= value.value) + 1) / (len(chance) + 1)
        found.append(keys | inside | {"value": value.value, "p": as_well, "method": "leave_one_out"})
        low, high = np.quantile(chance, ends)
        found.append(keys | {"value": chance.mean(), "low": low, "high": high, "method": "shuffled"})
    return tidy(pd.DataFrame(found))


def differences(
    measured: pd.DataFrame, pairs: Iterable[tuple[str, str]], *, confidence: float = 0.95
) -> pd.DataFrame:
    """Subtract models, the second of a pair from the first, patient by patient and seed by seed.

    Rows of `structures` have a column `model` here, and are one per model, target and metric. Differences are
    judged with seeds as readers (`riqa.evaluate.mrmc`).
    """
    found = []
    for model, rival in pairs:
        one, other = (measured[measured["model"] == key] for key in (model, rival))
        for _, row in one.merge(other, on=["target", "metric"]).iterrows():
            gap = mean_of_method(row["by_patient_x"] - row["by_patient_y"], confidence=confidence)
            keys = {"model": model, "rival": rival, "target": row["target"], "method": "mrmc"}
            about = {"n": row["n_x"], "seeds": row["seeds_x"], "confidence": confidence}
            found.append(rows({(row["metric"],): gap}, ("metric",), **keys, **about))
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
        measured = pd.DataFrame([map_quality(features, at, k, metric) for at in starts]).to_dict("list")
        near = [neighbour_order(pairwise_distances(at[known]), patients[known], k)[:, :k] for at in starts]
        measured["map_purity"] = [float(purity(one, labels[known])) for one in near]
        planes = [pairwise_distances(at) for at in starts]
        measured["neighbours_shared"] = [neighbours_kept(a, b, k) for a, b in combinations(planes, 2)]
        known_of = {name: values for name, values in measured.items() if values}
        ends = {(m, kind): Interval(np.mean(v), min(v), max(v)) for m, v in known_of.items()}
        found.append(rows(ends, n=len(features), method="starts"))
    return stack(found)


def mixture_rows(mixture: pd.DataFrame, **shared: object) -> pd.DataFrame:
    """Make rows neighbours_<grade> of shares of neighbours: grades asking (group) x grades of neighbours."""
    long = mixture.rename_axis(index="group", columns="metric").stack().dropna().rename("value").reset_index()
    return tidy(long.assign(metric="neighbours_" + long["metric"]), method="mean", **shared)


def answers_as_labels(answers: pd.DataFrame, n_classes: int) -> pd.DataFrame:
    """Turn one network's answers into labels: the most probable class, and details good from one half."""
    overall = answers[[f"p_overall_{code}" for code in range(n_classes)]].to_numpy().argmax(axis=1)
    details = {detail: answers[f"p_{detail}"].ge(0.5).to_numpy(dtype=float) for detail in DETAILS}
    return pd.DataFrame({"overall": overall.astype(float)} | details)


def shares_of_good(answers: pd.DataFrame, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Compare how often experts and models call a detail of one dataset good, image by image.

    Returns:
        Rows of the metric share_good: the experts' share, each model's, and the experts' minus each model's
        with its interval (negative where the experts are stricter). Details that nobody judged have none.
    """
    found, who, draws = [], ("model", "rival"), draws | {"confidence": confidence}
    for model, own in answers.groupby("model", sort=False):
        for detail in DETAILS:
            if own[detail].isna().all():
                continue
            images, truth, probs = judged(own, detail)
            called = probs >= 0.5
            gap = mean_interval(truth - called.astype(float), groups=images["patient_id"], **draws)
            seeds = sorted(own["seed"].unique())
            keys = {"target": detail, "metric": "share_good", "n": len(truth)}
            found += [
                rows({("experts", ""): truth.mean()}, who, method="count", **keys),
                rows({(model, ""): called.mean()}, who, method="mean", seeds=seeds, **keys),
                rows({("experts", model): gap}, who, confidence=confidence, seeds=seeds, **keys),
            ]
    return pd.concat(found).drop_duplicates([*who, "target"], ignore_index=True)
