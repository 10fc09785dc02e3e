"""Answers that must fit together: a term of the loss that two heads of one network share.

A rule says how far two answers about one photograph break it. A head without weights overhears both heads
and gives out what the rule says; its loss is the mean of that, and reaches both heads and all they share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from riqa.data.store import open_store
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.runs import Results, TrainingRun, apply_model, examples_for, fit, initial_model
from riqa.learn.tasks import TASKS, Task, WeightedSum

AGREE = Task("agree", (), lambda broken, _: broken.mean(), lambda broken, _: -broken.mean().item())
"""The further task. It has no labels, and it never chooses the epoch."""

Rule = Callable[[Tensor, Tensor], Tensor]
"""From the logits of two heads, (N, ...) each, to how far each photograph breaks it: (N, ...), 0 or more."""


def links_of(grade: np.ndarray, details: np.ndarray, holds: float) -> tuple[int, int, int]:
    """Find which grade needs which detail, in the labels of N photographs.

    The grade is (N,) bool, whether it is the best; details are (N, 3), 0.5 or more where good; of the
    photographs with the first, the share `holds` or more must have the second.

    Returns:
        For each detail 1 if a good grade needs a good detail, -1 if another grade needs a bad one, 0 if
        neither holds. Where both do, that which holds more often counts, and where no detail has a link, the
        one that holds most often is taken.
    """
    best, good, none = np.asarray(grade, dtype=bool), np.asarray(details) >= 0.5, np.zeros(3)
    if_best = good[best].mean(axis=0) if best.any() else none
    if_not = (~good[~best]).mean(axis=0) if (~best).any() else none
    shares = np.maximum(if_best, if_not)
    signs = np.where(if_best >= if_not, 1, -1) * (shares >= min(holds, shares.max()))
    return tuple(signs.tolist())


def links_broken(grade: Tensor, details: Tensor, signs: Sequence[int]) -> Tensor:
    """Return by how much probabilities of good break the links: (N, L) in [0, 1] for L links.

    If one thing needs another it is at most as probable, whatever else is known. The grade is (N, K) logits,
    the last of the best grade; details are (N, 3) logits of good; signs are those of `links_of`.
    """
    gap = grade.softmax(dim=1)[:, -1:] - details.sigmoid()  # (N, 3)
    signs = torch.tensor(signs, device=gap.device)
    return (signs * gap).clamp(min=0)[:, signs != 0]


class Agreement(nn.Module):
    """A head that overhears two others, in the order in which a network asks them, and applies a rule.

    `elsewhere`, it hears what the second says about the photograph before in the batch: a placebo.
    """

    def __init__(self, rule: Rule, first: nn.Module, second: nn.Module, elsewhere: bool = False):
        super().__init__()
        self.rule, self.elsewhere, self.heard = rule, elsewhere, []
        self.hooks = [head.register_forward_hook(self.hear) for head in (first, second)]

    def hear(self, head: nn.Module, inputs: tuple, output: Tensor) -> None:
        """Keep an answer until both have been given."""
        self.heard.append(output.float())

    def forward(self, features: Tensor) -> Tensor:
        """Return how far the rule is broken; the features are not looked at."""
        (one, other), self.heard = self.heard, []
        return self.rule(one, other.roll(1, 0) if self.elsewhere else other)

    def leave(self) -> None:
        """Overhear no more."""
        for hook in self.hooks:
            hook.remove()


def without_labels(examples: Examples) -> Examples:
    """Add the targets of `AGREE`, which say nothing."""
    return replace(examples, targets=examples.targets | {"agree": torch.zeros(len(examples))})


def teach(
    run: TrainingRun, model: QualityNet, further: Mapping[Task, float], *given: object, told: Sequence[object]
) -> pd.DataFrame:
    """Train as `riqa.learn.runs.execute` does, with further tasks and their weights; return the history.

    Given are training, validation and `tell`, as to `riqa.learn.runs.fit`, and `told`, what else decides.
    """
    weights = {"overall": run.config.lambda_overall, "details": run.config.lambda_details}
    weights |= {task.name: weight for task, weight in further.items()}
    how = {"tasks": [task for task in (*TASKS, *further) if weights[task.name]]}
    how |= {"weighting": WeightedSum(weights), "told": [*told, *further.values()]}
    return fit(run, model, *given, **how)


@dataclass(frozen=True)
class AgreeingRun(TrainingRun):
    """A fine-tuning whose grade and details must keep to links."""

    signs: tuple[int, int, int] = (0, 0, 0)  # the links, see `links_of`; one or more
    lambda_agree: float = 1.0  # weight of what is broken, above 0
    elsewhere: bool = False  # whether the details are those of another photograph: the placebo


def learn(run: AgreeingRun, tell: Callable = lambda told: None) -> Results:
    """Train one arm; return history and answers as `run_each` does, keep no model."""
    store = open_store(run.store)
    parts = map(without_labels, examples_for(run, store))
    model = initial_model(run, store.images.shape[1])
    rule, heads = partial(links_broken, signs=run.signs), model.heads
    heads["agree"] = Agreement(rule, heads["overall"], heads["details"], run.elsewhere)
    told = run.signs, run.elsewhere
    history = teach(run, model, {AGREE: run.lambda_agree}, *parts, tell, told=told)
    heads.pop("agree").leave()
    return history, apply_model(run, model)
