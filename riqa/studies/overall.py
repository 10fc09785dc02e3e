"""Overall quality: how good are models? Images that nobody has graded are left out."""

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.metrics import aggregate_eyes
from riqa.labels import class_names
from riqa.predictions import with_answers
from riqa.results import stack
from riqa.studies.answers import each


def scores(predictions: pd.DataFrame, **bootstrap: float) -> pd.DataFrame:
    """Score each model on each dataset.

    With three classes precision and recall are macro averages (group "all"), with two those of the class bad.
    """
    found = []
    for own in each(predictions, "overall", **bootstrap):
        intervals, names = own.scores(), class_names(own.n_classes)
        of_one = "bad" if "bad" in names else "all"
        asked = {"macro_f1": "all", "precision": of_one, "recall": of_one, "accuracy": "all"}
        numbers = {(score, group): intervals[score] for score, group in asked.items()}
        found.append(own.rows(numbers | {("f1", name): intervals[f"f1.{name}"] for name in names}))
    return stack(found)


def reject_against_good(predictions: pd.DataFrame, **bootstrap: float) -> pd.DataFrame:
    """Compute the AUC with which each model tells reject from good; usable is left out.

    The score is the probability of good, given that the image is either good or reject.
    """
    found = []
    for own in each(predictions[predictions["overall"].isin([0, 2])], "overall", **bootstrap):
        reject, good = own.column("p_overall_0"), own.column("p_overall_2")
        score = good / np.maximum(good + reject, np.finfo(float).tiny)
        auc = auc_interval(own.truth == 2, score, **own.draw())
        found.append(own.rows({("auc", "reject against good"): auc}))
    return stack(found)


def by_eye(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the answers about an eye's views; eyes whose views have different grades are left out."""
    eyes = aggregate_eyes(predictions.drop(columns=["called", "p_true"]))
    return with_answers(eyes[eyes["overall"].notna()].reset_index(drop=True))


def beside_published(predictions: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame | None:
    """Put published predictions (`riqa.data.published_predictions`, `with_answers`) beside ours on one set.

    Returns:
        Our rows, and those of the published models for the same images, repeated for each of our seeds (they
        have one run). None if one of our images has no published prediction: nothing could be paired.
    """
    images = predictions["image_id"].unique()
    if not np.isin(images, published["image_id"].unique()).all():
        return None
    same = published[published["image_id"].isin(images)]
    (dataset,) = predictions["dataset"].unique()
    copies = [same.assign(seed=seed, dataset=dataset) for seed in sorted(predictions["seed"].unique())]
    return pd.concat([predictions, *copies], ignore_index=True)
