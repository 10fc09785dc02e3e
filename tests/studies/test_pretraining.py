"""Pretraining without labels: views, pairs and loss by hand, what is seen, what is kept, and probes."""

import math
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from riqa.errors import InputError
from riqa.learn.model import load_model
from riqa.learn.runs import initial_model
from riqa.studies import pretraining
from riqa.studies.pretraining import Views, one_view
from tests.learn.chain import CONFIG, a_run, same_weights, write_toy_store

NOTHING = Views(colour=0.0, zoom=1.0, blur=0.0)
ARMS = {"gentle": Views(0.02, 1.0, 0.0), "strangers": Views(0.02, 1.0, 0.0, strangers=True)}
SIDE = 24


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("unlabelled"))


def a_pretraining(store, folder, arm="gentle", seed=0, **changes):
    config = replace(CONFIG, epochs=2, batch_size=8, learning_rate=0.001)
    own = {"config": config, "n_overall": 0, "n_details": 3, "predict_on": ()} | changes
    return a_run(store, folder, f"{arm}@small", seed, **own)


def shown(store, **changes):
    """What `learn` needs besides a run; 24 of the 40 photographs are for training."""
    how = {"arms": ARMS, "stores": [store.root], "most": 100, "share": 0.75, "temperature": 0.2}
    return partial(pretraining.learn, **how | changes)


def test_each_number_of_views_does_what_its_name_says():
    torch.manual_seed(0)
    grey = torch.full((48, 3, 48, 48), 0.5)
    seen = one_view(grey, SIDE, NOTHING)
    assert seen.shape == (48, 3, SIDE, SIDE)
    middle = seen[:, :, 12, 12]  # turning brings black corners in, which never come so far
    torch.testing.assert_close(middle, torch.full_like(middle, 0.5), rtol=0, atol=1e-3)
    centre = one_view(grey, SIDE, replace(NOTHING, colour=0.4))[:, :, 12, 12].amax(dim=1)
    assert centre.max() > 0.6
    assert centre.min() < 0.4

    dots = torch.zeros(48, 3, 48, 48)
    dots[:, :, ::6, ::6] = 1.0
    plain, zoomed, blurred = (
        one_view(dots, SIDE, replace(NOTHING, **change)) for change in ({}, {"zoom": 0.1}, {"blur": 3.0})
    )
    assert (plain.amax(dim=(1, 2, 3)) == 1).any()  # those that are only mirrored are cut out pixel by pixel
    assert blurred.amax(dim=(1, 2, 3)).mean() < 0.7 * plain.amax(dim=(1, 2, 3)).mean()
    lit = [(views > 0.05).float().mean(dim=(1, 2, 3)).mean() for views in (plain, zoomed)]
    assert lit[1] > 1.5 * lit[0]  # an enlarged dot covers more


def loss_by_loops(first, second, temperature):
    z = [row / math.sqrt(sum(x * x for x in row)) for row in np.concatenate([first, second]).astype(float)]
    n, total = len(first), 0.0
    for i in range(2 * n):
        alike = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(2 * n)]
        total -= math.log(alike[(i + n) % (2 * n)] / (sum(alike) - alike[i]))
    return total / (2 * n)


def test_the_loss_equals_loops_and_guessing_costs_what_the_page_says():
    loss_of, project = pretraining.loss_and_head(16, 0.3)
    one, other = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0))
    assert loss_of(one, other).item() == pytest.approx(
        loss_by_loops(one.numpy(), other.numpy(), 0.3), rel=1e-4
    )
    assert loss_of(torch.ones(6, 16), torch.ones(6, 16)).item() == pytest.approx(math.log(11), rel=1e-5)
    assert project(one).shape == (6, 64)


@pytest.mark.parametrize("arm", ARMS)
def test_partners_are_of_one_photograph_and_those_of_the_placebo_never(arm, monkeypatch):
    """The photographs are told apart by their brightness, and the first loss is that of their features."""
    photographs = np.repeat(np.arange(10, 250, 20, dtype=np.uint8), 32 * 32 * 3).reshape(-1, 32, 32, 3)
    seen, features = [], []

    def recorded(images, side, views):
        seen.append((images[:, 0, 0, 0] * 255).round().int().tolist())
        return images

    own = pretraining.loss_and_head
    monkeypatch.setattr(pretraining, "one_view", recorded)
    monkeypatch.setattr(pretraining, "loss_and_head", lambda width, t: (own(width, t)[0], nn.Identity()))
    torch.manual_seed(0)
    model = pretraining.QualityNet("resnet10", 0, 3, image_size=32)
    forward = model.features
    monkeypatch.setattr(model, "features", lambda images: features.append(forward(images)) or features[-1])
    config = replace(CONFIG, epochs=2, batch_size=5)
    losses = list(pretraining.pretrain(model, photographs, config, ARMS[arm], SIDE, 0.5))
    assert len(losses) == 2
    assert len(seen) == 2 * 2 * 2  # epochs, batches of 5 out of 12, views
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert len(set(first)) == 5
        assert sorted(second) == sorted(first)
        same = [a == b for a, b in zip(first, second, strict=True)]
        assert all(same) if arm == "gentle" else not any(same)
    by_hand = [loss_by_loops(*h.detach().numpy().reshape(2, 5, -1), 0.5) for h in features]
    assert losses == pytest.approx([np.mean(by_hand[:2]), np.mean(by_hand[2:])], rel=1e-3)


