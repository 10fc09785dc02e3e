"""What is chosen on validation images: the backbone of chapter 04, the weight of the details in chapter 05.

No test image takes part: comparing candidates on test images would leave no test. Chapter 05 asks, too,
whether a Teacher's answers survive augmentation.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.stats import detail_intervals
from riqa.labels import DETAILS
from riqa.predictions import with_answers
from riqa.results import stack, tidy
from riqa.studies.answers import answers_of

COSTS = ("parameters", "gflop", "epochs", "spent")
"""Weights of the network; per image and training step; trained; share of the budget."""


def costs(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the `COSTS` of each backbone, of which `riqa.learn.equal_cost.train_at_equal_cost` tells."""
    table = table.assign(gflop=table["flop"] / 1e9).rename(columns={"backbone": "model"})
    return tidy(table.melt("model", COSTS, var_name="metric"), dataset=dataset, method="count")


def backbones(predictions: pd.DataFrame, *, n_resamples: int = 2_000, **bootstrap: float) -> pd.DataFrame:
    """Score each backbone on what it learned from (group "train") and on validation images (group "val").

    Predictions are of `riqa.learn.equal_cost.train_at_equal_cost`, of one seed, the backbone as model; rows
    of macro-F1 of overall quality, and of the mean loss, `cross_entropy`.
    """
    found = []
    for (_, split), predicted in with_answers(predictions).groupby(["model", "split"], sort=False):
        own = answers_of(predicted, "overall", n_resamples=n_resamples, **bootstrap)
        loss = -np.log(own.own["p_true"]).mean()
        found.append(own.rows({("macro_f1", split): own.scores()["macro_f1"]}))
        found.append(own.rows({("cross_entropy", split): loss}, method="mean", confidence=np.nan))
    return stack(found)


def behind_the_best(
    predictions: pd.DataFrame, *, n_resamples: int = 2_000, **bootstrap: float
) -> pd.DataFrame:
    """Subtract the best in validation macro-F1 (the first of equals) from each other backbone."""
    validated = with_answers(predictions[predictions["split"] == "val"]).groupby("model", sort=False)
    bootstrap["n_resamples"] = n_resamples
    asked = {model: answers_of(own, "overall", **bootstrap) for model, own in validated}
    best = max(asked, key=lambda model: asked[model].scores()["macro_f1"].value)
    of_best = asked.pop(best)
    return stack(own.rows({("macro_f1", "val"): own.minus(of_best)}, rival=best) for own in asked.values())


def candidates(predictions: pd.DataFrame, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score every candidate for lambda_details, asked by `riqa.learn.weighting.run_trials`, in both tasks.

    Returns:
        Rows of results with two columns more, trained_on and lambda_details: macro-F1 of overall quality on
        each set's own validation images; and macro-F1 of the details (mean over details and both classes) on
        validation images that experts have judged.
    """
    found, by = [], ["trained_on", "lambda_details", "dataset"]
    for (trained_on, weight, dataset), predicted in predictions.groupby(by, sort=False):
        if dataset == trained_on:
            own = answers_of(with_answers(predicted), "overall", n_resamples=n_resamples)
            score, keys = own.scores()["macro_f1"], {"model": "multi_task"}
        else:
            own = answers_of(predicted, n_resamples=n_resamples)
            truth = own.images[list(DETAILS)].to_numpy()
            score = detail_intervals(truth, own.details, **own.draw())["macro_f1_both_classes"]
            keys = {"model": f"multi_task@{trained_on}", "target": "details"}
        told = own.rows({("macro_f1", f"validation, lambda {weight:g}"): score}, **keys)
        found.append(told.assign(trained_on=trained_on, lambda_details=weight))
    return stack(found)


def against_chosen(
    predictions: pd.DataFrame, chosen: Mapping[str, float], n_resamples: int = 2_000
) -> pd.DataFrame:
    """Subtract the weight chosen for each set from each candidate, on the same validation images.

    Predictions and choice are those of `riqa.learn.weighting`; rows have one column more, lambda_details.
    """
    found = []
    at_home = with_answers(predictions[predictions["dataset"] == predictions["trained_on"]])
    for dataset, here in at_home.groupby("dataset", sort=False):
        weights = here.groupby("lambda_details")
        asked = {weight: answers_of(own, "overall", n_resamples=n_resamples) for weight, own in weights}
        best = asked.pop(chosen[dataset])
        for weight, own in asked.items():
            group = f"validation, lambda {weight:g} minus {chosen[dataset]:g}"
            keys = {"model": "multi_task", "rival": "multi_task"}
            told = own.rows({("macro_f1", group): own.minus(best)}, **keys)
            found.append(told.assign(lambda_details=weight))
    return stack(found)


def flips(table: pd.DataFrame, dataset: str, seed: int) -> pd.DataFrame:
    """Return the shares of a Teacher's answers that flip (`riqa.learn.flips.flip_table`).

    Rows of the metrics flipped and flipped_clear (of the clear answers); the group is the transformation and
    where: "inside" (the worse end of the interval), "beyond" it, or "drawn" as in training.
    """
    strength = table["strength"]
    where = np.select([strength.isna(), strength.abs() > 1], ["drawn", "beyond"], "inside")
    found = []
    for metric, n in (("flipped", "n"), ("flipped_clear", "n_clear")):
        own = pd.DataFrame({"value": table[metric], "n": table[n]})
        worst = own.groupby(table["transformation"] + ", " + where, sort=False).max()
        found.append(worst.rename_axis("group").reset_index().assign(metric=metric))
    keys = {"dataset": dataset, "model": "teacher", "target": "details", "seeds": [seed], "method": "count"}
    return tidy(pd.concat(found), **keys)
