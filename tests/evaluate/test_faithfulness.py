"""Scores of maps against regions, deletion and insertion on a network whose answer is known, and sanity."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import nn

from riqa.evaluate.faithfulness import (
    area_under,
    localisation,
    mean_colours,
    outside,
    perturbation_curves,
    random_maps,
    rank_correlation,
    ranks_in_field,
    with_shuffled_weights,
)
from riqa.learn.model import QualityNet

FIELD = np.ones((1, 10, 10), bool)
DEFECT = np.zeros((1, 10, 10), bool)
DEFECT[0, :, 0] = True  # a tenth of the field


def test_a_uniform_map_scores_chance_and_the_region_itself_one():
    row = localisation(np.ones((1, 10, 10)), DEFECT, FIELD).iloc[0]
    assert row.tolist() == pytest.approx([0.1] * 12)
    row = localisation(DEFECT.astype(float), DEFECT, FIELD).iloc[0]
    assert row.drop("share").tolist() == [1] * 11


def test_localisation_by_hand():
    saliency = np.array([[[4.0, 2, 0], [1, 1, 0]]])
    region = np.array([[[True, False, False], [True, False, True]]])
    field = np.array([[[True, True, True], [True, True, False]]])
    row = localisation(saliency, region, field).iloc[0]
    assert row["share"] == 2 / 5  # of the region's three pixels one is outside
    assert row["pointing"] == 1
    assert row["energy"] == (4 + 1) / 8
    assert row["iou_0.2"] == 2 / 4  # 4, 2, 1, 1 reach a fifth of 4; two of them are inside
    assert row["iou_0.5"] == 1 / 3  # 4 and 2 reach half; union with the region has three pixels


def test_what_lies_outside_the_field_counts_for_nothing_and_an_empty_map_points_nowhere():
    saliency, field = np.array([[[9.0, 1, 3]]]), np.array([[[False, True, True]]])
    row = localisation(saliency, np.array([[[True, True, False]]]), field).iloc[0]
    assert row[["share", "pointing", "energy"]].tolist() == [0.5, 0, 0.25]
    assert outside(saliency, field).tolist() == [9 / 13]
    row = localisation(np.zeros((1, 10, 10)), DEFECT, FIELD).iloc[0]
    assert row["share"] == 0.1
    assert row.drop("share").isna().all()
    assert np.isnan(outside(np.zeros((1, 10, 10)), FIELD)).all()
    with pytest.raises(ValueError, match="must be alike"):
        localisation(np.ones((1, 10, 9)), DEFECT, FIELD)
    with pytest.raises(ValueError, match="empty"):
        localisation(np.ones((1, 10, 10)), DEFECT, ~FIELD)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_chance_is_the_mean_over_all_places_of_the_region(seed):
    """Over all shifts of a region round a torus, any map scores the region's share on average."""
    saliency = np.random.default_rng(seed).random((4, 4)) ** 3
    region = np.zeros((4, 4), bool)
    region[0, :3] = region[1, 0] = True
    shifts = [np.roll(region, (i, j), (0, 1)) for i in range(4) for j in range(4)]
    table = localisation(np.repeat(saliency[None], 16, 0), np.stack(shifts), np.ones((16, 4, 4), bool))
    assert table[["pointing", "energy"]].mean().tolist() == pytest.approx([0.25, 0.25])


SHARES = (0, 0.25, 0.5, 0.75, 1)
FIELDS = np.ones((1, 8, 8), bool)
LEFT = np.zeros((1, 8, 8))
LEFT[:, :, :4] = 1
HALF_RED = torch.zeros(1, 3, 8, 8)  # one image, the left half red
HALF_RED[:, 0, :, :4] = 1
BLACK = torch.zeros(1, 3, 8, 8)


@pytest.fixture
def red_net():
    """A network whose logit for class 0 is 4 times the mean of red, and 0 for class 1."""
    model = QualityNet("resnet10", n_overall=2, n_details=0, image_size=8)
    model.mean.zero_()
    model.std.fill_(1)
    model.backbone, head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[4.0, 0, 0], [0, 0, 0]]))
        head.bias.zero_()
    model.heads["overall"] = head
    return model.eval()


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def test_curves_are_those_worked_by_hand_of_each_image_s_own_class(red_net):
    ranks = np.repeat(ranks_in_field(LEFT, FIELDS), 2, axis=0)
    orders = {"deletion": (ranks, False), "insertion": (ranks, True)}
    images, black = HALF_RED.repeat(2, 1, 1, 1), BLACK.repeat(2, 1, 1, 1)
    curves = perturbation_curves(red_net, images, black, orders, np.array([0, 1]), SHARES)
    red = np.array([0.5, 0.25, 0, 0, 0])  # the mean of red after deleting each share, left half first
    inserted = red[::-1][[0, 3, 4, 4, 4]]
    np.testing.assert_allclose(curves["deletion"], sigmoid([4 * red, -4 * red]), atol=1e-6)
    np.testing.assert_allclose(curves["insertion"], sigmoid([4 * inserted, -4 * inserted]), atol=1e-6)


