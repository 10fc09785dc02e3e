"""Overall quality: how good are models, which is better, and which differences matter?

Every function takes test predictions of one or more datasets and models, as `riqa.predictions` reads them,
and returns rows of `riqa.results`. A difference is always the first model of a pair minus the second. What
nobody has graded is left out. Values are means over seeds; the bootstrap draws patients and seeds.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.comparisons import (
    detectable_difference,
    joint_counts,
    mcnemar_test,
    power_curve,
    wilcoxon_test,
)
from riqa.evaluate.comparisons import power as power_of
from riqa.evaluate.interval import Interval
from riqa.evaluate.metrics import aggregate_eyes
from riqa.evaluate.stats import bootstrap_interval, paired_bootstrap
from riqa.labels import class_names
from riqa.predictions import OVERALL, with_answers
from riqa.results import rows

UNITS = {"patient": "bootstrap", "eye": "bootstrap_eye", "image": "bootstrap_image"}
"""What the bootstrap can draw as a whole -> the method that it is then."""
READINGS = ("image_probability", "image_correct", "seed_score")
"""What Wilcoxon's test can pair: probability of the true class, being right, macro-F1 seed by seed."""
SIDES = {"wilcoxon": "two-sided", "wilcoxon_greater": "greater"}

Pairs = Iterable[tuple[str, str]]


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Score each model on each dataset.

    With three classes precision and recall are macro averages (group "all"), with two those of the class bad.
    """
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        images, called, n_classes = by_image(own)
        intervals = bootstrap_interval(
            images["overall"].to_numpy(), called.to_numpy().T, n_classes=n_classes,
            groups=drawn_as_one(images), confidence=confidence, n_resamples=n_resamples,
        )  # fmt: skip
        numbers = {key: intervals[score] for score, key in score_keys(n_classes).items()}
        keys = {"dataset": dataset, "model": model, "seeds": called.columns, "n": len(images)}
        found.append(rows(numbers, confidence=confidence, **keys))
    return pd.concat(found, ignore_index=True)


def differences(
    predictions: pd.DataFrame, pairs: Pairs, *, unit: str = "patient", confidence: float = 0.95,
    n_resamples: int = 10_000,
) -> pd.DataFrame:  # fmt: skip
    """Compare macro-F1 on the same draws of images and seeds, by the paired bootstrap.

    Args:
        predictions: Test predictions.
        pairs: Models to compare.
        unit: What is drawn as a whole, a key of `UNITS`.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates.
    """
    found = []
    for keys, images, n_classes, a, b in _paired(predictions, pairs):
        difference = paired_bootstrap(
            images["overall"].to_numpy(), a.to_numpy().T, b.to_numpy().T, n_classes=n_classes,
            groups=drawn_as_one(images, unit), confidence=confidence, n_resamples=n_resamples,
        )  # fmt: skip
        keys |= {"method": UNITS[unit], "confidence": confidence}
        found.append(rows({("macro_f1", "all"): difference}, **keys))
    return pd.concat(found, ignore_index=True)


def equivalence(predictions: pd.DataFrame, pairs: Pairs, *, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    intervals = differences(predictions, pairs, confidence=0.9, n_resamples=n_resamples)
    return intervals.assign(method="equivalence", p=np.nan)


def wilcoxon(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by Wilcoxon's signed ranks, in each of `READINGS`; values are mean differences."""
    found = []
    for keys, images, _, a, b in _paired(predictions, pairs):
        own = predictions[predictions["dataset"] == keys["dataset"]]
        p_a, p_b = (_by_seed(own[own["model"] == keys[key]], "p_true") for key in ("model", "rival"))
        truth = images["overall"].to_numpy()
        macro = [[f1_score(truth, c[s], average="macro", zero_division=0) for s in c] for c in (a, b)]
        right = [c.eq(truth, axis=0).mean(axis=1) for c in (a, b)]
        readings = dict(zip(READINGS, [(p_a.mean(axis=1), p_b.mean(axis=1)), right, macro], strict=True))
        for reading, values in readings.items():
            x, y = map(np.asarray, values)
            for method, side in SIDES.items():
                test = Interval((x - y).mean(), np.nan, np.nan, wilcoxon_test(x, y, side))
                found.append(rows({(reading, "all"): test}, **keys | {"n": len(x), "method": method}))
    return pd.concat(found, ignore_index=True)


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by McNemar, seed by seed, whether two networks are right equally often."""
    found = []
    for keys, images, _, *both in _paired(predictions, pairs):
        for seed in both[0]:
            a, b = (called[seed].to_numpy() == images["overall"].to_numpy() for called in both)
            test = Interval(a.mean() - b.mean(), np.nan, np.nan, mcnemar_test(a, b))
            own = keys | {"seeds": [seed], "method": "mcnemar"}
            found.append(rows({("accuracy", f"seed {seed}"): test}, **own))
    return pd.concat(found, ignore_index=True)


def power(
    predictions: pd.DataFrame, pair: tuple[str, str], sizes: Sequence[int], n_studies: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute what test sets of some sizes could find between models that disagree as these two do.

    Args:
        predictions: Test predictions of one dataset.
        pair: Two models.
        sizes: Numbers of images.
        n_studies: Simulated studies for each point of a curve.

    Returns:
        The curves (`riqa.evaluate.comparisons.power_curve`) with a column `images`; and rows of the metrics
        `detectable_difference` (found with a power of 0.8; NaN if more than the curve reaches) and `power`
        (for the difference found).
    """
    ((keys, images, n_classes, a, b),) = _paired(predictions, [pair])
    joint = joint_counts(images["overall"].to_numpy(), a.to_numpy().T, b.to_numpy().T, n_classes)
    curves, found = [], []
    for size in sizes:
        curve = power_curve(joint, size, n_studies=n_studies)
        either = max(power_of(world, size, n_studies=n_studies) for world in (joint, joint.swapaxes(1, 2)))
        numbers = {"detectable_difference": detectable_difference(curve), "power": either}
        numbers = {(metric, f"{size} images"): value for metric, value in numbers.items()}
        found.append(rows(numbers, **keys | {"n": size, "method": "simulation"}))
        curves.append(curve.assign(images=size))
    return pd.concat(curves, ignore_index=True), pd.concat(found, ignore_index=True)


