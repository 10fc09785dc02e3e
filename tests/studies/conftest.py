"""What tests of studies share: predictions made without a model, a trained toy model, photographs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.data.store import open_store
from riqa.labels import DETAILS
from riqa.learn.runs import execute
from riqa.phantom.study import phantom_grades
from riqa.predictions import with_answers
from riqa.studies.subjects import draw_located
from tests.learn.chain import CONFIG, a_run, pseudo_labels, write_toy_store


@pytest.fixture
def fake_predictions():
    return _fake_predictions


def _fake_predictions(
    n_patients=30, n_classes=3, seeds=(0, 1), dataset="fake", right=None, views=1, trained_on=None
) -> pd.DataFrame:
    """Two eyes per patient, `views` photographs and one grade per eye; models are right with a probability."""
    right = right or {"single_task": 0.6, "single_task_control": 0.65, "multi_task": 0.9}
    rng = np.random.default_rng(n_classes)
    eyes = [(f"p{p}", eye, v) for p in range(n_patients) for eye in ("left", "right") for v in range(views)]
    images = pd.DataFrame(eyes, columns=["patient_id", "eye", "view"])
    images["image_id"] = images["patient_id"] + "-" + images["eye"] + "-" + images.pop("view").astype(str)
    grades = rng.integers(n_classes, size=(n_patients * 2))
    images["overall"] = np.repeat(grades, views).astype(float)
    images[list(DETAILS)] = np.nan
    frames = []
    for model, share in right.items():
        for seed in seeds:
            guess = rng.integers(n_classes, size=len(images))
            labels = np.where(rng.random(len(images)) < share, images["overall"], guess)
            probs = np.full((len(images), 3), np.nan)
            probs[:, :n_classes] = rng.dirichlet(np.ones(n_classes), len(images)) * 0.4
            probs[np.arange(len(images)), labels.astype(int)] += 0.6
            columns = {f"p_overall_{k}": probs[:, k] for k in range(3)} | {f"p_{d}": np.nan for d in DETAILS}
            names = {"dataset": dataset, "split": "test", "model": model, "seed": seed}
            frames.append(images.assign(**names, trained_on=trained_on or dataset, **columns))
    return with_answers(pd.concat(frames, ignore_index=True))


@pytest.fixture(scope="package")
def photographs(tmp_path_factory):
    return tmp_path_factory.mktemp("explanations") / "photographs"


@pytest.fixture(scope="package")
def graded_store(photographs):
    """A small curated phantom set with three overall classes."""
    dataset = phantom_grades(photographs, n_train=6, n_test=30, size=96)
    return curate(dataset, photographs.with_name("store"), 32)


@pytest.fixture(scope="package")
def located(photographs, graded_store):
    groups = (*DETAILS, "artifact")
    return draw_located(graded_store, [photographs], groups, 4, 0.5, seed=0)


@pytest.fixture(scope="package")
def parent(tmp_path_factory):
    """Train the single-task model that arms begin with, and return its run."""
    folder = tmp_path_factory.mktemp("parent")
    run = a_run(write_toy_store(folder), folder / "starts")
    execute(run)
    return run


@pytest.fixture
def toy(parent, tmp_path):
    """Describe how a Student is fine-tuned from that model; nothing is trained."""
    store = open_store(parent.store)
    own = {"start_from": parent.stem, "n_details": 3, "pseudo_labels": pseudo_labels(store, tmp_path)}
    config = replace(CONFIG, lambda_details=1.0, learning_rate=0.02)
    return a_run(store, tmp_path, "student", config=config, checkpoints=None, **own)
