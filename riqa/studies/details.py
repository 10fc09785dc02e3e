"""Quality details: how well models judge illumination, clarity and contrast (the paper's Table 4).

Every function takes predictions as `riqa.predictions` reads them, of one or more datasets and models, and
returns rows of `riqa.results`. *Good* is the positive class, as in the paper. Details that nobody has judged
are left out. Values are means over seeds; the bootstrap draws patients and seeds.
"""

import numpy as np
import pandas as pd

from riqa.evaluate.auc import auc_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import detail_intervals
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


def aucs(predictions: pd.DataFrame, *, confidence: float = 0.95, n_resamples: int = 10_000) -> pd.DataFrame:
    """Return how well each model ranks each dataset's images by each detail, whatever share of them is good.

    The AUC is the chance that a good image gets a higher probability than a bad one; NaN where only one of
    the two occurs.
    """
    found = []
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        for detail in DETAILS:
            images, truth, probs = judged(own, detail)
            auc = Interval(np.nan, np.nan, np.nan)
            if len(set(truth)) == 2:
                groups = images["patient_id"].to_numpy()
                how = {"confidence": confidence, "n_resamples": n_resamples}
                auc = auc_interval(truth, probs, groups=groups, **how)
            keys = {"dataset": dataset, "model": model, "target": detail, "n": len(truth)}
            seeds = sorted(own["seed"].unique())
            found.append(rows({("auc", "all"): auc}, confidence=confidence, seeds=seeds, **keys))
    return pd.concat(found, ignore_index=True)


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
