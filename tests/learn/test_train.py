"""The loop: it learns, keeps the best epoch, repeats itself exactly, and obeys every hyperparameter."""

from dataclasses import fields, replace
from itertools import count
from threading import Event

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from riqa.errors import InputError
from riqa.learn.augment import Augmentation, augment
from riqa.learn.config import TrainingConfig
from riqa.learn.examples import Examples
from riqa.learn.inference import compute_logits
from riqa.learn.model import QualityNet
from riqa.learn.scores import details_macro_f1, overall_macro_f1
from riqa.learn.train import image_side, train

CONFIG = TrainingConfig(
    epochs=3, batch_size=8, learning_rate=0.02, augmentation=Augmentation(max_transforms=2), halve_at=(2,)
)


def brightness_task(n=48, seed=0, side=32):
    """Images whose brightness is the grade: dark 0, middle 1, bright 2; the details say red, green, blue."""
    rng = np.random.default_rng(seed)
    overall = rng.integers(3, size=n)
    details = rng.integers(2, size=(n, 3))
    images = rng.normal(40 + 60 * overall[:, None, None, None], 12, (n, side, side, 3))
    images = images + 30 * (2 * details[:, None, None, :] - 1)
    return Examples(
        images.clip(0, 255).astype(np.uint8),
        np.arange(n),
        torch.from_numpy(overall),
        torch.from_numpy(details.astype(np.float32)),
    )


def run(config=CONFIG, n_overall=3, n_details=3, side=32, **options):
    torch.manual_seed(0)
    model = QualityNet("resnet10", n_overall, n_details)
    training, validation = brightness_task(side=side), brightness_task(24, seed=1, side=side)
    history = train(model, training, validation, config, **options)
    return model, history


def test_it_learns_a_plain_rule():
    unaugmented = Augmentation(max_transforms=0)
    config = replace(
        CONFIG, epochs=16, batch_size=16, learning_rate=0.05, halve_at=(12,), augmentation=unaugmented
    )
    torch.manual_seed(0)
    history = train(QualityNet("resnet10", 3, 3), brightness_task(144), brightness_task(24, seed=1), config)
    assert history[-1]["train_loss"] < 0.5 * history[1]["train_loss"]
    assert max(record["val_score"] for record in history) > 0.8


def test_the_best_epoch_is_kept():
    model, history = run(replace(CONFIG, epochs=4))
    (best,) = [record for record in history if record["best"]]
    assert best["val_score"] == max(record["val_score"] for record in history[1:])
    validation = brightness_task(24, seed=1)
    logits = compute_logits(model, validation)
    assert overall_macro_f1(logits["overall"], validation.overall) == best["val_score"]


