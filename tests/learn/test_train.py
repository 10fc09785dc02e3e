"""The loop: it learns, keeps the best epoch, repeats itself exactly, and obeys every hyperparameter."""

import copy
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
        {"overall": torch.from_numpy(overall), "details": torch.from_numpy(details.astype(np.float32))},
    )


def run(config=CONFIG, n_overall=3, n_details=3, side=32, **options):
    torch.manual_seed(0)
    model = QualityNet("resnet10", n_overall, n_details)
    training, validation = brightness_task(side=side), brightness_task(24, seed=1, side=side)
    history = train(model, training, validation, config, **options)
    return model, history


def plant_scores(monkeypatch, *scores):
    """Let the validation scores be these, the start's first, whatever rounding makes of a training."""
    planted = iter(scores)
    monkeypatch.setattr("riqa.learn.train.evaluate", lambda *_: {"val_loss": 1.0, "val_score": next(planted)})


def test_it_learns_a_plain_rule():
    unaugmented = Augmentation(max_transforms=0)
    config = replace(
        CONFIG, epochs=24, batch_size=16, learning_rate=0.05, halve_at=(18,), augmentation=unaugmented
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


@pytest.mark.parametrize(
    ("scores", "counts", "kept"),
    [
        ((0.6, 0.5, 0.4), True, 0),
        ((0.6, 0.5, 0.4), False, 1),
        ((0.6, 0.6, 0.5), True, 0),  # an epoch must be better than the start, not as good
        ((0.6, 0.5, 0.7), True, 2),
    ],
)
def test_a_start_that_counts_is_kept_when_training_only_harms(monkeypatch, scores, counts, kept):
    plant_scores(monkeypatch, *scores)
    torch.manual_seed(0)
    model = QualityNet("resnet10", 3, 3)
    states = [copy.deepcopy(model.state_dict())]
    history = train(
        model, brightness_task(), brightness_task(24, 1), replace(CONFIG, epochs=2),
        start_counts=counts, on_epoch=lambda *_: states.append(copy.deepcopy(model.state_dict())),
    )  # fmt: skip
    assert [record["best"] for record in history] == [epoch == kept for epoch in range(3)]
    same = [all(torch.equal(state[k], v) for k, v in model.state_dict().items()) for state in states]
    assert same == [epoch == kept for epoch in range(3)]


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
    "frozen_share": 0.5,
    "ema_decay": 0.9,
    "patience": 1,
    "lambda_overall": 0.3,
    "lambda_details": 0.3,
    "augmentation": Augmentation(max_transforms=0),
    "precision": "float32",
    "seed": 1,
}


@pytest.mark.parametrize("knob", [field.name for field in fields(TrainingConfig)])
def test_every_hyperparameter_is_alive(knob, monkeypatch):
    base = replace(CONFIG, precision="bfloat16", schedule="one_cycle" if knob == "warm_up" else "steps")
    side = 64 if knob == "start_scale" else 32  # the smallest images cannot shrink
    histories = []
    for config in (base, replace(base, **{knob: KNOBS[knob]})):
        if knob == "patience":  # only matters where no epoch is better than the first
            plant_scores(monkeypatch, 0.1, 0.5, 0.4, 0.3)
        histories.append(str(run(config, side=side)[1][1:]))
    assert "nan" not in histories[0]
    assert histories[0] != histories[1]


def test_the_first_layers_keep_their_starting_weights():
    torch.manual_seed(0)
    start = list(QualityNet("resnet10", 3, 3).backbone.parameters())
    model, _ = run(replace(CONFIG, epochs=1, frozen_share=0.5, weight_decay=0.1))
    same = [torch.equal(a, b) for a, b in zip(start, model.backbone.parameters(), strict=True)]
    assert same == [tensor < len(start) // 2 for tensor in range(len(start))]
    assert all(tensor.requires_grad for tensor in model.parameters())


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
    states = []
    sgd_step = torch.optim.SGD.step

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
        {"frozen_share": 1.0},
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
    targets = {"overall": torch.zeros(8, dtype=torch.int64), "details": torch.zeros(8, 3)}
    tiny = Examples(np.zeros((8, 16, 16, 3), np.uint8), np.arange(8), targets)
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
    plant_scores(monkeypatch, 0.5, 0.5)
    training = brightness_task(48)  # six batches
    train(QualityNet("resnet10", 3, 3), training, training, replace(CONFIG, epochs=1, halve_at=()))
    assert next(steps) == 6
