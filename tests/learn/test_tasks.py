"""Whoever adds a task, a weighting or a head touches one file: this one."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch.nn import functional

from riqa.data.store import Store
from riqa.labels import DETAILS
from riqa.learn.config import TrainingConfig
from riqa.learn.examples import examples_of
from riqa.learn.model import QualityNet, load_model, save_model
from riqa.learn.predict import predict
from riqa.learn.tasks import OVERALL, Task, WeightedSum, details_task
from riqa.learn.train import train

CONFIG = TrainingConfig(epochs=3, batch_size=16, learning_rate=0.02)
DUSTY = details_task([*DETAILS, "dust"])


def blurred(logits, severity):
    """Squared error over what is known."""
    known = ~torch.isnan(severity)
    return functional.mse_loss(logits[known], severity[known]) if known.any() else logits.sum() * 0


def rank(logits, severity):
    return float(spearmanr(logits[:, 0], severity[:, 0]).statistic)


BLUR = Task("blur", ("blur",), blurred, rank, answer=lambda logits: logits)


@pytest.fixture
def store(tmp_path):
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


def test_a_fourth_detail_and_a_regression(store, tmp_path):
    tasks = (OVERALL, DUSTY, BLUR)
    model = QualityNet("resnet10", 3, 4, image_size=32, further={"blur": 1})
    training, validation = (examples_of(store, split, tasks) for split in ("train", "val"))
    weighting = WeightedSum({"overall": 1.0, "details": 1.0, "blur": 0.5})
    history = train(model, training, validation, CONFIG, tasks=tasks, weighting=weighting)
    assert history[-1]["train_loss"] < history[1]["train_loss"]
    save_model(model, tmp_path / "model")
    answers = predict(load_model(tmp_path / "model")[0], store, ("test",), tasks)
    assert answers[["p_dust", "p_blur", "dust", "blur"]].notna().all(axis=None)
    assert spearmanr(answers["p_blur"], answers["blur"]).statistic > 0.5


class Uncertainty(torch.nn.Module):
    """Weights that are learned (Kendall et al. 2018, doi:10.1109/CVPR.2018.00781)."""

    def __init__(self):
        super().__init__()
        self.log_variance = torch.nn.ParameterDict({name: torch.zeros(()) for name in ("overall", "blur")})

    def forward(self, losses):
        return sum(torch.exp(-s) * losses[name] + s for name, s in self.log_variance.items())


def test_a_weighting_that_is_learned_and_what_a_network_is_told_beside_the_image(store):
    tasks, weighting = (OVERALL, BLUR), Uncertainty()
    model = QualityNet("resnet10", 3, 0, image_size=32, further={"blur": 1}, n_auxiliary=2)
    parts = [examples_of(store, split, tasks) for split in ("train", "val")]
    told = [type(part)(part.images, part.rows, part.targets, torch.randn(len(part), 2)) for part in parts]
    train(model, *told, CONFIG, tasks=tasks, weighting=weighting)
    assert all(value.item() != 0 for value in weighting.log_variance.values())
    with pytest.raises(RuntimeError, match="shapes"):  # who forgets to tell it hears of it
        train(model, *parts, CONFIG, tasks=tasks, weighting=weighting)
