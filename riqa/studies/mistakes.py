"""Where the details go wrong: by camera, by other defects of the photograph, and without a reason given.

Every function takes predictions as `riqa.predictions` reads them, of one or more datasets and models, and
returns rows of `riqa.results`. Slices of images are columns beside the predictions: `source`, the camera or
site; and `pattern`, one of `patterns`, where rows without one are left out.
"""

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import mean_interval
from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.predictions import OVERALL
from riqa.results import rows, tidy
from riqa.studies.details import by_image, judged

ARTIFACT_ONLY = "artifact only"
PATTERNS = ("nothing bad", ARTIFACT_ONLY, *(f"only {detail} bad" for detail in DETAILS), "several bad")


def error_rates(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Count wrong answers by camera or site: the metric `error`, whose group is the source."""
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        keys = {"dataset": dataset, "model": model, "seeds": sorted(own["seed"].unique())}
        for detail in DETAILS:
            images, truth, probs = judged(own, detail)
            wrong = (probs >= 0.5) != truth
            for source in sorted(images["source"].unique()):
                here = (images["source"] == source).to_numpy()
                how = {"groups": images.loc[here, "patient_id"].to_numpy(), "n_resamples": n_resamples}
                rate = mean_interval(wrong[:, here], confidence=confidence, **how)
                about = {"target": detail, "n": here.sum(), "confidence": confidence}
                found.append(rows({("error", source or "unknown"): rate}, **keys, **about))
    return pd.concat(found, ignore_index=True)


def patterns(good: pd.DataFrame, artifact: pd.Series | None = None) -> np.ndarray:
    """Return which details of each image are bad.

    Args:
        good: One row per image, columns `DETAILS`: 1 good, 0 bad.
        artifact: How strongly artifacts spoil each image, in [0, 1]; None where nobody knows.

    Returns:
        One of `PATTERNS` per image: `ARTIFACT_ONLY` where no detail is bad, and artifacts exceed the experts'
        threshold; "" where a label is missing.
    """
    bad = good[list(DETAILS)].eq(0)
    spoilt = np.zeros(len(good), dtype=bool) if artifact is None else artifact.to_numpy() > THRESHOLD
    cases = [
        good[list(DETAILS)].isna().any(axis=1),
        bad.sum(axis=1) > 1,
        *(bad[detail] for detail in DETAILS),
    ]
    names = ["", PATTERNS[-1], *(f"only {detail} bad" for detail in DETAILS)]
    return np.select([*cases, spoilt], [*names, ARTIFACT_ONLY], default=PATTERNS[0])


def called_bad(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count how often each detail is called bad, by what is truly bad: the confusion of details.

    Returns:
        Rows of the metric `called_bad`, whose group is the pattern and whose target is a detail, or "any" for
        at least one of the three; means over images and seeds, in the order of `PATTERNS`.
    """
    known = predictions[predictions["pattern"].isin(PATTERNS)]
    answers = known[[f"p_{detail}" for detail in DETAILS]].set_axis(list(DETAILS), axis=1)
    bad = answers.lt(0.5).where(answers.notna()).astype(float)  # NaN: a silent model
    bad["any"] = answers.lt(0.5).any(axis=1).astype(float)
    slices = ["dataset", "model", "pattern"]
    runs = known.groupby(slices, sort=False)
    shares = bad.groupby([known[key] for key in slices], sort=False).mean()
    shares["n"] = runs["image_id"].nunique()
    shares["seeds"] = runs["seed"].agg(lambda seeds: tuple(sorted(set(seeds))))
    tall = (
        shares.reset_index()
        .melt([*slices, "n", "seeds"], var_name="target")
        .rename(columns={"pattern": "group"})
    )
    tall = tall.sort_values("group", key=lambda group: group.map(PATTERNS.index), kind="stable")
    return tidy(tall, metric="called_bad", method="images")


def without_reason(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Ask how often a model finds fault with a photograph without naming a fault.

    Returns:
        Rows of the metrics `not_good` (share whose most probable overall class is not good) and `unexplained`
        (share that is not good although all three details are called good), over all images and by pattern.
    """
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        images, probs = by_image(own)
        good = own[OVERALL].notna().any().sum() - 1  # the last class
        called = own.pivot(index="image_id", columns="seed", values="called").loc[images["image_id"]]
        not_good = (called < good).to_numpy().T
        silent = not_good & (probs >= 0.5).all(axis=-1)
        keys = {"dataset": dataset, "model": model, "seeds": sorted(own["seed"].unique())}
        for pattern in ("all", *PATTERNS):
            here = (
                np.full(len(images), True) if pattern == "all" else (images["pattern"] == pattern).to_numpy()
            )
            if here.any():
                how = {"groups": images.loc[here, "patient_id"].to_numpy(), "n_resamples": n_resamples}
                share = mean_interval(silent[:, here], confidence=confidence, **how)
                numbers = {("not_good", pattern): not_good[:, here].mean(), ("unexplained", pattern): share}
                found.append(rows(numbers, n=here.sum(), confidence=confidence, **keys))
    return pd.concat(found, ignore_index=True)
