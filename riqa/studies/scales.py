"""Is quality a class or a number? Networks that learn overall grades by other losses, and how they are read.

Whatever the loss, a network makes one number of a photograph, more for better quality. Where the grades lie
on that scale is chosen on validation photographs, network by network. A network may have a reading of its own
besides, which needs no such choice: the most probable class, or the nearest grade.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional

from riqa.data.store import open_store
from riqa.evaluate.mrmc import by_leaving_out, interval_of_method, rank_correlation
from riqa.labels import class_names
from riqa.learn.device import keep_freed_memory, resolve_device
from riqa.learn.examples import examples_of
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches
from riqa.learn.runs import TrainingRun, checkpoint_of, run_each
from riqa.learn.tasks import UNKNOWN_OVERALL, Task, WeightedSum
from riqa.learn.train import train
from riqa.predictions import OVERALL, with_answers
from riqa.results import rows, stack

HEAD = "grade"


class OneScale(nn.Module):
    """One score of an image, and a threshold between each two grades."""

    def __init__(self, n_features: int, n_thresholds: int):
        super().__init__()
        self.score = nn.Linear(n_features, 1, bias=False)
        evenly = torch.arange(n_thresholds) - (n_thresholds - 1) / 2
        self.thresholds = nn.Parameter(evenly)

    def forward(self, features: Tensor) -> Tensor:
        """Return by how much the score exceeds each threshold, (N, thresholds)."""
        return self.score(features) - self.thresholds


def cross_entropy(logits: Tensor, grades: Tensor) -> Tensor:
    """Take grades for classes without an order; logits (N, K)."""
    return functional.cross_entropy(logits, grades)


def squared_error(logits: Tensor, grades: Tensor) -> Tensor:
    """Take grades for numbers; logits (N, 1)."""
    return functional.mse_loss(logits[:, 0], grades.float())


def cumulative_logits(logits: Tensor, grades: Tensor) -> Tensor:
    """Ask at each threshold whether the grade lies above it; logits (N, K - 1)."""
    above = grades[:, None] > torch.arange(logits.shape[1], device=grades.device)
    entropy = functional.binary_cross_entropy_with_logits
    return entropy(logits, above.float(), reduction="none").sum(1).mean()


def correlation(logits: Tensor, grades: Tensor) -> Tensor:
    """Ask for correlation in the batch, 0 if grades are alike; logits (N, 1)."""
    score, grade = logits[:, 0], grades.float()
    score, grade = score - score.mean(), grade - grade.mean()
    return 1 - functional.cosine_similarity(score, grade, dim=0)


@dataclass(frozen=True)
class Scale:
    """One way of learning grades 0 .. K - 1."""

    n_outputs: Callable[[int], int]  # of the head, by K
    loss: Callable[[Tensor, Tensor], Tensor]  # of logits and grades that are known, at least one
    number: Callable[[Tensor], Tensor]  # from logits to what is cut, (N,), more for better
    own: Callable[[Tensor], Tensor] | None  # from logits to grades (N,) by the loss's own reading, if any


def _expected(logits: Tensor) -> Tensor:
    return logits.softmax(1) @ torch.arange(logits.shape[1], dtype=logits.dtype)


LOSSES = {
    "cross_entropy": Scale(lambda k: k, cross_entropy, _expected, lambda z: z.argmax(1)),
    "squared_error": Scale(lambda k: 1, squared_error, lambda z: z[:, 0], lambda z: z[:, 0].round()),
    "cumulative_logits": Scale(
        lambda k: k - 1, cumulative_logits, lambda z: z.sigmoid().sum(1), lambda z: (z > 0).sum(1)
    ),
    "correlation": Scale(lambda k: 1, correlation, lambda z: z[:, 0], None),
}
"""Name of a loss -> the scale that it makes."""


def best_cuts(numbers: np.ndarray, grades: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the rising cut points (K - 1,) with the highest macro-F1 of numbers (N,) with grades (N,).

    A cut lies halfway between two numbers, or at infinity. Macro-F1 is a sum over grades, and each grade an
    interval of the sorted numbers; so the best intervals of the first grades are extended grade by grade.
    """
    numbers, grades = np.asarray(numbers, dtype=float), np.asarray(grades)
    order = np.argsort(numbers, kind="stable")
    numbers, grades = numbers[order], grades[order]
    ends = np.concatenate([[-np.inf], (numbers[1:] + numbers[:-1]) / 2, [np.inf]])
    places = np.flatnonzero(np.concatenate([[True], np.diff(numbers) > 0, [True]]))
    size = places - places[:, None]  # of an interval from place i to place j
    chosen, best = [], np.where(places == 0, 0.0, -np.inf)
    for grade in range(n_classes):
        below = np.concatenate([[0], np.cumsum(grades == grade)])[places]
        f1 = 2 * (below - below[:, None]) / np.maximum(size + below[-1], 1)
        sums = best[:, None] + np.where(size >= 0, f1, -np.inf)
        chosen.append(sums.argmax(axis=0))
        best = sums.max(axis=0)
    place, cuts = len(places) - 1, []
    for before in reversed(chosen[1:]):
        place = before[place]
        cuts.append(ends[places[place]])
    return np.array(cuts[::-1])


