"""Quality details: how well models judge illumination, clarity and contrast (the paper's Table 4).

Every function takes predictions as `riqa.predictions` reads them, of one or more datasets and models, and
returns rows of `riqa.results`. *Good* is the positive class, as in the paper. Details that nobody has judged
are left out, and so are those of a model that is silent about them. A difference is always the first model of
a pair minus the second. Values are means over seeds; the bootstrap draws patients and seeds.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from riqa.evaluate.bootstrap import auc_interval
from riqa.evaluate.calibration import calibration
from riqa.evaluate.comparisons import margin_verdict, mcnemar_over_seeds
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import bootstrap_interval, detail_intervals, paired_bootstrap
from riqa.labels import DETAILS
from riqa.results import rows

SCORES = {
    f"{detail}.{score}": (detail, score, "good")
    for detail in DETAILS
    for score in ("f1", "precision", "recall")
}
SCORES |= {
    "macro_f1": ("details", "macro_f1", "good"),
    "macro_f1_both_classes": ("details", "macro_f1", "all"),
}
"""Score of `riqa.evaluate.metrics.detail_scores` -> target, metric and group of its row.

The target "details" is the mean over the three; its macro-F1 averages F1 of good ("good"), or of both classes
("all"): a model that calls everything good does not do well in the latter.
"""

OF_BOTH = {"macro_f1": ("macro_f1", "all"), "f1.bad": ("f1", "bad"), "accuracy": ("accuracy", "all")}
"""Score of `riqa.evaluate.metrics.overall_scores` with two classes -> metric and group of its row."""
COMPARED = {"f1.good": ("f1", "good"), "macro_f1": ("macro_f1", "all")}
"""Score that differences are made of -> metric and group of its row."""

Pairs = Iterable[tuple[str, str]]


def scores(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Score each model on each dataset: F1, precision and recall of each detail, and their means."""
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        images, probs = by_image(own)
        intervals = detail_intervals(
            images[list(DETAILS)].to_numpy(), probs, groups=images["patient_id"].to_numpy(),
            confidence=confidence, n_resamples=n_resamples,
        )  # fmt: skip
        numbers = {SCORES[score]: interval for score, interval in intervals.items()}
        keys = {"dataset": dataset, "model": model, "seeds": sorted(own["seed"].unique()), "n": len(images)}
        found.append(rows(numbers, ("target", "metric", "group"), confidence=confidence, **keys))
    return pd.concat(found, ignore_index=True)


