"""Where the details go wrong: by camera, by what else is wrong with the photograph, and how badly."""

import numpy as np
import pandas as pd

from riqa.evaluate.means import mean_interval
from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.report.details import judged_answers
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD, stack_seeds

PATTERNS = ("nothing bad", *(f"only {detail} bad" for detail in DETAILS), "several bad")
ARTIFACT_ONLY = "artifact only"


def error_rates(predictions: pd.DataFrame, sources: pd.Series, n_resamples: int = 2_000) -> pd.DataFrame:
    """Count mistakes by camera or site.

    Args:
        predictions: rows of `riqa.learn.predict.predict` of one dataset and model, any seeds.
        sources: index image_id, camera or site of each image.
        n_resamples: bootstrap replicates over patients and seeds.

    Returns:
        A row a source and detail, sources in alphabetical order: source, detail, n (images), value, low, high
        (share of wrong answers, mean over seeds).
    """
    rows = []
    for detail in DETAILS:
        images, truth, probs = judged_answers(predictions, detail)
        wrong = (probs >= 0.5) != truth
        own = sources.loc[images["image_id"]].to_numpy()
        for source in sorted(set(own)):
            here = own == source
            found = mean_interval(
                wrong[:, here], groups=images.loc[here, "patient_id"].to_numpy(), n_resamples=n_resamples
            )
            rows.append((source, detail, int(here.sum()), found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["source", "detail", "n", "value", "low", "high"])


def error_results(predictions: pd.DataFrame, rates: pd.DataFrame) -> list[Result]:
    """Make records ``details.<dataset>.<model>.<detail>.error.<source>`` of `error_rates`."""
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    seeds = sorted(predictions["seed"].unique())
    return [
        record(
            f"details.{dataset}.{model}.{row.detail}.error.{'_'.join(row.source.split()) or 'unknown'}",
            row.value,
            low=row.low,
            high=row.high,
            n=row.n,
            seeds=seeds,
            method=METHOD,
        )
        for row in rates.itertuples()
    ]


def defect_patterns(good: pd.DataFrame, artifact: pd.Series | None = None) -> pd.Series:
    """Say of each image which of its details are bad.

    Args:
        good: index image_id, columns `DETAILS`, 1 good, 0 bad; no NaN.
        artifact: index image_id, how strongly artifacts spoil the image, in [0, 1]; None where nobody knows.

    Returns:
        One of `PATTERNS` an image; with `artifact`, images without a bad detail whose artifacts exceed the
        experts' threshold are `ARTIFACT_ONLY`.
    """
    bad = good[list(DETAILS)].eq(0)
    names = pd.Series(PATTERNS[0], index=good.index)
    for detail in DETAILS:
        names[bad[detail] & (bad.sum(axis=1) == 1)] = f"only {detail} bad"
    names[bad.sum(axis=1) > 1] = PATTERNS[-1]
    if artifact is not None:
        names[~bad.any(axis=1) & (artifact.loc[good.index] > THRESHOLD)] = ARTIFACT_ONLY
    return names


def called_bad(predictions: pd.DataFrame, patterns: pd.Series) -> pd.DataFrame:
    """Count how often each detail is called bad, by what is truly bad: the confusion of details.

    Args:
        predictions: rows of one dataset and model, any seeds.
        patterns: index image_id, `defect_patterns`; images that it leaves out are left out.

    Returns:
        Index pattern (those that occur, in the order of `PATTERNS` with `ARTIFACT_ONLY` second), columns n
        (images), each detail (share called bad, mean over images and seeds) and "any" (any detail called
        bad).
    """
    rows = predictions[predictions["image_id"].isin(patterns.index)]
    probs = rows[[f"p_{detail}" for detail in DETAILS]].set_axis(list(DETAILS), axis=1)
    bad = probs.lt(0.5)
    groups = (
        bad.where(probs.notna())
        .assign(any=bad.any(axis=1))
        .astype(float)
        .groupby(patterns.loc[rows["image_id"]].to_numpy())
    )
    table = groups.mean()
    table.insert(0, "n", rows.groupby(patterns.loc[rows["image_id"]].to_numpy())["image_id"].nunique())
    order = [PATTERNS[0], ARTIFACT_ONLY, *PATTERNS[1:]]
    return table.loc[[name for name in order if name in table.index]].rename_axis("pattern")


def called_bad_results(predictions: pd.DataFrame, table: pd.DataFrame) -> list[Result]:
    """Make records ``details.<dataset>.<model>.<detail>.called_bad.<pattern>`` of `called_bad`."""
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    seeds = sorted(predictions["seed"].unique())
    return [
        record(
            f"details.{dataset}.{model}.{detail}.called_bad.{pattern.replace(' ', '_')}",
            row[detail],
            n=row["n"],
            seeds=seeds,
            method="mean over images and seeds",
        )
        for pattern, row in table.iterrows()
        for detail in (*DETAILS, "any")
    ]


def rejected_without_reason(
    predictions: pd.DataFrame, patterns: pd.Series | None = None, n_resamples: int = 2_000
) -> pd.DataFrame:
    """Ask how often a Student finds fault with a photograph without naming a fault.

    Args:
        predictions: rows of a Student on one dataset, any seeds, with overall probabilities.
        patterns: index image_id, `defect_patterns`; None counts all images together.
        n_resamples: bootstrap replicates over patients and seeds.

    Returns:
        Index pattern ("all images" first), columns n, not_good (share whose most probable overall class is
        not good), unexplained, low, high (share that is not good although all three details are called good).
    """
    overall = [
        name for name in predictions if name.startswith("p_overall_") and predictions[name].notna().all()
    ]
    images, probs = stack_seeds(predictions, [*overall, *(f"p_{detail}" for detail in DETAILS)])
    not_good = probs[..., : len(overall)].argmax(axis=-1) < len(overall) - 1
    silent = not_good & (probs[..., len(overall) :] >= 0.5).all(axis=-1)
    own = (
        patterns.reindex(images["image_id"]).to_numpy() if patterns is not None else np.full(len(images), "")
    )
    rows = {}
    for pattern in ("all images", PATTERNS[0], ARTIFACT_ONLY, *PATTERNS[1:]):
        here = np.full(len(images), True) if pattern == "all images" else own == pattern
        if here.any():
            patients = images.loc[here, "patient_id"].to_numpy()
            found = mean_interval(silent[:, here], groups=patients, n_resamples=n_resamples)
            rows[pattern] = (int(here.sum()), not_good[:, here].mean(), found.value, found.low, found.high)
    columns = ["n", "not_good", "unexplained", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("pattern")


def worst_mistakes(predictions: pd.DataFrame, detail: str, count: int = 4) -> pd.DataFrame:
    """Find the images on which a model was surest of the wrong answer.

    Args:
        predictions: rows of one dataset and model, any seeds.
        detail: one of `riqa.labels.DETAILS`.
        count: how many at most; images that it gets right on average over seeds are never among them.

    Returns:
        Columns image_id, label (1 good, 0 bad), p (mean over seeds of the probability of good); worst first.
    """
    images, truth, probs = judged_answers(predictions, detail)
    p = probs.mean(axis=0)
    frame = pd.DataFrame({"image_id": images["image_id"], "label": truth, "p": p})
    wrong = frame[(p >= 0.5) != truth]
    order = (wrong["label"] - wrong["p"]).abs().sort_values(ascending=False, kind="stable").index
    return wrong.loc[order[:count]].reset_index(drop=True)


def artifact_table(called: pd.DataFrame) -> pd.DataFrame:
    """Compare photographs with an artifact only with flawless ones: shares of `called_bad`, as text."""
    rows = called.loc[[name for name in (PATTERNS[0], ARTIFACT_ONLY) if name in called.index]]
    shares = rows[[*DETAILS, "any"]].map("{:.0%}".format).rename(columns={"any": "any of the three"})
    return shares.assign(images=rows["n"].astype(int)).rename_axis(None)
