"""Fields of view of curated images, against the circle and the rectangle drawn by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from riqa.data.fields import curated_fields


def field(root, **numbers):
    """Return the field of a photograph of 600 x 400 pixels, as it is in a store of 64 x 64."""
    base = {"height": 400.0, "width": 600.0, "x": 300.0, "y": 200.0, "radius": 150.0, "score": 1.0}
    base |= {"left": 0.0, "top": 0.0, "right": 600.0, "bottom": 400.0}
    pd.DataFrame([base | numbers]).to_parquet(root / "fields.parquet")
    (found,) = curated_fields(SimpleNamespace(root=root, images=np.zeros((1, 64, 64, 3), np.uint8)), [0])
    return found


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_circle_fills_the_square_but_for_bars_at_top_and_bottom(tmp_path):
    y, x = np.mgrid[:64, :64] - 31.5
    wanted = x**2 + y**2 <= 32**2
    assert overlap(field(tmp_path), wanted) > 0.97
    cut = field(tmp_path, top=110.0, bottom=290.0)
    wanted[:13] = wanted[-13:] = False  # 60 of 300 rows each, of 64
    assert overlap(cut, wanted) > 0.95
    assert not cut[:11].any()
    assert cut[16:48, 32].all()
    large = {"height": 4000.0, "width": 6000.0, "x": 3004.5, "y": 2004.5, "radius": 1500.0}
    large |= {"top": 1100.0, "right": 6000.0, "bottom": 2900.0}
    assert overlap(field(tmp_path, **large), cut) > 0.97  # a large photograph gives that of a small one
