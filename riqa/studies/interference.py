"""Do two tasks pull against each other at the weights that they share, where in the network, and when?

Looks at a network never change it: in evaluation mode an image's loss depends on that image alone, nothing
random is drawn, and the steps that are tried are taken by a copy of the weights.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from riqa.data.store import open_store
from riqa.evaluate.mrmc import mean_of_method
from riqa.learn.device import resolve_device
from riqa.learn.examples import to_images
from riqa.learn.model import QualityNet
from riqa.learn.runs import Told, TrainingRun, examples_for, fit, initial_model
from riqa.learn.tasks import TASKS
from riqa.results import rows

ALL = "all"  # stages together
KEYS = ("model", "rival", "target", "metric", "group")


def stage_of(parameter: str) -> str:
    """Return the stage of the backbone that a parameter belongs to, from the input on: stem, stage 1, .."""
    first = parameter.split(".")[0]
    return "stem" if first in ("conv1", "bn1") else first.replace("layer", "stage ")


def look(model: QualityNet, images: Tensor, targets: Mapping[str, Tensor], rate: float) -> list[dict]:
    """Look at both tasks' gradients on one batch, and at what a step along each does for both.

    The model is in evaluation mode, images are (N, 3, H, W) in [0, 1], targets those of `TASKS`. Steps at the
    learning rate, above 0, move the backbone only.

    Returns:
        Numbers with stage, metric, target and group: `gradient_cosine` of the tasks' gradients and
        `gradient_length`, the base-2 logarithm of the length of that of the details over that of overall
        quality, by stage and of all; and `affinity`, the share of the target's loss that a step takes away
        (Fifty et al. 2021, Eq. 1), where the group says whose step.
    """
    shared = {name: w for name, w in model.backbone.named_parameters() if w.requires_grad}
    stages, logits = [stage_of(name) for name in shared], model(images)
    losses = {task.name: task.loss(logits[task.name], targets[task.name]) for task in TASKS}
    pulls = [torch.autograd.grad(loss, shared.values(), retain_graph=True) for loss in losses.values()]
    found = []
    for stage in (ALL, *dict.fromkeys(stages)):
        inside = [k for k, own in enumerate(stages) if stage in (ALL, own)]
        a, b = (torch.cat([pull[k].flatten() for k in inside]) for pull in pulls)
        numbers = {"gradient_cosine": functional.cosine_similarity(a, b, dim=0)}
        numbers["gradient_length"] = torch.log2(b.norm() / a.norm())
        told = {"stage": stage, "target": "details", "group": ALL}
        found += [told | {"metric": metric, "value": value.item()} for metric, value in numbers.items()]
    for of, pull in zip(losses, pulls, strict=True):
        with torch.no_grad():
            steps = zip(shared.items(), pull, strict=True)
            moved = {f"backbone.{name}": w - rate * g for (name, w), g in steps}
            logits = functional_call(model, moved, (images,))
            for on in TASKS:
                left = (on.loss(logits[on.name], targets[on.name]) / losses[on.name]).item()
                told = {"stage": ALL, "target": on.name, "group": f"step on {of}"}
                found.append(told | {"metric": "affinity", "value": 1 - left})
    return found


def watch(
    run: TrainingRun, tell: Callable = lambda told: None, *, n_photographs: int, batch_size: int, rate: float
) -> pd.DataFrame:
    """Train as `riqa.learn.runs.execute` does, and look before training and after every epoch.

    Nothing is written, and no checkpoint is kept: a training that goes on has epochs nobody looked at. Of the
    training photographs `n_photographs`, evenly spaced and without augmentation, are looked at, in batches of
    at most `batch_size`, each from the whole set. The rate is that of `look`.

    Returns:
        What `look` finds (lengths times the tasks' weights), by model, rival (none), seed, epoch and batch.
    """
    store, config, device = open_store(run.store), run.config, resolve_device(run.device)
    training, validation = examples_for(run, store)
    model = initial_model(run, image_size=store.images.shape[1]).to(device)
    shown = training.spaced(n_photographs)
    n_batches = math.ceil(len(shown) / batch_size)
    weight, seen = math.log2(config.lambda_details / config.lambda_overall), []

    def look_at(epoch: int) -> None:
        model.eval()
        for batch in range(n_batches):
            index = torch.arange(len(shown))[batch::n_batches]
            targets = {name: values[index].to(device) for name, values in shown.targets.items()}
            told = {"model": run.model, "rival": "", "seed": config.seed, "epoch": epoch, "batch": batch}
            numbers = look(model, to_images(shown.pixels(index, device), device), targets, rate)
            seen.extend(told | number for number in numbers)

    def after_epoch(told: Told) -> None:
        look_at(told[1]["epoch"])
        tell(told)

    torch.set_num_threads(run.threads)
    look_at(0)
    fit(run, model, training, validation, after_epoch, checkpoint=None)
    looks = pd.DataFrame(seen)
    lengths = looks["metric"] == "gradient_length"
    return looks.assign(value=looks["value"].where(~lengths, looks["value"] + weight))


def gap_parts(values: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Take the gap between two groups' means apart by image: values (S, N), second bool (N,) -> (S, N).

    The mean of the parts is the mean of the second group minus that of the first, and they spread over images
    as the gap's influence function does, so that `riqa.evaluate.mrmc.mean_of_method` judges it as a mean.
    """
    gap = values[:, second].mean(axis=1) - values[:, ~second].mean(axis=1)
    parts = np.repeat(gap[:, None], values.shape[1], axis=1)
    for inside, sign in ((second, 1), (~second, -1)):
        own = values[:, inside] - values[:, inside].mean(axis=1, keepdims=True)
        parts[:, inside] += sign * own / inside.mean()
    return parts


def averaged(looks: pd.DataFrame, *, confidence: float = 0.95, **shared: object) -> pd.DataFrame:
    """Average looks that agree in `KEYS`: rows of results, seeds as readers and batches as cases.

    Takes what `watch` returns for several seeds, or differences of it, and what all rows share.
    """
    numbers = {}
    for keys, own in looks.groupby(list(KEYS), sort=False):
        values = own.pivot_table(index="seed", columns="batch", values="value")  # means
        numbers[keys] = mean_of_method(values.to_numpy(), confidence=confidence)
    return rows(numbers, KEYS, method="batches", confidence=confidence, **shared)
