"""The field of view of curated images: which of their pixels show retina."""

from collections.abc import Sequence

import numpy as np

from riqa.data.fov import FieldOfView, crop_to_fov
from riqa.data.store import Store
from riqa.files import read_parquet

_FINER = 4  # the photograph is thought of as this many times larger than its crop, not as large as it was


def curated_fields(store: Store, rows: Sequence[int]) -> np.ndarray:
    """Return the fields of view of the images at some positions of a store, to a pixel.

    Returns:
        bool (N, size, size), True inside the field.
    """
    numbers = read_parquet(store.root / "fields.parquet").iloc[list(rows)]
    size = store.images.shape[1]
    fields = [_crop_of_field(row, size) for row in numbers.itertuples()]
    return np.stack(fields) if fields else np.zeros((0, size, size), bool)


def _crop_of_field(row: tuple, size: int) -> np.ndarray:
    """Crop a white photograph as the real one was: `row` is one of `riqa.data.curate.field_numbers`."""
    left, top, right, bottom = box = int(row.left), int(row.top), int(row.right), int(row.bottom)
    height, width = int(row.height), int(row.width)
    fov = FieldOfView((height, width), (row.x, row.y), row.radius, box, row.score)
    scale = min(1.0, _FINER * size / max(right - left, bottom - top))
    fov = fov.scaled((max(1, round(height * scale)), max(1, round(width * scale))))
    return crop_to_fov(np.full((*fov.shape, 3), 255, np.uint8), fov, size).any(axis=2)
