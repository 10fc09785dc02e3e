"""Chapter 05's own questions: how much weight for the Teacher, and do its answers survive augmentation?"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.stats import bootstrap_interval, detail_intervals, paired_bootstrap
from riqa.labels import DETAILS
from riqa.predictions import with_answers
from riqa.results import rows, tidy
from riqa.studies import details
from riqa.studies.overall import by_image, drawn_as_one


def candidates(predictions: pd.DataFrame, n_resamples: int = 2_000) -> pd.DataFrame:
    """Score every candidate for lambda_details on validation images, in both tasks.

    Args:
        predictions: Of `riqa.learn.weighting.run_trials`.
        n_resamples: Bootstrap replicates.

    Returns:
        Rows of results with two columns more, trained_on and lambda_details: macro-F1 of overall quality on
        each set's own validation images; and macro-F1 of the details (mean over details and both classes) on
        validation images that experts have judged.
    """
    found = []
    for (trained_on, weight, dataset), own in predictions.groupby(
        ["trained_on", "lambda_details", "dataset"], sort=False
    ):
        keys = {"dataset": dataset, "seeds": sorted(own["seed"].unique()), "confidence": 0.95}
        if dataset == trained_on:
            images, called, n_classes = by_image(with_answers(own))
            interval = bootstrap_interval(
                images["overall"].to_numpy(), called.to_numpy().T, n_classes=n_classes,
                groups=drawn_as_one(images), n_resamples=n_resamples,
            )["macro_f1"]  # fmt: skip
            keys |= {"model": "multi_task"}
        else:
            images, probs = details.by_image(own)
            interval = detail_intervals(
                images[list(DETAILS)].to_numpy(), probs,
                groups=images["patient_id"].to_numpy(), n_resamples=n_resamples,
            )["macro_f1_both_classes"]  # fmt: skip
            keys |= {"model": f"multi_task@{trained_on}", "target": "details"}
        named = {("macro_f1", f"validation, lambda {weight:g}"): interval}
        found.append(rows(named, n=len(images), **keys).assign(trained_on=trained_on, lambda_details=weight))
    return pd.concat(found, ignore_index=True)


def against_chosen(
    predictions: pd.DataFrame, chosen: Mapping[str, float], n_resamples: int = 2_000
) -> pd.DataFrame:
    """Compare each candidate with the weight chosen for its set, on the same validation images.

    Args:
        predictions: Of `riqa.learn.weighting.run_trials`.
        chosen: Of `riqa.learn.weighting.choose_weights`.
        n_resamples: Bootstrap replicates.

    Returns:
        Rows of results with one column more, lambda_details: the candidate minus the chosen one.
    """
    found = []
    own = with_answers(predictions[predictions["dataset"] == predictions["trained_on"]])
    for dataset, here in own.groupby("dataset", sort=False):
        asked = {weight: by_image(rows_of) for weight, rows_of in here.groupby("lambda_details")}
        images, best, n_classes = asked.pop(chosen[dataset])
        for weight, (_, called, _) in asked.items():
            gap = paired_bootstrap(
                images["overall"].to_numpy(), called.to_numpy().T, best.to_numpy().T,
                n_classes=n_classes, groups=drawn_as_one(images), n_resamples=n_resamples,
            )  # fmt: skip
            group = f"validation, lambda {weight:g} minus {chosen[dataset]:g}"
            keys = {"dataset": dataset, "model": "multi_task", "rival": "multi_task", "n": len(images)}
            keys |= {"seeds": called.columns, "confidence": 0.95}
            found.append(rows({("macro_f1", group): gap}, **keys).assign(lambda_details=weight))
    return pd.concat(found, ignore_index=True)


def weights(chosen: Mapping[str, float], tuned: Collection[str], seeds: Sequence[int]) -> pd.DataFrame:
    """Return the weight of the details loss that each set's Students are trained with.

    Args:
        chosen: Weight by the name of the set.
        tuned: The sets on which candidates were compared.
        seeds: Those that compared them.
    """
    found = pd.DataFrame({"dataset": list(chosen), "value": list(chosen.values())})
    found["method"] = np.where(found["dataset"].isin(list(tuned)), "chosen", "given")
    found["seeds"] = [tuple(seeds) if method == "chosen" else () for method in found["method"]]
    return tidy(found, model="multi_task", metric="lambda_details")


def flips(table: pd.DataFrame, dataset: str, seed: int) -> pd.DataFrame:
    """Return the shares of a Teacher's answers that flip, by transformation and place.

    Args:
        table: Of `riqa.learn.flips.flip_table`.
        dataset: The set whose validation images were transformed.
        seed: The Teacher's.

    Returns:
        Rows of the metrics flipped and flipped_clear (of the clear answers); the group is the transformation
        and where: "inside" (the worse end of the interval), "beyond" it, or "drawn" as in training.
    """
    strength = table["strength"]
    where = np.select([strength.isna(), strength.abs() > 1], ["drawn", "beyond"], "inside")
    group = table["transformation"] + ", " + where
    found = []
    for metric, n in (("flipped", "n"), ("flipped_clear", "n_clear")):
        own = table.assign(group=group, value=table[metric], n=table[n]).groupby("group", sort=False)
        found.append(own[["value", "n"]].max().reset_index().assign(metric=metric))
    keys = {"dataset": dataset, "model": "teacher", "target": "details", "seeds": [seed], "method": "count"}
    return tidy(pd.concat(found), **keys)
