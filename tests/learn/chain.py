"""Toy sets, and training runs on them, for the tests of this folder."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from riqa.data.manifest import Dataset, validate_manifest
from riqa.data.store import Plan, write_store
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.examples import Examples
from riqa.learn.runs import TrainingRun

CONFIG = TrainingConfig(2, 8, lambda_details=0.0, augmentation=Augmentation(1), precision="float32")


class StoppedError(Exception):
    """Stands for whatever ends a process between two epochs."""


def write_toy_store(root):
    """Forty images of twenty patients: brightness is the grade, some details known and some not."""
    rng, n = np.random.default_rng(0), 40
    overall, ids = np.tile([0.0, 1.0, 2.0, 1.0], 10), [f"i{k:02d}" for k in range(n)]
    frame = pd.DataFrame({"image_id": ids, "path": [f"{name}.png" for name in ids], "dataset": "toy"})
    frame["patient_id"] = [f"p{k // 2}" for k in range(n)]
    frame = frame.assign(eye=["left", "right"] * (n // 2), view="1", source="made")
    frame["split"] = ["train"] * 24 + ["val"] * 8 + ["test"] * 8
    frame = frame.assign(overall=overall, illumination=(overall > 0).astype(float), contrast=np.nan)
    frame["clarity"] = np.where(np.arange(n) % 3 == 0, np.nan, 1.0)
    dataset = Dataset("toy", root, validate_manifest(frame, 3), 3, "made in a test", "MIT")
    images = (rng.normal(50 + 60 * grade, 10, (32, 32, 3)).clip(0, 255).astype(np.uint8) for grade in overall)
    sizes = {"height": 32, "width": 32}
    return write_store(dataset, root / "store", Plan(32), lambda start: ((image, sizes) for image in images))


def a_run(store, tmp_path, model="single_task", seed=0, **changes):
    run = TrainingRun(
        model, "toy", store.root, n_overall=3, n_details=0, config=CONFIG, models=tmp_path / "models",
        predict_on=((store.root, ("val", "test")),),
    )  # fmt: skip
    run = replace(run, **changes)
    return replace(run, config=replace(run.config, seed=seed))


def brightness_task(n=48, seed=0, side=32):
    """Images whose brightness is the grade: dark 0, middle 1, bright 2; the details say red, green, blue."""
    rng = np.random.default_rng(seed)
    overall, details = rng.integers(3, size=n), rng.integers(2, size=(n, 3))
    images = rng.normal(40 + 60 * overall[:, None, None, None], 12, (n, side, side, 3))
    images = (images + 30 * (2 * details[:, None, None, :] - 1)).clip(0, 255).astype(np.uint8)
    targets = {"overall": torch.from_numpy(overall), "details": torch.from_numpy(details.astype(np.float32))}
    return Examples(images, np.arange(n), targets)


def graded_noise(overall):
    """Images of noise, with these grades."""
    images = np.random.default_rng(0).integers(0, 256, (len(overall), 32, 32, 3), dtype=np.uint8)
    return Examples(images, np.arange(len(overall)), {"overall": torch.tensor(overall)})


def plant_scores(monkeypatch, *scores):
    """Let the validation scores be these, the start's first, whatever rounding makes of a training."""
    planted = iter(scores)
    monkeypatch.setattr("riqa.learn.train.evaluate", lambda *_: {"val_loss": 1.0, "val_score": next(planted)})


def same_weights(one, other):
    """Tell whether two networks, or their states, have the same weights to the last bit."""
    one, other = (net.state_dict() if hasattr(net, "state_dict") else net for net in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def pseudo_labels(store, folder, **columns):
    """Write answers for a store's images, drawn at random but for the columns given; return the file."""
    p = np.random.default_rng(0).random((len(store.manifest), 3))
    answers = pd.DataFrame(p, columns=["p_illumination", "p_clarity", "p_contrast"])
    answers = answers.assign(image_id=store.manifest["image_id"], dataset="toy", seed=0, **columns)
    answers.to_parquet(folder / "answers.parquet")
    return folder / "answers.parquet"
