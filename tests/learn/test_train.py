"""The loop: it is plain torch, keeps the best epoch, repeats itself exactly, and obeys every hyperparameter."""

import copy
from dataclasses import fields, replace
from itertools import count
from threading import Event

import pytest
import torch
from torch.nn import functional

from riqa.errors import InputError
from riqa.learn.augment import Augmentation, augment_and_tell
from riqa.learn.config import TrainingConfig
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches
from riqa.learn.tasks import overall_macro_f1
from riqa.learn.train import image_side, train
from tests.learn.chain import brightness_task, plant_scores, same_weights

CONFIG = TrainingConfig(3, 8, 0.02, halve_at=(2,), augmentation=Augmentation(max_transforms=2))


def run(config=CONFIG, n_overall=3, n_details=3, side=32, **options):
    torch.manual_seed(0)
    model = QualityNet("resnet10", n_overall, n_details)
    data = brightness_task(side=side), brightness_task(24, seed=1, side=side)
    return model, train(model, *data, config, **options)


def test_the_loop_is_plain_torch():
    """A first epoch without augmentation, in float32: the same weights from a loop of a dozen lines."""
    config = replace(CONFIG, epochs=1, augmentation=Augmentation(0), lambda_details=0.5, precision="float32")
    model, history = run(config)
    torch.manual_seed(0)
    plain, data = QualityNet("resnet10", 3, 3).to(memory_format=torch.channels_last), brightness_task()
    sgd = torch.optim.SGD(plain.parameters(), lr=0.02, momentum=0.9)
    images = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255  # channels last
    losses = []
    for batch in torch.randperm(48, generator=torch.Generator().manual_seed(0)).split(8):
        logits = plain.train()(images[batch])
        loss = functional.cross_entropy(logits["overall"], data.targets["overall"][batch])
        details = data.targets["details"][batch]
        loss = loss + 0.5 * functional.binary_cross_entropy_with_logits(logits["details"], details)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    assert history[1]["train_loss"] == pytest.approx(sum(losses) / 6, abs=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, atol=1e-5, rtol=1e-4)


def test_the_score_of_the_best_epoch_is_that_of_the_model():
    model, history = run(replace(CONFIG, epochs=4))
    (best,) = [record for record in history if record["best"]]
    assert best["val_score"] == max(record["val_score"] for record in history[1:])
    validation = brightness_task(24, seed=1)
    logits = in_batches(model, model, validation)["overall"]
    assert overall_macro_f1(logits, validation.targets["overall"]) == best["val_score"]


@pytest.mark.parametrize(
    ("scores", "counts", "kept_epoch", "kept"),
    [
        ((0.6, 0.5, 0.4), True, "best", 0),
        ((0.6, 0.5, 0.4), False, "best", 1),
        ((0.6, 0.6, 0.5), True, "best", 0),  # an epoch must be better than the start, not as good
        ((0.6, 0.5, 0.7), True, "best", 2),
        ((0.9, 0.5, 0.4), True, "last", 2),
    ],
)
def test_the_best_epoch_is_kept_or_the_last_and_a_start_that_counts_where_training_only_harms(
    monkeypatch, scores, counts, kept_epoch, kept
):
    states, planted = [], iter(scores)

    def evaluate(model, *_):
        states.append(copy.deepcopy(model.state_dict()))
        return {"val_loss": 1.0, "val_score": next(planted)}

    monkeypatch.setattr("riqa.learn.train.evaluate", evaluate)
    model, history = run(replace(CONFIG, epochs=2, kept_epoch=kept_epoch), start_counts=counts)
    assert [record["best"] for record in history] == [epoch == kept for epoch in range(3)]
    assert [same_weights(model, state) for state in states] == [epoch == kept for epoch in range(3)]


def test_same_seed_same_weights():
    (first, history), (second, again) = run(), run()
    assert str(history) == str(again)  # text, because NaN differs from itself
    assert same_weights(first, second)


KNOBS = {
    "epochs": (2, 0),
    "batch_size": (16, 0),
    "learning_rate": (0.05, 0.0),
    "momentum": (0.5, 1.0),
    "weight_decay": (0.1, -1.0),
    "schedule": ("one_cycle", "linear"),
    "halve_at": ((1,), (-1,)),
    "warm_up": (0.6, 1.0),
    "start_scale": (0.5, 0.0),
    "frozen_share": (0.5, 1.0),
    "ema_decay": (0.9, 1.0),
    "kept_epoch": ("last", "first"),
    "patience": (1, -1),
    "lambda_overall": (0.3, -1.0),
    "lambda_details": (0.3, float("inf")),
    "weighting": ("uncertainty", "loudest"),
    "augmentation": (Augmentation(max_transforms=0), None),
    "precision": ("float32", "float16"),
    "seed": (1, None),
}
"""Another value, and one that is impossible, of each hyperparameter."""


