"""What a network learns, as data: a task has a head, targets, a loss and a score; a weighting joins losses.

A task or a weighting besides the book's can be made anywhere and handed to `riqa.learn.train.train`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn import functional

from riqa.errors import InputError
from riqa.labels import DETAILS

UNKNOWN_OVERALL = -1

Weighting = Callable[[dict[str, Tensor]], Tensor]
"""From the loss of each task to the one that is minimised; a `torch.nn.Module` may learn its weights."""

Follow = Callable[[Tensor, Tensor], Tensor]
"""From targets, and maps (N, 2, 2) of output to input coordinates that moved their images, to new targets."""


def overall_loss(logits: Tensor, overall: Tensor) -> Tensor:
    """Compute cross-entropy where the overall grade is known (paper, Eq. 3).

    Logits are (N, K) scores; overall are (N,) classes 0..K-1, -1 if unknown.
    The mean is over known images, 0 when none is known.
    """
    known = overall != UNKNOWN_OVERALL
    if not known.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[known], overall[known])


def details_loss(logits: Tensor, details: Tensor) -> Tensor:
    """Compute binary cross-entropy over the known details (paper, Eq. 1).

    Logits are (N, 3) scores of *good* for illumination, clarity, contrast;
    details are (N, 3) targets: 1 good, 0 bad, between for soft pseudo-labels,
    NaN if unknown. The mean is over known entries, 0 when none is known.
    """
    known = ~torch.isnan(details)
    if not known.any():
        return logits.sum() * 0
    logits, details = logits[known], details[known]
    return functional.binary_cross_entropy_with_logits(logits, details)


def overall_macro_f1(logits: Tensor, overall: Tensor) -> float:
    """Compute macro-F1 over all classes of the head, of images whose grade is known."""
    known = overall != UNKNOWN_OVERALL
    classes, predicted = list(range(logits.shape[1])), logits[known].argmax(1)
    return float(f1_score(overall[known], predicted, labels=classes, average="macro", zero_division=0))


def details_macro_f1(logits: Tensor, details: Tensor) -> float:
    """Average the two-class macro-F1 over details with known targets; soft ones count as the nearer class."""
    scores = []
    for detail_logits, target in zip(logits.T, details.T, strict=True):
        known = ~torch.isnan(target)
        if known.any():
            pair = target[known] > 0.5, detail_logits[known] > 0
            scores.append(f1_score(*pair, labels=[False, True], average="macro", zero_division=0))
    if not scores:
        raise InputError("no image of the validation split has a detail label; no epoch can be chosen")
    return float(np.mean(scores))


@dataclass(frozen=True)
class Task:
    """One kind of question that a network answers."""

    name: str  # of its head and of its targets
    columns: tuple[str, ...]  # of a manifest with its labels; NaN where unknown
    loss: Callable[[Tensor, Tensor], Tensor]  # mean over what is known; 0 where nothing is
    score: Callable[[Tensor, Tensor], float]  # of validation images; more is better
    answer: Callable[[Tensor], Tensor] = torch.sigmoid  # from logits to the predictions' columns, (N, K)
    is_class: bool = False  # whether its one column holds classes 0, 1, ..
    follow: Follow | None = None  # what augmentation does to targets; None: nothing

    def targets(self, manifest: pd.DataFrame) -> Tensor:
        """Take targets from a manifest: classes (N,) int64, -1 if unknown, or (N, columns) float32, NaN."""
        if self.is_class:
            codes = manifest[self.columns[0]].fillna(UNKNOWN_OVERALL)
            return torch.from_numpy(codes.to_numpy(dtype=np.int64, copy=True))
        return torch.from_numpy(manifest[list(self.columns)].to_numpy(dtype=np.float32, copy=True))

    def known(self, targets: Tensor) -> Tensor:
        """Tell which entries of targets are known."""
        return targets != UNKNOWN_OVERALL if self.is_class else ~torch.isnan(targets)


OVERALL = Task("overall", ("overall",), overall_loss, overall_macro_f1, lambda z: z.softmax(1), is_class=True)
TASKS = (OVERALL, Task("details", DETAILS, details_loss, details_macro_f1))
"""The tasks of the paper. Where both are learned, overall quality chooses the epoch."""


@dataclass(frozen=True)
class WeightedSum:
    """The paper's weighting (Eq. 4): each task's loss has a fixed weight lambda, 0 or more."""

    weights: Mapping[str, float]

    def __call__(self, losses: dict[str, Tensor]) -> Tensor:
        """Return the sum of the losses, each times its weight."""
        return sum(self.weights[name] * loss for name, loss in losses.items())


def multi_task_loss(
    logits: dict[str, Tensor],
    targets: dict[str, Tensor],
    tasks: Sequence[Task],
    weighting: Weighting,
    scales: Mapping[str, float] | None = None,
) -> Tensor:
    """Join the losses of tasks into the one that is minimised; scales are those of `part_scales`, else 1."""
    losses = {task.name: task.loss(logits[task.name].float(), targets[task.name]) for task in tasks}
    return weighting({name: loss * scales[name] for name, loss in losses.items()} if scales else losses)


def part_scales(
    targets: Mapping[str, Tensor], tasks: Sequence[Task], part: int, n_parts: int
) -> dict[str, float] | None:
    """Return scales by task, with which the mean of the losses of all parts is the loss of the batch.

    A loss is a mean over known entries: of two parts that know 3 and 1 of a batch's 4 grades, one counts
    3/2 and the other 1/2. Targets are of the whole batch, whose parts are those of
    `riqa.learn.augment.augment_and_tell`.
    """
    if n_parts == 1:
        return None
    scales = {}
    for task in tasks:
        known = task.known(targets[task.name])
        scales[task.name] = n_parts * known[part::n_parts].sum().item() / max(known.sum().item(), 1)
    return scales
