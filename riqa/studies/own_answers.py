"""Networks that tell themselves the details while they train, and what becomes of a Teacher's errors.

They learn from two sets at once: grades from one, details, which experts have judged, from the other. About
the details of the first they hear nothing but what they say themselves.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.data.store import open_store
from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation, augment
from riqa.learn.examples import Examples, examples_of
from riqa.learn.model import QualityNet
from riqa.learn.runs import Results, TrainingRun, apply_model, fit, initial_model
from riqa.learn.tasks import UNKNOWN_OVERALL, details_loss
from riqa.results import rows, stack
from riqa.studies.answers import by_image, by_model

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
    n, m = len(graded), len(detailed)
    images = np.concatenate([graded.images[graded.rows], detailed.images[detailed.rows]])
    no_grades, no_details = torch.full((m,), UNKNOWN_OVERALL), torch.full((n, len(DETAILS)), torch.nan)
    grades = torch.cat([graded.targets["overall"], no_grades])
    details = torch.cat([no_details, detailed.targets["details"]])
    unlabelled = torch.cat([torch.ones(n, 1), torch.zeros(m, 1)])
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

    Args:
        run: With heads for both tasks; `experts_beside`, or `mean_teacher` or `fixmatch`, of which with
            `_placebo` each photograph is told what belongs to another of its batch.
        tell: Called after every epoch.
        details_store: The curated set whose details experts have judged.
        decay: What the average keeps of itself a step.
        sure: Probability of a class, 0.5 or more, from which an answer is told.
        cover: Side of the square that is blacked out, as a share of the image's.
    """
    store, detailed = open_store(run.store), open_store(details_store)
    training = both_sets(examples_of(store, "train"), examples_of(detailed, "train"))
    like, config = initial_model(run, store.images.shape[1]), run.config
    kind, dealt = run.model.removesuffix("_placebo"), run.model.endswith("_placebo")
    if kind == "mean_teacher":
        model: SelfTaught = MeanTeacher(like, dealt, decay, config.augmentation)
    elif kind == "fixmatch":
        model = FixMatch(like, dealt, sure, cover)
    else:
        model = SelfTaught(like)

    def total(losses: dict[str, Tensor]) -> Tensor:
        of_details = losses["details"] + model.apart
        return config.lambda_overall * losses["overall"] + config.lambda_details * of_details

    told = [run.model, detailed.meta["sha256"], decay, sure, cover]
    history = fit(run, model, training, examples_of(store, "val"), tell, told=told, weighting=total)
    return history, apply_model(run, model)


def followed(
    answers: pd.DataFrame, teacher: pd.DataFrame, pairs: Iterable[tuple[str, str]] = (), *,
    confidence: float = 0.95, n_resamples: int = 2_000,
) -> pd.DataFrame:  # fmt: skip
    """Follow what a Teacher has got wrong, and what right, into networks that came after it.

    Args:
        answers: Of one dataset, of all its models, with the true details of every photograph.
        teacher: p_<detail> of the Teacher of each seed about the same photographs.
        pairs: Models to compare with each other.
        confidence: Coverage of the intervals.
        n_resamples: Draws of patients and seeds.

    Returns:
        For each model the share `wrong` of its answers over seeds, photographs and details; and the shares
        `still_wrong`, of what its Teacher has got wrong, and `newly_wrong`, of what it has got right. In the
        group "stranger" the two are of the Teacher of the seed before, whom the model never heard; with one
        seed there is none. For pairs the difference of each share, with seeds as readers.
    """
    columns, wrong = ["image_id", "seed", *(f"p_{detail}" for detail in DETAILS)], {}
    for keys, own in by_model(answers):
        images, probs = by_image(own)
        truth = images[list(DETAILS)].to_numpy() > 0.5
        wrong[keys["model"]] = ((probs >= 0.5) != truth).reshape(len(probs), -1)
        heard = by_image(own[["image_id", "seed"]].merge(teacher[columns]))[1]
    ill = ((heard >= 0.5) != truth).reshape(len(heard), -1)
    asked = {("wrong", "all"): ill | True, ("still_wrong", "all"): ill, ("newly_wrong", "all"): ~ill}
    if len(ill) > 1:
        other = np.roll(ill, 1, axis=0)
        asked |= {("still_wrong", "stranger"): other, ("newly_wrong", "stranger"): ~other}
    shared = {key: keys[key] for key in ("dataset", "seeds")} | {"target": "details", "n": len(images)}
    shared["confidence"] = confidence
    how = {"groups": np.repeat(images["patient_id"].to_numpy(), len(DETAILS)), "confidence": confidence}
    parts = [np.where(where, own, np.nan) for own in wrong.values() for where in asked.values()]
    names = [(model, *of) for model in wrong for of in asked]
    shares = pooled_intervals(np.stack(parts), n_resamples=n_resamples, **how)
    shares = dict(zip(names, shares, strict=True))
    gaps = {}
    for model, rival in pairs:
        change = wrong[model].astype(float) - wrong[rival]
        for (metric, group), where in asked.items():
            if group == "all":
                gaps[model, rival, metric] = mean_of_method(np.where(where, change, np.nan), **how)
    found = [rows(shares, ("model", "metric", "group"), method="pooled", **shared)]
    return stack([*found, rows(gaps, ("model", "rival", "metric"), method="mrmc", **shared)])
