"""What decides how a model is trained, besides its data and its starting weights."""

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from riqa.learn.augment import Augmentation

Schedule = Literal["steps", "one_cycle"]
Precision = Literal["auto", "float32", "bfloat16"]
KeptEpoch = Literal["best", "last"]
Scheme = Literal[
    "fixed", "equal_weights", "uncertainty", "dynamic_average", "gradient_norms", "gradient_surgery",
    "conflict_averse", "nash", "shortest_mixture",
]  # fmt: skip
SCHEDULES, PRECISIONS, KEPT_EPOCHS = (get_args(words) for words in (Schedule, Precision, KeptEpoch))


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class TrainingConfig:
    """How a model is trained; values with which nothing could be learned raise a ValueError."""

    epochs: int = Field(ge=1)  # passes over the training images (paper: 115)
    batch_size: int = Field(32, ge=1)  # images per step (not stated in the paper)
    learning_rate: float = Field(0.01, gt=0)  # initial (paper: 0.01), or peak of one_cycle
    momentum: float = Field(0.9, ge=0, lt=1)  # of stochastic gradient descent (paper: 0.9)
    weight_decay: float = Field(0.0, ge=0)  # L2 penalty (not stated in the paper)
    schedule: Schedule = "steps"  # halved at `halve_at` (paper), or warmed up and annealed to zero
    halve_at: tuple[Annotated[int, Field(ge=0)], ...] = (30, 60, 80)  # epochs, of steps (paper)
    warm_up: float = Field(0.25, gt=0, lt=1)  # share of all steps in which one_cycle climbs to its peak
    start_scale: float = Field(1.0, gt=0, le=1)  # share of the side in epoch 1; it grows to 1 (paper: 1)
    frozen_share: float = Field(0.0, ge=0, lt=1)  # of the backbone's tensors, from the input; kept (paper: 0)
    ema_decay: float = Field(0.0, ge=0, lt=1)  # what the kept average keeps of itself a step; 0: none (paper)
    kept_epoch: KeptEpoch = "best"  # whose weights are kept: the best on validation (paper), or the last
    patience: int = Field(0, ge=0)  # stop after so many epochs without a better one; 0: never (paper)
    lambda_overall: float = Field(1.0, ge=0)  # weight of the overall-quality loss (Eq. 4)
    lambda_details: float = Field(1.0, ge=0)  # weight of the details loss (Eq. 4)
    weighting: Scheme = "fixed"  # what multiplies both weights, see `riqa.learn.balance`; fixed: nothing
    augmentation: Augmentation = Augmentation()  # label-preserving; the paper's Teacher has none
    precision: Precision = "auto"  # see `riqa.learn.device.resolve_precision`
    seed: int = 0  # of shuffling, augmentation and dropout

    def __post_init__(self):
        """Refuse a training without any loss."""
        if not (self.lambda_overall or self.lambda_details):
            raise ValueError("lambda_overall and lambda_details are both 0: there is nothing to learn")
