"""What another network says about a photograph, as an input of the head that grades it.

The Student of chapter 05 has the Teacher's answers as targets. Here a head may read three numbers about a
photograph beside the features that the backbone makes of it, and then needs them at inference, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from riqa.data.store import open_store
from riqa.files import read_parquet
from riqa.labels import DETAILS
from riqa.learn.examples import examples_of, with_pseudo_labels
from riqa.learn.model import QualityNet
from riqa.learn.predict import PROBABILITIES, in_batches, probabilities
from riqa.learn.runs import TrainingRun, examples_for, execute, fit, initial_model


@dataclass(frozen=True)
class ToldRun(TrainingRun):
    """A training in which the overall head may be told something about each photograph."""

    inputs: Path | None = None  # file: image_id, seed, and in p_<detail> the numbers; None: features alone
    fresh_head: bool = False  # whether the overall head is drawn anew, alike for all runs of a seed


def widened(head: nn.Linear, n: int) -> nn.Linear:
    """Let a head read n more numbers behind the features.

    Their weights are 0, so that it answers as it did.
    """
    wide = nn.Linear(head.in_features + n, head.out_features)
    with torch.no_grad():
        wide.weight.copy_(functional.pad(head.weight, (0, n)))
        wide.bias.copy_(head.bias)
    return wide


class Unaware(nn.Module):
    """A head that reads the features, and not the numbers behind them."""

    def __init__(self, head: nn.Linear):
        super().__init__()
        self.head = head

    def forward(self, known: Tensor) -> Tensor:
        """Return logits (N, width) for features with n further numbers (N, D + n)."""
        return self.head(known[:, : self.head.in_features])


def start_of(run: ToldRun, image_size: int) -> QualityNet:
    """Return what a run starts from, which grades as it would without inputs.

    A details head does not read them: where they are its targets, it would copy them.
    """
    model = initial_model(run, image_size)
    if run.fresh_head:
        torch.manual_seed(run.config.seed)
        model.heads["overall"].reset_parameters()
    if run.inputs is not None:
        for task, head in list(model.heads.items()):
            model.heads[task] = widened(head, len(DETAILS)) if task == "overall" else Unaware(head)
    return model


def learn(run: ToldRun, tell: Callable = lambda told: None) -> pd.DataFrame:
    """Train a network; return its answers about validation and test photographs.

    It is trained as `riqa.learn.runs.execute` does it, and written only if it has neither inputs nor a fresh
    head, like any other. The answers are rows as of
    `riqa.learn.predict.predict`. With inputs there are more, of a model `<model>_misled`: what the same
    network says of test photographs where their inputs have been dealt out again.
    """
    if run.inputs is None and not run.fresh_head:
        return execute(replace(run, predict_on=((run.store, ("val", "test")),)), tell)[1]
    store = open_store(run.store)
    parts = dict(zip(("train", "val"), examples_for(run, store), strict=True))
    parts["test"] = examples_of(store, "test")
    if run.inputs is not None:
        told = read_parquet(run.inputs)
        told = told[told["seed"] == run.config.seed]
        for split, part in parts.items():
            numbers = with_pseudo_labels(part, store.manifest, told, "soft", run.inputs).targets["details"]
            parts[split] = replace(part, auxiliary=numbers)
    model = start_of(run, store.images.shape[1])
    fit(run, model, parts["train"], parts["val"], tell)
    asked = [(run.model, parts["val"]), (run.model, parts["test"])]
    if run.inputs is not None:
        dealt = torch.randperm(len(parts["test"]), generator=torch.Generator().manual_seed(0))
        misled = replace(parts["test"], auxiliary=parts["test"].auxiliary[dealt])
        asked.append((f"{run.model}_misled", misled))
    frames = []
    for name, part in asked:
        rows = store.manifest.iloc[part.rows].reset_index(drop=True)
        frame = rows[["image_id", "dataset", "split", "patient_id", "eye", "overall", *DETAILS]]
        frame = frame.assign(**run.names | {"model": name})
        frame[list(PROBABILITIES)] = probabilities(in_batches(model, model, part, run.config.precision))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