@pytest.mark.parametrize("knob", [field.name for field in fields(TrainingConfig)])
def test_every_hyperparameter_is_alive_and_none_is_impossible(knob, monkeypatch):
    value, wrong = KNOBS[knob]
    base = replace(CONFIG, precision="bfloat16", schedule="one_cycle" if knob == "warm_up" else "steps")
    with pytest.raises(ValueError, match=knob):
        replace(base, **{knob: wrong})
    histories = []
    for config in (base, replace(base, **{knob: value})):
        if knob in {"patience", "kept_epoch"}:  # only matter where no epoch is better than the first
            plant_scores(monkeypatch, 0.1, 0.5, 0.4, 0.3)
        side = 64 if knob == "start_scale" else 32  # the smallest images cannot shrink
        histories.append(str(run(config, side=side)[1][1:]))
    assert "nan" not in histories[0]
    assert histories[0] != histories[1]


def test_nothing_to_learn_and_small_images_are_refused_and_one_task_needs_one_head():
    with pytest.raises(ValueError, match="nothing to learn"):
        replace(CONFIG, lambda_overall=0.0, lambda_details=0.0)
    with pytest.raises(InputError, match="image_size is 16 pixels, must be at least 32"):
        run(side=16)
    assert len(run(replace(CONFIG, lambda_overall=0.0), n_overall=0)[1]) == 4
    assert len(run(replace(CONFIG, lambda_details=0.0), n_details=0)[1]) == 4


def test_a_warm_up_of_one_step_is_none():
    config = replace(CONFIG, epochs=1, batch_size=16, schedule="one_cycle", warm_up=0.25)
    _, history = run(config)  # of 3 steps and the end
    assert history[1]["learning_rate"] < config.learning_rate / 100


def test_the_first_layers_keep_their_starting_weights():
    start = list(QualityNet("resnet10", 3, 3).backbone.parameters())
    model, _ = run(replace(CONFIG, epochs=1, frozen_share=0.5, weight_decay=0.1))
    same = [torch.equal(a, b) for a, b in zip(start, model.backbone.parameters(), strict=True)]
    assert same == [tensor < len(start) // 2 for tensor in range(len(start))]
    assert all(tensor.requires_grad for tensor in model.parameters())


def test_images_grow_to_their_whole_size():
    config = replace(CONFIG, epochs=9, start_scale=0.5)
    sides = [image_side(128, epoch, config) for epoch in range(1, 10)]
    assert sides == [64, 72, 88, 96, 104, 120, 128, 128, 128]
    assert image_side(40, 1, config) == image_side(64, 1, replace(config, epochs=1)) == 32
    assert {image_side(100, epoch, replace(config, start_scale=1.0)) for epoch in range(1, 10)} == {100}


@pytest.mark.parametrize(
    ("scores", "best", "last"),
    [
        ((0.9, 0.5, 0.4, 0.3, 0.2), 1, 4),  # the start does not count
        ((0.1, 0.5, 0.4, 0.6, 0.6, 0.1, 0.5), 3, 6),  # as good as the best is not better
        ((0.1, 0.5, 0.4, 0.3, 0.6, 0.1, 0.2, 0.7, 0.8), 8, 8),
    ],
)
def test_training_stops_when_no_epoch_is_better_any_more(monkeypatch, scores, best, last):
    plant_scores(monkeypatch, *scores)
    _, history = run(replace(CONFIG, epochs=8, patience=3))
    assert [record["epoch"] for record in history if record["best"]] == [best]
    assert history[-1]["epoch"] == last


def test_what_is_kept_is_the_moving_average(monkeypatch):
    """Of one step per epoch: it begins with the weights after the first, and then moves half-way to each."""
    states, sgd_step = [], torch.optim.SGD.step

    def step(self, *arguments):
        sgd_step(self, *arguments)
        states.append(self.param_groups[0]["params"][-1].detach().clone())

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    plant_scores(monkeypatch, 0.1, 0.2, 0.3, 0.4)
    model, history = run(replace(CONFIG, batch_size=48, ema_decay=0.5))
    assert history[-1]["best"]
    expected = ((states[0] + states[1]) / 2 + states[2]) / 2
    assert torch.allclose(list(model.parameters())[-1], expected, atol=1e-7)
    assert not torch.allclose(expected, states[2], atol=1e-5)


def test_the_rate_is_halved_where_the_paper_says():
    _, history = run(replace(CONFIG, epochs=4, halve_at=(1, 3)))
    # The rate after each epoch: halved at the end of epochs 1 and 3.
    assert [record["learning_rate"] for record in history[1:]] == pytest.approx([0.01, 0.01, 0.005, 0.005])


def test_the_next_batch_is_read_while_one_is_learnt(monkeypatch):
    begun, reads, steps = [Event() for _ in range(6)], count(), count()

    def pixels(examples, index, device, read=Examples.pixels):
        begun[next(reads)].set()
        return read(examples, index, device)

    def waiting(*arguments, learn=augment_and_tell, **options):
        assert begun[min(next(steps) + 1, 5)].wait(timeout=10)
        return learn(*arguments, **options)

    monkeypatch.setattr(Examples, "pixels", pixels)
    monkeypatch.setattr("riqa.learn.train.augment_and_tell", waiting)
    plant_scores(monkeypatch, 0.5, 0.5)
    run(replace(CONFIG, epochs=1, halve_at=()))  # six batches
    assert next(steps) == 6
