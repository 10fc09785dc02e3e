"""Explanations measured: which images are asked, and a row of measures an image, a network and a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.fields import curated_fields
from riqa.data.store import Store
from riqa.evaluate.explain import grad_cam_of_classes
from riqa.evaluate.localisation import localisation, outside
from riqa.evaluate.perturbation import (
    area_under,
    mean_colours,
    perturbation_curves,
    random_maps,
    ranks_in_field,
)
from riqa.evaluate.sanity import rank_correlation, with_shuffled_weights
from riqa.learn.model import QualityNet
from riqa.phantom.masks import CuratedCase, curated_case, has_place, regions


@dataclass(frozen=True)
class Subjects:
    """Curated test images whose explanations are examined.

    Attributes:
        ids: A row an image: image_id, patient_id, overall.
        images: (N, 3, H, W) in [0, 1].
        fields: bool (N, H, W), the field of view.
    """

    ids: pd.DataFrame
    images: Tensor
    fields: np.ndarray

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)

    def first(self, n: int) -> "Subjects":
        """Return the first n images."""
        return Subjects(self.ids.iloc[:n], self.images[:n], self.fields[:n])


@dataclass(frozen=True)
class Located:
    """Subjects with strong defects that have a place, and none that is everywhere.

    Attributes:
        subjects: The images.
        cases: Their truth.
        places: For each image bool (H, W) by defect, "any" their union.
        n_spread: How many candidates were left out because a defect covers too much of the field.
    """

    subjects: Subjects
    cases: list[CuratedCase]
    places: list[dict[str, np.ndarray]]
    n_spread: int


def take(store: Store, rows: Sequence[int]) -> Subjects:
    """Take images of a store by their positions."""
    pixels = np.ascontiguousarray(store.images[list(rows)])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    ids = store.manifest.iloc[list(rows)][["image_id", "patient_id", "overall"]].reset_index(drop=True)
    return Subjects(ids, images, curated_fields(store, rows))


def draw_test_images(store: Store, n: int, seed: int) -> Subjects:
    """Draw n test images at random, all if there are fewer."""
    return take(store, _shuffled_test_rows(store, seed)[:n])


def draw_located(
    store: Store,
    root: Path,
    groups: tuple[str, ...],
    n: int,
    largest_share: float,
    seed: int,
    source_root: Path | None = None,
) -> Located:
    """Draw at most n test images that are spoilt at places (`riqa.phantom.masks.has_place`).

    Args:
        store: Curated images of a phantom or simulated set.
        root: Folder of the set's photographs, with `truth.parquet`.
        groups: Which details (and "artifact") count.
        n: How many images at most.
        largest_share: A defect on more than this share of the field counts as everywhere.
        seed: Seed of the drawing.
        source_root: For simulated sets, the folder of the real photographs.
    """
    truth = pd.read_parquet(root / "truth.parquet").set_index("image_id")
    candidates = set(truth.index[has_place(truth, groups)])
    order = [r for r in _shuffled_test_rows(store, seed) if store.manifest["image_id"].iloc[r] in candidates]
    fields = curated_fields(store, order)
    size, rows, cases, places, n_spread = store.images.shape[1], [], [], [], 0
    for row, field in zip(order, fields, strict=True):
        if len(rows) == n:
            break
        image_id = store.manifest["image_id"].iloc[row]
        one = curated_case(root, image_id, size, source_root=source_root)
        found = regions(one, field, groups, largest_share)
        if not found:
            n_spread += 1
            continue
        rows.append(row)
        cases.append(one)
        places.append(found)
    return Located(take(store, rows), cases, places, n_spread)


def localisation_rows(maps: np.ndarray, located: Located) -> pd.DataFrame:
    """Measure how well maps point at the defects.

    Args:
        maps: (N, H, W) of `riqa.evaluate.explain.grad_cam`, one an image of `located`.
        located: The images and places.

    Returns:
        A row an image and defect, "any" among them: image_id, patient_id, defect, the columns of
        `riqa.evaluate.localisation.localisation`, and energy and pointing above chance (``..._gain``).
    """
    index = [k for k, places in enumerate(located.places) for _ in places]
    places = np.stack([region for one in located.places for region in one.values()])
    measured = localisation(maps[index], places, located.subjects.fields[index])
    for metric in ("pointing", "energy"):
        measured[f"{metric}_gain"] = measured[metric] - measured["share"]
    who = located.subjects.ids.iloc[index][["image_id", "patient_id"]].reset_index(drop=True)
    defects = [name for one in located.places for name in one]
    return pd.concat([who.assign(defect=defects), measured], axis=1)


def faithfulness_rows(
    model: QualityNet,
    subjects: Subjects,
    shares: Sequence[float],
    min_side: int,
    seed: int,
    twin: QualityNet | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the map of each image's predicted class: deletion, insertion, and what destroying weights does.

    Args:
        model: A network in evaluation mode with an overall head.
        subjects: The images.
        shares: Where the curves are computed.
        min_side: See `riqa.evaluate.map_layer.find_map_layer`.
        seed: Seed of noise maps and of the shuffling of weights.
        twin: The same kind of network from another training seed, whose maps tell how alike maps can be.

    Returns:
        A row an image: image_id, patient_id; deletion, insertion and noise (areas under the curves),
        deletion_gain (noise - deletion), insertion_gain (insertion - noise); outside (share of the map
        outside the field of view); empty (1 if the map is 0 everywhere; the other measures of maps are then
        NaN); heads_shuffled and all_shuffled (rank correlation with the map after destroying weights) and
        other_seed (with the twin's; NaN without one).
        A row an image, curve and share: image_id, curve, share, p.
    """
    images, fields = subjects.images, subjects.fields
    classes = predicted_classes(model, images)
    maps = grad_cam_of_classes(model, images, classes, min_side=min_side)
    noise = random_maps(len(images), images.shape[-1], min_side, seed)
    ranks, noise_ranks = ranks_in_field(maps, fields), ranks_in_field(noise, fields)
    orders = {"deletion": (ranks, False), "insertion": (ranks, True), "noise": (noise_ranks, False)}
    curves = perturbation_curves(model, images, mean_colours(images, fields), orders, classes, shares)
    rows = subjects.ids[["image_id", "patient_id"]].assign(empty=~maps.any(axis=(1, 2)) * 1.0)
    for name, curve in curves.items():
        rows[name] = area_under(curve, shares)
    rows.loc[rows["empty"] > 0, ["deletion", "insertion"]] = np.nan
    rows["deletion_gain"] = rows["noise"] - rows["deletion"]
    rows["insertion_gain"] = rows["insertion"] - rows["noise"]
    rows["outside"] = outside(maps, fields)
    others = {
        "heads_shuffled": with_shuffled_weights(model, seed, heads_only=True),
        "all_shuffled": with_shuffled_weights(model, seed),
        "other_seed": twin,
    }
    for name, other in others.items():
        if other is None:
            rows[name] = np.nan
            continue
        other_maps = grad_cam_of_classes(other, images, classes, min_side=min_side)
        rows[name] = rank_correlation(maps, other_maps, fields)
    return rows, _long(curves, subjects, shares)


