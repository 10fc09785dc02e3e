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
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from riqa.errors import InputError
from riqa.learn.augment import augment_and_tell
from riqa.learn.balance import SCHEMES, EqualWeights
from riqa.learn.checkpoint import Progress, load_checkpoint, save_checkpoint
from riqa.learn.config import TrainingConfig
from riqa.learn.device import resolve_precision
from riqa.learn.distributed import ALONE, Processes
from riqa.learn.examples import Examples, to_images
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches
from riqa.learn.tasks import TASKS, Task, Weighting, multi_task_loss, part_scales
from riqa.workers import work_ahead

SMALLEST_IMAGE = 32
"""Side in pixels below which nothing is trained. Backbones halve it five times; with one pixel left before
the last, the bfloat16 convolution of torch 2.14 (oneDNN) leaves parts of its gradient uninitialised."""


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

    Several processes may do it together, each by the same call. The result is that of one process up to
    rounding, but that dropout and stochastic depth draw other random numbers, and that without graphics cards
    batch normalisation takes its statistics over a process's own part of each batch, and keeps the running
    ones of the main process.

    Args:
        model: Network with a head for every task that is learned.
        training: What to learn from.
        validation: What chooses the epoch; never the test split.
        config: Hyperparameters; `batch_size` is that of all processes together.
        tasks: What may be learned; the score of the first that is learned chooses the epoch.
        weighting: How losses join; by default as `config` says, and a task of weight 0 is not learned.
        start_counts: Whether the starting weights compete for the best epoch, as in the paper's control,
            which keeps "the best checkpoint over all epochs" of both of its phases.
        checkpoint: File that holds, after every epoch, all that a later call with the same other
            arguments needs to resume; its numbers are those of a call that was never stopped.
        on_epoch: Called with each epoch's record and its training images per second, validation included;
            with NaN for the epochs of a checkpoint.
        processes: Those that train together.

    Returns:
        One record per epoch: epoch (0 is the start), train_loss, val_loss, val_score, learning_rate, best,
        and what a scheme of `riqa.learn.balance` has noted.

    Raises:
        InputError: If the images are too small, the processes cannot share a batch evenly or the weights
            of losses, or the checkpoint cannot be read.
    """
    side, batch_size = training.images.shape[1], min(config.batch_size, len(training))
    if side < SMALLEST_IMAGE:
        raise InputError(
            f"image_size is {side} pixels, must be at least {SMALLEST_IMAGE}; curate the images again"
        )
    if batch_size % processes.n:
        raise InputError(
            f"{processes.n} processes cannot share {batch_size} images per step evenly: set batch_size to a "
            f"multiple of {processes.n}, at most {len(training)}, the number of training images"
        )
    device = next(model.parameters()).device
    precision = resolve_precision(config.precision, model, device)
    model.to(memory_format=torch.channels_last)
    tensors = list(model.backbone.parameters())  # from the input on
    n_frozen = int(config.frozen_share * len(tensors))
    frozen = nn.ParameterList(tensors[:n_frozen]).requires_grad_(False)
    if weighting is None:
        weights = {"overall": config.lambda_overall, "details": config.lambda_details}
        tasks = [task for task in tasks if weights[task.name]]
        weights = {task.name: weights[task.name] for task in tasks}
        weighting = SCHEMES[config.weighting](weights, tensors[n_frozen:])
    changing = weighting if isinstance(weighting, nn.Module) else None  # with a state of its own
    if changing is not None and processes.n > 1:
        raise InputError("weights of losses that change are for one process: set weighting to fixed")
    shared = processes.wrap(model, some_unused=bool(model.heads.keys() - {task.name for task in tasks}))
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)  # dropout and stochastic depth read the global generator
    learned = [] if changing is None else list(changing.parameters())
    pace = {"lr": config.learning_rate, "momentum": config.momentum, "weight_decay": config.weight_decay}
    optimizer = torch.optim.SGD([*model.parameters(), *learned], **pace)
    scheduler = _scheduler(optimizer, config, _n_batches(training, config))
    average = None
    if config.ema_decay:  # of the weights and the running statistics
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
    keep_last = config.kept_epoch == "last"
    progress = Progress(model, optimizer, scheduler, generator, keep_last, average, changing)

    def validate(epoch: int, train_loss: float, learning_rate: float, **noted: float) -> dict[str, float]:
        scores = evaluate(progress.kept_model, validation, config, tasks, weighting, processes)
        record = {"epoch": epoch, "train_loss": train_loss, **scores, "learning_rate": learning_rate, **noted}
        progress.add(record, may_be_best=epoch > 0 or start_counts)
        return record

    def forward(*inputs: Tensor) -> dict[str, Tensor]:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return shared(*inputs)

    def after_step() -> None:
        scheduler.step()
        if average is not None:
            average.update_parameters(model)

    objective = partial(multi_task_loss, tasks=tasks, weighting=weighting)
    if checkpoint is not None and processes.find(checkpoint):
        load_checkpoint(progress, checkpoint)
        for record in progress.history[1:]:
            on_epoch(record, math.nan)
    else:
        validate(0, math.nan, 0.0)
    for epoch in range(len(progress.history), config.epochs + 1):
        if config.patience and epoch - progress.best_epoch > config.patience:
            break
        started = time.perf_counter()
        processes.seed_dropout(config.seed, epoch)
        model.train()
        read = _batches(training, tasks, config, epoch, generator, processes, device)
        losses = train_epoch(forward, objective, read, optimizer, after_step)
        processes.share_buffers(progress.kept_model)
        train_loss = float(np.mean(processes.mean(losses).tolist()))
        noted = weighting.end_epoch() if isinstance(weighting, EqualWeights) else {}
        record = validate(epoch, train_loss, scheduler.get_last_lr()[0], **noted)
        if checkpoint is not None and processes.is_main:
            save_checkpoint(progress, checkpoint)
        n_images = _n_batches(training, config) * config.batch_size
        on_epoch(record, n_images / (time.perf_counter() - started))
    model.load_state_dict(progress.best_state)
    model.eval()
    frozen.requires_grad_(True)
    return [{**record, "best": record["epoch"] == progress.best_epoch} for record in progress.history]


def train_epoch(
    network: Callable[..., dict[str, Tensor]],
    objective: Callable[..., Tensor],
    batches: Iterable[tuple[tuple, dict]],
    optimizer: torch.optim.Optimizer,
    after_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Take one step of gradient descent per batch; return its loss before the step.

    The network turns images (N, 3, H, W) into the logits of every head, and the
    objective those and targets into a loss; each batch holds what the two take.
    `after_step` is called after every step: the rate has a schedule.
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


def evaluate(
    model: QualityNet,
    examples: Examples,
    config: TrainingConfig,
    tasks: Sequence[Task],
    weighting: Weighting,
    processes: Processes,
) -> dict[str, float]:
    """Return val_loss and val_score of a model; processes share the images, and all know the result."""
    part = examples.at(processes.spread(len(examples)))
    logits = processes.gather(in_batches(model, model, part, config.precision), len(examples))
    with torch.no_grad():
        loss = multi_task_loss(logits, examples.targets, tasks, weighting)
    first = tasks[0].name
    return {"val_loss": loss.item(), "val_score": tasks[0].score(logits[first], examples.targets[first])}


def image_side(side: int, epoch: int, config: TrainingConfig) -> int:
    """Return the side in pixels of the training images of an epoch, a multiple of 8 unless it is whole."""
    grown = min((epoch - 1) / max(2 / 3 * config.epochs, 1), 1)
    scale = config.start_scale + (1 - config.start_scale) * grown
    return side if scale == 1 else min(max(round(scale * side / 8) * 8, SMALLEST_IMAGE), side)


def _batches(
    training: Examples,
    tasks: Sequence[Task],
    config: TrainingConfig,
    epoch: int,
    generator: torch.Generator,
    processes: Processes,
    device: torch.device,
) -> Iterator[tuple[tuple, dict]]:
    """Shuffle the images of an epoch, and yield them batch by batch, augmented, with their targets."""
    side, scaled_side = training.images.shape[1], image_side(training.images.shape[1], epoch, config)
    order = torch.randperm(len(training), generator=generator)
    steps = order[: _n_batches(training, config) * config.batch_size].split(config.batch_size)
    parts = [processes.part(index) for index in steps]
    read = work_ahead(lambda mine: training.pixels(mine, device), parts)
    share = {"part": processes.rank, "n_parts": processes.n}
    for index, mine, pixels in zip(steps, parts, read, strict=True):
        images, maps = augment_and_tell(to_images(pixels, device), config.augmentation, generator, **share)
        if scaled_side < side:
            images = functional.interpolate(images, scaled_side, mode="bilinear", antialias=True)
        inputs = (images.contiguous(memory_format=torch.channels_last), *training.told(mine, device))
        known = {name: values[index] for name, values in training.targets.items()}
        targets = {name: values[mine].to(device) for name, values in training.targets.items()}
        targets |= {
            task.name: task.follow(targets[task.name], maps.to(device)) for task in tasks if task.follow
        }
        yield inputs, {"targets": targets, "scales": part_scales(known, tasks, **share)}


def _n_batches(training: Examples, config: TrainingConfig) -> int:
    """Count the steps of an epoch, without the last incomplete one: a handful of images would be noise."""
    return max(len(training) // config.batch_size, 1)


def _scheduler(optimizer: torch.optim.Optimizer, config: TrainingConfig, n_batches: int) -> LRScheduler:
    """Return a schedule that is advanced once per step."""
    if config.schedule == "one_cycle":
        total = config.epochs * n_batches + 1
        warm_up = 0.0 if config.warm_up * total == 1 else config.warm_up  # torch divides by its steps less 1
        return OneCycleLR(
            optimizer, config.learning_rate, total_steps=total, pct_start=warm_up, cycle_momentum=False
        )
    return MultiStepLR(optimizer, [epoch * n_batches for epoch in config.halve_at], gamma=0.5)
