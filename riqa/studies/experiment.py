"""Experiments: arms that differ in one thing, trained from the same starts through the book's one loop.

An arm is a way of fine-tuning the single-task models of chapter 04. What is not its subject, it shares with
the Student of chapter 05: the recipe, the seeds and so the order of batches, and the rule by which the epoch
is kept. An experiment that is stopped goes on as a chapter does.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset
from riqa.data.store import Plan, Store, write_store
from riqa.errors import InputError
from riqa.files import read_json, read_parquet, write_parquet
from riqa.labels import DETAILS
from riqa.learn.config import TrainingConfig
from riqa.learn.model import load_model, model_file
from riqa.learn.runs import TrainingRun, model_stem, run_all
from riqa.predictions import named


@dataclass(frozen=True)
class Arm:
    """One way of fine-tuning; its name is the `model` of predictions and results."""

    name: str
    labels: pd.DataFrame | None = None  # image_id and p_<detail>, also by seed; None: no details
    settings: Mapping[str, object] = field(default_factory=dict)  # of `TrainingConfig`, where it has its own
    from_scratch: bool = False  # whether it begins as a new network, and not as a single-task model


def recipe_of(stem: Path) -> TrainingConfig:
    """Read how a model was trained; an InputError if it is not there."""
    described = read_json(model_file(stem, "json"))
    if described is None:
        raise InputError(f"{model_file(stem, 'json')} does not exist; build chapter 05 again")
    return TrainingConfig(**described["training"])


def run_as(student: Path, store: Store, models: Path, device: str, epochs: int = 0) -> TrainingRun:
    """Describe how a Student of chapter 05, by its stem, was trained, as the base of arms.

    It has no name, labels and start yet; test photographs of its set are to be predicted. An arm that is
    trained as a Student of that folder was is not trained again. With `epochs` above 0 it has so many.
    """
    config, told = recipe_of(student), load_model(student)[1]
    config = replace(config, epochs=epochs or config.epochs)
    return TrainingRun(
        model="",
        trained_on=store.meta["name"],
        store=store.root,
        n_overall=store.meta["n_classes"],
        n_details=0,
        config=config,
        models=models,
        backbone=told["architecture"]["backbone"],
        pseudo_label_kind=told["pseudo_labels"],
        predict_on=((store.root, ("test",)),),
        known=(student.parent,),
        device=device,
    )


def first_photographs(split: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Draw the first n photographs of a split, or all, patient by patient.

    The seed orders the patients, so that a smaller draw is part of a larger one.
    """
    patients = split["patient_id"].unique()
    order = np.random.default_rng(seed).permutation(patients)
    place = split["patient_id"].map(pd.Series(range(len(order)), order))
    return split.loc[place.sort_values(kind="stable").index[:n]]


def teacher_answers(path: Path, dataset: str, seeds: Sequence[int]) -> pd.DataFrame:
    """Read the pseudo-labels of training and validation photographs, one row per photograph and seed."""
    told = read_parquet(path)
    mine = (told["dataset"] == dataset) & told["seed"].isin(seeds) & (told["split"] != "test")
    return told[mine].reset_index(drop=True)


def shuffled(answers: pd.DataFrame) -> pd.DataFrame:
    """Deal the labels of details out again within each seed and split: a placebo, which says nothing.

    Rows of p_<detail> move as a whole; image_id, seed and split stay.
    """
    rng, mixed, columns = np.random.default_rng(0), answers.copy(), [f"p_{detail}" for detail in DETAILS]
    for rows in answers.groupby(["seed", "split"]).groups.values():
        mixed.loc[rows, columns] = answers.loc[rng.permutation(rows), columns].to_numpy()
    return mixed


def trainings(
    arms: Iterable[Arm], base: TrainingRun, starts: Path, seeds: Sequence[int]
) -> list[TrainingRun]:
    """List what an experiment trains: every arm from every seed.

    Arms share the base's set, classes, recipe, folder and images to predict; their labels are written beside
    the models. In the folder `starts` are the single-task models of these seeds.
    """
    found = []
    base.models.mkdir(parents=True, exist_ok=True)
    for arm in arms:
        run, settings = replace(base, model=arm.name, n_details=0, bare=True), dict(arm.settings)
        if arm.labels is None:
            settings["lambda_details"] = 0.0
        else:
            labels = arm.labels.assign(dataset=base.trained_on)
            if "seed" not in labels:
                labels = labels.merge(pd.DataFrame({"seed": seeds}), how="cross")
            run = replace(run, n_details=len(DETAILS), pseudo_labels=base.models / f"{arm.name}.parquet")
            write_parquet(labels, run.pseudo_labels)
        for seed in seeds:
            start = None if arm.from_scratch else model_stem(starts, "single_task", base.trained_on, seed)
            found.append(replace(run, config=replace(base.config, **settings, seed=seed), start_from=start))
    return found


def relabelled(store: Store, out: Path, manifest: pd.DataFrame) -> Store:
    """Write a store with images of another, in the order of a manifest that may have other labels and splits.

    The manifest has the columns of the other's, and some or all of its images, each once.
    """
    rows = store.manifest.reset_index().set_index("image_id")["index"].loc[manifest["image_id"]].to_numpy()
    fields = read_parquet(store.root / "fields.parquet").drop(columns="image_id").iloc[rows]
    fields = fields.to_dict("records")
    told = {key: store.meta[key] for key in ("n_classes", "citation", "licence", "drawn")}
    dataset = Dataset(store.meta["name"], store.root, manifest.reset_index(drop=True), **told)
    images = ((store.images[row], field) for row, field in zip(rows, fields, strict=True))
    source = json.dumps(store.meta["sha256"], sort_keys=True) + manifest.to_json()
    digest = hashlib.sha256(source.encode()).hexdigest()
    plan = Plan(store.meta["size"], store.meta["crop"], store.meta["versions"], digest)
    return write_store(dataset, out, plan, lambda start: (one for one in islice(images, start, None)))


def with_fewer(store: Store, out: Path, n: int, seed: int) -> Store:
    """Write a store with all but the training photographs after the first n, see `first_photographs`."""
    learned = store.manifest["split"] == "train"
    first = first_photographs(store.manifest[learned], n, seed)
    return relabelled(store, out, pd.concat([first, store.manifest[~learned]]).sort_index())


def run_anew(
    arms: Iterable[Arm], pairs: Iterable[tuple[TrainingRun, TrainingRun]], workers: int = 1
) -> pd.DataFrame:
    """Train single-task models anew and every arm from each of them; return predictions as pages read them.

    A pair, one for each set and seed, is how the single-task model is trained, and the base of the arms. The
    seed is that of the second, the folder of models that of the first.
    """
    new, starts, tuned = [Arm("single_task", from_scratch=True)], [], []
    for first, own in pairs:
        starts += trainings(new, first, first.models, [own.config.seed])
        tuned += trainings(arms, own, first.models, [own.config.seed])
    found = [run_all(runs, workers)[1] for runs in (starts, tuned)]
    return named(pd.concat(found, ignore_index=True))


def run_arms(
    arms: Iterable[Arm], base: TrainingRun, starts: Path, seeds: Sequence[int], workers: int = 1
) -> pd.DataFrame:
    """Train every arm from every seed, arguments as of `trainings`; return predictions as pages read them."""
    return named(run_all(trainings(arms, base, starts, seeds), workers)[1])