def repair_rows(
    model: QualityNet, maps: np.ndarray, located: Located, shares: Sequence[float], min_side: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Repair photographs piece by piece: replace pixels by those of the clean exposure, in a map's order.

    Args:
        model: A network in evaluation mode with an overall head.
        maps: (N, H, W) for class 0 (reject or bad).
        located: The images, at least N, of which the first N are repaired.
        shares: Where the curves are computed.
        min_side: Cells a side of the noise.
        seed: Seed of the noise.

    Returns:
        A row an image: image_id, patient_id; map, truth and noise (areas under the curves of the probability
        of class 0, repaired in the order of the map, of the true places, of noise), and repair_gain (noise -
        map), repair_best (noise - truth).
        A row an image, curve and share: image_id, curve, share, p.
    """
    subjects = located.subjects.first(len(maps))
    fields = subjects.fields
    clean = torch.from_numpy(np.stack([one.clean for one in located.cases[: len(maps)]]))
    clean = clean.permute(0, 3, 1, 2).float() / 255
    truth = np.stack([places["any"] for places in located.places[: len(maps)]]).astype(np.float32)
    noise = random_maps(len(maps), maps.shape[-1], min_side, seed)
    asked = {"map": maps, "truth": truth, "noise": noise}
    orders = {name: (ranks_in_field(order, fields), False) for name, order in asked.items()}
    classes = np.zeros(len(maps), int)
    curves = perturbation_curves(model, subjects.images, clean, orders, classes, shares)
    rows = subjects.ids[["image_id", "patient_id"]].assign(
        **{name: area_under(curve, shares) for name, curve in curves.items()}
    )
    rows.loc[~maps.any(axis=(1, 2)), "map"] = np.nan
    rows["repair_gain"], rows["repair_best"] = rows["noise"] - rows["map"], rows["noise"] - rows["truth"]
    return rows, _long(curves, subjects, shares)


@torch.inference_mode()
def predicted_classes(model: QualityNet, images: Tensor) -> np.ndarray:
    """Return the most probable overall class (N,) of each image."""
    return model(images)["overall"].argmax(dim=1).numpy()


def _long(curves: dict[str, np.ndarray], subjects: Subjects, shares: Sequence[float]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(curve, columns=list(shares))
        .assign(image_id=subjects.ids["image_id"].to_numpy(), curve=name)
        .melt(["image_id", "curve"], var_name="share", value_name="p")
        for name, curve in curves.items()
    ]
    return pd.concat(frames, ignore_index=True).astype({"share": float})


def _shuffled_test_rows(store: Store, seed: int) -> list[int]:
    rows = np.flatnonzero((store.manifest["split"] == "test").to_numpy())
    return np.random.default_rng(seed).permutation(rows).tolist()
