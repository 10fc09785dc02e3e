"""Errors of labels: do networks repeat those that were planted, or made by a Teacher?"""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import DETAILS
from riqa.results import rows, stack
from riqa.studies.answers import Pairs, by_image, by_model, judged


def copied(
    predictions: pd.DataFrame, planted: Mapping[str, pd.DataFrame], rival: str, detail: str, *,
    confidence: float = 0.95, n_resamples: int = 2_000,
) -> pd.DataFrame:  # fmt: skip
    """Measure how often models are wrong about a detail, where errors like theirs were planted and elsewhere.

    Predictions are of one dataset, with the truth of the detail. `planted` is model -> bool, one row per
    image_id and one column per seed: whether the rule by which the labels of that model's training
    photographs were flipped would flip the photograph's label. The rival was taught the truth: on the same
    photographs, its rate of errors is the base rate of the planted ones.

    Returns:
        Rows of the metric `wrong` in the groups "planted <model>" and "not planted <model>": the share of
        wrong answers of the model and of the rival (`pooled`), and the model minus its rival with seeds as
        readers (`mrmc`). Every pair of seed and photograph counts the same.
    """
    found, of = [], {keys["model"]: (keys, *judged(own, detail)) for keys, own in by_model(predictions)}
    for model, flips in planted.items():
        wrong = {}
        for who in (model, rival):
            keys, images, truth, probs = of[who]
            wrong[who] = (probs >= 0.5) != truth
        where = flips.loc[images["image_id"], list(keys["seeds"])].to_numpy(dtype=bool).T
        told = {key: keys[key] for key in ("dataset", "seeds")} | {"target": detail, "confidence": confidence}
        for group, here in ((f"planted {model}", where), (f"not planted {model}", ~where)):
            place, told["n"] = {("wrong", group): here}, int(here.any(axis=0).sum())
            found.append(_judged(wrong, place, [(model, rival)], images, n_resamples, **told))
    return stack(found)


def followed(
    answers: pd.DataFrame, pairs: Pairs = (), *, confidence: float = 0.95, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Follow what a Teacher has got wrong, and what right, into networks that came after it.

    Answers are those of all models about one dataset, with the true details of every photograph; the model
    `teacher` is the Teacher of each seed. Pairs are models to compare with each other.

    Returns:
        For each model the share `wrong` of its answers over seeds, photographs and details; and the shares
        `still_wrong`, of what its Teacher has got wrong, and `newly_wrong`, of what it has got right. In the
        group "stranger" the two are of the Teacher of the seed before, whom the model never heard; with one
        seed there is none. For pairs the difference of each share, with seeds as readers.
    """
    wrong = {}
    for keys, own in by_model(answers):
        images, probs = by_image(own)
        said = (probs >= 0.5) != (images[list(DETAILS)].to_numpy() > 0.5)
        wrong[keys["model"]] = said.reshape(len(probs), -1)
    ill = wrong["teacher"]
    asked = {("wrong", "all"): ill | True, ("still_wrong", "all"): ill, ("newly_wrong", "all"): ~ill}
    if len(ill) > 1:
        other = np.roll(ill, 1, axis=0)
        asked |= {("still_wrong", "stranger"): other, ("newly_wrong", "stranger"): ~other}
    told = {"dataset": keys["dataset"], "target": "details", "seeds": keys["seeds"], "n": len(images)}
    return _judged(wrong, asked, pairs, images, n_resamples, confidence=confidence, **told)


def _judged(
    wrong: dict, places: dict, pairs: Pairs, images: pd.DataFrame, n_resamples: int, **told
) -> pd.DataFrame:
    """Return each model's share of wrong answers in each place, and the pairs' differences.

    Answers, by model, and places, by metric and group, are bool (S, N), or (S, 3 N) for three answers about
    each image. The group "stranger" has no differences.
    """
    named = product(wrong.items(), places.items())
    counted = {(model, *place): np.where(here, own, np.nan) for (model, own), (place, here) in named}
    values = np.stack([*counted.values()])
    patients = np.repeat(images["patient_id"].to_numpy(), values.shape[2] // len(images))
    how = {"groups": patients, "confidence": told["confidence"]}
    shares = dict(zip(counted, pooled_intervals(values, n_resamples=n_resamples, **how), strict=True))
    gaps = {
        (model, rival, *place): mean_of_method(counted[model, *place] - counted[rival, *place], **how)
        for (model, rival), place in product(pairs, places)
        if place[1] != "stranger"
    }
    levels = rows(shares, ("model", "metric", "group"), method="pooled", **told)
    return stack([levels, rows(gaps, ("model", "rival", "metric", "group"), method="mrmc", **told)])
