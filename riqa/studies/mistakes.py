"""Where answers go wrong: by camera, by what is truly bad, without a reason given, from which severity on.

Every function that measures takes predictions as `riqa.predictions` reads them, of one or more datasets and
models, and returns rows of `riqa.results`. What is known of images are columns beside the predictions:
`source`, the camera or site; `pattern`, one of `PATTERNS`, where rows without one are left out; and
`severity_<detail>` and `severity_artifact` of phantoms, each in [0, 1]: how strongly a photograph is spoilt,
before any noise of experts. Where intervals are drawn, `draws` are `n_resamples` and `seed` of the bootstrap.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import mean_interval
from riqa.evaluate.calibration import fit_psychometric
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS, class_names
from riqa.phantom.raters import THRESHOLD
from riqa.predictions import OVERALL
from riqa.results import rows, stack, tidy
from riqa.studies.answers import by_image, by_model, judged

_ONLY = tuple(f"only {detail} bad" for detail in DETAILS)
PATTERNS = ("nothing bad", "artifact only", *_ONLY, "several bad")
FLIPS = ("wrong_to_right", "right_to_wrong")


def error_rates(predictions: pd.DataFrame, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Count wrong answers by camera or site: the metric `error`, whose group is the source."""
    found, how = [], draws | {"confidence": confidence}
    for (keys, own), detail in product(by_model(predictions), DETAILS):
        images, truth, probs = judged(own, detail)
        wrong = (probs >= 0.5) != truth
        for source in sorted(images["source"].unique()):
            here = (images["source"] == source).to_numpy()
            rate = mean_interval(wrong[:, here], groups=images.loc[here, "patient_id"].to_numpy(), **how)
            about = {"target": detail, "n": here.sum(), "confidence": confidence}
            found.append(rows({("error", source or "unknown"): rate}, **keys, **about))
    return stack(found)


def patterns(good: pd.DataFrame, artifact: pd.Series | None = None) -> np.ndarray:
    """Return which details of each image are bad: one of `PATTERNS`, or "" where a label is missing.

    `good` has one row per image and the columns `DETAILS`, 1 good, 0 bad; `artifact` is how strongly
    artifacts spoil each image, in [0, 1], None where nobody knows. "artifact only" are images without a bad
    detail on which artifacts exceed the experts' threshold.
    """
    labels = good[list(DETAILS)]
    bad = labels.eq(0)
    spoilt = np.zeros(len(good), dtype=bool) if artifact is None else artifact.to_numpy() > THRESHOLD
    cases = [labels.isna().any(axis=1), bad.sum(axis=1) > 1, *(bad[detail] for detail in DETAILS), spoilt]
    return np.select(cases, ["", PATTERNS[-1], *_ONLY, PATTERNS[1]], default=PATTERNS[0])


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
    tall = shares.reset_index().melt([*slices, "n", "seeds"], var_name="target")
    tall = tall.sort_values("pattern", key=lambda group: group.map(PATTERNS.index), kind="stable")
    return tidy(tall.rename(columns={"pattern": "group"}), metric="called_bad", method="images")


def without_reason(predictions: pd.DataFrame, *, confidence: float = 0.95, **draws: int) -> pd.DataFrame:
    """Ask how often a model finds fault with a photograph without naming a fault.

    Returns:
        Rows of the metrics `not_good` (share whose most probable overall class is not good) and `unexplained`
        (share that is not good although all three details are called good), over all images and by pattern.
    """
    found, how = [], draws | {"confidence": confidence}
    for keys, own in by_model(predictions):
        images, probs = by_image(own)
        good = own[OVERALL].notna().any().sum() - 1  # the last class
        called = own.pivot(index="image_id", columns="seed", values="called").loc[images["image_id"]]
        not_good = (called < good).to_numpy().T
        silent = not_good & (probs >= 0.5).all(axis=-1)
        for pattern in ("all", *PATTERNS):
            here = (images["pattern"] == pattern).to_numpy() | (pattern == "all")
            if here.any():
                groups = images.loc[here, "patient_id"].to_numpy()
                share = mean_interval(silent[:, here], groups=groups, **how)
                numbers = {("not_good", pattern): not_good[:, here].mean(), ("unexplained", pattern): share}
                found.append(rows(numbers, n=here.sum(), confidence=confidence, **keys))
    return stack(found)


def read_severities(truth_files: Mapping[str, Path]) -> pd.DataFrame:
    """Read true severities, by dataset and image_id, from each set's `truth.parquet`; real sets have none."""
    columns = {f"perceived_{group}": f"severity_{group}" for group in (*DETAILS, "artifact")}
    found = [
        pd.read_parquet(path)[["image_id", *columns]].rename(columns=columns).assign(dataset=dataset)
        for dataset, path in truth_files.items()
        if path.is_file()
    ]
    nothing = pd.DataFrame(columns=["image_id", *columns.values(), "dataset"])
    return pd.concat(found or [nothing], ignore_index=True)


