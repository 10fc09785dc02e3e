"""Experiments: arms that differ in one thing, trained from the same starts through the book's one loop.

An arm is a way of fine-tuning the single-task models of chapter 04. What is not its subject, it shares with
the Student of chapter 05: the recipe, the seeds and so the order of batches, and the rule by which the epoch
is kept. An experiment that is stopped goes on as a chapter does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from riqa.errors import InputError
from riqa.files import read_json, write_parquet
from riqa.labels import DETAILS
from riqa.learn.config import TrainingConfig
from riqa.learn.model import model_file
from riqa.learn.runs import TrainingRun, model_stem, run_all
from riqa.predictions import named


@dataclass(frozen=True)
class Arm:
    """One way of fine-tuning; its name is the `model` of predictions and results."""

    name: str
    labels: pd.DataFrame | None = None  # image_id and p_<detail>, also by seed; None: no details
    settings: Mapping[str, object] = field(default_factory=dict)  # of `TrainingConfig`, where it has its own


def recipe_of(stem: Path) -> TrainingConfig:
    """Read how a model was trained; an InputError if it is not there."""
    described = read_json(model_file(stem, "json"))
    if described is None:
        raise InputError(f"{model_file(stem, 'json')} does not exist; build chapter 05 again")
    return TrainingConfig(**described["training"])


def trainings(
    arms: Iterable[Arm], base: TrainingRun, starts: Path, seeds: Sequence[int]
) -> list[TrainingRun]:
    """List what an experiment trains: every arm from every seed.

    Args:
        arms: What is compared; their labels are written beside the models.
        base: What all arms share: set, classes, recipe, folder, images to predict.
        starts: Folder of the single-task models of these seeds.
        seeds: Training seeds.
    """
    found = []
    base.models.mkdir(parents=True, exist_ok=True)
    for arm in arms:
        own: dict[str, object] = {"n_details": 0}
        settings = dict(arm.settings)
        if arm.labels is None:
            settings["lambda_details"] = 0.0
        else:
            labels = arm.labels.assign(dataset=base.trained_on)
            if "seed" not in labels:
                labels = labels.merge(pd.DataFrame({"seed": seeds}), how="cross")
            own = {"n_details": len(DETAILS), "pseudo_labels": base.models / f"{arm.name}.parquet"}
            write_parquet(labels, own["pseudo_labels"])
        for seed in seeds:
            config = replace(base.config, **settings, seed=seed)
            start = model_stem(starts, "single_task", base.trained_on, seed)
            found.append(replace(base, model=arm.name, config=config, start_from=start, **own))
    return found


def run_arms(
    arms: Iterable[Arm], base: TrainingRun, starts: Path, seeds: Sequence[int], workers: int = 1
) -> pd.DataFrame:
    """Train every arm from every seed, arguments as of `trainings`; return predictions as pages read them."""
    return named(run_all(trainings(arms, base, starts, seeds), workers)[1])
