"""What a network learns, as data: a task has a head, targets, a loss and a score; a weighting joins losses.

The book has two tasks, `TASKS`. A further one, other details, or another weighting can be made anywhere and
handed to `riqa.learn.train.train`; nothing else has to change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.labels import DETAILS
from riqa.learn.losses import UNKNOWN_OVERALL, details_loss, overall_loss
from riqa.learn.scores import details_macro_f1, overall_macro_f1

Weighting = Callable[[dict[str, Tensor]], Tensor]
"""From the loss of each task to the one that is minimised; a `torch.nn.Module` may learn its weights."""


@dataclass(frozen=True)
class Task:
    """One kind of question that a network answers.

    Attributes:
        name: Name of its head and of its targets.
        columns: Columns of a manifest with its labels; NaN where unknown.
        loss: From logits (N, K) and targets to a scalar, a mean over what is known; 0 where nothing is.
        score: From logits and targets of validation images to a number; more is better.
        answer: From logits to the values of the predictions' columns, (N, K).
        is_class: Whether its one column holds classes 0, 1, ..: targets are (N,) int64, -1 where unknown.
            Otherwise they are (N, columns) float32, NaN where unknown.
    """

    name: str
    columns: tuple[str, ...]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], float]
    answer: Callable[[Tensor], Tensor] = torch.sigmoid
    is_class: bool = False

    def targets(self, manifest: pd.DataFrame) -> Tensor:
        """Take a task's targets from a manifest, one per row."""
        if self.is_class:
            codes = manifest[self.columns[0]].fillna(UNKNOWN_OVERALL)
            return torch.from_numpy(codes.to_numpy(dtype=np.int64, copy=True))
        return torch.from_numpy(manifest[list(self.columns)].to_numpy(dtype=np.float32, copy=True))

    def unknown(self, n: int) -> Tensor:
        """Return the targets of n images of which nothing is known."""
        return self.targets(pd.DataFrame(np.nan, range(n), list(self.columns)))

    def known(self, targets: Tensor) -> Tensor:
        """Tell which entries of targets are known."""
        return targets != UNKNOWN_OVERALL if self.is_class else ~torch.isnan(targets)


def details_task(details: Sequence[str]) -> Task:
    """Make the task of judging quality details, each good or bad."""
    return Task("details", tuple(details), details_loss, details_macro_f1)


OVERALL = Task("overall", ("overall",), overall_loss, overall_macro_f1, lambda z: z.softmax(1), is_class=True)
TASKS = (OVERALL, details_task(DETAILS))
"""The tasks of the paper. Where both are learned, overall quality chooses the epoch."""


@dataclass(frozen=True)
class WeightedSum:
    """The paper's weighting (Eq. 4): every loss has a fixed weight.

    Attributes:
        weights: Name of a task -> lambda, 0 or more.
    """

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
    """Join the losses of tasks into the one that is minimised.

    With the details alone this is the Teacher's loss, with overall quality
    alone the single-task one. Scales are those of `part_scales`, else 1.
    """
    losses = {}
    for task in tasks:
        loss = task.loss(logits[task.name].float(), targets[task.name])
        losses[task.name] = loss * scales[task.name] if scales else loss
    return weighting(losses)


def part_scales(
    targets: Mapping[str, Tensor], tasks: Sequence[Task], part: int, n_parts: int
) -> dict[str, float] | None:
    """Return the scales by which the mean of the losses of all parts is the loss of the whole batch.

    A loss is a mean over known entries, and some parts know more of them than others: their means weigh more.
    Of two parts that know 3 and 1 of a batch's 4 grades, one counts 3/2 and the other 1/2.

    Args:
        targets: Of the whole batch, by task.
        tasks: The tasks that are learned.
        part: Number of the part: every `n_parts`-th image of the batch, this one first.
        n_parts: How many parts there are.

    Returns:
        Name of a task -> scale of its loss, 0 where the part knows nothing; None where all are 1.
    """
    if n_parts == 1:
        return None
    known = {task.name: task.known(targets[task.name]) for task in tasks}
    return {
        name: n_parts * entries[part::n_parts].sum().item() / max(entries.sum().item(), 1)
        for name, entries in known.items()
    }
