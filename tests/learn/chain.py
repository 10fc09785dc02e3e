"""A toy set and training runs on it, for the tests of this folder."""

from dataclasses import replace

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset, validate_manifest
from riqa.data.store import Plan, write_store
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.runs import TrainingRun

CONFIG = TrainingConfig(
    epochs=2,
    batch_size=8,
    lambda_details=0.0,
    augmentation=Augmentation(max_transforms=1),
    precision="float32",
)


def write_toy_store(root):
    """Forty images of twenty patients: brightness is the grade, some details known and some not."""
    rng = np.random.default_rng(0)
    n = 40
    overall = np.tile([0.0, 1.0, 2.0, 1.0], 10)
    frame = pd.DataFrame(
        {
            "image_id": [f"i{k:02d}" for k in range(n)],
            "path": [f"i{k:02d}.png" for k in range(n)],
            "dataset": "toy",
            "patient_id": [f"p{k // 2}" for k in range(n)],
            "eye": ["left", "right"] * (n // 2),
            "view": "1",
            "source": "made",
            "split": ["train"] * 24 + ["val"] * 8 + ["test"] * 8,
            "overall": overall,
            "illumination": (overall > 0).astype(float),
            "clarity": np.where(np.arange(n) % 3 == 0, np.nan, 1.0),
            "contrast": np.nan,
        }
    )
    dataset = Dataset("toy", root, validate_manifest(frame, 3), 3, "made in a test", "MIT")
    field = {"height": 32, "width": 32}
    images = (
        (rng.normal(50 + 60 * grade, 10, (32, 32, 3)).clip(0, 255).astype(np.uint8), field)
        for grade in overall
    )
    return write_store(dataset, root / "store", Plan(32), lambda start: images)


def a_run(store, tmp_path, model="single_task", seed=0, **changes):
    config = changes.pop("config", CONFIG)
    run = TrainingRun(
        model,
        "toy",
        store.root,
        n_overall=3,
        n_details=0,
        config=replace(config, seed=seed),
        models=tmp_path / "models",
        predict_on=((store.root, ("val", "test")),),
    )
    return replace(run, **changes)
