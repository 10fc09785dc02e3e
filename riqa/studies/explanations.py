"""Maps of reasons: do they point at defects, does the answer depend on them, and they on what was learned?

Measures have one row per photograph, network and question; `means` and `differences` turn them into rows of
`riqa.results`. Maps are (N, H, W) of `riqa.evaluate.explain.grad_cam`; `shares` of the field of view are
where curves are computed, and `min_side` is the number of cells per side of maps and of noise.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch

from riqa.evaluate import faithfulness as measures
from riqa.evaluate.bootstrap import Draws, drawn_means, percentile_interval
from riqa.evaluate.explain import grad_cam
from riqa.evaluate.interval import Interval
from riqa.learn.model import QualityNet
from riqa.results import rows, stack
from riqa.studies.answers import Pairs
from riqa.studies.subjects import Located, Subjects

PLACE = ["chance", "pointing", "energy", "pointing_gain", "energy_gain"]
"""Does a map point at a defect? Measures of `localise`."""
SANITY = ["outside", "empty", "heads_shuffled", "all_shuffled", "other_seed"]
"""Does it depend on the network, and does it lie on the photograph? Measures of `faithfulness`."""
ANSWER = ["deletion", "insertion", "noise", "deletion_gain", "insertion_gain"]
"""Does the answer depend on what it marks? Measures of `faithfulness`."""
REPAIR = ["repair_gain", "repair_best"]
CUTS = {f"iou_{threshold:g}": threshold for threshold in measures.THRESHOLDS}
"""Overlap with a map that is cut at a share of its maximum, a measure of `localise` -> that share."""
YARDSTICK = {"pointing_gain": ("pointing", "chance"), "energy_gain": ("energy", "chance")}
YARDSTICK |= {gain: (gain, "noise") for gain in ("deletion_gain", "insertion_gain", *REPAIR)}
"""Measure that is a lead over chance or noise -> metric and rival of its row."""


def localise(maps: np.ndarray, located: Located) -> pd.DataFrame:
    """Measure how well maps point at the defects.

    Returns:
        One row per photograph and defect ("all" among them): image_id, patient_id, group (the defect), the
        columns of `riqa.evaluate.faithfulness.localisation` (its share as `chance`), and what pointing and
        energy are above chance (`..._gain`).
    """
    index = [k for k, places in enumerate(located.places) for _ in places]
    groups = [group for places in located.places for group in places]
    places = np.stack([place for places in located.places for place in places.values()])
    measured = measures.localisation(maps[index], places, located.fields[index])
    measured = measured.rename(columns={"share": "chance"})
    for metric in ("pointing", "energy"):
        measured[f"{metric}_gain"] = measured[metric] - measured["chance"]
    who = located.ids.iloc[index][["image_id", "patient_id"]].reset_index(drop=True)
    return pd.concat([who.assign(group=groups), measured], axis=1)


def faithfulness(
    model: QualityNet, subjects: Subjects, shares: Sequence[float], min_side: int, seed: int,
    twin: QualityNet | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Measure the map of each image's predicted class: deletion, insertion, and what destroying weights does.

    Noise maps and the shuffling of weights have the seed; `twin` is the same kind of network from another
    training seed, whose maps tell how alike maps can be.

    Returns:
        One row per photograph: image_id, patient_id; deletion, insertion and noise (areas under the curves),
        deletion_gain (noise - deletion), insertion_gain (insertion - noise); outside (share of the map
        outside the field of view); empty (1 if the map is 0 everywhere; other measures of maps are then NaN);
        heads_shuffled, all_shuffled and other_seed (rank correlation with the map after destroying weights,
        and with the twin's; NaN without one). And one row per photograph, order and share: their p.
    """
    images, fields = subjects.images, subjects.fields
    classes = predicted_classes(model, images)
    asked = {"task": "overall", "target": classes, "min_side": min_side}
    maps = grad_cam(model, images, **asked)
    noise = measures.random_maps(len(images), images.shape[-1], min_side, seed)
    orders = {"deletion": (maps, False), "insertion": (maps, True), "noise": (noise, False)}
    grey = measures.mean_colours(images, fields)
    measured, curves = _areas(model, subjects, grey, orders, classes, shares)
    measured.insert(2, "empty", ~maps.any(axis=(1, 2)) * 1.0)
    measured.loc[measured["empty"] > 0, ["deletion", "insertion"]] = np.nan
    measured["deletion_gain"] = measured["noise"] - measured["deletion"]
    measured["insertion_gain"] = measured["insertion"] - measured["noise"]
    measured["outside"] = measures.outside(maps, fields)
    others = {"heads_shuffled": measures.with_shuffled_weights(model, seed, heads_only=True)}
    others |= {"all_shuffled": measures.with_shuffled_weights(model, seed), "other_seed": twin}
    for name, other in others.items():
        measured[name] = np.nan
        if other is not None:
            measured[name] = measures.rank_correlation(maps, grad_cam(other, images, **asked), fields)
    return measured, curves


