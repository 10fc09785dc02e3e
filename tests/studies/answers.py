"""Predictions in the format of `riqa.predictions`, written by hand or drawn, made without a model."""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS
from riqa.predictions import OVERALL, with_answers
from riqa.results import find

P = [f"p_{detail}" for detail in DETAILS]


def answers(labels, probs, *, model="teacher", overall=None, p_overall=None, patients=None):
    """Make rows of one dataset, "set", from labels (N, 3) and probabilities (N, 3) or (S, N, 3)."""
    probs = np.asarray(probs, dtype=float)
    probs = probs[None] if probs.ndim == 2 else probs
    n, frames = probs.shape[1], []
    for seed, own in enumerate(probs):
        frame = pd.DataFrame({"image_id": [f"i{k:03d}" for k in range(n)], "eye": "left"})
        frame["patient_id"] = [f"p{k:03d}" for k in range(n)] if patients is None else patients
        frame[["dataset", "split", "model", "seed"]] = ["set", "test", model, seed]
        frame["overall"] = np.nan if overall is None else overall
        frame[list(DETAILS)] = np.asarray(labels, dtype=float)
        frame[P] = own
        frame[OVERALL] = np.nan if p_overall is None else p_overall
        frames.append(frame)
    return with_answers(pd.concat(frames, ignore_index=True))


def drawn(skill, *, n=80, seeds=2, model="teacher"):
    """Draw labels, the same for every call, and probabilities that follow them with a skill in [0, 1]."""
    labels = (np.random.default_rng(7).random((n, 3)) < 0.6).astype(float)
    noise = np.random.default_rng([ord(letter) for letter in model]).random((seeds, n, 3))
    patients = [f"p{k // 2:03d}" for k in range(n)]
    return answers(labels, skill * labels + (1 - skill) * noise, model=model, patients=patients)


def graded(n_patients=30, n_classes=3, seeds=(0, 1), dataset="fake", right=None, views=1) -> pd.DataFrame:
    """Two eyes per patient, `views` photographs and one grade per eye; models are right with a probability."""
    right = right or {"single_task": 0.6, "single_task_control": 0.65, "multi_task": 0.9}
    rng = np.random.default_rng(n_classes)
    eyes = [(f"p{p}", eye, v) for p in range(n_patients) for eye in ("left", "right") for v in range(views)]
    images = pd.DataFrame(eyes, columns=["patient_id", "eye", "view"])
    images["image_id"] = images["patient_id"] + "-" + images["eye"] + "-" + images.pop("view").astype(str)
    images["overall"] = np.repeat(rng.integers(n_classes, size=(n_patients * 2)), views).astype(float)
    images[[*DETAILS, *P]] = np.nan
    frames = []
    for model, share in right.items():
        for seed in seeds:
            guess = rng.integers(n_classes, size=len(images))
            labels = np.where(rng.random(len(images)) < share, images["overall"], guess)
            probs = np.full((len(images), 3), np.nan)
            probs[:, :n_classes] = rng.dirichlet(np.ones(n_classes), len(images)) * 0.4
            probs[np.arange(len(images)), labels.astype(int)] += 0.6
            names = {"dataset": dataset, "split": "test", "model": model, "seed": seed}
            frames.append(
                images.assign(**names, trained_on=dataset, **dict(zip(OVERALL, probs.T, strict=True)))
            )
    return with_answers(pd.concat(frames, ignore_index=True))


def value(table, **keys):
    """Return the value of the one row with these keys."""
    return find(table, **({"dataset": "set"} | keys))["value"]
