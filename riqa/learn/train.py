"""The one training loop: Teacher, single-task model, its control and the Student all use it."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from riqa.ahead import work_ahead
from riqa.errors import InputError
from riqa.learn.augment import augment
from riqa.learn.checkpoint import Progress, load_checkpoint, save_checkpoint
from riqa.learn.config import TrainingConfig
from riqa.learn.device import resolve_precision
from riqa.learn.distributed import ALONE, Processes
from riqa.learn.examples import Examples, to_images
from riqa.learn.inference import compute_logits
from riqa.learn.model import QualityNet
from riqa.learn.tasks import TASKS, Task, WeightedSum, Weighting, multi_task_loss, part_scales

SMALLEST_IMAGE = 32
"""Side in pixels below which nothing is trained.

Backbones halve an image five times. With one pixel left before the last halving, the bfloat16 convolution of
torch 2.14 (oneDNN) leaves parts of its gradient uninitialised.
"""


def train(
    model: QualityNet,
    training: Examples,
    validation: Examples,
    config: TrainingConfig,
    *,
    tasks: Sequence[Task] = TASKS,
    weighting: Weighting | None = None,
    start_counts: bool = False,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict, float], None] = lambda record, images_per_second: None,
    processes: Processes = ALONE,
) -> list[dict]:
    """Train a model in place; leave it with the weights of its best epoch on validation (paper, Section 3.2).

    Several processes may do it together, each by the same call. Batches, shuffling and augmentation are then
    those of one process, and so is the result up to rounding, with two exceptions. Dropout and stochastic
    depth draw other random numbers. And where there is no graphics card, batch normalisation takes its
    statistics over a process's own part of each batch, and keeps the running ones of the main process.

    Args:
        model: Network with a head for every task that is learned.
        training: Images and targets to learn from.
        validation: Images and targets that choose the epoch; never the test split.
        config: Hyperparameters.
        tasks: What may be learned; the score of the first that is learned chooses the epoch.
        weighting: How losses join; by default `config`'s lambdas, and a task of weight 0 is not learned.
        start_counts: Whether the starting weights compete for the best epoch, as in the paper's control,
            which keeps "the best checkpoint over all epochs" of both of its phases.
        checkpoint: File that holds, after every epoch, all that a later call needs to resume; its numbers are
            those of a call that was never stopped. Only for a call with the same other arguments: give each
            its own file. None: keep nothing.
        on_epoch: Called with each epoch's record and its training images per second, validation included;
            again, with NaN, for the epochs of a checkpoint.
        processes: Those that train together; `config.batch_size` is their images per step together, and
            the main one writes the checkpoint.

    Returns:
        One record per epoch: epoch (0 is the start), train_loss, val_loss, val_score, learning_rate, best.
        val_score is the macro-F1 of the task that the model is for: overall quality if it is learned, else
        the mean over details.

    Raises:
        InputError: If the images are too small for the backbone, the processes cannot share a batch evenly,
            or the checkpoint cannot be read.
    """
    side = training.images.shape[1]
    if side < SMALLEST_IMAGE:
        raise InputError(
            f"image_size is {side} pixels, must be at least {SMALLEST_IMAGE}; curate the images again"
        )
    batch_size = min(config.batch_size, len(training))
    if batch_size % processes.n:
        raise InputError(
            f"{processes.n} processes cannot share {batch_size} images per step evenly: set batch_size to a "
            f"multiple of {processes.n}, at most {len(training)}, the number of training images"
        )
    device = next(model.parameters()).device
    precision = resolve_precision(config.precision, model, device)
    model.to(memory_format=torch.channels_last)
    if weighting is None:
        weights = {"overall": config.lambda_overall, "details": config.lambda_details}
        tasks, weighting = [task for task in tasks if weights[task.name]], WeightedSum(weights)
    tensors = list(model.backbone.parameters())  # from the input on
    frozen = tensors[: int(config.frozen_share * len(tensors))]
    for tensor in frozen:
        tensor.requires_grad_(False)
    shared = processes.wrap(model, bool(model.heads.keys() - {task.name for task in tasks}))
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)  # dropout and stochastic depth read the global generator
    learned = list(weighting.parameters()) if isinstance(weighting, nn.Module) else []
    optimizer = torch.optim.SGD(
        [*model.parameters(), *learned],
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    batches = max(len(training) // config.batch_size, 1)
    scheduler = _scheduler(optimizer, config, steps=config.epochs * batches, batches=batches)
    average = _moving_average(model, config.ema_decay)
    progress = Progress(model, optimizer, scheduler, generator, average)
    if checkpoint is not None and processes.find(checkpoint):
        load_checkpoint(progress, checkpoint)
        for record in progress.history[1:]:
            on_epoch(record, math.nan)
    else:
        start = {
            "epoch": 0,
            "train_loss": math.nan,
            **evaluate(model, validation, config, tasks, weighting, processes),
            "learning_rate": 0.0,
        }
        progress.add(start, may_be_best=start_counts)

    objective = partial(multi_task_loss, tasks=tasks, weighting=weighting)

    def forward(*inputs: Tensor) -> dict[str, Tensor]:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return shared(*inputs)

    def after_step() -> None:
        scheduler.step()
        if average is not None:
            average.update_parameters(model)

    for epoch in range(len(progress.history), config.epochs + 1):
        if config.patience and epoch - progress.best_epoch > config.patience:
            break
        started = time.perf_counter()
        processes.seed_dropout(config.seed, epoch)
        model.train()
        read = _batches(training, tasks, config, epoch, generator, processes, device)
        losses = train_epoch(forward, objective, read, optimizer, after_step)
        processes.share_buffers(progress.kept_model)
        record = {
            "epoch": epoch,
            "train_loss": float(np.mean(processes.mean(losses).tolist())),
            **evaluate(progress.kept_model, validation, config, tasks, weighting, processes),
            "learning_rate": scheduler.get_last_lr()[0],
        }
        progress.add(record)
        if checkpoint is not None and processes.is_main:
            save_checkpoint(progress, checkpoint)
        on_epoch(record, batches * config.batch_size / (time.perf_counter() - started))
    model.load_state_dict(progress.best_state)
    model.eval()
    for tensor in frozen:
        tensor.requires_grad_(True)
    return [{**record, "best": record["epoch"] == progress.best_epoch} for record in progress.history]


def train_epoch(
    network: Callable[..., dict[str, Tensor]],
    objective: Callable[..., Tensor],
    batches: Iterable[tuple[tuple, dict]],
    optimizer: torch.optim.Optimizer,
    after_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Take one step of gradient descent per batch.

    Args:
        network: From images (N, 3, H, W) in [0, 1] to the logits of every head.
        objective: From logits and targets to the loss: `multi_task_loss`.
        batches: What the network takes, and what the objective takes beside logits.
        optimizer: Moves the network's weights.
        after_step: Called after every step: the learning rate has a schedule.

    Returns:
        The loss of each batch before its step.
    """
    losses = []
    for inputs, targets in batches:
        logits = network(*inputs)
        loss = objective(logits, **targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _batches(
    training: Examples,
    tasks: Sequence[Task],
    config: TrainingConfig,
    epoch: int,
    generator: torch.Generator,
    processes: Processes,
    device: torch.device,
) -> Iterator[tuple[tuple, dict]]:
    """Shuffle the images of an epoch, and yield them batch by batch, augmented, with their targets.

    The incomplete last batch is left out: batch normalisation over a handful of images is noise.
    """
    side, n_batches = training.images.shape[1], max(len(training) // config.batch_size, 1)
    scaled_side = image_side(side, epoch, config)
    order = torch.randperm(len(training), generator=generator)
    steps = order[: n_batches * config.batch_size].split(config.batch_size)
    parts = [processes.part(index) for index in steps]
    read = work_ahead(lambda mine: training.pixels(mine, device), parts)
    share = {"part": processes.rank, "n_parts": processes.n}
    for index, mine, pixels in zip(steps, parts, read, strict=True):
        images = augment(to_images(pixels, device), config.augmentation, generator, **share)
        if scaled_side < side:
            images = functional.interpolate(images, scaled_side, mode="bilinear", antialias=True)
        inputs = (images.contiguous(memory_format=torch.channels_last),)
        if training.auxiliary is not None:
            inputs += (training.auxiliary[mine].to(device),)
        known = {name: values[index] for name, values in training.targets.items()}
        targets = {name: values[mine].to(device) for name, values in training.targets.items()}
        yield inputs, {"targets": targets, "scales": part_scales(known, tasks, **share)}


def evaluate(
    model: QualityNet,
    examples: Examples,
    config: TrainingConfig,
    tasks: Sequence[Task],
    weighting: Weighting,
    processes: Processes = ALONE,
) -> dict[str, float]:
    """Return val_loss and val_score of a model, as `train` describes them.

    Several processes share the images, and each returns the numbers of all images, every image counted once.
    """
    part = examples.at(processes.spread(len(examples)))
    logits = processes.gather(compute_logits(model, part, config.precision), len(examples))
    with torch.no_grad():
        loss = multi_task_loss(logits, examples.targets, tasks, weighting)
    first = tasks[0].name
    return {"val_loss": loss.item(), "val_score": tasks[0].score(logits[first], examples.targets[first])}


def image_side(side: int, epoch: int, config: TrainingConfig) -> int:
    """Return the side in pixels of the training images of an epoch, a multiple of 8 unless it is whole."""
    grown = min((epoch - 1) / max(2 / 3 * config.epochs, 1), 1)
    scale = config.start_scale + (1 - config.start_scale) * grown
    return side if scale == 1 else min(max(round(scale * side / 8) * 8, SMALLEST_IMAGE), side)


def _moving_average(model: QualityNet, decay: float) -> AveragedModel | None:
    """Return a moving average of a model's weights and running statistics, if there is to be one."""
    if not decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _scheduler(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, steps: int, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a schedule that is advanced once per step."""
    if config.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=config.learning_rate,
            total_steps=steps + 1,
            cycle_momentum=False,
            pct_start=config.warm_up,
        )
    milestones = [epoch * batches for epoch in config.halve_at]
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=0.5)