def test_a_faithful_map_beats_its_opposite_noise_lies_between_and_one_curve_of_it_serves_both(red_net):
    noise = random_maps(1, 8, 4, seed=0)
    asked = {"right": LEFT, "noise": noise, "wrong": 1 - LEFT}
    orders = {name: (ranks_in_field(saliency, FIELDS), False) for name, saliency in asked.items()}
    orders["opposite"] = ranks_in_field(-np.random.default_rng(0).random((1, 8, 8)), FIELDS), True
    orders["itself"] = ranks_in_field(np.random.default_rng(0).random((1, 8, 8)), FIELDS), False
    curves = perturbation_curves(red_net, HALF_RED, BLACK, orders, np.array([0]), SHARES)
    right, between, wrong = (area_under(curves[name], SHARES)[0] for name in asked)
    assert right < between < wrong
    # Deletion read backwards is the insertion of the opposite order.
    np.testing.assert_allclose(curves["itself"][:, ::-1], curves["opposite"], atol=1e-6)
    assert area_under(np.array([[1, 0.5, 0]]), (0, 0.5, 1)).tolist() == [0.5]


def test_ranks_follow_the_map_within_the_field_and_equal_pixels_come_at_random():
    saliency = np.array([[[0.1, 0.9, 0.5, 0.7]]])
    field = np.array([[[True, True, False, True]]])  # what is outside has the rank 1: it is never replaced
    np.testing.assert_allclose(ranks_in_field(saliency, field), [[[2 / 3, 0, 1, 1 / 3]]])
    flat = ranks_in_field(np.zeros((2, 8, 8)), np.ones((2, 8, 8), bool)).reshape(2, 64)
    np.testing.assert_array_equal(flat[0], flat[1])  # the same each time
    assert not np.array_equal(flat[0], np.sort(flat[0]))
    np.testing.assert_allclose(np.sort(flat[0]), np.arange(64) / 64)


def test_the_baseline_is_the_mean_colour_of_the_field():
    field = FIELDS.copy()
    field[:, :, :2] = False  # two of the four red columns
    baseline = mean_colours(HALF_RED, field)
    assert baseline[0, 0, 0, 5].item() == pytest.approx(2 / 6)
    assert baseline[0, 1:].abs().max() == 0
    assert baseline[0, :, :, :2].abs().max() == 0


def test_noise_is_as_coarse_as_asked():
    coarse, fine = random_maps(3, 16, 2, seed=0), random_maps(3, 16, 8, seed=0)
    assert coarse.shape == fine.shape == (3, 16, 16)
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 2
    assert not np.array_equal(fine, random_maps(3, 16, 8, seed=1))


@pytest.mark.parametrize("shares", [(0, 0.5), (0.1, 1), (0, 0.6, 0.5, 1), (0,)])
def test_shares_must_rise_from_0_to_1(red_net, shares):
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        perturbation_curves(red_net, HALF_RED, HALF_RED, {}, np.array([0]), shares)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


def test_every_weight_is_shuffled_by_the_seed_none_is_lost_and_the_original_is_untouched(model):
    before = [weight.clone() for weight in model.parameters()]
    one, again, other = (with_shuffled_weights(model, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.heads["overall"].weight, other.heads["overall"].weight)
    for (name, weight), after in zip(model.named_parameters(), one.parameters(), strict=True):
        assert torch.equal(weight.flatten().sort().values, after.flatten().sort().values)
        if weight.unique().numel() > 10:
            assert not torch.equal(weight, after), name
    heads = with_shuffled_weights(model, seed=1, heads_only=True)
    for weight, after in zip(model.backbone.parameters(), heads.backbone.parameters(), strict=True):
        assert torch.equal(weight, after)
    for head in ("overall", "details"):
        assert not torch.equal(model.heads[head].weight, heads.heads[head].weight)


def test_rank_correlation_is_scipy_s_within_the_field_and_knows_order_alone():
    rng = np.random.default_rng(0)
    a, b = rng.integers(5, size=(2, 3, 6, 6)).astype(float)  # with ties
    fields = rng.random((3, 6, 6)) < 0.7
    wanted = [spearmanr(x[f], y[f]).statistic for x, y, f in zip(a, b, fields, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b, fields), wanted)
    saliency = np.repeat(np.arange(16.0).reshape(1, 4, 4), 3, axis=0)
    others = np.stack([np.exp(saliency[0]), -saliency[0], np.zeros((4, 4))])
    found = rank_correlation(saliency, others, np.ones((3, 4, 4), bool))
    assert found == pytest.approx([1, -1, np.nan], nan_ok=True)