def by_eye(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the answers about an eye's views; eyes whose views have different grades are left out."""
    eyes = aggregate_eyes(predictions.drop(columns=["called", "p_true"]))
    return with_answers(eyes[eyes["overall"].notna()].reset_index(drop=True))


def beside_published(predictions: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame | None:
    """Put published predictions beside ours, as further models, if they are of the same photographs.

    Args:
        predictions: Ours on one dataset.
        published: What `riqa.data.published_predictions` reads, `with_answers`.

    Returns:
        Our rows, and those of the published models for the same images, repeated for each of our seeds (they
        have one run). None if any of our images has no published prediction: what was answered about other
        images cannot be paired.
    """
    images = predictions["image_id"].unique()
    if not np.isin(images, published["image_id"].unique()).all():
        return None
    same = published[published["image_id"].isin(images)]
    (dataset,) = predictions["dataset"].unique()
    copies = [same.assign(seed=seed, dataset=dataset) for seed in sorted(predictions["seed"].unique())]
    return pd.concat([predictions, *copies], ignore_index=True)


def reject_against_good(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> pd.DataFrame:
    """Compute the AUC with which each model tells reject from good; usable is left out.

    The score is the probability of good, given that the image is either good or reject.
    """
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        ends = own[own["overall"].isin([0, 2])]
        reject, good = (_by_seed(ends, column) for column in ("p_overall_0", "p_overall_2"))
        images = ends.drop_duplicates("image_id").set_index("image_id").loc[good.index]
        interval = auc_interval(
            images["overall"].to_numpy() == 2,
            (good / np.maximum(good + reject, np.finfo(float).tiny)).to_numpy().T,
            groups=images["patient_id"].to_numpy(), confidence=confidence, n_resamples=n_resamples,
        )  # fmt: skip
        keys = {"dataset": dataset, "model": model, "seeds": good.columns, "n": len(images)}
        found.append(rows({("auc", "reject against good"): interval}, confidence=confidence, **keys))
    return pd.concat(found, ignore_index=True)


def score_keys(n_classes: int) -> dict[str, tuple[str, str]]:
    """Return the metric and group of each score; with two classes, precision and recall are those of bad."""
    group = "bad" if n_classes == 2 else "all"
    keys = {"macro_f1": ("macro_f1", "all"), "precision": ("precision", group), "recall": ("recall", group)}
    return keys | {"accuracy": ("accuracy", "all")} | {f"f1.{c}": ("f1", c) for c in class_names(n_classes)}


def by_image(own: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Bring one model's answers on one dataset into one row per graded image.

    Returns:
        The images, sorted by name; the classes called, one column per seed; and the number of classes.

    Raises:
        ValueError: If the seeds do not cover the same images, each once.
    """
    graded = own.dropna(subset="overall")
    called = _by_seed(graded, "called").astype(int)
    images = graded.drop_duplicates("image_id").set_index("image_id").loc[called.index].reset_index()
    return images, called, int(graded[OVERALL].notna().any().sum())


def drawn_as_one(images: pd.DataFrame, unit: str = "patient") -> np.ndarray:
    """Name what is drawn as a whole, image by image; where an eye is "unknown", its image stands alone."""
    ids, patients = images["image_id"].astype(str), images["patient_id"].astype(str)
    eyes = (patients + "/" + images["eye"]).where(images["eye"] != "unknown", "image " + ids)
    return {"patient": patients, "eye": eyes, "image": ids}[unit].to_numpy()


def _by_seed(own: pd.DataFrame, column: str) -> pd.DataFrame:
    wide = own.dropna(subset="overall").pivot(index="image_id", columns="seed", values=column)
    if wide.isna().any(axis=None):
        raise ValueError("predictions of different seeds must cover the same images, each once")
    return wide


def _paired(
    predictions: pd.DataFrame, pairs: Pairs
) -> Iterator[tuple[dict, pd.DataFrame, int, pd.DataFrame, pd.DataFrame]]:
    """Yield, for each dataset and pair: keys of its rows, images, number of classes, and what each called."""
    for dataset, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            (images, a, n_classes), (_, b, _) = (by_image(here[here["model"] == m]) for m in (model, rival))
            if not a.index.equals(b.index) or not a.columns.equals(b.columns):
                raise ValueError(f"{model} and {rival} must have the same images and seeds")
            keys = {"dataset": dataset, "model": model, "rival": rival, "seeds": a.columns, "n": len(images)}
            yield keys, images, n_classes, a, b
