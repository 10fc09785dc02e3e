"""Maps of reasons: do they point at defects, does the answer depend on them, and they on what was learned?

Measures have one row per photograph, network and question; `means` and `differences` turn them into rows of
`riqa.results`. Values are means over pairs of image and seed; for the intervals of means the bootstrap draws
patients and seeds, differences between models are judged with seeds as readers (`riqa.evaluate.mrmc`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.explain import cells_of, grad_cam
from riqa.evaluate.faithfulness import (
    THRESHOLDS,
    localisation,
    mean_colours,
    outside,
    perturbation_curves,
    random_maps,
    rank_correlation,
    ranks_in_field,
)
from riqa.evaluate.interval import Interval
from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import class_names
from riqa.learn.model import QualityNet, load_model, model_file
from riqa.learn.runs import model_stem
from riqa.results import rows, stack
from riqa.studies.subjects import Located, Subjects

PLACE = ["chance", "pointing", "energy", "pointing_gain", "energy_gain"]
"""Does a map point at a defect? Measures of `localise`."""
ANSWER = ["fall", "answer_lost", "deletion", "insertion", "noise", "deletion_gain", "insertion_gain"]
"""Does the answer depend on what it marks? Measures of `faithfulness`."""
REPAIR = ["repair_gain", "repair_truth"]
PARTS = {"heads": 0, "last_quarter": 0.25, "last_half": 0.5, "last_three_quarters": 0.75, "every_layer": 1}
"""Part of a network that is shuffled, from the answers down -> share of its backbone's layers."""
CUTS = {f"iou_{threshold:g}": threshold for threshold in THRESHOLDS}
"""Overlap with a map that is cut at a share of its maximum, a measure of `localise` -> that share."""
YARDSTICK = {"pointing_gain": ("pointing", "chance"), "energy_gain": ("energy", "chance")}
YARDSTICK |= {gain: (gain, "noise") for gain in ("deletion_gain", "insertion_gain", *REPAIR)}
"""Measure that is a lead over chance or noise -> metric and rival of its row."""
_KEYS = ["dataset", "model", "target", "group"]


def networks_of(work: str | Path, chapters: Sequence[str]) -> Callable[[str, str, int], QualityNet]:
    """Return what loads a network by model, training set and seed, from whichever chapter has trained it."""

    def network(model: str, trained_on: str, seed: int) -> QualityNet:
        stems = [model_stem(Path(work) / one / "models", model, trained_on, seed) for one in chapters]
        return load_model(next((stem for stem in stems if model_file(stem, "json").exists()), stems[-1]))[0]

    return network


def localise(maps: np.ndarray, located: Located) -> pd.DataFrame:
    """Measure how well maps (N, H, W) of `riqa.evaluate.explain.grad_cam` point at the defects.

    Returns:
        One row per photograph and defect ("all" among them): image_id, patient_id, group (the defect), the
        columns of `riqa.evaluate.faithfulness.localisation` (its share as `chance`), and pointing_gain and
        energy_gain (above chance).
    """
    index = [k for k, places in enumerate(located.places) for _ in places]
    places = np.stack([place for one in located.places for place in one.values()])
    measured = localisation(maps[index], places, located.fields[index]).rename(columns={"share": "chance"})
    for metric in ("pointing", "energy"):
        measured[f"{metric}_gain"] = measured[metric] - measured["chance"]
    who = located.ids.iloc[index][["image_id", "patient_id"]].reset_index(drop=True)
    return pd.concat([who.assign(group=[name for one in located.places for name in one]), measured], axis=1)