def planted_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """Replace the experts' labels by the truth: good up to an unbiased expert's threshold of severity.

    Where a model is silent about a detail, nothing is asked of it.
    """
    severity = predictions[[f"severity_{detail}" for detail in DETAILS]].to_numpy(dtype=float)
    asked = predictions[[f"p_{detail}" for detail in DETAILS]].notna().to_numpy()
    good = np.where(asked, severity <= THRESHOLD, np.nan)
    return predictions.assign(**dict(zip(DETAILS, good.T, strict=True)))


def experts(labelled: pd.DataFrame) -> pd.DataFrame:
    """Turn the experts' labels into answers of one more model, "experts", with seed 0 and p_<detail> 0 or 1.

    One row per image that has all three labels.
    """
    images = labelled.drop_duplicates(["dataset", "image_id"]).dropna(subset=list(DETAILS))
    answers = {f"p_{detail}": images[detail].to_numpy() for detail in DETAILS}
    return images.assign(model="experts", seed=0, **answers).reset_index(drop=True)


def severity_curves(predictions: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Fit each model's psychometric curve of each detail, all seeds together; a patient is one group.

    Rows of the metrics `severity_threshold` and `severity_width`; none where no curve can be fitted.
    """
    found, how = [], {"method": "psychometric", "confidence": confidence}
    for keys, own in by_model(predictions):
        images, probs = by_image(own)
        bad = np.where(np.isnan(probs), np.nan, probs < 0.5).mean(axis=0)  # NaN: a silent model
        for k, detail in enumerate(DETAILS):
            severity = images[f"severity_{detail}"].to_numpy()
            curve = fit_psychometric(severity, bad[:, k], images["patient_id"].to_numpy(), confidence)
            if curve is not None:
                threshold = Interval(curve.threshold, curve.low, curve.high)
                numbers = {("severity_threshold",): threshold, ("severity_width",): curve.width}
                found.append(rows(numbers, ("metric",), target=detail, n=len(images), **keys, **how))
    return stack(found)


def flips(predictions: pd.DataFrame, pair: tuple[str, str], targets: Sequence[str]) -> pd.DataFrame:
    """Put the answers of two models side by side, and tell which of them is right.

    The paper's Figure 4 shows images that the single-task model gets wrong and the multi-task model right. A
    page of such pictures makes any second model look good; so the opposite flips are counted as well.

    Returns:
        One row per dataset, target ("overall" or a detail), class, seed and image that has a label: `truth`
        (the class's code), `group` (its name), `flip` (one of `FLIPS`, or empty), and `moved`, by how much
        the probability of the true class changed, without its sign.
    """
    keys, found = ["dataset", "target", "truth", "seed", "image_id"], []
    for dataset, target in product(predictions["dataset"].unique(), targets):
        own = predictions[predictions["dataset"] == dataset]
        classes = class_names(3 if target == "overall" and own["p_overall_2"].notna().any() else 2)
        own = own.assign(target=target, truth=own[target]).dropna(subset="truth")
        if target != "overall":
            good = own[f"p_{target}"]
            own = own.assign(called=(good >= 0.5) * 1.0, p_true=good.where(own["truth"] == 1, 1 - good))
        own = own.pivot(index=keys, columns="model", values=["called", "p_true"])
        frame = own.index.to_frame(index=False)
        was, now = (own["called", model].to_numpy() == frame["truth"] for model in pair)
        before, after = (own["p_true", model].to_numpy() for model in pair)
        group = [classes[int(code)] for code in frame["truth"]]
        flip = np.select([~was & now, was & ~now], FLIPS, default="")
        found.append(frame.assign(group=group, flip=flip, moved=np.abs(after - before)))
    return pd.concat(found, ignore_index=True)


def count_flips(flipped: pd.DataFrame, model: str, rival: str) -> pd.DataFrame:
    """Count flips by class (and "all" of them), means over seeds; metrics are `FLIPS`, n all images."""
    seeds, found = sorted(flipped["seed"].unique()), []
    for (dataset, target), here in flipped.groupby(["dataset", "target"], sort=False):
        for group, own in [*here.groupby("group", sort=False), ("all", here)]:
            counts = {(kind, group): (own["flip"] == kind).sum() / len(seeds) for kind in FLIPS}
            keys = {"dataset": dataset, "target": target, "model": model, "rival": rival, "seeds": seeds}
            found.append(rows(counts, method="count_mean", n=own["image_id"].nunique(), **keys))
    return stack(found)
