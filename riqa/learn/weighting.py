"""The weight of the details loss in Eq. 4, chosen on validation images (paper, last lines of Section 3.2).

A common factor of both weights is a change of the learning rate, so lambda_overall stays as given, and
lambda_details is tried from a small grid.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from riqa.learn.runs import Results, TrainingRun, joined, run_each


def candidate_weights(lambda_details: float, grid: Sequence[float]) -> tuple[float, ...]:
    """Return the weights to compare, in rising order; a ValueError if one is negative."""
    weights = sorted({float(weight) for weight in (lambda_details, *grid)})
    if weights[0] < 0:
        raise ValueError(f"a weight of the details loss is {weights[0]}, must be 0 or more")
    return tuple(weights)


def weighted(run: TrainingRun, weight: float) -> TrainingRun:
    """Return the run with lambda_details set to `weight`."""
    return replace(run, config=replace(run.config, lambda_details=weight))


def trial(run: TrainingRun, weight: float, folder: Path, also: Sequence[Path] = ()) -> TrainingRun:
    """Return a Student's run with another weight, a folder of its own, and no test image to predict."""
    models, asked = Path(folder) / f"{weight:g}", (run.store, *also)
    return replace(weighted(run, weight), models=models, predict_on=tuple((s, ("val",)) for s in asked))


def run_trials(
    runs: Sequence[TrainingRun],
    weights: Sequence[float],
    folder: Path,
    workers: int = 1,
    also: Sequence[Path] = (),
) -> Results:
    """Train every Student's run with every weight, see `trial`; results have a column lambda_details more."""
    trials = [trial(run, weight, folder, also) for run in runs for weight in weights]
    found = []
    for run, frames in zip(trials, run_each(trials, workers), strict=True):
        found.append([frame.assign(lambda_details=run.config.lambda_details) for frame in frames])
    return joined(found)


def choose_weights(history: pd.DataFrame, lambda_details: float) -> dict[str, float]:
    """Choose every overall set's weight: the best mean score of kept epochs; the one given wins a tie."""
    kept, chosen = history[history["best"]], {}
    for name, of_set in kept.groupby("trained_on", sort=False):
        means = of_set.groupby("lambda_details")["val_score"].mean()  # from the smallest weight on
        best = means.index[means == means.max()]
        chosen[name] = float(lambda_details if lambda_details in best else best[0])
    return chosen


def adopt(run: TrainingRun, chosen: Mapping[str, float], folder: Path) -> TrainingRun:
    """Move the model of the trial with the chosen weight to where the run's belongs; return that run."""
    tried = trial(run, chosen[run.trained_on], folder)
    run.models.mkdir(parents=True, exist_ok=True)
    for path in sorted(tried.models.glob(f"{tried.stem.name}.*")):  # weights, description, novelty
        os.replace(path, run.models / path.name)
    return weighted(run, chosen[run.trained_on])