def both_classes(
    predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> pd.DataFrame:
    """Score each detail for both of its classes (macro-F1, F1 of bad, accuracy), where both occur."""
    found = []
    for keys, images, truth, probs in _details(predictions):
        if len(set(truth)) == 2:
            intervals = bootstrap_interval(
                truth, (probs >= 0.5).astype(int), n_classes=2, groups=images["patient_id"].to_numpy(),
                confidence=confidence, n_resamples=n_resamples,
            )  # fmt: skip
            numbers = {key: intervals[score] for score, key in OF_BOTH.items()}
            found.append(rows(numbers, confidence=confidence, **keys))
    return _table(found)


def always_good(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the F1 that answering *good* every time earns on each dataset, as of a model `always_good`."""
    found = []
    for dataset, own in predictions.groupby("dataset", sort=False):
        for detail in DETAILS:
            truth = own.dropna(subset=detail).drop_duplicates("image_id")[detail]
            share = truth.mean()
            keys = {"dataset": dataset, "model": "always_good", "target": detail, "n": len(truth)}
            found.append(rows({("f1", "good"): 2 * share / (1 + share)}, method="count", **keys))
    return _table(found)


def aucs(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return how well each model ranks each dataset's images by each detail, whatever share of them is good.

    The AUC is the chance that a good image gets a higher probability than a bad one; NaN where only one of
    the two occurs.
    """
    found = []
    for keys, images, truth, probs in _details(predictions):
        auc = Interval(np.nan, np.nan, np.nan)
        if len(set(truth)) == 2:
            how = {"confidence": confidence, "n_resamples": n_resamples}
            auc = auc_interval(truth, probs, groups=images["patient_id"].to_numpy(), **how)
        found.append(rows({("auc", "all"): auc}, confidence=confidence, **keys))
    return _table(found)


def differences(
    predictions: pd.DataFrame, pairs: Pairs, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> pd.DataFrame:
    """Compare each detail's F1 of good and macro-F1 on the same draws of images and seeds."""
    found = []
    for keys, images, truth, a, b in _paired(predictions, pairs):
        numbers = {
            key: paired_bootstrap(
                truth, a, b, n_classes=2, metric=score, groups=images["patient_id"].to_numpy(),
                confidence=confidence, n_resamples=n_resamples,
            )
            for score, key in COMPARED.items()
        }  # fmt: skip
        found.append(rows(numbers, confidence=confidence, **keys))
    return _table(found)


def equivalence(predictions: pd.DataFrame, pairs: Pairs, *, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    intervals = differences(predictions, pairs, confidence=0.9, n_resamples=n_resamples)
    return intervals.assign(method="equivalence", p=np.nan)


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test by McNemar, over all seeds, whether two models are right equally often about each detail."""
    found = []
    for keys, _, truth, a, b in _paired(predictions, pairs):
        p = mcnemar_over_seeds(a == truth, b == truth)
        test = Interval(((a == truth).mean() - (b == truth).mean()), np.nan, np.nan, p)
        found.append(rows({("accuracy", "all"): test}, method="mcnemar_exact", **keys))
    return _table(found)


def findings(differences: pd.DataFrame, within: pd.DataFrame, margin: float) -> list[str]:
    """Return the finding that each difference supports.

    Args:
        differences: Rows of `differences`, with their p-values corrected in a column `holm`.
        within: Rows of `equivalence`, in the same order.
        margin: Loss that would be too small to matter, above 0.

    Returns:
        One finding per row: "differs" where Holm's p-value is below 0.05; "equivalent" where the 90 %
        interval lies within the margin, else "non-inferior" where its lower end lies above minus the margin;
        "undecided" where none of these holds.
    """
    found = []
    for p, row in zip(differences["holm"], within.itertuples(), strict=True):
        verdict = margin_verdict(Interval(row.value, row.low, row.high), margin)
        words = ["differs"] * (p < 0.05) + ["equivalent"] * verdict.equivalent
        words += ["non-inferior"] * (verdict.non_inferior and not verdict.equivalent)
        found.append(", ".join(words) or "undecided")
    return found


def calibrations(
    predictions: pd.DataFrame, n_bins: int, *, confidence: float = 0.95, n_resamples: int = 10_000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the calibration of each model's probabilities of each detail.

    Args:
        predictions: Of one or more datasets and models.
        n_bins: Bins of equal width.
        confidence: Coverage of the intervals.
        n_resamples: Bootstrap replicates over patients and seeds.

    Returns:
        The bins (`riqa.evaluate.calibration.Calibration.table`, with dataset, model and target); and rows of
        the metrics `ece`, `ece_floor` (what chance gives a calibrated model) and `brier`.
    """
    found, bins = [], []
    for keys, images, truth, probs in _details(predictions):
        if len(truth):
            of = calibration(
                truth, probs, groups=images["patient_id"].to_numpy(), n_bins=n_bins,
                confidence=confidence, n_resamples=n_resamples,
            )  # fmt: skip
            numbers = {("ece", "bins"): of.ece, ("ece_floor", "drawn"): of.floor}
            numbers |= {("brier", "bootstrap"): of.brier}
            found.append(rows(numbers, ("metric", "method"), confidence=confidence, **keys))
            bins.append(of.table.assign(**{key: keys[key] for key in ("dataset", "model", "target")}))
    return _table(bins), _table(found)


def by_image(own: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Bring one model's answers on one dataset into one row per image.

    Returns:
        The images, sorted by name, with their true labels; and the probabilities of good (S, N, 3).

    Raises:
        ValueError: If the seeds do not cover the same images, each once.
    """
    wide = [own.pivot(index="image_id", columns="seed", values=f"p_{detail}") for detail in DETAILS]
    if len(wide[0]) * own["seed"].nunique() != len(own):
        raise ValueError("predictions of different seeds must cover the same images, each once")
    images = own.drop_duplicates("image_id").set_index("image_id").loc[wide[0].index].reset_index()
    return images, np.stack([table.to_numpy().T for table in wide], axis=-1)


def judged(own: pd.DataFrame, detail: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the images whose detail is judged, its labels (N,), and the probabilities of good (S, N)."""
    images, probs = by_image(own)
    known = images[detail].notna().to_numpy()
    images = images[known].reset_index(drop=True)
    return images, images[detail].to_numpy(dtype=int), probs[:, known, DETAILS.index(detail)]


def _details(predictions: pd.DataFrame) -> Iterator[tuple[dict, pd.DataFrame, np.ndarray, np.ndarray]]:
    """Yield, for each dataset, model and detail: keys of its rows, and what `judged` returns."""
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        for detail in DETAILS:
            images, truth, probs = judged(own, detail)
            keys = {"dataset": dataset, "model": model, "target": detail, "n": len(truth)}
            yield keys | {"seeds": sorted(own["seed"].unique())}, images, truth, probs


def _paired(
    predictions: pd.DataFrame, pairs: Pairs
) -> Iterator[tuple[dict, pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, for each dataset, pair and detail with both classes: keys, images, truth, what each called."""
    for _, here in predictions.groupby("dataset", sort=False):
        for model, rival in pairs:
            both = (list(_details(here[here["model"] == name])) for name in (model, rival))
            for (keys, images, truth, a), (of_rival, others, _, b) in zip(*both, strict=True):
                if len(set(truth)) < 2:
                    continue
                if not images["image_id"].equals(others["image_id"]) or keys["seeds"] != of_rival["seeds"]:
                    raise ValueError(f"{model} and {rival} must have the same images and seeds")
                called = ((probs >= 0.5).astype(int) for probs in (a, b))
                yield keys | {"rival": rival}, images, truth, *called


def _table(found: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(found, ignore_index=True) if found else rows({})
