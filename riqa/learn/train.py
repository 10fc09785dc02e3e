"""The one training loop: Teacher, single-task model, its control and the student all pass through it."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from riqa.errors import InputError
from riqa.learn.augment import Augmentation, augment
from riqa.learn.examples import Examples
from riqa.learn.losses import UNKNOWN_OVERALL, multi_task_loss
from riqa.learn.model import QualityNet

SCHEDULES = ("steps", "one_cycle")
PRECISIONS = ("auto", "float32", "bfloat16")
EVALUATION_BATCH = 128
SMALLEST_IMAGE = 32
"""Side in pixels below which nothing is trained.

Backbones halve an image five times. With one pixel left before the last halving, the bfloat16 convolution of
torch 2.14 (oneDNN) leaves parts of its gradient uninitialised.
"""


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides how a model is trained, besides its data and its starting weights.

    Attributes:
        epochs: passes over the training images (paper: 115).
        batch_size: images a step (not stated in the paper).
        learning_rate: initial rate of stochastic gradient descent, or peak of ``one_cycle`` (paper: 0.01).
        momentum: of stochastic gradient descent (paper: 0.9).
        weight_decay: L2 penalty (not stated in the paper).
        schedule: ``steps`` halves the rate at `halve_at` (paper); ``one_cycle`` warms up and anneals to zero.
        halve_at: epochs at which ``steps`` halves the rate (paper: 30, 60, 80).
        warm_up: share of all steps in which ``one_cycle`` climbs to its peak.
        lambda_overall: weight of the overall-quality loss (Eq. 4).
        lambda_details: weight of the quality-details loss (Eq. 4).
        augmentation: label-preserving transformations; the Teacher of the paper has none.
        precision: ``auto`` is bfloat16 where the processor computes it natively, else float32.
        seed: of shuffling, augmentation and dropout.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "steps"
    halve_at: tuple[int, ...] = (30, 60, 80)
    warm_up: float = 0.25
    lambda_overall: float = 1.0
    lambda_details: float = 1.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self):
        """Refuse values with which nothing could be learned."""
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}, must be positive")
        for name in ("lambda_overall", "lambda_details", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be 0 or more")
        if not (self.lambda_overall or self.lambda_details):
            raise ValueError("lambda_overall and lambda_details are both 0: there is nothing to learn")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}, must be one of {SCHEDULES}")
        if not 0 < self.warm_up < 1:
            raise ValueError(f"warm_up is {self.warm_up}, must lie between 0 and 1")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}, must be one of {PRECISIONS}")


def train(
    model: QualityNet,
    training: Examples,
    validation: Examples,
    config: TrainingConfig,
    *,
    start_counts: bool = False,
    on_epoch: Callable[[dict], None] = lambda record: None,
) -> list[dict]:
    """Train a model in place; leave it with the weights of its best epoch on validation (paper, Section 3.2).

    Args:
        model: network with a head for every task of positive weight.
        training: images and targets to learn from.
        validation: images and targets that choose the epoch; never the test split.
        config: hyperparameters.
        start_counts: whether the starting weights compete for the best epoch, as in the paper's control,
            which keeps "the best checkpoint over all epochs" of both of its phases.
        on_epoch: called with each epoch's record.

    Returns:
        A record an epoch: epoch (0 is the start), train_loss, val_loss, val_score, learning_rate, best.
        val_score is the macro-F1 of the task that the model is for: overall quality if it has weight, else
        the mean over details.

    Raises:
        InputError: the images are too small for the backbone.
    """
    side = training.images.shape[1]
    if side < SMALLEST_IMAGE:
        raise InputError(
            f"image_size is {side} pixels, must be at least {SMALLEST_IMAGE}; curate the images again"
        )
    device = next(model.parameters()).device
    precision = resolve_precision(config.precision, device)
    model.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)  # dropout and stochastic depth read the global generator
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    batches = max(len(training) // config.batch_size, 1)
    scheduler = _scheduler(optimizer, config, steps=config.epochs * batches, batches=batches)

    history = [
        {"epoch": 0, "train_loss": math.nan, **evaluate(model, validation, config), "learning_rate": 0.0}
    ]
    best_score = history[0]["val_score"] if start_counts else -math.inf
    best_state, best_epoch = copy.deepcopy(model.state_dict()), 0
    for epoch in range(1, config.epochs + 1):
        model.train()
        order = torch.randperm(len(training), generator=generator)
        losses = []
        # The incomplete last batch is left out: batch normalisation over a handful of images is noise.
        for index in order[: batches * config.batch_size].split(config.batch_size):
            images = augment(training.batch(index, device), config.augmentation, generator)
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(images)
            loss = multi_task_loss(
                logits,
                training.overall[index].to(device),
                training.details[index].to(device),
                lambda_overall=config.lambda_overall,
                lambda_details=config.lambda_details,
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        record = {
            "epoch": epoch,
            "train_loss": float(np.mean(losses)),
            **evaluate(model, validation, config),
            "learning_rate": scheduler.get_last_lr()[0],
        }
        history.append(record)
        on_epoch(record)
        if record["val_score"] > best_score:
            best_score, best_epoch = record["val_score"], epoch
            best_state = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_state)
    model.eval()
    return [{**record, "best": record["epoch"] == best_epoch} for record in history]


def evaluate(model: QualityNet, examples: Examples, config: TrainingConfig) -> dict[str, float]:
    """Return val_loss and val_score of a model, as `train` describes them."""
    logits = compute_logits(model, examples, config.precision)
    loss = multi_task_loss(
        logits,
        examples.overall,
        examples.details,
        lambda_overall=config.lambda_overall,
        lambda_details=config.lambda_details,
    )
    if config.lambda_overall:
        score = overall_macro_f1(logits["overall"], examples.overall)
    else:
        score = details_macro_f1(logits["details"], examples.details)
    return {"val_loss": loss.item(), "val_score": score}


def compute_logits(model: nn.Module, examples: Examples, precision: str = "auto") -> dict[str, Tensor]:
    """Return the logits of every head for all images, float32 on the CPU, in the order of `examples`."""
    return in_batches(model, model, examples, precision)


@torch.inference_mode()
def in_batches(
    model: nn.Module,
    outputs: Callable[[Tensor], dict[str, Tensor]],
    examples: Examples,
    precision: str = "auto",
    batch_size: int = EVALUATION_BATCH,
) -> dict[str, Tensor]:
    """Apply a model, in evaluation mode, to all images, a batch at a time.

    Args:
        model: the network; it says which device is used.
        outputs: what to compute from images (B, 3, H, W): the model itself, or a part of it.
        examples: the images.
        precision: see `TrainingConfig`.
        batch_size: images at a time.

    Returns:
        What `outputs` gives, (n, ...) float32 on the CPU, in the order of `examples`.
    """
    model.eval()
    device = next(model.parameters()).device
    use_bfloat16 = resolve_precision(precision, device) == "bfloat16"
    parts = []
    for index in torch.arange(len(examples)).split(batch_size):
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            parts.append(outputs(examples.batch(index, device)))
    return {name: torch.cat([part[name].float().cpu() for part in parts]) for name in parts[0]}


def overall_macro_f1(logits: Tensor, overall: Tensor) -> float:
    """Macro-F1 over all classes of the head, of the images whose grade is known."""
    known = overall != UNKNOWN_OVERALL
    classes = list(range(logits.shape[1]))
    predicted = logits[known].argmax(1)
    return float(f1_score(overall[known], predicted, labels=classes, average="macro", zero_division=0))


def details_macro_f1(logits: Tensor, details: Tensor) -> float:
    """Mean over details of the two-class macro-F1; soft targets count as the class that they lean to.

    A detail without any known target is left out.

    Raises:
        InputError: no detail of any image is known.
    """
    if torch.isnan(details).all():
        raise InputError(
            "no image of the validation split has a detail label; the best epoch cannot be chosen"
        )
    scores = []
    for detail_logits, target in zip(logits.T, details.T, strict=True):
        known = ~torch.isnan(target)
        if not known.any():
            continue
        truth, predicted = target[known] > 0.5, detail_logits[known] > 0
        scores.append(f1_score(truth, predicted, labels=[False, True], average="macro", zero_division=0))
    return float(np.mean(scores))


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn ``auto`` into bfloat16 where the processor or GPU computes it natively, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


def _scheduler(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, steps: int, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a schedule that is advanced once a step."""
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