def test_only_training_photographs_are_seen_and_each_seed_draws_its_own(store):
    split = store.manifest["split"].to_numpy()
    known = {image.tobytes(): part for image, part in zip(store.images, split, strict=True)}
    every = pretraining.training_photographs([store.root], 100, 0)
    assert len(every) == (split == "train").sum() == 24
    assert {known[image.tobytes()] for image in every} == {"train"}
    few = [pretraining.training_photographs([store.root, store.root], 7, seed) for seed in (0, 0, 1)]
    assert few[0].shape == (7, 32, 32, 3)
    assert np.array_equal(few[0], few[1])
    assert not np.array_equal(few[0], few[2])


def test_the_backbone_moves_and_the_head_stays_and_the_same_run_is_the_same_to_the_bit(store, tmp_path):
    told, found = [], []
    for folder in ("one", "other"):
        run = a_pretraining(store, tmp_path / folder)
        losses = shown(store)(run, told.append)
        found.append((losses["loss"].tolist(), load_model(run.stem)[0]))
    assert [record["epoch"] for _, record, _ in told] == [1, 2, 1, 2]
    assert losses["epoch"].tolist() == [1, 2]
    assert set(losses["model"]) == {"gentle@small"}
    assert found[0][0] == found[1][0]
    assert same_weights(found[0][1], found[1][1])
    fresh, moved = initial_model(run, 32), found[0][1]
    assert same_weights(moved.heads, fresh.heads)
    for name, value in moved.backbone.named_parameters():
        assert not torch.equal(value, fresh.backbone.get_parameter(name)), name
    assert initial_model(replace(run, start_from=run.stem), 32).backbone.conv1.weight.equal(
        moved.backbone.conv1.weight
    )


def test_what_was_finished_is_not_trained_again(store, tmp_path, monkeypatch):
    run = a_pretraining(store, tmp_path / "first", checkpoints=tmp_path / "checkpoints")
    before = shown(store)(run)
    model = load_model(run.stem)[0]

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(pretraining, "pretrain", never)
    again = replace(run, models=tmp_path / "second")
    after = shown(store)(again)
    assert after.equals(before)
    assert same_weights(load_model(again.stem)[0], model)
    for other in ({"temperature": 0.5}, {"share": 0.8}, {"most": 16}, {"arms": {"gentle": NOTHING}}):
        with pytest.raises(AssertionError, match="trained again"):
            shown(store, **other)(again)
    with pytest.raises(AssertionError, match="trained again"):
        shown(store)(replace(again, config=replace(run.config, epochs=3)))


def test_every_setting_changes_what_is_learned(store, tmp_path):
    run = a_pretraining(store, tmp_path, config=replace(CONFIG, epochs=1, batch_size=8, learning_rate=0.001))
    usual = shown(store)(run)["loss"].tolist()
    others = [
        {"temperature": 0.5},
        {"share": 0.9},
        {"most": 16},
        {"arms": {"gentle": replace(NOTHING, blur=2.0)}},
    ]
    assert all(abs(shown(store, **other)(run)["loss"].tolist()[0] - usual[0]) > 1e-4 for other in others)
    faster = shown(store)(replace(run, config=replace(run.config, learning_rate=0.05)))["loss"].tolist()
    strangers = shown(store)(replace(run, model="strangers@small"))["loss"].tolist()
    assert abs(faster[0] - usual[0]) > 1e-4
    assert abs(strangers[0] - usual[0]) > 1e-4


def test_who_has_no_lightly_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightly.loss", None)
    with pytest.raises(InputError, match=r"riqa\[laboratories\]"):
        pretraining.loss_and_head(16, 0.2)


def test_a_probe_reads_what_features_hold_ignores_what_nobody_knows_and_cannot_read_the_rest():
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(200, 5)), rng.normal(size=(50, 5))
    labels = (known[:, :2] > 0).astype(float)
    labels = np.column_stack([labels, rng.integers(2, size=200)])
    known[150:, 1] *= -1  # would teach the opposite, but has no label
    labels[150:, 1] = np.nan
    found = pretraining.probe(known, labels, asked)
    assert found.shape == (50, 3)
    right = [(found[:, k] > 0) == (asked[:, k] > 0) for k in range(2)]
    assert min(np.mean(own) for own in right) > 0.85
    assert abs(np.corrcoef(found[:, 2], asked[:, 0])[0, 1]) < 0.9
    blind = pretraining.probe(np.ones((20, 4)), labels[:20], np.ones((6, 4)))
    assert np.ptp(blind, axis=0).max() < 1e-9
