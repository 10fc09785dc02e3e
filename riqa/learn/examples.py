"""Input of the training loop: images of one split with their targets, from a store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.tasks import TASKS, Task


@dataclass(frozen=True)
class Examples:
    """Images and targets of one split."""

    images: np.ndarray  # (N, H, W, 3) uint8 RGB, may be memory-mapped
    rows: np.ndarray  # (n,) positions of this split's images within `images`
    targets: dict[str, Tensor]  # of each task n, see `riqa.learn.tasks.Task`; of details 1 is good, 0 bad
    auxiliary: Tensor | None = None  # (n, D) float32, what a network gets besides the image

    def __len__(self) -> int:
        """Return the number of images of the split."""
        return len(self.rows)

    def at(self, index: Tensor) -> "Examples":
        """Return the examples at positions `index` within the split."""
        auxiliary = None if self.auxiliary is None else self.auxiliary[index]
        targets = {name: values[index] for name, values in self.targets.items()}
        return Examples(self.images, self.rows[index.numpy()], targets, auxiliary)

    def spaced(self, most: int) -> "Examples":
        """Return at most so many of the examples, evenly spaced."""
        chosen = np.linspace(0, len(self) - 1, min(len(self), most)).round().astype(int)
        return self.at(torch.from_numpy(chosen))

    def pixels(self, index: Tensor, device: torch.device) -> Tensor:
        """Read the images at positions `index` within the split: (B, H, W, 3) uint8, not yet on the device.

        For a graphics card they lie in locked pages, from which it can fetch them while it computes.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(self.images[self.rows[index.numpy()]]))
        return pixels.pin_memory() if device.type == "cuda" else pixels

    def told(self, index: Tensor, device: torch.device) -> tuple[Tensor, ...]:
        """Return what a network gets besides the images at positions `index`, if anything."""
        return () if self.auxiliary is None else (self.auxiliary[index].to(device),)


def to_images(pixels: Tensor, device: torch.device) -> Tensor:
    """Bring pixels (B, H, W, 3) uint8 to a device as images (B, 3, H, W) in [0, 1], channels last."""
    pixels = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2)  # a view: NHWC is NCHW, channels last
    return pixels.float().div_(255)


def examples_of(store: Store, split: str, tasks: Sequence[Task] = TASKS) -> Examples:
    """Select one split of a store, with the targets of tasks; an InputError if it has no image."""
    rows = np.flatnonzero((store.manifest["split"] == split).to_numpy())
    if not len(rows):
        raise InputError(f"{store.root}: the split {split!r} holds no image; curate the dataset again")
    chosen = store.manifest.iloc[rows]
    return Examples(store.images, rows, {task.name: task.targets(chosen) for task in tasks})


def unlabelled(images: np.ndarray) -> Examples:
    """Return images (N, H, W, 3), uint8 RGB, without targets."""
    return Examples(images, np.arange(len(images)), {})


def with_pseudo_labels(
    examples: Examples, manifest: pd.DataFrame, pseudo_labels: pd.DataFrame, kind: str, source: Path
) -> Examples:
    """Replace the details of a store's split by the Teacher's answers (paper, Section 2.1, last paragraph).

    The answers (`source` is their file, for messages) have image_id and p_<detail> of good, one row per
    image; NaN is no label. Of `kind`, ``soft`` keeps probabilities, ``hard`` thresholds them at 0.5, and
    another is a ValueError. An InputError tells of images without a row.
    """
    if kind not in ("soft", "hard"):
        raise ValueError(f"pseudo-label kind is {kind!r}, must be soft or hard")
    probs = pseudo_labels.set_index("image_id")[[f"p_{detail}" for detail in DETAILS]]
    probs = probs.reindex(manifest["image_id"].iloc[examples.rows])
    missing = ~probs.index.isin(pseudo_labels["image_id"])
    if missing.any():
        raise InputError(
            f"{source}: no pseudo-label for {int(missing.sum())} images, first {probs.index[missing][0]}; "
            "run chapter 03_generate_pseudo_labels again"
        )
    targets = torch.from_numpy(probs.to_numpy(dtype=np.float32, copy=True))
    if kind == "hard":
        targets = torch.where(targets.isnan(), targets, (targets > 0.5).float())
    return replace(examples, targets=examples.targets | {"details": targets})
