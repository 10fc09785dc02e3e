"""Scores of maps against regions, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riqa.evaluate.localisation import localisation, outside

FIELD = np.ones((1, 10, 10), bool)
DEFECT = np.zeros((1, 10, 10), bool)
DEFECT[0, :, 0] = True  # a tenth of the field


def test_a_uniform_map_scores_chance_in_everything():
    row = localisation(np.ones((1, 10, 10)), DEFECT, FIELD, (0.5,)).iloc[0]
    assert row.to_dict() == pytest.approx({"share": 0.1, "pointing": 0.1, "energy": 0.1, "iou_0.5": 0.1})


def test_the_region_itself_scores_one():
    row = localisation(DEFECT.astype(float), DEFECT, FIELD, (0.5, 1.0)).iloc[0]
    assert row[["pointing", "energy", "iou_0.5", "iou_1"]].tolist() == [1, 1, 1, 1]


def test_a_case_by_hand():
    saliency = np.array([[[4.0, 2, 0], [1, 1, 0]]])
    region = np.array([[[True, False, False], [True, False, True]]])
    field = np.array([[[True, True, True], [True, True, False]]])
    row = localisation(saliency, region, field, (0.25, 0.5)).iloc[0]
    assert row["share"] == 2 / 5  # of the region's three pixels one is outside
    assert row["pointing"] == 1
    assert row["energy"] == (4 + 1) / 8
    assert row["iou_0.25"] == 2 / 4  # 4, 2, 1, 1 reach a quarter of 4; two of them are inside
    assert row["iou_0.5"] == 1 / 3  # 4 and 2 reach half; union with the region has three pixels


def test_what_lies_outside_the_field_counts_for_nothing():
    saliency = np.array([[[9.0, 1, 3]]])
    region = np.array([[[True, True, False]]])
    field = np.array([[[False, True, True]]])
    row = localisation(saliency, region, field).iloc[0]
    assert row[["share", "pointing", "energy"]].tolist() == [0.5, 0, 0.25]
    assert outside(saliency, field).tolist() == [9 / 13]


def test_an_empty_map_points_nowhere():
    row = localisation(np.zeros((1, 10, 10)), DEFECT, FIELD).iloc[0]
    assert row["share"] == 0.1
    assert row.drop("share").isna().all()
    assert np.isnan(outside(np.zeros((1, 10, 10)), FIELD)).all()


@given(st.integers(0, 2**32 - 1))
def test_chance_is_the_mean_over_all_places_of_the_region(seed):
    """Over all shifts of a region round a torus, any map scores the region's share on average."""
    saliency = np.random.default_rng(seed).random((4, 4)) ** 3
    region = np.zeros((4, 4), bool)
    region[0, :3] = region[1, 0] = True
    shifts = [np.roll(region, (i, j), (0, 1)) for i in range(4) for j in range(4)]
    table = localisation(np.repeat(saliency[None], 16, 0), np.stack(shifts), np.ones((16, 4, 4), bool))
    assert table[["pointing", "energy"]].mean().tolist() == pytest.approx([0.25, 0.25])


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="must be alike"):
        localisation(np.ones((1, 10, 9)), DEFECT, FIELD)
    with pytest.raises(ValueError, match="empty"):
        localisation(np.ones((1, 10, 10)), DEFECT, ~FIELD)
