import math

import numpy as np
import pandas as pd

from riqa.data.checks import class_counts, field_agreement, label_shift
from tests.data.photographs import manifest


def test_counts_by_split_and_class():
    frame = manifest(6, splits=("train", "train", "test"), overall=[0, 2, 1, 2, np.nan, 0.0])
    counts = class_counts(frame, 3)
    assert counts.index.tolist() == ["train", "test"]
    assert counts.loc["train"].to_dict() == {"reject": 1, "usable": 0, "good": 2, "all": 4}
    assert counts.loc["test"].to_dict() == {"reject": 1, "usable": 1, "good": 0, "all": 2}
    assert class_counts(frame, None).columns.tolist() == ["all"]


def test_label_shift_by_hand():
    # Shares of reject, usable, good: train 1/4, 1/4, 1/2; test 1/2, 1/2, 0. Half of 1/4 + 1/4 + 1/2 is 1/2.
    frame = manifest(8, split=["train"] * 4 + ["test"] * 4, overall=[0, 1, 2, 2, 0, 0, 1, 1.0])
    assert label_shift(frame) == 0.5
    assert label_shift(frame, "train", "train") == 0
    assert math.isnan(label_shift(frame, "train", "val"))
    assert math.isnan(label_shift(frame.assign(overall=np.nan)))


def test_agreement_of_fields_by_counting():
    fields = pd.DataFrame({"image_id": ["b", "a"], "height": 100.0, "width": 120.0, "x": 60.0, "y": 50.0})
    fields = fields.assign(radius=40.0, left=0, top=0, right=120, bottom=100, score=1)
    truth = pd.DataFrame({"image_id": ["a", "b"], "fov_x": 60.0, "fov_y": 50.0, "fov_radius": [40.0, 20.0]})
    agreement = field_agreement(fields, truth.assign(fov_cut=1.0))
    assert agreement["a"] == 1
    assert abs(agreement["b"] - 1 / 4) < 0.01
    cut = field_agreement(fields.assign(top=50), truth.assign(fov_cut=[1.0, 1.0]))
    assert abs(cut["a"] - 1 / 2) < 0.02
    # A circle cut at half its radius above and below keeps 2/pi * (asin(1/2) + sqrt(3)/4) of its area.
    bars = field_agreement(fields, truth.assign(fov_cut=0.5))
    assert abs(bars["a"] - 2 / np.pi * (np.pi / 6 + np.sqrt(3) / 4)) < 0.02
