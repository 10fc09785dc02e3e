"""Losses, scores and tasks: Eqs. 1, 3 and 4 in plain Python, and whoever adds a task touches this file alone."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import f1_score
from torch.nn import functional

from riqa.data.store import Store
from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.examples import examples_of
from riqa.learn.model import QualityNet, load_model, save_model
from riqa.learn.predict import predict
from riqa.learn.tasks import (
    TASKS,
    Task,
    WeightedSum,
    details_loss,
    details_macro_f1,
    multi_task_loss,
    overall_loss,
    overall_macro_f1,
    part_scales,
)
from riqa.learn.train import train

NAN = math.nan
ROWS = st.tuples(  # logits, a grade and details of an image
    st.lists(st.floats(-5, 5), min_size=3, max_size=3),
    st.integers(-1, 2),
    st.lists(st.one_of(st.just(NAN), st.floats(0, 1)), min_size=3, max_size=3),
)


def slow_mean(terms):
    return sum(terms) / len(terms) if terms else 0.0


@settings(max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=8), st.floats(0, 3), st.floats(0, 3))
def test_losses_equal_equations_1_3_and_4(rows, a, b):
    logits, overall, details = (torch.tensor(column) for column in zip(*rows, strict=True))
    entropy = [-math.log(math.exp(z[k]) / sum(math.exp(value) for value in z)) for z, k, _ in rows if k >= 0]
    binary = []
    for z, _, wanted in rows:
        for logit, y in zip(z, wanted, strict=True):
            p = 1 / (1 + math.exp(-logit))
            if not math.isnan(y):
                binary.append(-(y * math.log(p) + (1 - y) * math.log(1 - p)))
    assert overall_loss(logits, overall).item() == pytest.approx(slow_mean(entropy), abs=1e-5)
    assert details_loss(logits, details).item() == pytest.approx(slow_mean(binary), abs=1e-5)
    both, targets = {"overall": logits, "details": logits}, {"overall": overall, "details": details}
    joint = multi_task_loss(both, targets, TASKS, WeightedSum({"overall": a, "details": b}))
    assert joint.item() == pytest.approx(a * slow_mean(entropy) + b * slow_mean(binary), abs=1e-4)


def test_what_is_unknown_costs_nothing_and_leaves_a_gradient_of_zeros():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = overall_loss(logits, torch.tensor([-1, -1])) + details_loss(logits, torch.full((2, 3), NAN))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3))
    details_loss(logits, torch.tensor([[1.0, NAN, 0.0], [NAN] * 3])).backward()
    assert torch.equal(logits.grad == 0, torch.tensor([[False, True, False], [True] * 3]))


def test_scales_by_hand():
    # Parts 0 and 1 know 3 and 1 of 4 grades, and 0 and 2 of 2 details.
    details = torch.full((6, 3), NAN)
    details[1, 0] = details[3, 2] = 1
    targets = {"overall": torch.tensor([0, -1, 1, 2, 2, -1]), "details": details}
    assert part_scales(targets, TASKS, 0, 2) == {"overall": 1.5, "details": 0.0}
    assert part_scales(targets, TASKS, 1, 2) == {"overall": 0.5, "details": 2.0}
    assert part_scales(targets, TASKS, 0, 1) is None


@settings(max_examples=60)
@given(st.integers(1, 3), st.lists(ROWS, min_size=6, max_size=6))
def test_the_mean_over_parts_is_the_loss_of_the_batch(n_parts, rows):
    """In value and in gradient, however unequally the parts know their targets, or know none at all."""
    logits, overall, details = (torch.tensor(column) for column in zip(*rows, strict=True))
    targets = {"overall": overall, "details": details}

    def loss_of(part, n_parts):
        leaf = logits[part::n_parts].clone().requires_grad_()
        own = {name: known[part::n_parts] for name, known in targets.items()}
        both, weighting = {"overall": leaf, "details": leaf}, WeightedSum({"overall": 0.7, "details": 1.3})
        loss = multi_task_loss(both, own, TASKS, weighting, part_scales(targets, TASKS, part, n_parts))
        loss.backward()  # every part has a gradient, if one of zeros
        return loss.item(), leaf.grad

    whole, gradient = loss_of(0, 1)
    losses, gradients = zip(*(loss_of(part, n_parts) for part in range(n_parts)), strict=True)
    assert sum(losses) / n_parts == pytest.approx(whole, abs=1e-5)
    for part, own in enumerate(gradients):
        torch.testing.assert_close(own / n_parts, gradient[part::n_parts], atol=1e-6, rtol=0)


def test_scores_against_scikit_learn_and_by_hand():
    logits = torch.tensor([[2.0, 0, 0], [0, 3, 1], [0, 1, 0.5], [1, 0, 2]])
    # Known images: predictions 0, 1, 1 against 0, 1, 2: F1 1, 2/3, 0.
    assert overall_macro_f1(logits, torch.tensor([0, 1, 2, -1])) == pytest.approx((1 + 2 / 3 + 0) / 3)
    details = torch.tensor([[1.0, 0, NAN], [0, 0.9, 1], [0, 1, 0]])
    answers = torch.tensor([[1.0, -1, 5], [1, 1, 1], [-1, -1, 1]])
    pairs = ([1, 0, 0], [1, 1, 0]), ([0, 1, 1], [0, 1, 0]), ([1, 0], [1, 1])
    expected = np.mean([f1_score(*pair, average="macro", zero_division=0) for pair in pairs])
    assert details_macro_f1(answers, details) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no image of the validation split has a detail label"):
        details_macro_f1(answers, torch.full((3, 3), NAN))


CONFIG = TrainingConfig(epochs=3, batch_size=16, learning_rate=0.02)


def blurred(logits, severity):
    """Squared error over what is known."""
    known = ~torch.isnan(severity)
    return functional.mse_loss(logits[known], severity[known]) if known.any() else logits.sum() * 0


def rank(logits, severity):
    return float(spearmanr(logits[:, 0], severity[:, 0]).statistic)


OVERALL, DETAILS_TASK = TASKS
BLUR = Task("blur", ("blur",), blurred, rank, answer=lambda logits: logits)


@pytest.fixture
def made(tmp_path):
    """Images whose grade is their brightness, with dust where they are red, and as much blur as they are dark."""
    rng, n = np.random.default_rng(0), 96
    overall, dust = rng.integers(3, size=n), rng.integers(2, size=n)
    images = rng.normal(40 + 60 * overall[:, None, None, None], 12, (n, 32, 32, 3))
    images[..., 0] += 30 * (2 * dust[:, None, None] - 1)
    manifest = pd.DataFrame({"image_id": [f"i{k}" for k in range(n)], "dataset": "made", "patient_id": "p",
                             "eye": "left", "split": np.repeat(["train", "val", "test"], n // 3)})  # fmt: skip
    manifest[["overall", "dust", "blur"]] = np.c_[overall, dust, 1 - overall / 2]
    manifest[list(DETAILS)] = np.nan
    return Store(images.clip(0, 255).astype(np.uint8), manifest, {}, tmp_path)


def test_a_fourth_detail_and_a_regression(made, tmp_path):
    tasks = (BLUR, OVERALL, replace(DETAILS_TASK, columns=(*DETAILS, "dust")))  # the first chooses the epoch
    model = QualityNet("resnet10", 3, 4, image_size=32, further={"blur": 1})
    training, validation = (examples_of(made, split, tasks) for split in ("train", "val"))
    weighting = WeightedSum({"overall": 1.0, "details": 1.0, "blur": 0.5})
    plain = Augmentation(max_transforms=0)
    config = replace(CONFIG, epochs=12, learning_rate=0.005, augmentation=plain)
    history = train(model, training, validation, config, tasks=tasks, weighting=weighting)
    assert history[-1]["train_loss"] < history[1]["train_loss"]
    save_model(model, tmp_path / "model")
    answers = predict(load_model(tmp_path / "model")[0], made, ("test",), tasks)
    assert answers[["p_dust", "p_blur", "dust", "blur"]].notna().all(axis=None)
    assert spearmanr(answers["p_blur"], answers["blur"]).statistic > 0.5


class Uncertainty(torch.nn.Module):
    """Weights that are learned (Kendall et al. 2018, doi:10.1109/CVPR.2018.00781)."""

    def __init__(self):
        super().__init__()
        self.log_variance = torch.nn.ParameterDict({name: torch.zeros(()) for name in ("overall", "blur")})

    def forward(self, losses):
        return sum(torch.exp(-s) * losses[name] + s for name, s in self.log_variance.items())


def test_a_weighting_that_is_learned_and_what_a_network_is_told_beside_the_image(made):
    tasks, weighting = (OVERALL, BLUR), Uncertainty()
    model = QualityNet("resnet10", 3, 0, image_size=32, further={"blur": 1}, n_auxiliary=2)
    parts = [examples_of(made, split, tasks) for split in ("train", "val")]
    told = [replace(part, auxiliary=torch.randn(len(part), 2)) for part in parts]
    train(model, *told, CONFIG, tasks=tasks, weighting=weighting)
    assert all(value.item() != 0 for value in weighting.log_variance.values())
    with pytest.raises(RuntimeError, match="shapes"):  # who forgets to tell it hears of it
        train(model, *parts, CONFIG, tasks=tasks, weighting=weighting)
