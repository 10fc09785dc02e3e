"""Fields of view of curated images, and what is counted of labels, against what is drawn and counted by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd

from riqa.data.fields import curated_fields, field_agreement
from riqa.data.manifest import class_counts, label_shift
from tests.data.photographs import manifest


def field(root, **numbers):
    """Return the field of a photograph of 600 x 400 pixels, as it is in a store of 64 x 64."""
    base = {"height": 400.0, "width": 600.0, "x": 300.0, "y": 200.0, "radius": 150.0, "score": 1.0}
    base |= {"left": 0.0, "top": 0.0, "right": 600.0, "bottom": 400.0}
    pd.DataFrame([base | numbers]).to_parquet(root / "fields.parquet")
    store = SimpleNamespace(root=root, images=np.zeros((1, 64, 64, 3), np.uint8))
    assert curated_fields(store, []).shape == (0, 64, 64)
    return curated_fields(store, [0])[0]


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


def test_agreement_of_fields_by_counting():
    fields = pd.DataFrame({"image_id": ["b", "a"], "height": 100.0, "width": 120.0, "x": 60.0, "y": 50.0})
    fields = fields.assign(radius=40.0, left=0, top=0, right=120, bottom=100, score=1)
    truth = pd.DataFrame({"image_id": ["a", "b"], "fov_x": 60.0, "fov_y": 50.0, "fov_radius": [40.0, 20.0]})
    agreement = field_agreement(fields, truth.assign(fov_cut=1.0))
    assert agreement["a"] == 1
    assert abs(agreement["b"] - 1 / 4) < 0.01
    assert abs(field_agreement(fields.assign(top=50), truth.assign(fov_cut=1.0))["a"] - 1 / 2) < 0.02
    # A circle cut at half its radius above and below keeps 2/pi * (asin(1/2) + sqrt(3)/4) of its area.
    bars = field_agreement(fields, truth.assign(fov_cut=0.5))
    assert abs(bars["a"] - 2 / np.pi * (np.pi / 6 + np.sqrt(3) / 4)) < 0.02


def test_counts_by_split_and_class_and_label_shift_by_hand():
    frame = manifest(6, splits=("train", "train", "test"), overall=[0, 2, 1, 2, np.nan, 0.0])
    assert class_counts(frame, 3).to_dict("index") == {
        "train": {"reject": 1, "usable": 0, "good": 2, "all": 4},
        "test": {"reject": 1, "usable": 1, "good": 0, "all": 2},
    }
    assert list(class_counts(frame, 3).index) == ["train", "test"]
    assert class_counts(frame, None)["all"].tolist() == [4, 2]
    # Shares of reject, usable, good: train 1/4, 1/4, 1/2; test 1/2, 1/2, 0. Half of 1/4 + 1/4 + 1/2 is 1/2.
    frame = manifest(8, split=["train"] * 4 + ["test"] * 4, overall=[0, 1, 2, 2, 0, 0, 1, 1.0])
    assert label_shift(frame) == 0.5
    assert label_shift(frame.assign(overall=[0, 1, 2, 2] * 2)) == 0
    assert math.isnan(label_shift(frame[:4]))
    assert math.isnan(label_shift(frame.assign(overall=np.nan)))
