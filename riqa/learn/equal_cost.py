"""Several backbones, each trained with the same amount of computation.

Its unit is the floating-point operation, the same on every machine. torch's own counter counts two for each
product that is added up in convolutions, matrix products and attention, forwards and backwards.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from riqa.data.store import open_store
from riqa.learn.model import QualityNet
from riqa.learn.runs import TrainingRun, apply_model, joined, run_each

SPLITS = ("train", "val")  # never test images, which must not decide a choice


def flop_per_image(network: nn.Module, side: int) -> float:
    """Count the operations of a training step, without the optimiser's, per image (3, side, side) of it."""
    images = torch.zeros(2, 3, side, side, device=next(network.parameters()).device)
    with FlopCounterMode(display=False) as counter:
        logits = network(images)
        tasks = logits.values() if isinstance(logits, dict) else (logits,)
        sum(task.sum() for task in tasks).backward()
    return counter.get_total_flops() / len(images)


def network_size(backbone: str, n_overall: int, side: int) -> tuple[int, float]:
    """Return the parameters of a network of one task, and `flop_per_image`, without computing it."""
    # Built with real numbers, which some networks read while they are built; counted without any.
    with torch.random.fork_rng(devices=[]):
        network = QualityNet(backbone, n_overall, 0, image_size=side).train().to("meta")
    return sum(weight.numel() for weight in network.parameters()), flop_per_image(network, side)


def equal_cost_runs(
    main: TrainingRun, backbones: Sequence[str], share: float, folder: Path
) -> list[tuple[TrainingRun, dict]]:
    """Plan a training of each backbone by the recipe of the main one, with as many epochs as the budget buys.

    The budget is `share` (above 0, else a ValueError) of the cost of `main`, a run without details head.
    Of each backbone come the run, called by its name, with its models below `folder`, and its cost:
    parameters, flop (operations per training image and epoch), epochs (at least 1), spent (share of the
    budget). Epochs at which the learning rate is halved move along with the number of epochs.
    """
    if not share > 0:
        raise ValueError(f"the share of the main training's cost is {share}, must be above 0")
    side = open_store(main.store).images.shape[1]
    budget = share * main.config.epochs * network_size(main.backbone, main.n_overall, side)[1]
    planned = []
    for name in dict.fromkeys(backbones):
        parameters, flop = network_size(name, main.n_overall, side)
        # The factor: a budget of whole epochs buys them, however it is rounded.
        epochs = max(int(budget / flop * (1 + 1e-9)), 1)
        halve_at = tuple(round(epoch * epochs / main.config.epochs) for epoch in main.config.halve_at)
        config = replace(main.config, epochs=epochs, halve_at=halve_at)
        own = {"model": name, "backbone": name, "models": Path(folder) / name}
        run = replace(main, **own, config=config, predict_on=((main.store, SPLITS),))
        cost = {"parameters": parameters, "flop": flop, "epochs": epochs, "spent": epochs * flop / budget}
        planned.append((run, cost))
    return planned


def train_at_equal_cost(
    main: TrainingRun,
    main_history: pd.DataFrame,
    backbones: Sequence[str],
    share: float = 1.0,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train each backbone at equal cost, and apply it to the images that it learned from and to validation.

    The main run is trained and written; its seed is the seed of all. Where its backbone is among the names,
    and the budget buys its own number of epochs, what it has learned is taken over. No model is kept.

    Returns costs, one row per backbone with the numbers of `equal_cost_runs`; history, the backbone as model,
    with `of the budget`, the share that is spent at the end of an epoch; and predictions.
    """
    with tempfile.TemporaryDirectory() as folder:
        planned = equal_cost_runs(main, backbones, share, Path(folder))
        new = [run for run, _ in planned if (run.backbone, run.config) != (main.backbone, main.config)]
        found = dict(zip([run.model for run in new], run_each(new, workers) if new else [], strict=True))
    if any(run.model not in found for run, _ in planned):
        answers = apply_model(replace(main, predict_on=((main.store, SPLITS),)))
        found[main.backbone] = [frame.assign(model=main.backbone) for frame in (main_history, answers)]
    costs = pd.DataFrame([{"backbone": run.model, **cost} for run, cost in planned])
    history, predictions = joined([found[name] for name in costs["backbone"]])
    of = costs.set_index("backbone")
    history["of the budget"] = history["epoch"] * history["model"].map(of["spent"] / of["epochs"])
    return costs, history, predictions