def faithfulness(
    model: QualityNet, subjects: Subjects, shares: Sequence[float], min_side: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the map of each image's predicted class, by deletion and insertion against noise.

    Curves are computed at `shares`, the same read backwards. Maps have `min_side` cells per side or more
    (`riqa.evaluate.explain.find_map_layer`); noise, drawn by `seed`, has as many.

    Returns:
        One row per photograph: image_id, patient_id; asked (the class); fall (how much less probable it is on
        the baseline), answer_lost (1 if that is enough to be measured); deletion, insertion and noise (areas
        under stretched curves, NaN without an answer to lose), deletion_gain (noise - deletion),
        insertion_gain (insertion - noise); outside (share of the map outside the field of view), and empty (1
        if the map is 0 everywhere; its order is then that of noise). And one row per photograph, panel, order
        and share: their stretched p.
    """
    images, fields = subjects.images, subjects.fields
    classes = predicted_classes(model, images)
    maps = grad_cam(model, images, task="overall", target=classes, min_side=min_side)
    noise = random_maps(len(images), images.shape[-1], cells_of(model, images, min_side), seed)
    ranks, noise_ranks = ranks_in_field(maps, fields, noise), ranks_in_field(noise, fields, noise)
    orders = {"deletion": (ranks, False), "insertion": (ranks, True), "noise": (noise_ranks, False)}
    curves, fall = perturbation_curves(model, images, mean_colours(images, fields), orders, classes, shares)
    words = np.array(class_names(model.heads["overall"].out_features))
    measured = subjects.ids[["image_id", "patient_id"]].assign(asked=words[classes], fall=fall)
    measured = measured.assign(**{name: np.trapezoid(curve, shares) for name, curve in curves.items()})
    measured["answer_lost"] = measured["noise"].notna() * 1.0
    measured["deletion_gain"] = measured["noise"] - measured["deletion"]
    measured["insertion_gain"] = measured["insertion"] - measured["noise"]
    measured["outside"], measured["empty"] = outside(maps, fields), ~maps.any(axis=(1, 2)) * 1.0
    drawn = {(panel, "map"): curves[panel] for panel in ("deletion", "insertion")}
    drawn |= {("deletion", "noise"): curves["noise"], ("insertion", "noise"): curves["noise"][:, ::-1]}
    return measured, _long(drawn, subjects, shares)


def likeness(
    model: QualityNet, others: Mapping[str, Iterable[QualityNet]], subjects: Subjects, min_side: int
) -> pd.DataFrame:
    """Compare the maps of each image's predicted class with those that other networks draw of that class.

    Returns:
        One row per photograph and group of `others`: image_id, patient_id, group; means over the group of
        alike (rank correlation within the field, NaN where a map is empty) and empty (1 where theirs is).
    """
    images, ids = subjects.images, subjects.ids[["image_id", "patient_id"]]
    asked = {"task": "overall", "target": predicted_classes(model, images), "min_side": min_side}
    maps, found = grad_cam(model, images, **asked), []
    for group, other in [(group, other) for group, several in others.items() for other in several]:
        theirs = grad_cam(other, images, **asked)
        alike, empty = rank_correlation(maps, theirs, subjects.fields), ~theirs.any(axis=(1, 2)) * 1.0
        found.append(ids.assign(group=group, alike=alike, empty=empty))
    return pd.concat(found).groupby([*ids, "group"], sort=False, as_index=False).mean()


def repair(
    model: QualityNet, maps: np.ndarray, located: Located, shares: Sequence[float], min_side: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Repair photographs piece by piece: replace pixels by those of the clean exposure, in a map's order.

    The maps (N, H, W) are for class 0 (reject or bad); other arguments as of `faithfulness`.

    Returns:
        One row per photograph: image_id, patient_id; map, truth and noise (areas under the stretched curves
        of the probability of class 0, repaired in the order of the map, of the true places, of noise), and
        repair_gain (noise - map), repair_truth (noise - truth). And curves as `faithfulness` returns them.
    """
    truth = np.stack([places["all"] for places in located.places]).astype(np.float32)
    noise = random_maps(len(maps), maps.shape[-1], cells_of(model, located.images, min_side), seed)
    asked = {"map": maps, "truth": truth, "noise": noise}
    orders = {name: (ranks_in_field(order, located.fields, noise), False) for name, order in asked.items()}
    worst = np.zeros(len(maps), int)
    curves, _ = perturbation_curves(model, located.images, located.clean, orders, worst, shares)
    areas = {name: np.trapezoid(curve, shares) for name, curve in curves.items()}
    measured = located.ids[["image_id", "patient_id"]].assign(**areas)
    measured["repair_gain"] = measured["noise"] - measured["map"]
    measured["repair_truth"] = measured["noise"] - measured["truth"]
    drawn = {("repair", name): curve for name, curve in curves.items()}
    return measured, _long(drawn, located, shares)


@torch.inference_mode()
def predicted_classes(model: QualityNet, images: torch.Tensor) -> np.ndarray:
    """Return the most probable overall class (N,) of each image."""
    return model(images)["overall"].argmax(dim=1).numpy()


def means(
    measured: pd.DataFrame, metrics: Sequence[str], *, confidence: float = 0.95, **draws: int
) -> pd.DataFrame:
    """Average measures over pairs of image and seed that have them, by dataset, model, target and group.

    `measured` has one row per image and seed: image_id, patient_id, seed, dataset, model, the metrics (NaN
    where there is none), and where they differ target and group. Metrics of `YARDSTICK` get a rival. `draws`
    are `n_resamples` and `seed` of the bootstrap.
    """
    found, names = [], [YARDSTICK.get(metric, (metric, "")) for metric in metrics]
    for keys, own in _groups(measured, _KEYS):
        patients, seeds, values = _stacked(own, metrics)
        intervals = pooled_intervals(values.T, groups=patients, confidence=confidence, **draws)
        keys |= {"method": "pooled", "seeds": seeds, "confidence": confidence}
        found.append(_rows(names, intervals, values, keys))
    return stack(found)


def differences(
    measured: pd.DataFrame, metrics: Sequence[str], pairs: Iterable[tuple[str, str]], *,
    confidence: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Average differences between two models, paired by image and seed; arguments as of `means`.

    Raises:
        ValueError: If the two models were not measured on the same images and seeds.
    """
    found = []
    by = [key for key in _KEYS if key != "model"]
    for (keys, here), (model, rival) in product(_groups(measured, by), pairs):
        both = [_stacked(here[here["model"] == which], metrics) for which in (model, rival)]
        (patients, seeds, a), (other_patients, other_seeds, b) = both
        if seeds != other_seeds or not np.array_equal(patients, other_patients):
            raise ValueError(f"{model} and {rival} must be measured on the same images and seeds")
        keys = keys | {"model": model, "method": "mrmc", "seeds": seeds, "confidence": confidence}
        names, gaps = [(metric, rival) for metric in metrics], a - b
        intervals = [mean_of_method(gap, groups=patients, confidence=confidence) for gap in gaps.T]
        found.append(_rows(names, intervals, gaps, keys))
    return stack(found)


def _groups(measured: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict, pd.DataFrame]]:
    """Yield keys of rows, and what was measured, in the order of the table."""
    by = [key for key in by if key in measured]
    for keys, own in measured.groupby(by, sort=False):
        yield dict(zip(by, keys, strict=True)), own


def _stacked(own: pd.DataFrame, metrics: Sequence[str]) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """Return patients (N,), seeds, and values (N, S, M)."""
    own, seeds = own.sort_values(["image_id", "seed"]), tuple(sorted(own["seed"].unique()))
    if own.duplicated(["image_id", "seed"]).any() or len(own) != own["image_id"].nunique() * len(seeds):
        raise ValueError("rows of different seeds must cover the same images, each once")
    values = np.ascontiguousarray(own[list(metrics)], dtype=float)
    return own["patient_id"].to_numpy()[:: len(seeds)], seeds, values.reshape(-1, len(seeds), len(metrics))


def _rows(
    names: Sequence[tuple[str, str]], intervals: Sequence[Interval], values: np.ndarray, keys: dict
) -> pd.DataFrame:
    """Make one row per metric and rival of values (N, S, M); n counts images with a value in some seed."""
    known = (~np.isnan(values)).any(axis=1).sum(axis=0)
    made = rows(dict(zip(names, intervals, strict=True)), ("metric", "rival"), **keys)
    return made.assign(n=pd.array(known, dtype="Int64"))


def _long(curves: Mapping[tuple, np.ndarray], subjects: Subjects, shares: Sequence[float]) -> pd.DataFrame:
    tables = {key: pd.DataFrame(curve, subjects.ids["image_id"], shares) for key, curve in curves.items()}
    wide = pd.concat(tables, names=["panel", "order"])
    return wide.melt(var_name="share", value_name="p", ignore_index=False).reset_index()
