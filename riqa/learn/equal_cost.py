"""Several backbones, each trained with the same amount of computation."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from riqa.data.store import open_store
from riqa.learn.cost import epochs_for, network_size
from riqa.learn.runs import TrainingRun, apply_model, run_each

SPLITS = ("train", "val")
"""What a trained backbone is applied to: never test images, which must not decide a choice."""


def equal_cost_runs(
    main: TrainingRun, backbones: Sequence[str], share: float, folder: Path
) -> list[tuple[TrainingRun, dict]]:
    """Plan a training of each backbone by the recipe of the main one, with as many epochs as the budget buys.

    Args:
        main: A run without details head; its cost is the unit of the budget.
        backbones: Names, see `riqa.learn.backbones.build_backbone`; one named twice is trained once.
        share: The budget of each, in trainings of the main one, above 0.
        folder: Where models go, one folder per backbone.

    Returns:
        For each backbone the run, called by the backbone's name, and its cost: parameters, flop (operations
        per training image and epoch), epochs, spent (share of the budget; above 1 where one epoch costs
        more). Epochs at which the learning rate is halved move along with the number of epochs.

    Raises:
        ValueError: If `share` is not above 0.
        InputError: As `riqa.learn.cost.network_size`.
    """
    if not share > 0:
        raise ValueError(f"the share of the main training's cost is {share}, must be above 0")
    side = open_store(main.store).images.shape[1]
    budget = share * main.config.epochs * network_size(main.backbone, main.n_overall, side)[1]
    planned = []
    for name in dict.fromkeys(backbones):
        parameters, flop = network_size(name, main.n_overall, side)
        epochs = epochs_for(budget, flop)
        halve_at = tuple(round(epoch * epochs / main.config.epochs) for epoch in main.config.halve_at)
        config = replace(main.config, epochs=epochs, halve_at=halve_at)
        run = replace(main, model=name, backbone=name, config=config, models=Path(folder) / name)
        run = replace(run, predict_on=((main.store, SPLITS),))
        cost = {"parameters": parameters, "flop": flop, "epochs": epochs, "spent": epochs * flop / budget}
        planned.append((run, cost))
    return planned


def train_at_equal_cost(
    main: TrainingRun,
    main_history: pd.DataFrame,
    backbones: Sequence[str],
    share: float = 1.0,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train each backbone at equal cost, and apply it to the images that it learned from and to validation.

    The main run is not trained again: where its backbone is among the names, and the budget buys its own
    number of epochs, what it has learned is taken over.

    Args:
        main: A run that has been trained and written; its seed is the seed of all.
        main_history: Its rows of `riqa.learn.runs.run_all`.
        backbones: Names.
        share: See `equal_cost_runs`.
        workers: Processes at a time.

    Returns:
        costs: one row per backbone: backbone and the numbers of `equal_cost_runs`, in the order of the names.
        history: of `riqa.learn.runs.run_all`, the backbone as model; and `of the budget`, the share that is
            spent at the end of an epoch.
        predictions: of `riqa.learn.runs.run_all` on train and validation images, the backbone as model.
        No model is kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        planned = equal_cost_runs(main, backbones, share, Path(folder))
        known = {
            run.model for run, _ in planned if (run.backbone, run.config) == (main.backbone, main.config)
        }
        new = [run for run, _ in planned if run.model not in known]
        found = dict(zip([run.model for run in new], run_each(new, workers) if new else [], strict=True))
    for name in known:
        answers = apply_model(replace(main, predict_on=((main.store, SPLITS),)))
        found[name] = main_history.assign(model=name), answers.assign(model=name)
    costs = pd.DataFrame([{"backbone": run.model, **cost} for run, cost in planned])
    histories, predictions = zip(*(found[name] for name in costs["backbone"]), strict=True)
    history, of = pd.concat(histories, ignore_index=True), costs.set_index("backbone")
    history["of the budget"] = history["epoch"] * history["model"].map(of["spent"] / of["epochs"])
    return costs, history, pd.concat(predictions, ignore_index=True)