def as_grades(numbers: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Return how many cut points each number exceeds, int (N,)."""
    return (np.asarray(numbers)[:, None] > cuts).sum(axis=1)


def task_of(loss: str, n_classes: int) -> Task:
    """Describe overall quality learned by a loss; an epoch's score is the macro-F1 of the best cuts."""
    scale = LOSSES[loss]

    def over_known(logits: Tensor, grades: Tensor) -> Tensor:
        known = grades != UNKNOWN_OVERALL
        return scale.loss(logits[known], grades[known]) if known.any() else logits.sum() * 0

    def score(logits: Tensor, grades: Tensor) -> float:
        known = (grades != UNKNOWN_OVERALL).numpy()
        numbers, grades = scale.number(logits.double()).numpy()[known], grades.numpy()[known]
        called = as_grades(numbers, best_cuts(numbers, grades, n_classes))
        return float(f1_score(grades, called, labels=range(n_classes), average="macro", zero_division=0))

    return Task(HEAD, ("overall",), over_known, score, is_class=True)


def network(loss: str, run: TrainingRun, image_size: int) -> QualityNet:
    """Return a new network with the head that a loss needs."""
    torch.manual_seed(run.config.seed)
    width = LOSSES[loss].n_outputs(run.n_overall)
    model = QualityNet(run.backbone, 0, 0, run.weights, image_size, further={HEAD: width})
    if loss == "cumulative_logits":
        model.heads[HEAD] = OneScale(model.heads[HEAD].in_features, width)
    return model


def learn(run: TrainingRun, tell: Callable = lambda told: None) -> pd.DataFrame:
    """Train a network by the loss that the run's `model` names; return its answers.

    One row per validation and test image: image_id, dataset, split, patient_id, eye, overall, the run's
    names, `number`, and `own`, the grade by the loss's own reading (NaN: it has none).
    """
    keep_freed_memory()
    torch.set_num_threads(run.threads)
    store, scale, task = open_store(run.store), LOSSES[run.model], task_of(run.model, run.n_overall)
    model = network(run.model, run, store.images.shape[1]).to(resolve_device(run.device))
    train(
        model,
        *(examples_of(store, split, (task,)) for split in ("train", "val")),
        run.config,
        tasks=(task,),
        weighting=WeightedSum({HEAD: 1.0}),
        checkpoint=checkpoint_of(run, model, store.meta["sha256"]),
        on_epoch=lambda *progress: tell((run.stem.name, *progress)),
    )
    frames = []
    for split in ("val", "test"):
        examples = examples_of(store, split, (task,))
        logits = in_batches(model, model, examples, run.config.precision)[HEAD].double()
        logits = logits.nan_to_num()  # a training that diverged says the same of every image
        truth = store.manifest.iloc[examples.rows].reset_index(drop=True)
        frame = truth[["image_id", "dataset", "split", "patient_id", "eye", "overall"]].assign(**run.names)
        frame["number"], frame["own"] = scale.number(logits).numpy(), np.nan
        if scale.own is not None:
            frame["own"] = scale.own(logits).clamp(0, run.n_overall - 1).numpy().astype(float)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def validation_score(answers: pd.DataFrame, n_classes: int) -> float:
    """Return the macro-F1 of the best cuts on a network's validation images."""
    val = answers[(answers["split"] == "val") & answers["overall"].notna()]
    called = as_grades(val["number"], best_cuts(val["number"], val["overall"], n_classes))
    how = {"labels": range(n_classes), "average": "macro", "zero_division": 0}
    return float(f1_score(val["overall"].astype(int), called, **how))


def run_losses(
    base: TrainingRun, losses: Sequence[str], seeds: Sequence[int], rate_factors: Sequence[float],
    workers: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Train a network by every loss from every seed, see `learn`; all else but the learning rate is `base`'s.

    The first seed tries every factor of the learning rate. The one with the best validation score, of equal
    ones the first, is that of the loss; it stands in the column `rate_factor`.
    """

    def run(loss: str, factor: float, seed: int) -> TrainingRun:
        config = replace(base.config, seed=seed, learning_rate=factor * base.config.learning_rate)
        return replace(base, model=loss, config=config)

    tried = [(loss, factor) for loss in losses for factor in rate_factors]
    first = run_each([run(*one, seeds[0]) for one in tried], workers, learn)
    scores = [validation_score(one, base.n_overall) for one in first]
    scores = pd.Series(scores, pd.MultiIndex.from_tuples(tried))
    best = {loss: scores[loss].idxmax() for loss in losses}
    later = [(loss, seed) for loss in losses for seed in seeds[1:]]
    others = run_each([run(loss, best[loss], seed) for loss, seed in later], workers, learn)
    found = {(loss, seeds[0]): first[tried.index((loss, best[loss]))] for loss in losses}
    found |= dict(zip(later, others, strict=True))
    every = [found[loss, seed].assign(rate_factor=best[loss]) for loss in losses for seed in seeds]
    return pd.concat(every, ignore_index=True)


def graded_answers(answers: pd.DataFrame, n_classes: int, own: bool = False) -> pd.DataFrame:
    """Read the test rows of `learn` as grades, in the form of predictions that are certain of them.

    By cut points that are the best on the network's validation images; with `own` by the loss's own reading,
    of the losses that have one.
    """
    found = []
    for _, run in answers.groupby(["model", "seed"], sort=False):
        val, test = run[(run["split"] == "val") & run["overall"].notna()], run[run["split"] == "test"]
        if own and test["own"].isna().any():
            continue
        cuts = best_cuts(val["number"].to_numpy(), val["overall"].to_numpy(), n_classes)
        called = test["own"].to_numpy(int) if own else as_grades(test["number"], cuts)
        certain = np.full((len(test), len(OVERALL)), np.nan)
        certain[:, :n_classes] = np.eye(n_classes)[called]
        found.append(test.assign(**dict(zip(OVERALL, certain.T, strict=True))))
    return with_answers(pd.concat(found, ignore_index=True))


def rank_correlations(
    answers: pd.DataFrame, truth: pd.Series, rival: str = "", *, confidence: float = 0.95
) -> pd.DataFrame:
    """Compute how well numbers order test images by their truth, with seeds as readers, patients as cases.

    Args:
        answers: Rows of `learn`, of one set.
        truth: image_id -> true quality, more for better.
        rival: Loss that is subtracted from each other one; none by default.
        confidence: Of the intervals.

    Returns:
        Rows of `rank_correlation`, of all images and of those of each grade: what is known beyond the grade.
    """
    test, found = answers[(answers["split"] == "test") & answers["overall"].notna()], []
    parts = {"all": test}
    for code, grade in enumerate(class_names(int(test["overall"].max()) + 1)):
        parts[grade] = test[test["overall"] == code]
    for group, images in parts.items():
        wide = images.pivot(index=["image_id", "patient_id"], columns=["model", "seed"], values="number")
        ids, patients = (wide.index.get_level_values(key).to_numpy() for key in wide.index.names)
        order = {
            model: rank_correlation(wide[model].to_numpy().T, truth[ids].to_numpy(), patients)
            for model in wide.columns.unique("model")
        }
        for model in (name for name in order if name != rival):
            values, without = order[model]
            if rival:
                values, without = values - order[rival][0], without - order[rival][1]
            interval = interval_of_method(by_leaving_out(values, without), confidence)
            if not rival:  # at most 1, and nobody asks whether it is 0
                low, high = np.clip([interval.low, interval.high], -1, 1)
                interval = replace(interval, low=low, high=high, p_value=np.nan)
            keys = {"dataset": images["dataset"].iloc[0], "model": model, "rival": rival, "n": len(wide)}
            keys |= {"method": "mrmc", "seeds": wide[model].columns, "confidence": confidence}
            found.append(rows({("rank_correlation", group): interval}, **keys))
    return stack(found)
