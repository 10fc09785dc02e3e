"""Test photographs whose maps are examined: any of them, or those whose defects have a place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.fields import curated_fields
from riqa.data.store import Store
from riqa.phantom.repair import curated_case, has_place, regions


@dataclass(frozen=True)
class Subjects:
    """Curated photographs."""

    ids: pd.DataFrame  # one row per photograph: image_id, patient_id, overall
    images: Tensor  # (N, 3, H, W) in [0, 1]
    fields: np.ndarray  # bool (N, H, W), the field of view

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.ids)


@dataclass(frozen=True)
class Located(Subjects):
    """Photographs with strong defects that have a place, and none that is everywhere."""

    clean: Tensor  # (N, 3, H, W) in [0, 1], the same exposures without defects
    places: list[dict[str, np.ndarray]]  # for each photograph bool (H, W) by defect; "all" is their union
    n_spread: int  # candidates left out because a defect covers too much of the field


def take(store: Store, rows: Sequence[int]) -> Subjects:
    """Take photographs of a store by their positions."""
    images = _as_images(np.ascontiguousarray(store.images[list(rows)]))
    ids = store.manifest.iloc[list(rows)][["image_id", "patient_id", "overall"]].reset_index(drop=True)
    return Subjects(ids, images, curated_fields(store, rows))


def draw_subjects(store: Store, n: int, seed: int, split: str = "test") -> Subjects:
    """Draw n photographs of a split at random; all, if there are fewer."""
    return take(store, _shuffled_rows(store, seed, split)[:n])


def draw_located(
    store: Store, roots: Sequence[Path], groups: Sequence[str], n: int, largest_share: float, seed: int
) -> Located:
    """Draw, by `seed`, at most n test photographs spoilt at places (`riqa.phantom.repair.has_place`).

    The store is of a phantom or simulated set. `roots` are the folder of the set's photographs, with
    `truth.parquet`, and for simulated sets also the folder of the real photographs that were spoilt. Defects
    of `groups` count, details or "artifact"; one on more than `largest_share` of the field is everywhere.
    """
    root, source_root = roots[0], roots[1] if len(roots) > 1 else None
    truth = pd.read_parquet(root / "truth.parquet").set_index("image_id")
    candidates = set(truth.index[has_place(truth, tuple(groups))])
    ids, size = store.manifest["image_id"], store.images.shape[1]
    order = [row for row in _shuffled_rows(store, seed, "test") if ids.iloc[row] in candidates]
    rows, clean, places, n_spread = [], [], [], 0
    for row, field in zip(order, curated_fields(store, order), strict=True):
        if len(rows) == n:
            break
        one = curated_case(root, ids.iloc[row], size, source_root=source_root)
        if found := regions(one, field, tuple(groups), largest_share):
            rows.append(row)
            clean.append(one.clean)
            places.append({"all" if defect == "any" else defect: place for defect, place in found.items()})
        else:
            n_spread += 1
    own, clean = take(store, rows), np.array(clean, np.uint8).reshape(-1, size, size, 3)
    return Located(own.ids, own.images, own.fields, _as_images(clean), places, n_spread)


def _as_images(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _shuffled_rows(store: Store, seed: int, split: str) -> list[int]:
    rows = np.flatnonzero((store.manifest["split"] == split).to_numpy())
    return np.random.default_rng(seed).permutation(rows).tolist()
