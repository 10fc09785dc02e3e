"""What decides how a model is trained, besides its data and its starting weights."""

import math
from dataclasses import dataclass, field

from riqa.learn.augment import Augmentation

SCHEDULES = ("steps", "one_cycle")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        epochs: Passes over the training images (paper: 115).
        batch_size: Images per step (not stated in the paper).
        learning_rate: Initial rate of stochastic gradient descent, or peak of ``one_cycle`` (paper: 0.01).
        momentum: Momentum of stochastic gradient descent (paper: 0.9).
        weight_decay: L2 penalty (not stated in the paper).
        schedule: ``steps`` halves the rate at `halve_at` (paper); ``one_cycle`` warms up and anneals to zero.
        halve_at: Epochs at which ``steps`` halves the rate (paper: 30, 60, 80).
        warm_up: Share of all steps in which ``one_cycle`` climbs to its peak.
        start_scale: Side of the images in the first epoch, as a share of the whole; it grows linearly and is
            whole in the last third of the epochs. 1 trains on whole images throughout (paper).
        frozen_share: Part of the backbone, counted in weight tensors from the input, that keeps its starting
            weights. What pretrained networks learned there, edges and colours, serves other images as well,
            and a step is faster without. 0 trains all (paper).
        ema_decay: Share that a moving average of the weights keeps of itself at every step; the average is
            then validated and kept. 0 keeps the weights themselves (paper).
        patience: Stop after so many epochs without a better one; 0 trains all epochs (paper).
        lambda_overall: Weight of the overall-quality loss (Eq. 4).
        lambda_details: Weight of the quality-details loss (Eq. 4).
        augmentation: Label-preserving transformations; the Teacher of the paper has none.
        precision: See `riqa.learn.device.resolve_precision`.
        seed: Seed of shuffling, augmentation and dropout.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "steps"
    halve_at: tuple[int, ...] = (30, 60, 80)
    warm_up: float = 0.25
    start_scale: float = 1.0
    frozen_share: float = 0.0
    ema_decay: float = 0.0
    patience: int = 0
    lambda_overall: float = 1.0
    lambda_details: float = 1.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self):
        """Refuse values with which nothing could be learned."""
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}, must be finite")
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
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}, must be 0 or more and below 1")
        if any(epoch < 0 for epoch in self.halve_at):
            raise ValueError(f"halve_at is {list(self.halve_at)}, must hold epochs of 0 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}, must be one of {SCHEDULES}")
        if not 0 < self.warm_up < 1:
            raise ValueError(f"warm_up is {self.warm_up}, must lie between 0 and 1")
        if not 0 < self.start_scale <= 1:
            raise ValueError(f"start_scale is {self.start_scale}, must be above 0 and at most 1")
        if not 0 <= self.frozen_share < 1:
            raise ValueError(f"frozen_share is {self.frozen_share}, must be 0 or more and below 1")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}, must be 0 or more and below 1")
        if self.patience < 0:
            raise ValueError(f"patience is {self.patience}, must be 0 or more")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}, must be one of {PRECISIONS}")
