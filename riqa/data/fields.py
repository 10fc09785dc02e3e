"""Fields of view as rows of numbers, as a store keeps them, and what can be made of such rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.data.fov import FieldOfView, crop_to_fov
from riqa.data.store import Store
from riqa.files import read_parquet

_FINER = 4  # the photograph is thought of as this many times larger than its crop, not as large as it was


def field_numbers(fov: FieldOfView) -> dict[str, float]:
    """Return a field of view as a flat row: height, width, x, y, radius, left, top, right, bottom, score."""
    names = ("height", "width", "x", "y", "radius", "left", "top", "right", "bottom", "score")
    numbers = (*fov.shape, *fov.center, fov.radius, *fov.box, fov.score)
    return {name: float(number) for name, number in zip(names, numbers, strict=True)}


def field_from(row: tuple) -> FieldOfView:
    """Return the field of view of a row of `field_numbers`, as `itertuples` gives it."""
    box = int(row.left), int(row.top), int(row.right), int(row.bottom)
    return FieldOfView((int(row.height), int(row.width)), (row.x, row.y), row.radius, box, row.score)


def curated_fields(store: Store, rows: Sequence[int]) -> np.ndarray:
    """Return the fields of view of the images at some positions of a store, bool (N, size, size)."""
    size, fields = store.images.shape[1], []
    for row in read_parquet(store.root / "fields.parquet").iloc[list(rows)].itertuples():
        fov = field_from(row)
        left, top, right, bottom = fov.box
        scale = min(1.0, _FINER * size / max(right - left, bottom - top))
        fov = fov.scaled(tuple(max(1, round(side * scale)) for side in fov.shape))
        # A white photograph is cropped as the real one was.
        fields.append(crop_to_fov(np.full((*fov.shape, 3), 255, np.uint8), fov, size).any(axis=2))
    return np.stack(fields) if fields else np.zeros((0, size, size), bool)


def in_crop(points: np.ndarray, row: tuple, size: int) -> np.ndarray:
    """Return where points (N, 2) of x and y, pixels of the whole photograph of a row, lie in its crop.

    Coordinates run from -1 to 1 across the crop of `size` pixels, see `crop_to_fov`; what lies beyond is cut.
    """
    left, top, right, bottom = field_from(row).bbox
    scale = size / max(right - left, bottom - top)
    shape = np.array([max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))])
    inside = (points - [left, top] + 0.5) * shape / [right - left, bottom - top]  # pixel edges, from 0
    return 2 * (inside + (size - shape) // 2) / size - 1


def field_agreement(fields: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    """Compare fields of view found (a store's `fields.parquet`) with those of a phantom (`truth.parquet`).

    Returns the intersection over union, in [0, 1], of each row of `fields`. The truth is fov_x, fov_y and
    fov_radius in pixels, and fov_cut in radii; notches on the rim are not counted.
    """
    true, values = truth.set_index("image_id").loc[fields["image_id"]], []
    for row, real in zip(fields.itertuples(), true.itertuples(), strict=True):
        fov = field_from(row)
        height, width = fov.shape
        cut = real.fov_cut * real.fov_radius if real.fov_cut < 1 else np.inf
        whole = FieldOfView(fov.shape, (real.fov_x, real.fov_y), real.fov_radius, (0, 0, width, height), 1.0)
        one, other = fov.mask(), whole.mask() & (np.abs(np.arange(height) - real.fov_y) <= cut)[:, None]
        values.append((one & other).sum() / (one | other).sum())
    return pd.Series(values, index=fields["image_id"], name="iou")
