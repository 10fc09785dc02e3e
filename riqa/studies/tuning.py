"""What is chosen on validation images: the backbone of chapter 04, the weight of the details in chapter 05.

No test image takes part: comparing candidates on test images would leave no test. Intervals draw patients,
and seeds where there are several. Chapter 05 asks, too, whether a Teacher's answers survive augmentation.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.stats import detail_intervals
from riqa.labels import DETAILS
from riqa.predictions import with_answers
from riqa.results import rows, stack, tidy
from riqa.studies import overall
from riqa.studies.answers import by_image, graded

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
        keys = {"dataset": dataset, "seeds": sorted(own["seed"].unique()), "confidence": 0.95}
        if dataset == trained_on:
            answers = graded(with_answers(own))
            images, score = answers.images, answers.scores(n_resamples=n_resamples)["macro_f1"]
            keys |= {"model": "multi_task"}
        else:
            images, probs = by_image(own)
            how = {"groups": images["patient_id"].to_numpy(), "n_resamples": n_resamples}
            score = detail_intervals(images[list(DETAILS)].to_numpy(), probs, **how)["macro_f1_both_classes"]
            keys |= {"model": f"multi_task@{trained_on}", "target": "details"}
        told = rows({("macro_f1", f"validation, lambda {weight:g}"): score}, n=len(images), **keys)
        found.append(told.assign(trained_on=trained_on, lambda_details=weight))
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
        asked = {weight: graded(answers) for weight, answers in here.groupby("lambda_details")}
        best = asked.pop(chosen[dataset])
        keys = {"dataset": dataset, "model": "multi_task", "rival": "multi_task", "confidence": 0.95}
        for weight, answers in asked.items():
            gap = answers.minus(best, n_resamples=n_resamples)
            number = {("macro_f1", f"validation, lambda {weight:g} minus {chosen[dataset]:g}"): gap}
            told = rows(number, n=len(answers.images), seeds=answers.seeds, **keys)
            found.append(told.assign(lambda_details=weight))
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
