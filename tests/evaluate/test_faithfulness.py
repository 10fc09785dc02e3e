"""Scores of maps against regions, deletion and insertion on a network whose answer is known, and sanity."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import nn

from riqa.evaluate.faithfulness import (
    LEAST_FALL,
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


def noise(n=1):
    return random_maps(n, 8, (4, 4), seed=9)


def test_curves_are_those_worked_by_hand_from_one_to_zero(red_net):
    ranks = np.repeat(ranks_in_field(LEFT, FIELDS, noise()), 2, axis=0)
    orders = {"deletion": (ranks, False), "insertion": (ranks, True)}
    images, black = HALF_RED.repeat(2, 1, 1, 1), BLACK.repeat(2, 1, 1, 1)
    images[1] /= 2  # less red has less far to fall
    curves, fall = perturbation_curves(red_net, images, black, orders, np.array([0, 0]), SHARES)
    red = np.array([[0.5, 0.25, 0, 0, 0], [0.25, 0.125, 0, 0, 0]])  # its mean, left half deleted first
    inserted = red[:, ::-1][:, [0, 3, 4, 4, 4]]
    np.testing.assert_allclose(fall, sigmoid(4 * red[:, 0]) - 0.5, atol=1e-6)
    for name, left in (("deletion", red), ("insertion", inserted)):
        np.testing.assert_allclose(curves[name], (sigmoid(4 * left) - 0.5) / fall[:, None], atol=1e-6)
        assert np.ptp(curves[name], axis=1) == pytest.approx([1, 1])


def test_without_an_answer_to_lose_nothing_is_measured(red_net):
    """Class 1 becomes more probable without red, and class 0 of a nearly black image hardly less."""
    ranks = np.repeat(ranks_in_field(LEFT, FIELDS, noise()), 3, axis=0)
    images = HALF_RED * torch.tensor([1, 1, 0.1])[:, None, None, None]
    orders, classes = {"deletion": (ranks, False)}, np.array([0, 1, 0])
    curves, fall = perturbation_curves(red_net, images, BLACK.repeat(3, 1, 1, 1), orders, classes, SHARES)
    assert fall[0] > LEAST_FALL > fall[2] > 0 > fall[1]
    assert np.isnan(curves["deletion"]).all(axis=1).tolist() == [False, True, True]


def test_deletion_read_backwards_is_the_insertion_of_the_opposite_order_and_a_faithful_map_wins(red_net):
    """Why one curve of noise serves both."""
    saliency = np.random.default_rng(0).random((1, 8, 8))
    asked = {"deletion": saliency, "insertion": -saliency, "right": LEFT, "wrong": 1 - LEFT}
    ranks = {name: ranks_in_field(order, FIELDS, noise()) for name, order in asked.items()}
    orders = {name: (rank, name == "insertion") for name, rank in ranks.items()}
    curves, _ = perturbation_curves(red_net, HALF_RED, BLACK, orders, np.array([0]), SHARES)
    np.testing.assert_allclose(curves["deletion"][:, ::-1], curves["insertion"], atol=1e-6)
    right, between, wrong = (np.trapezoid(curves[name][0], SHARES) for name in ("right", "deletion", "wrong"))
    assert right < between < wrong  # noise lies between


def test_ranks_follow_the_map_within_the_field():
    saliency = np.array([[[0.1, 0.9, 0.5, 0.7]]])
    field = np.array([[[True, True, False, True]]])  # what is outside has the rank 1: it is never replaced
    np.testing.assert_allclose(ranks_in_field(saliency, field, saliency), [[[2 / 3, 0, 1, 1 / 3]]])


def test_where_a_map_is_silent_the_order_is_that_of_the_noise():
    """A silent map is no better and no worse than noise, and no finer."""
    fields = np.repeat(FIELDS, 2, axis=0)
    alone = ranks_in_field(noise(2), fields, noise(2))
    np.testing.assert_array_equal(ranks_in_field(np.zeros((2, 8, 8)), fields, noise(2)), alone)
    half = ranks_in_field(LEFT, FIELDS, noise())[0]
    assert half[:, :4].max() < 0.5 <= half[:, 4:].min()
    for columns in (slice(0, 4), slice(4, 8)):
        order = half[:, columns].argsort(axis=None)
        np.testing.assert_array_equal(order, (-noise()[0][:, columns]).argsort(axis=None, kind="stable"))


def test_the_baseline_is_the_mean_colour_of_the_field():
    field = FIELDS.copy()
    field[:, :, :2] = False  # two of the four red columns
    baseline = mean_colours(HALF_RED, field)
    assert baseline[0, 0, 0, 5].item() == pytest.approx(2 / 6)
    assert baseline[0, 1:].abs().max() == 0
    assert baseline[0, :, :, :2].abs().max() == 0


def test_noise_is_as_coarse_as_asked():
    coarse, fine = (random_maps(3, 16, (cells, cells), seed=0) for cells in (2, 8))
    assert coarse.shape == fine.shape == (3, 16, 16)
    assert np.abs(np.diff(coarse)).mean() < np.abs(np.diff(fine)).mean() / 2
    assert not np.array_equal(fine, random_maps(3, 16, (8, 8), seed=1))
    flat = random_maps(1, 16, (1, 8), seed=0)[0]
    np.testing.assert_allclose(flat, flat[:1].repeat(16, 0), atol=1e-5)


@pytest.mark.parametrize("shares", [(0, 0.5), (0.1, 1), (0, 0.6, 0.5, 1), (0,)])
def test_shares_must_rise_from_0_to_1(red_net, shares):
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        perturbation_curves(red_net, HALF_RED, HALF_RED, {}, np.array([0]), shares)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


@pytest.fixture
def photographs():
    return torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_every_weight_is_shuffled_and_none_is_lost(model, photographs):
    shuffled = with_shuffled_weights(model, 1, photographs)
    for (name, before), after in zip(model.named_parameters(), shuffled.parameters(), strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        if before.unique().numel() > 10:
            assert not torch.equal(before, after), name
    images = torch.rand(2, 3, 32, 32)
    assert not torch.allclose(model(images)["overall"], shuffled(images)["overall"])


def changed(model, other):
    pairs = zip(model.named_parameters(), other.parameters(), strict=True)
    return [name for (name, before), after in pairs if not torch.equal(before, after)]


def test_a_cascade_goes_from_the_answers_down_and_keeps_what_it_has_destroyed(model, photographs):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    cascade = [with_shuffled_weights(model, 1, photographs, share) for share in (0, 1 / 4, 1 / 2, 3 / 4, 1)]
    parts = [{name.split(".")[1] for name in changed(model, one)} for one in cascade]
    heads, stages = {"overall", "details"}, [{"layer4"}, {"layer3"}, {"layer2"}, {"layer1", "conv1", "bn1"}]
    assert parts == [heads.union(*stages[:k]) for k in range(5)]  # each quarter is a stage of this network
    for name in changed(model, cascade[2]):
        assert torch.equal(cascade[2].state_dict()[name], cascade[4].state_dict()[name]), name


def test_batch_norm_measures_again_after_the_shuffle_and_only_there(model, photographs):
    """With the old statistics activations drift, and maps are empty for no other reason."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -3, 3)
    half = with_shuffled_weights(model, 1, photographs, 0.5)
    assert not any(module.training for module in half.modules())
    norms = {name: m for name, m in half.named_modules() if isinstance(m, nn.BatchNorm2d)}
    given = {}
    for name, norm in norms.items():
        norm.register_forward_pre_hook(lambda _, inputs, name=name: given.update({name: inputs[0].clone()}))
        norm.train("layer3" in name or "layer4" in name)
    with torch.no_grad():
        half(photographs)
    for name, norm in norms.items():
        wanted = model.get_submodule(name).running_mean, model.get_submodule(name).running_var
        if norm.training:
            wanted = given[name].mean(dim=(0, 2, 3)), given[name].var(dim=(0, 2, 3))
        torch.testing.assert_close((norm.running_mean, norm.running_var), wanted, rtol=1e-3, atol=1e-4)
    heads = with_shuffled_weights(model, 1, photographs, 0)
    pairs = zip(model.buffers(), heads.buffers(), strict=True)
    assert all(torch.equal(before, after) for before, after in pairs)


def test_the_seed_decides_and_the_original_is_untouched(model, photographs):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, again, other = (with_shuffled_weights(model, seed, photographs) for seed in (1, 1, 2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not changed(one, again)
    assert "heads.overall.weight" in changed(one, other)


def test_networks_without_batch_norm_are_shuffled_too(photographs):
    torch.manual_seed(0)
    model = QualityNet("vit_tiny", n_overall=3, n_details=0, image_size=32).eval()
    last = {name.split(".")[1] for name in changed(model, with_shuffled_weights(model, 1, photographs, 0.2))}
    assert last == {"overall", "encoder"}
    assert "backbone.conv_proj.weight" in changed(model, with_shuffled_weights(model, 1, photographs))


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
