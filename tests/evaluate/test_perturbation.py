"""Deletion and insertion, on a network whose answer is known in advance."""

import numpy as np
import pytest
import torch
from torch import nn

from riqa.evaluate.perturbation import (
    area_under,
    class_probs,
    mean_colours,
    perturbation_curves,
    random_maps,
    ranks_in_field,
    replaced,
)
from riqa.learn.model import QualityNet

SHARES = (0, 0.25, 0.5, 0.75, 1)


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


def half_red():
    """One image, 8 x 8, the left half red."""
    images = torch.zeros(1, 3, 8, 8)
    images[:, 0, :, :4] = 1
    return images


FIELDS = np.ones((1, 8, 8), bool)
LEFT = np.zeros((1, 8, 8))
LEFT[:, :, :4] = 1


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def test_curves_are_those_worked_by_hand(red_net):
    ranks = ranks_in_field(LEFT, FIELDS)
    orders = {"deletion": (ranks, False), "insertion": (ranks, True)}
    black, classes = torch.zeros(1, 3, 8, 8), np.array([0])
    curves = perturbation_curves(red_net, half_red(), black, orders, classes, SHARES)
    red = np.array([0.5, 0.25, 0, 0, 0])  # the mean of red after deleting each share, left half first
    np.testing.assert_allclose(curves["deletion"][0], sigmoid(4 * red), atol=1e-6)
    np.testing.assert_allclose(curves["insertion"][0], sigmoid(4 * red[::-1][[0, 3, 4, 4, 4]]), atol=1e-6)


def test_a_faithful_map_beats_its_opposite_and_noise_lies_between(red_net):
    noise = ranks_in_field(random_maps(1, 8, 4, seed=0), FIELDS)
    orders = {
        "right": (ranks_in_field(LEFT, FIELDS), False),
        "wrong": (ranks_in_field(1 - LEFT, FIELDS), False),
        "noise": (noise, False),
    }
    curves = perturbation_curves(red_net, half_red(), torch.zeros(1, 3, 8, 8), orders, np.array([0]), SHARES)
    right, wrong, between = (area_under(curves[name], SHARES)[0] for name in orders)
    assert right < between < wrong


def test_deletion_read_backwards_is_the_insertion_of_the_opposite_order(red_net):
    """Why one curve of noise serves both."""
    saliency = np.random.default_rng(0).random((1, 8, 8))
    orders = {
        "deletion": (ranks_in_field(saliency, FIELDS), False),
        "insertion": (ranks_in_field(-saliency, FIELDS), True),
    }
    curves = perturbation_curves(red_net, half_red(), torch.zeros(1, 3, 8, 8), orders, np.array([0]), SHARES)
    np.testing.assert_allclose(curves["deletion"][:, ::-1], curves["insertion"], atol=1e-6)


def test_ranks_follow_the_map_within_the_field():
    saliency = np.array([[[0.1, 0.9, 0.5, 0.7]]])
    field = np.array([[[True, True, False, True]]])
    np.testing.assert_allclose(ranks_in_field(saliency, field), [[[2 / 3, 0, 1, 1 / 3]]])


def test_equal_pixels_come_at_random_and_the_same_each_time():
    flat = np.zeros((1, 8, 8))
    one, again, other = (ranks_in_field(flat, FIELDS, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one.ravel(), np.sort(one.ravel()))
    np.testing.assert_allclose(np.sort(one.ravel()), np.arange(64) / 64)


def test_the_surround_is_never_replaced():
    field = FIELDS.copy()
    field[:, 0] = False
    ranks = ranks_in_field(LEFT, field)
    changed = replaced(half_red(), torch.full((1, 3, 8, 8), 0.5), ranks, 1.0)
    assert torch.equal(changed[:, :, 0], half_red()[:, :, 0])
    assert (changed[:, :, 1:] == 0.5).all()


def test_the_baseline_is_the_mean_colour_of_the_field():
    field = FIELDS.copy()
    field[:, :, :2] = False  # two of the four red columns
    baseline = mean_colours(half_red(), field)
    assert baseline[0, 0, 0, 5].item() == pytest.approx(2 / 6)
    assert baseline[0, 1:].abs().max() == 0
    assert baseline[0, :, :, :2].abs().max() == 0


def test_probabilities_are_those_of_each_image_s_own_class(red_net):
    images = half_red().repeat(2, 1, 1, 1)
    np.testing.assert_allclose(class_probs(red_net, images, np.array([0, 1])), sigmoid([2, -2]), atol=1e-6)


def test_noise_is_as_coarse_as_asked():
    coarse, fine = random_maps(3, 16, 2, seed=0), random_maps(3, 16, 8, seed=0)
    assert coarse.shape == fine.shape == (3, 16, 16)
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 2
    assert not np.array_equal(fine, random_maps(3, 16, 8, seed=1))


def test_area_of_a_triangle():
    assert area_under(np.array([[1, 0.5, 0]]), (0, 0.5, 1)).tolist() == [0.5]


@pytest.mark.parametrize("shares", [(0, 0.5), (0.1, 1), (0, 0.6, 0.5, 1), (0,)])
def test_shares_must_rise_from_0_to_1(red_net, shares):
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        perturbation_curves(red_net, half_red(), half_red(), {}, np.array([0]), shares)
