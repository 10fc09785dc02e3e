"""Fields of view of curated images, against the circle and the rectangle drawn by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from riqa.data.fields import curated_fields


def store(root, size, **numbers):
    base = {"height": 400.0, "width": 600.0, "x": 300.0, "y": 200.0, "radius": 150.0, "score": 1.0}
    base |= {"left": 0.0, "top": 0.0, "right": 600.0, "bottom": 400.0}
    pd.DataFrame([base | numbers]).to_parquet(root / "fields.parquet")
    return SimpleNamespace(root=root, images=np.zeros((1, size, size, 3), np.uint8))


def disc(size):
    y, x = np.mgrid[:size, :size]
    middle = (size - 1) / 2
    return (x - middle) ** 2 + (y - middle) ** 2 <= (size / 2) ** 2


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_whole_circle_fills_the_square(tmp_path):
    (field,) = curated_fields(store(tmp_path, 64), [0])
    assert overlap(field, disc(64)) > 0.97


def test_bars_at_top_and_bottom_stay_outside(tmp_path):
    (field,) = curated_fields(store(tmp_path, 64, top=110.0, bottom=290.0), [0])
    wanted = disc(64)
    wanted[:13] = wanted[-13:] = False  # 60 of 300 rows each, of 64
    assert overlap(field, wanted) > 0.95
    assert not field[:11].any()
    assert field[16:48, 32].all()


def test_a_large_photograph_gives_the_field_of_a_small_one(tmp_path):
    small = curated_fields(store(tmp_path, 64, top=110.0, bottom=290.0), [0])
    large = {"height": 4000.0, "width": 6000.0, "x": 3004.5, "y": 2004.5, "radius": 1500.0}
    large |= {"top": 1100.0, "right": 6000.0, "bottom": 2900.0}
    assert overlap(curated_fields(store(tmp_path, 64, **large), [0]), small) > 0.97
