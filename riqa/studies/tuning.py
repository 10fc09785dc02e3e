"""What is chosen on validation images: the backbone of chapter 04, the weight of the details in chapter 05.

No test image takes part: comparing candidates on test images would leave no test. Intervals draw patients,
and seeds where there are several. Chapter 05 asks, too, whether a Teacher's answers survive augmentation.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from riqa.predictions import with_answers
from riqa.results import stack, tidy
from riqa.studies import details, overall

COSTS = ("parameters", "gflop", "epochs", "spent")
"""Weights of the network; per image and training step; trained; share of the budget."""


def costs(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the `COSTS` of each backbone, of which `riqa.learn.equal_cost.train_at_equal_cost` tells."""
    table = table.assign(gflop=table["flop"] / 1e9).rename(columns={"backbone": "model"})
    return tidy(table.melt("model", COSTS, var_name="metric"), dataset=dataset, method="count")


def backbones(predictions: pd.DataFrame, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score each backbone on what it learned from (group "train") and on validation images (group "val").

    Predictions are of `riqa.learn.equal_cost.train_at_equal_cost`, of one seed, the backbone as model; rows
    of macro-F1 of overall quality, and of the mean loss, `cross_entropy`.
    """
    found, none = [], dict.fromkeys(("low", "high", "confidence"), np.nan)
    for (_, split), own in with_answers(predictions).groupby(["model", "split"], sort=False):
        score = _macro_f1(own, n_resamples).assign(group=split)
        loss = -np.log(own.dropna(subset="overall")["p_true"]).mean()
        found += [score, score.assign(metric="cross_entropy", value=loss, method="mean", **none)]
    return stack(found)


def behind_the_best(predictions: pd.DataFrame, n_resamples: int = 2_000) -> pd.DataFrame:
    """Subtract the best in validation macro-F1 (the first of equals) from each other backbone."""
    answered = with_answers(predictions[predictions["split"] == "val"])
    value = _macro_f1(answered, n_resamples=1).set_index("model")["value"]
    pairs = [(model, value.idxmax()) for model in value.index.drop(value.idxmax())]
    return overall.differences(answered, pairs, n_resamples=n_resamples).assign(group="val")


def _macro_f1(answered: pd.DataFrame, n_resamples: int) -> pd.DataFrame:
    scored = overall.scores(answered, n_resamples=n_resamples)
    return scored[scored["metric"] == "macro_f1"]


def candidates(predictions: pd.DataFrame, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score every candidate for lambda_details, asked by `riqa.learn.weighting.run_trials`, in both tasks.

    Returns:
        Rows of results with two columns more, trained_on and lambda_details: macro-F1 of overall quality on
        each set's own validation images; and macro-F1 of the details (mean over details and both classes) on
        validation images that experts have judged.
    """
    found, by = [], ["trained_on", "lambda_details", "dataset"]
    for (trained_on, weight, dataset), own in predictions.groupby(by, sort=False):
        if dataset == trained_on:
            score = _macro_f1(with_answers(own), n_resamples)
        else:
            score = details.scores(own.assign(model=f"multi_task@{trained_on}"), n_resamples=n_resamples)
            score = score[(score["metric"] == "macro_f1") & (score["group"] == "all")]
        told = {"group": f"validation, lambda {weight:g}", "trained_on": trained_on, "lambda_details": weight}
        found.append(score.assign(**told))
    return stack(found)


def against_chosen(
    predictions: pd.DataFrame, chosen: Mapping[str, float], n_resamples: int = 2_000
) -> pd.DataFrame:
    """Subtract the weight chosen for each set from each candidate, on the same validation images.

    Predictions and choice are those of `riqa.learn.weighting`; rows have one column more, lambda_details.
    """
    found = []
    own = with_answers(predictions[predictions["dataset"] == predictions["trained_on"]])
    for dataset, here in own.groupby("dataset", sort=False):
        best, weights = chosen[dataset], here["lambda_details"]
        others = sorted(set(weights) - {best})
        pairs = [(weight, best) for weight in others]
        told = overall.differences(here.assign(model=weights), pairs, n_resamples=n_resamples)
        groups = [f"validation, lambda {weight:g} minus {best:g}" for weight in others]
        found.append(told.assign(model="multi_task", rival="multi_task", group=groups, lambda_details=others))
    return stack(found)


def weights(chosen: Mapping[str, float], tuned: Collection[str], seeds: Sequence[int]) -> pd.DataFrame:
    """Return the weight of the details loss of each set's Students: "chosen" by these seeds, or "given"."""
    found = pd.DataFrame({"dataset": list(chosen), "value": list(chosen.values())})
    found["method"] = np.where(found["dataset"].isin(list(tuned)), "chosen", "given")
    found["seeds"] = [tuple(seeds) if method == "chosen" else () for method in found["method"]]
    return tidy(found, model="multi_task", metric="lambda_details")


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
