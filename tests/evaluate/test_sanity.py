"""Destroying weights, and the rank correlation of maps."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from riqa.evaluate.sanity import rank_correlation, with_shuffled_weights
from riqa.learn.model import QualityNet


@pytest.fixture
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


def test_every_weight_is_shuffled_and_none_is_lost(model):
    shuffled = with_shuffled_weights(model, seed=1)
    for (name, before), after in zip(model.named_parameters(), shuffled.parameters(), strict=True):
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        if before.unique().numel() > 10:
            assert not torch.equal(before, after), name
    images = torch.rand(2, 3, 32, 32)
    assert not torch.allclose(model(images)["overall"], shuffled(images)["overall"])


def test_heads_only_leaves_the_backbone(model):
    shuffled = with_shuffled_weights(model, seed=1, heads_only=True)
    for before, after in zip(model.backbone.parameters(), shuffled.backbone.parameters(), strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(model.heads["overall"].weight, shuffled.heads["overall"].weight)
    assert not torch.equal(model.heads["details"].weight, shuffled.heads["details"].weight)


def test_the_seed_decides_and_the_original_is_untouched(model):
    before = [weight.clone() for weight in model.parameters()]
    one, again, other = (with_shuffled_weights(model, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.heads["overall"].weight, other.heads["overall"].weight)


def test_rank_correlation_is_scipy_s_within_the_field():
    rng = np.random.default_rng(0)
    a, b = rng.integers(5, size=(2, 3, 6, 6)).astype(float)  # with ties
    fields = rng.random((3, 6, 6)) < 0.7
    wanted = [spearmanr(x[f], y[f]).statistic for x, y, f in zip(a, b, fields, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b, fields), wanted)


def test_it_knows_order_and_nothing_else():
    saliency = np.arange(16.0).reshape(1, 4, 4)
    field = np.ones((1, 4, 4), bool)
    assert rank_correlation(saliency, np.exp(saliency), field) == pytest.approx(1)
    assert rank_correlation(saliency, -saliency, field) == pytest.approx(-1)
    assert np.isnan(rank_correlation(saliency, np.zeros((1, 4, 4)), field)).all()
