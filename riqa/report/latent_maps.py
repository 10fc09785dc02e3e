"""How far a t-SNE map may be trusted: the same features laid out again with other seeds and perplexities."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from sklearn.metrics import pairwise_distances

from riqa.evaluate.maps import fitting_perplexity, map_quality, neighbours_kept, pca_map, tsne_map
from riqa.evaluate.neighbourhoods import neighbour_order, purity
from riqa.report.latent_pages import over_interval
from riqa.report.results import Result, record
from riqa.report.tables import page_table

PCA = "PCA"
COLUMNS = {
    "trustworthiness": "trust-worthiness",
    "kept": "neighbours kept",
    "distances": "distances, rank corr.",
    "radii": "crowding, rank corr.",
    "purity": "purity of the labels",
    "shared": "neighbours shared between seeds",
}


def maps_again(
    features: np.ndarray, perplexities: Sequence[float], seeds: Sequence[int], metric: str = "euclidean"
) -> dict[str, list[np.ndarray]]:
    """Lay features (N, D) out by t-SNE from random starts, once a perplexity and seed; and once by PCA.

    Returns:
        "perplexity 30" and so on -> one map (N, 2) a seed, perplexities lowered to fit and each only once;
        last `PCA` -> one map.
    """
    fitting = dict.fromkeys(fitting_perplexity(perplexity, len(features)) for perplexity in perplexities)
    maps = {
        f"perplexity {perplexity:.3g}": [
            tsne_map(features, perplexity, seed=seed, init="random", metric=metric) for seed in seeds
        ]
        for perplexity in fitting
    }
    return {**maps, PCA: [pca_map(features)]}


def first_maps(maps: Mapping[str, Sequence[np.ndarray]], perplexity: float, n: int) -> dict[str, np.ndarray]:
    """Choose the maps to show: each kind's first, and a second start of the kind nearest to a perplexity.

    Args:
        maps: of `maps_again`.
        perplexity: of the kind that is shown twice, if it has two maps.
        n: images.
    """
    kinds = [name for name in maps if name != PCA]
    twice = min(kinds, key=lambda name: abs(float(name.split()[1]) - fitting_perplexity(perplexity, n)))
    chosen = {}
    for name, by_seed in maps.items():
        chosen[name] = by_seed[0]
        if name == twice and len(by_seed) > 1:
            chosen[f"{name}, again"] = by_seed[1]
    return chosen


def trust_frame(
    features: np.ndarray,
    maps: Mapping[str, Sequence[np.ndarray]],
    labels: np.ndarray,
    groups: np.ndarray,
    k: int,
    metric: str = "euclidean",
) -> pd.DataFrame:
    """Measure what each kind of map keeps of the features.

    Args:
        features: (N, D).
        maps: of `maps_again`.
        labels: (N,) codes for the purity, NaN where unknown.
        groups: (N,) patient of each image.
        k: neighbours asked.
        metric: distance between features.

    Returns:
        A row a kind of map and measure: map, measure (a key of `COLUMNS`), value (mean over seeds), low, high
        (least and most of the seeds). ``shared`` is the mean share of an image's k nearest images that two
        seeds have in common; NaN for fewer than two maps.
    """
    known, rows = ~np.isnan(labels), []
    for name, by_seed in maps.items():
        measured: dict[str, list[float]] = {}
        for positions in by_seed:
            found = map_quality(features, positions, k, metric)
            near = neighbour_order(pairwise_distances(positions[known]), groups[known], k)[:, :k]
            for measure, value in (found | {"purity": float(purity(near, labels[known]))}).items():
                measured.setdefault(measure, []).append(value)
        planes = [pairwise_distances(positions) for positions in by_seed]
        measured["shared"] = [neighbours_kept(a, b, k) for a, b in combinations(planes, 2)] or [np.nan]
        rows += [(name, key, np.mean(found), min(found), max(found)) for key, found in measured.items()]
    return pd.DataFrame(rows, columns=["map", "measure", "value", "low", "high"])


def trust_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show `trust_frame`: a row a kind of map, each cell the mean over least and most."""
    cells = frame.assign(
        cell=[
            "–" if np.isnan(row.value) else over_interval(row.value, row.low, row.high)
            for row in frame.itertuples()
        ]
    )
    wide = cells.pivot(index="map", columns="measure", values="cell")
    wide = wide.loc[list(dict.fromkeys(frame["map"])), list(COLUMNS)].rename(columns=COLUMNS)
    shown = page_table(wide, caption)
    return shown.set_table_attributes('class="dataframe" style="margin-bottom: 1.5em; font-size: 0.8em"')


def trust_records(dataset: str, model: str, frame: pd.DataFrame, n: int) -> list[Result]:
    """Make records ``latent.<set>.<model>.maps.<perplexity_30|PCA>.<measure>`` of `trust_frame`."""
    method = "one network; mean, least and most over the map's random starts"
    return [
        record(
            f"latent.{dataset}.{model}.maps.{row.map.replace(' ', '_').replace('.', '_')}.{row.measure}",
            row.value,
            low=row.low,
            high=row.high,
            n=n,
            method=method,
        )
        for row in frame.itertuples()
    ]
