"""Tokens in place of heads: one network that is told which task it shall answer.

Every arm begins with the backbone of a single-task model, and draws afresh all that reads its features.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from riqa.data.store import open_store
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet, load_model
from riqa.learn.runs import Results, TrainingRun, apply_model, examples_for, fit

TOKENS = {"task_token": (0, 1), "fixed_token": (0, 1), "same_token": (0, 0)}
"""Arm -> which token overall quality has, and which the details. Arms besides these have heads."""


class SwitchedNet(QualityNet):
    """A token per task scales and shifts the features; one layer answers.

    It takes the tasks of a network with heads, and `rows` are their tokens.
    """

    def __init__(self, like: QualityNet, rows: Sequence[int], spread: float):
        super().__init__(**like.architecture)
        widths = {task: head.out_features for task, head in self.heads.items()}
        self.widths, self.rows = widths, rows
        n = next(iter(self.heads.values())).in_features
        self.heads = nn.ModuleDict({"any": nn.Linear(n, max(widths.values()))})
        self.tokens = nn.Embedding(max(rows) + 1, 2 * n)
        nn.init.normal_(self.tokens.weight, std=spread)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits of every task; features are computed once."""
        h, logits = self.features(images), {}
        for (task, width), row in zip(self.widths.items(), self.rows, strict=True):
            scale, shift = self.tokens.weight[row].chunk(2)
            told = (1 + scale) * h + shift
            logits[task] = self.heads["any"](told)[:, :width]
        return logits


@torch.no_grad()
def untie(tied: SwitchedNet, model: QualityNet) -> None:
    """Let the heads of a network answer as a layer with tokens does."""
    layer = tied.heads["any"]
    for head, row in zip(model.heads.values(), tied.rows, strict=True):
        scale, shift = tied.tokens.weight[row].chunk(2)
        head.weight.copy_((layer.weight * (1 + scale))[: head.out_features])
        head.bias.copy_((layer.bias + layer.weight @ shift)[: head.out_features])


def network(arm: str, start: QualityNet, n_details: int, spread: float) -> QualityNet:
    """Give the backbone of a trained network what an arm reads its features by, drawn afresh.

    The arm is a key of `TOKENS`, or another for a head per task. A fixed token is not learned; `untied_heads`
    begins with the answers of `task_token`. The width `n_details` of 0 leaves the details out, which tokens
    cannot. Fresh tokens spread (standard deviation, 0 or more) around scales of 1 and shifts of 0.
    """
    model = QualityNet(**start.architecture | {"n_details": n_details})
    if arm in TOKENS:
        model = SwitchedNet(model, TOKENS[arm], spread)
        model.tokens.requires_grad_(arm != "fixed_token")
    elif arm == "untied_heads":
        untie(SwitchedNet(model, TOKENS["task_token"], spread), model)
    model.backbone.load_state_dict(start.backbone.state_dict())
    return model


def learn(run: TrainingRun, tell: Callable = lambda told: None, *, spread: float = 1.0) -> Results:
    """Train the arm that a run's `model` names; return history and answers as `run_each` does, keep no model.

    What `task_token` answers if its tokens are exchanged comes beside, as a model `wrong_token`. `spread` is
    that of `network`.
    """
    training, validation = examples_for(run, open_store(run.store))
    start, _ = load_model(run.start_from)
    torch.manual_seed(run.config.seed)
    model = network(run.model, start, run.n_details, spread)
    history = fit(run, model, training, validation, tell)
    answers = [apply_model(run, model)]
    if run.model == "task_token":
        model.rows = model.rows[::-1]
        answers.append(apply_model(replace(run, model="wrong_token"), model))
    answers = pd.concat(answers, ignore_index=True)
    silent = np.array(DETAILS)[training.targets["details"].isnan().all(dim=0).numpy()]
    answers[[*silent, *(f"p_{detail}" for detail in silent)]] = np.nan
    return history, answers