def test_a_start_that_counts_is_kept_when_training_only_harms():
    ruinous = replace(CONFIG, learning_rate=50.0, epochs=1)
    torch.manual_seed(0)
    model = QualityNet("resnet10", 3, 3)
    train(model, brightness_task(), brightness_task(24, 1), replace(CONFIG, epochs=8))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    history = train(model, brightness_task(), brightness_task(24, 1), ruinous, start_counts=True)
    assert [record["best"] for record in history] == [True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_same_seed_same_weights():
    (first, history), (second, again) = run(), run()
    assert str(history) == str(again)  # text, because NaN differs from itself
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


KNOBS = {
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.05,
    "momentum": 0.5,
    "weight_decay": 0.1,
    "schedule": "one_cycle",
    "halve_at": (1,),
    "warm_up": 0.6,
    "start_scale": 0.5,
    "ema_decay": 0.9,
    "patience": 1,
    "lambda_overall": 0.3,
    "lambda_details": 0.3,
    "augmentation": Augmentation(max_transforms=0),
    "precision": "float32",
    "seed": 1,
}


@pytest.mark.parametrize("knob", [field.name for field in fields(TrainingConfig)])
def test_every_hyperparameter_is_alive(knob):
    base = replace(CONFIG, precision="bfloat16", schedule="one_cycle" if knob == "warm_up" else "steps")
    if knob == "patience":  # a rate that ruins everything, so that no epoch is better than the first
        base = replace(base, learning_rate=50.0)
    side = 64 if knob == "start_scale" else 32  # the smallest images cannot shrink
    configs = (base, replace(base, **{knob: KNOBS[knob]}))
    first, second = (str(run(config, side=side)[1][1:]) for config in configs)
    assert first != second


def test_images_grow_to_their_whole_size():
    config = replace(CONFIG, epochs=9, start_scale=0.5)
    assert [image_side(128, epoch, config) for epoch in range(1, 10)] == [
        64,
        72,
        88,
        96,
        104,
        120,
        128,
        128,
        128,
    ]
    assert image_side(40, 1, config) == 32
    assert {image_side(100, epoch, replace(config, start_scale=1.0)) for epoch in range(1, 10)} == {100}
    assert image_side(64, 1, replace(config, epochs=1)) == 32


def test_training_stops_when_no_epoch_is_better_any_more():
    ruinous = replace(CONFIG, learning_rate=50.0, epochs=8, patience=3)
    _, history = run(ruinous)
    (best,) = [record["epoch"] for record in history if record["best"]]
    assert history[-1]["epoch"] == best + 3 < 8


def test_what_is_kept_is_the_moving_average(monkeypatch):
    """Of one step an epoch: it begins with the weights after the first, and then moves half-way to each."""
    states, scores = [], count()
    sgd_step = torch.optim.SGD.step

    def step(self, *arguments):
        sgd_step(self, *arguments)
        states.append(self.param_groups[0]["params"][-1].detach().clone())

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    monkeypatch.setattr(
        "riqa.learn.train.evaluate", lambda *_: {"val_loss": 0.0, "val_score": float(next(scores))}
    )
    model, history = run(replace(CONFIG, batch_size=48, ema_decay=0.5))
    assert history[-1]["best"]
    expected = ((states[0] + states[1]) / 2 + states[2]) / 2
    assert torch.allclose(list(model.parameters())[-1], expected, atol=1e-7)
    assert not torch.allclose(expected, states[2], atol=1e-5)


def test_the_rate_is_halved_where_the_paper_says():
    _, history = run(replace(CONFIG, epochs=4, halve_at=(1, 3)))
    # The rate after each epoch: halved at the end of epochs 1 and 3.
    assert [record["learning_rate"] for record in history[1:]] == pytest.approx([0.01, 0.01, 0.005, 0.005])


def test_one_task_needs_one_head():
    _, history = run(replace(CONFIG, lambda_overall=0.0), n_overall=0)
    assert len(history) == 4
    _, history = run(replace(CONFIG, lambda_details=0.0), n_details=0)
    assert len(history) == 4


def test_scores_against_scikit_learn_and_by_hand():
    logits = torch.tensor([[2.0, 0, 0], [0, 3, 1], [0, 1, 0.5], [1, 0, 2]])
    overall = torch.tensor([0, 1, 2, -1])
    # Known images: predictions 0, 1, 1 against 0, 1, 2: F1 1, 2/3, 0.
    assert overall_macro_f1(logits, overall) == pytest.approx((1 + 2 / 3 + 0) / 3)
    details = torch.tensor([[1.0, 0, float("nan")], [0, 0.9, 1], [0, 1, 0]])
    answers = torch.tensor([[1.0, -1, 5], [1, 1, 1], [-1, -1, 1]])
    expected = np.mean(
        [
            f1_score([1, 0, 0], [1, 1, 0], average="macro"),
            f1_score([0, 1, 1], [0, 1, 0], average="macro"),
            f1_score([1, 0], [1, 1], average="macro", zero_division=0),
        ]
    )
    assert details_macro_f1(answers, details) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"lambda_details": -1.0},
        {"schedule": "linear"},
        {"precision": "float16"},
        {"warm_up": 1.0},
        {"start_scale": 0.0},
        {"ema_decay": 1.0},
        {"patience": -1},
    ],
)
def test_impossible_values_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)


def test_nothing_to_learn_is_refused():
    with pytest.raises(ValueError, match="nothing to learn"):
        replace(CONFIG, lambda_overall=0.0, lambda_details=0.0)


def test_images_too_small_for_the_backbone_are_refused():
    tiny = Examples(
        np.zeros((8, 16, 16, 3), np.uint8), np.arange(8), torch.zeros(8, dtype=torch.int64), torch.zeros(8, 3)
    )
    with pytest.raises(InputError, match="image_size is 16 pixels, must be at least 32"):
        train(QualityNet("resnet10", 3, 3), tiny, tiny, CONFIG)


def test_the_next_batch_is_read_while_one_is_learnt(monkeypatch):
    begun, reads, steps = [Event() for _ in range(6)], count(), count()

    def pixels(examples, index, device, read=Examples.pixels):
        begun[next(reads)].set()
        return read(examples, index, device)

    def waiting(*arguments, learn=augment, **options):
        assert begun[min(next(steps) + 1, 5)].wait(timeout=10)
        return learn(*arguments, **options)

    monkeypatch.setattr(Examples, "pixels", pixels)
    monkeypatch.setattr("riqa.learn.train.augment", waiting)
    monkeypatch.setattr("riqa.learn.train.evaluate", lambda *_: {"val_loss": 1.0, "val_score": 0.5})
    training = brightness_task(48)  # six batches
    train(QualityNet("resnet10", 3, 3), training, training, replace(CONFIG, epochs=1, halve_at=()))
    assert next(steps) == 6
