"""Networks that tell themselves the details while they train.

They learn from two sets at once: grades from one, details, which experts have judged, from the other. About
the details of the first they hear nothing but what they say themselves.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from riqa.data.store import open_store
from riqa.learn.augment import Augmentation, augment
from riqa.learn.examples import Examples, examples_of
from riqa.learn.model import QualityNet
from riqa.learn.runs import Results, TrainingRun, apply_model, fit, initial_model
from riqa.learn.tasks import UNKNOWN_OVERALL, details_loss

STRONG = Augmentation(max_transforms=7, max_rotation=180.0, max_colour_change=0.02)
"""Any turn and flip; stronger changes of colour would change what a detail is."""


def changed(images: Tensor, how: Augmentation) -> Tensor:
    """Augment images (N, 3, H, W) in full precision; the draws are torch's global ones."""
    with torch.autocast(images.device.type, enabled=False):
        return augment(images, how, torch.default_generator)


def covered(images: Tensor, share: float) -> Tensor:
    """Black out a square of each image (N, 3, H, H), a share of its side wide, at a random place."""
    n, _, side, _ = images.shape
    width = round(share * side)
    corner = torch.randint(side - width + 1, (2, n, 1))
    down, right = ((k <= torch.arange(side)) & (torch.arange(side) < k + width) for k in corner)
    square = down[:, None, :, None] & right[:, None, None, :]
    return images.masked_fill(square.to(images.device), 0.0)


class SelfTaught(QualityNet):
    """Tells itself the details of unlabelled photographs while it trains.

    `apart` is how far what it says lies from what it told itself, a loss.
    """

    def __init__(self, like: QualityNet, dealt: bool = False):
        super().__init__(**like.architecture)
        self.load_state_dict(like.state_dict())
        self.dealt, self.apart = dealt, 0.0

    def forward(self, images: Tensor, unlabelled: Tensor | None = None) -> dict:
        """Return the logits of every task, and take note of `apart`."""
        logits, self.apart = super().forward(images), 0.0
        if self.training and unlabelled is not None and unlabelled.any():
            here = unlabelled[:, 0] > 0
            told, said = self.lesson(images[here], logits["details"][here])
            if self.dealt:  # the placebo: what another photograph was told
                told = told[torch.randperm(len(told)).to(told.device)]
            heard = (~told.isnan()).float().mean()
            self.apart = heard * details_loss(said.float(), told)
        return logits

    def lesson(self, images: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is told (N, 3), and the logits that shall follow it."""
        return torch.full_like(logits, torch.nan, dtype=torch.float), logits


class MeanTeacher(SelfTaught):
    """Is told what the moving average of its weights says (Tarvainen 2017)."""

    def __init__(self, like: QualityNet, dealt: bool, decay: float, weak: Augmentation):
        super().__init__(like, dealt)
        self.average = deepcopy(like).requires_grad_(False)
        self.decay, self.weak = decay, weak

    def lesson(self, images: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Move the average on, and ask it, the photographs changed anew."""
        newest = self.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(newest[name], 1 - self.decay)
        with torch.no_grad():
            again = self.average.eval()(changed(images, self.weak))
        told = again["details"].float().sigmoid()
        return told, logits


class FixMatch(SelfTaught):
    """Is told its own sure answers when a photograph has changed (Sohn 2020)."""

    def __init__(self, like: QualityNet, dealt: bool, sure: float, cover: float):
        super().__init__(like, dealt)
        self.sure, self.cover = sure, cover

    def lesson(self, images: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Round what is sure of one class, and ask about changed images."""
        probs = logits.detach().float().sigmoid()
        is_sure = torch.maximum(probs, 1 - probs) >= self.sure
        told = torch.where(is_sure, probs.round(), torch.nan)
        strong = covered(changed(images, STRONG), self.cover)
        return told, QualityNet.forward(self, strong)["details"]


def both_sets(graded: Examples, detailed: Examples) -> Examples:
    """Join photographs of which grades are known, and others of which details are.

    `auxiliary` is 1 for the first, whose details nobody tells, and 0 for the others.
    """
    images = np.concatenate([part.images[part.rows] for part in (graded, detailed)])
    n, m = len(graded), len(detailed)
    grades = functional.pad(graded.targets["overall"], (0, m), value=UNKNOWN_OVERALL)
    details = functional.pad(detailed.targets["details"], (0, 0, n, 0), value=torch.nan)
    unlabelled = functional.pad(torch.ones(n, 1), (0, 0, 0, m))
    return Examples(images, np.arange(n + m), {"overall": grades, "details": details}, unlabelled)


def learn(
    run: TrainingRun,
    tell: Callable = lambda told: None,
    *,
    details_store: Path,
    decay: float,
    sure: float,
    cover: float,
) -> Results:
    """Train the arm that a run's `model` names; return history and answers as `run_each` does, keep no model.

    Arms are `experts_beside`, `mean_teacher` and `fixmatch`; of the last two, with `_placebo`, every
    photograph is told what belongs to another of its batch. Experts have judged the details of the curated
    `details_store`. The average keeps a share `decay` of itself a step; an answer is told from a probability
    of `sure`, 0.5 or more; the square that is blacked out is as wide as a share `cover` of the image.
    """
    store, detailed = open_store(run.store), open_store(details_store)
    training = both_sets(examples_of(store, "train"), examples_of(detailed, "train"))
    like, config = initial_model(run, store.images.shape[1]), run.config
    kind, dealt = run.model.removesuffix("_placebo"), run.model.endswith("_placebo")
    kinds = {"mean_teacher": partial(MeanTeacher, decay=decay, weak=config.augmentation)}
    kinds["fixmatch"] = partial(FixMatch, sure=sure, cover=cover)
    model = kinds.get(kind, SelfTaught)(like, dealt)

    def total(losses: dict[str, Tensor]) -> Tensor:
        of_details = losses["details"] + model.apart
        return config.lambda_overall * losses["overall"] + config.lambda_details * of_details

    told = [run.model, detailed.meta["sha256"], decay, sure, cover]
    history = fit(run, model, training, examples_of(store, "val"), tell, told=told, weighting=total)
    return history, apply_model(run, model)
