"""The weight of the details loss in Eq. 4, chosen on validation images (paper, last lines of Section 3.2).

The paper tunes both weights by the macro-F1 of overall quality on the validation set, and prints neither.
With stochastic gradient descent a common factor of both is a change of the learning rate, so only their ratio
is chosen: lambda_overall stays as given, and lambda_details is tried from a small grid.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from riqa.learn.runs import TrainingRun, run_each


def candidate_weights(lambda_details: float, grid: Sequence[float]) -> tuple[float, ...]:
    """Return the weights to compare, in rising order: the one given and those of the grid.

    Args:
        lambda_details: The weight to use unless another does better on validation images.
        grid: Further weights; with an empty grid there is nothing to compare.

    Raises:
        ValueError: If a weight is negative.
    """
    weights = sorted({float(weight) for weight in (lambda_details, *grid)})
    if weights[0] < 0:
        raise ValueError(f"a weight of the details loss is {weights[0]}, must be 0 or more")
    return tuple(weights)


def trial(run: TrainingRun, weight: float, folder: Path, also: Sequence[Path] = ()) -> TrainingRun:
    """Return the run with another weight: its model goes below `folder`, and it sees no test image.

    Args:
        run: A Student, as it would be trained.
        weight: Lambda_details of the trial.
        folder: Where trials keep their models, one folder per weight.
        also: Further stores whose validation images it is asked about.
    """
    models, asked = Path(folder) / f"{weight:g}", (run.store, *also)
    return replace(weighted(run, weight), models=models, predict_on=tuple((s, ("val",)) for s in asked))


def weighted(run: TrainingRun, weight: float) -> TrainingRun:
    """Return the run with lambda_details set to `weight`."""
    return replace(run, config=replace(run.config, lambda_details=weight))


def run_trials(
    runs: Sequence[TrainingRun],
    weights: Sequence[float],
    folder: Path,
    workers: int = 1,
    also: Sequence[Path] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train every run with every weight.

    Args:
        runs: Students, as they would be trained.
        weights: Candidates for lambda_details.
        folder: Where trials keep their models.
        workers: Processes at a time.
        also: Further stores whose validation images every trial is asked about.

    Returns:
        History and predictions as of `riqa.learn.runs.run_all`, each with a column lambda_details. The
        predictions are of validation images only.
    """
    trials = [trial(run, weight, folder, also) for run in runs for weight in weights]
    found = run_each(trials, workers)
    tried = [run.config.lambda_details for run in trials]
    history, predictions = (
        pd.concat([frame.assign(lambda_details=w) for w, frame in zip(tried, frames, strict=True)])
        for frames in zip(*found, strict=True)
    )
    return history.reset_index(drop=True), predictions.reset_index(drop=True)


def choose_weights(history: pd.DataFrame, lambda_details: float) -> dict[str, float]:
    """Choose a weight for every overall set: the best mean validation score of the epochs that were kept.

    Args:
        history: Result of `run_trials`.
        lambda_details: The weight given, which wins a tie; else the smaller weight does.

    Returns:
        Chosen weight by the name of the set.
    """
    kept = history[history["best"]]
    scores = kept.groupby(["trained_on", "lambda_details"], sort=False)["val_score"].mean()
    chosen = {}
    for name, of_set in scores.groupby(level=0, sort=False):
        best = of_set.droplevel(0)
        best = sorted(best.index[best == best.max()])
        chosen[name] = float(lambda_details if lambda_details in best else best[0])
    return chosen


def adopt(run: TrainingRun, chosen: Mapping[str, float], folder: Path) -> TrainingRun:
    """Make a trial's model the model of the run, instead of training it twice.

    Args:
        run: A Student that `run_trials` has trained with the weight chosen for its set, among others.
        chosen: Result of `choose_weights`.
        folder: Where the trials kept their models; the model moves from there to where the run's belongs.

    Returns:
        The run with the weight that it was trained with.
    """
    tried = trial(run, chosen[run.trained_on], folder)
    run.models.mkdir(parents=True, exist_ok=True)
    for path in sorted(tried.models.glob(f"{tried.stem.name}.*")):  # weights, description, novelty
        os.replace(path, run.models / path.name)
    return weighted(run, chosen[run.trained_on])
