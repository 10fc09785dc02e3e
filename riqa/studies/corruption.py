"""Corrupted labels: do Students repeat, on photographs that they have not seen, an error that was planted?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.mrmc import mean_of_method
from riqa.results import rows, stack
from riqa.studies.answers import by_model, judged


def copied(
    predictions: pd.DataFrame, planted: Mapping[str, pd.DataFrame], rival: str, detail: str, *,
    confidence: float = 0.95, n_resamples: int = 2_000,
) -> pd.DataFrame:  # fmt: skip
    """Measure how often models are wrong about a detail, where errors like theirs were planted and elsewhere.

    Args:
        predictions: Of one dataset, as `riqa.predictions` reads them, with the truth of the detail.
        planted: Model -> bool, one row per image_id and one column per seed: whether the rule by which the
            labels of that model's training photographs were flipped would flip the photograph's label.
        rival: The model that was taught the truth. On the same photographs, its rate of errors is the base
            rate of the planted ones.
        detail: One of `riqa.labels.DETAILS`.
        confidence: Coverage of the intervals.
        n_resamples: Draws of patients and seeds for the intervals of shares.

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
        seeds, patients = keys["seeds"], images["patient_id"].to_numpy()
        where = flips.loc[images["image_id"], list(seeds)].to_numpy(dtype=bool).T
        for group, here in ((f"planted {model}", where), (f"not planted {model}", ~where)):
            own, base = (np.where(here, wrong[who], np.nan) for who in (model, rival))
            how = {"groups": patients, "confidence": confidence}
            levels = pooled_intervals(np.stack([own, base]), n_resamples=n_resamples, **how)
            shared = {"dataset": keys["dataset"], "target": detail, "group": group, "seeds": seeds}
            shared |= {"confidence": confidence, "n": int(here.any(axis=0).sum())}
            shares = {(who, "wrong"): level for who, level in zip((model, rival), levels, strict=True)}
            shares = rows(shares, ("model", "metric"), method="pooled", **shared).assign(p=np.nan)
            gap = {(model, rival, "wrong"): mean_of_method(own - base, **how)}
            found += [shares, rows(gap, ("model", "rival", "metric"), method="mrmc", **shared)]
    return stack(found)
