"""Is a label the photograph's or its rater's? Networks with a gate and a shift for every rater of details.

Targets come in blocks of three details: the first is what is said in nobody's name (a majority, a share of
votes), the others are the votes of one rater each. 1 is good, 0 bad, NaN where nothing is said.
"""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from riqa.data.store import open_store
from riqa.files import read_parquet
from riqa.labels import DETAILS
from riqa.learn.examples import examples_of
from riqa.learn.predict import in_batches
from riqa.learn.runs import TrainingRun, fit, initial_model
from riqa.learn.tasks import Task, details_loss, details_macro_f1


class RaterHead(nn.Module):
    """An answer in nobody's name, and by a gate and a shift that of each rater."""

    def __init__(self, shared: nn.Linear, n_raters: int):
        super().__init__()
        self.shared = shared  # K details
        nobody_yet = torch.zeros(2, n_raters, shared.out_features)
        self.gates_and_shifts = nn.Parameter(nobody_yet)

    def raters(self) -> Tensor:
        """Return gates and shifts (2, R, K), each with mean 0 over raters."""
        own = self.gates_and_shifts
        own = own * sqrt(own.shape[1])  # each sees 1 / R of the votes
        return own - own.mean(dim=1, keepdim=True)

    def forward(self, features: Tensor) -> Tensor:
        """Turn features (N, D) into logits (N, (1 + R) K), nobody's first."""
        z = self.shared(features).float()[:, None]  # (N, 1, K)
        gate, shift = self.raters()
        return torch.cat([z, (1 + gate) * z + shift], dim=1).flatten(1)


def fit_rater(
    logits: np.ndarray, votes: np.ndarray, spread: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Find gate and shift of a new rater from k votes (k,), the network fixed.

    A priori both are normal around 0 with the spread (2,) of known raters; without
    a vote they stay 0. Logits (k,) are what the network says in nobody's name.
    """

    def cost(own: np.ndarray) -> float:  # convex
        gate, shift = own
        z = (1 + gate) * logits + shift
        entropy = np.logaddexp(0, z) - votes * z
        return entropy.sum() + np.square(own / spread).sum() / 2

    return minimize(cost, np.zeros(2)).x


def learn(
    run: TrainingRun, tell: Callable = lambda told: None
) -> tuple[pd.DataFrame, tuple[np.ndarray, np.ndarray]]:
    """Train a network of details on the run's `pseudo_labels`: image_id, and targets as stated above.

    The epoch is kept whose answers in nobody's name come closest to the first block on validation images.

    Returns:
        One row per validation and test image: the manifest's columns, the run's names, and p_<detail> of good
        in nobody's name; and the raters' gates and shifts, each (R, 3).
    """
    store, K = open_store(run.store), len(DETAILS)
    said, parts = read_parquet(run.pseudo_labels).set_index("image_id"), {}
    for split in ("train", "val", "test"):
        examples = examples_of(store, split, ())
        own = said.reindex(store.manifest["image_id"].iloc[examples.rows])
        targets = {"details": torch.from_numpy(own.to_numpy(dtype=np.float32, copy=True))}
        parts[split] = replace(examples, targets=targets)

    def score(logits: Tensor, targets: Tensor) -> float:
        return details_macro_f1(logits[:, :K], targets[:, :K])

    model = initial_model(run, store.images.shape[1])
    head = model.heads["details"] = RaterHead(model.heads["details"], said.shape[1] // K - 1)
    tasks = (Task("details", DETAILS, details_loss, score),)
    fit(run, model, parts["train"], parts["val"], tell, tasks=tasks)
    frames = []
    for split in ("val", "test"):
        logits = in_batches(model, model, parts[split], run.config.precision)["details"]
        probs = logits[:, :K].double().sigmoid().numpy()
        p = {f"p_{detail}": own for detail, own in zip(DETAILS, probs.T, strict=True)}
        frames.append(store.manifest.iloc[parts[split].rows].assign(**p, **run.names))
    gates, shifts = head.raters().detach().cpu().double().numpy()
    return pd.concat(frames, ignore_index=True), (gates, shifts)
