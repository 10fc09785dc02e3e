"""Where are disc and fovea? A third task whose labels are two points of each photograph.

Points (N, 2, 2) are disc and fovea, each x to the right and y down from -1 to 1 across the image; NaN where
one lies outside of the field of view, or is not known.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.fields import curated_fields, in_crop
from riqa.data.store import Store
from riqa.files import read_parquet
from riqa.learn.tasks import Task
from riqa.phantom.photograph import Exposure, landmarks
from riqa.studies.grounding import PlaceHead

LANDMARKS = ("disc", "fovea")


def points_of(store: Store, truth: pd.DataFrame) -> np.ndarray:
    """Return disc and fovea of a phantom's photographs, float32 (N, 2, 2); `truth` in their order."""
    size, found = store.images.shape[1], []
    rows = read_parquet(store.root / "fields.parquet").itertuples()
    exposures = truth[[*Exposure._fields]].itertuples(index=False, name=None)
    for row, one in zip(rows, exposures, strict=True):
        found.append(in_crop(landmarks(Exposure(*one)), row, size))
    points, fields = np.stack(found), curated_fields(store, range(len(truth)))
    x, y = np.moveaxis(np.floor((points + 1) / 2 * size).astype(int), -1, 0)  # (N, 2) pixels
    cut = (x < 0) | (x >= size) | (y < 0) | (y >= size)
    seen = fields[np.arange(len(fields))[:, None], y.clip(0, size - 1), x.clip(0, size - 1)] & ~cut
    return np.where(seen[..., None], points, np.nan).astype(np.float32)


def follow(points: Tensor, maps: Tensor) -> Tensor:
    """Move points as their photographs were moved; maps (N, 2, 2) lead from places after to places before."""
    return torch.linalg.solve(maps.to(points), points.mT).mT


def distance(answers: Tensor, points: Tensor) -> Tensor:
    """Average the squared distance, in half image sides, over the points that are known; 0 without any."""
    known = ~points.isnan().any(dim=2)
    if not known.any():
        return answers.sum() * 0
    return (answers[known] - points[known]).square().sum(dim=1).mean()


ANATOMY = Task("anatomy", (), distance, lambda *pair: -distance(*pair).item(), follow=follow)


class PointHead(PlaceHead):
    """Two points, each the mean place of the cells, weighted by a softmax of one logit per cell."""

    task, width = ANATOMY, len(LANDMARKS)

    def forward(self, features: Tensor) -> Tensor:
        """Return points (N, 2, 2), within the centres of the outermost cells."""
        weights = super().forward(features).flatten(2).softmax(dim=2)  # (N, 2, g g)
        at = (2 * torch.arange(self.side, device=weights.device) + 1) / self.side - 1
        y, x = torch.meshgrid(at, at, indexing="ij")
        return weights @ torch.stack([x.flatten(), y.flatten()], dim=1).to(weights)