def repair(
    model: QualityNet, maps: np.ndarray, located: Located, shares: Sequence[float], min_side: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Repair photographs piece by piece: replace pixels by those of the clean exposure, in a map's order.

    The maps are for class 0 (reject or bad); the seed is that of noise maps.

    Returns:
        One row per photograph: image_id, patient_id; map, truth and noise (areas under the curves of the
        probability of class 0, repaired in the order of the map, of the true places, of noise), and
        repair_gain (noise - map), repair_best (noise - truth). And one row per photograph, order and share.
    """
    truth = np.stack([places["all"] for places in located.places]).astype(np.float32)
    noise = measures.random_maps(len(maps), maps.shape[-1], min_side, seed)
    orders = {"map": (maps, False), "truth": (truth, False), "noise": (noise, False)}
    worst = np.zeros(len(maps), int)
    measured, curves = _areas(model, located, located.clean, orders, worst, shares)
    measured.loc[~maps.any(axis=(1, 2)), "map"] = np.nan
    measured["repair_gain"] = measured["noise"] - measured["map"]
    measured["repair_best"] = measured["noise"] - measured["truth"]
    return measured, curves


@torch.inference_mode()
def predicted_classes(model: QualityNet, images: torch.Tensor) -> np.ndarray:
    """Return the most probable overall class (N,) of each image."""
    return model(images)["overall"].argmax(dim=1).numpy()


def means(measured: pd.DataFrame, metrics: Sequence[str], **bootstrap: float) -> pd.DataFrame:
    """Average measures over images and seeds, for each dataset, model, target and group.

    Measures have image_id, patient_id, seed, dataset, model, the metrics (NaN where there is none; those of
    `YARDSTICK` get a rival), and where they differ target and group.
    """
    names, by = [YARDSTICK.get(metric, (metric, "")) for metric in metrics], _keys(measured, "model")
    return stack(
        _rows(names, *_stacked(own, metrics), dict(zip(by, keys, strict=True)), **bootstrap)
        for keys, own in measured.groupby(by, sort=False)
    )


def differences(
    measured: pd.DataFrame, metrics: Sequence[str], pairs: Pairs, **bootstrap: float
) -> pd.DataFrame:
    """Average differences between two models, paired by image and seed; arguments as of `means`.

    Raises:
        ValueError: If the two models were not measured on the same images and seeds.
    """
    found, by = [], _keys(measured)
    for (keys, here), (model, rival) in product(measured.groupby(by, sort=False), pairs):
        both = [_stacked(here[here["model"] == which], metrics) for which in (model, rival)]
        (values, patients, seeds), (others, other_patients, other_seeds) = both
        if seeds != other_seeds or not np.array_equal(patients, other_patients):
            raise ValueError(f"{model} and {rival} must be measured on the same images and seeds")
        names, keys = [(metric, rival) for metric in metrics], dict(zip(by, keys, strict=True))
        found.append(_rows(names, values - others, patients, seeds, keys | {"model": model}, **bootstrap))
    return stack(found)


def _keys(measured: pd.DataFrame, *more: str) -> list[str]:
    return [key for key in ("dataset", *more, "target", "group") if key in measured]


def _stacked(own: pd.DataFrame, metrics: Sequence[str]) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return values (N, S, M), patients (N,) and seeds."""
    wide = own.sort_values(["seed", "image_id"])
    seeds, ids = tuple(wide["seed"].unique()), wide["image_id"].unique()
    if wide["image_id"].tolist() != [*ids] * len(seeds):
        raise ValueError("rows of different seeds must cover the same images, each once")
    values = wide[list(metrics)].to_numpy(float).reshape(len(seeds), len(ids), -1)
    return np.stack([*values], axis=1), wide["patient_id"].to_numpy()[: len(ids)], seeds


def _rows(
    names: Iterable[tuple[str, str]], values: np.ndarray, patients: np.ndarray, seeds: tuple[int, ...],
    keys: dict, *, confidence: float = 0.95, n_resamples: int = 2_000,
) -> pd.DataFrame:  # fmt: skip
    """Make one row per metric and rival from values (N, S, M); n counts images with a value in some seed."""
    replicates = Draws(patients, n_resamples).means(values)
    averages = drawn_means(values, np.ones((1, len(values))))[0].mean(axis=0)
    found = {}
    for name, average, drawn in zip(names, averages, replicates.T, strict=True):
        interval = percentile_interval(average, drawn, confidence)
        complete = not np.isnan([interval.value, interval.low]).any()
        found[name] = interval if complete else Interval(interval.value, np.nan, np.nan)
    known = (~np.isnan(values)).any(axis=1).sum(axis=0)
    told = rows(found, ("metric", "rival"), seeds=seeds, confidence=confidence, **keys)
    return told.assign(n=pd.array(known, dtype="Int64"))


def _areas(
    model: QualityNet, subjects: Subjects, replaced_by: torch.Tensor,
    orders: Mapping[str, tuple[np.ndarray, bool]], classes: np.ndarray, shares: Sequence[float],
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return the areas under the curves of each order, one row per photograph; and the curves, long."""
    ranked = {name: (measures.ranks_in_field(of, subjects.fields), up) for name, (of, up) in orders.items()}
    curves = measures.perturbation_curves(model, subjects.images, replaced_by, ranked, classes, shares)
    areas = {name: measures.area_under(curve, shares) for name, curve in curves.items()}
    ids, long = subjects.ids["image_id"].to_numpy(), []
    for name, curve in curves.items():
        wide = pd.DataFrame(curve, columns=list(shares)).assign(image_id=ids, order=name)
        long.append(wide.melt(["image_id", "order"], var_name="share", value_name="p"))
    measured = subjects.ids[["image_id", "patient_id"]].assign(**areas)
    return measured, pd.concat(long, ignore_index=True).astype({"share": float})
