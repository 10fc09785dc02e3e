"""Is quality a class or a number? Networks that learn overall grades by other losses than cross-entropy.

Whatever the loss, a network makes one number of a photograph, more for better quality. Where the grades lie
on that scale is chosen on validation photographs, network by network.
"""

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional

from riqa.data.store import open_store
from riqa.learn.examples import examples_of
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches
from riqa.learn.runs import TrainingRun, fit
from riqa.learn.tasks import Task, WeightedSum


class OneScale(nn.Module):
    """One score of an image, and a threshold between each two grades."""

    def __init__(self, n_features: int, n_thresholds: int):
        super().__init__()
        self.score = nn.Linear(n_features, 1, bias=False)
        evenly = torch.arange(n_thresholds) - (n_thresholds - 1) / 2
        self.thresholds = nn.Parameter(evenly)

    def forward(self, features: Tensor) -> Tensor:
        """Return by how much the score exceeds each threshold."""
        return self.score(features) - self.thresholds


def squared_error(logits: Tensor, grades: Tensor) -> Tensor:
    """Take grades for numbers; logits (N, 1)."""
    return functional.mse_loss(logits[:, 0], grades.float())


def cumulative_logits(logits: Tensor, grades: Tensor) -> Tensor:
    """Ask at each threshold whether the grade is above; logits (N, K - 1)."""
    above = grades[:, None] > torch.arange(logits.shape[1], device=grades.device)
    entropy = functional.binary_cross_entropy_with_logits
    return entropy(logits, above.float(), reduction="none").sum(1).mean()


def correlation(logits: Tensor, grades: Tensor) -> Tensor:
    """Ask for correlation in the batch, 0 if grades are alike; logits (N, 1)."""
    score, grade = logits[:, 0], grades.float()
    score, grade = score - score.mean(), grade - grade.mean()
    return 1 - functional.cosine_similarity(score, grade, dim=0)


LOSSES = {loss.__name__: loss for loss in (squared_error, cumulative_logits, correlation)}


def best_cuts(numbers: np.ndarray, truth: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the cut points (K - 1,) with the highest macro-F1.

    They are minus infinity or one of 61 quantiles of the numbers (N,), chosen by
    the true grades (N,).
    """
    places = [-np.inf, *np.quantile(numbers, np.linspace(0, 1, 61))]
    cuts = np.array([*combinations_with_replacement(places, n_classes - 1)])
    called = (numbers[:, None, None] > cuts).sum(axis=-1)  # (N, choices of cuts)
    f1 = np.zeros(len(cuts))
    for grade in range(n_classes):
        true, said = (truth == grade)[:, None], called == grade
        hits = (true & said).sum(axis=0)
        f1 += 2 * hits / np.maximum(true.sum() + said.sum(axis=0), 1)
    return cuts[f1.argmax()]


def rank_parts(numbers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Take rank correlations apart by image: numbers (S, N), truth (N,) -> (S, N), whose means they are.

    A correlation is the share of pairs in the right order minus that in the wrong one, of the pairs whose
    truth differs (Somers' D; Kendall's tau where nothing occurs twice). The parts spread over images as its
    influence function does, so that `riqa.evaluate.mrmc.mean_of_method` judges it as it judges a mean.
    """
    order = np.sign(truth[:, None] - truth).astype(np.int8)
    signs = (np.sign(own[:, None] - own).astype(np.int8) for own in numbers)
    right = np.stack([(order * sign).sum(axis=1) for sign in signs])
    pairs = np.abs(order).sum(axis=1)
    value = right.sum(axis=1, keepdims=True) / pairs.sum()
    return value + 2 * len(truth) * (right - value * pairs) / pairs.sum()


def learn(run: TrainingRun, tell: Callable = lambda told: None) -> pd.DataFrame:
    """Train a new network by the loss that the run's `model` names; return what it makes of graded images.

    The epoch with the best macro-F1 on validation images is kept, each by its best cuts. One row per
    validation and test image: the manifest's columns, the run's names, `number`, and that `val_score`.
    """
    store, ordered = open_store(run.store), run.model == "cumulative_logits"

    def number(logits: Tensor) -> np.ndarray:
        logits = logits.double().nan_to_num()  # a training that diverged says the same of every image
        return (logits.sigmoid().sum(1) if ordered else logits[:, 0]).numpy()

    def score(logits: Tensor, grades: Tensor) -> float:
        numbers, truth = number(logits), grades.numpy()
        called = (numbers[:, None] > best_cuts(numbers, truth, run.n_overall)).sum(axis=1)
        classes = list(range(run.n_overall))
        return float(f1_score(truth, called, labels=classes, average="macro", zero_division=0))

    task, parts = Task("grade", ("overall",), LOSSES[run.model], score, is_class=True), {}
    for split in ("train", "val", "test"):
        examples = examples_of(store, split, (task,))
        parts[split] = examples.at(task.known(examples.targets["grade"]).nonzero()[:, 0])
    torch.manual_seed(run.config.seed)
    width = run.n_overall - 1 if ordered else 1
    model = QualityNet(run.backbone, 0, 0, run.weights, store.images.shape[1], {"grade": width})
    if ordered:
        model.heads["grade"] = OneScale(model.heads["grade"].in_features, width)
    how = {"tasks": (task,), "weighting": WeightedSum({"grade": 1.0})}
    history = fit(run, model, parts["train"], parts["val"], tell, **how)
    frames = []
    for split in ("val", "test"):
        logits = in_batches(model, model, parts[split], run.config.precision)["grade"]
        rows = store.manifest.iloc[parts[split].rows]
        frames.append(rows.assign(number=number(logits), **run.names))
    kept = history.loc[history["best"], "val_score"].iloc[0]
    return pd.concat(frames, ignore_index=True).assign(val_score=kept)
