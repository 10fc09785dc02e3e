"""One model's answers about one dataset, brought into one row per image: what every study starts with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import bootstrap_interval
from riqa.labels import DETAILS
from riqa.predictions import OVERALL

Pairs = Iterable[tuple[str, str]]
"""Models that are compared: the second is subtracted from the first."""


def by_model(predictions: pd.DataFrame) -> Iterator[tuple[dict, pd.DataFrame]]:
    """Yield, for each dataset and model: keys of its rows of results, and its predictions."""
    for (dataset, model), own in predictions.groupby(["dataset", "model"], sort=False):
        yield {"dataset": dataset, "model": model, "seeds": sorted(own["seed"].unique())}, own


def by_image(own: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the images, sorted by name, with their true labels; and the probabilities of good (S, N, 3).

    The seeds must cover the same images, each once, else it is a ValueError.
    """
    wide = [own.pivot(index="image_id", columns="seed", values=f"p_{detail}") for detail in DETAILS]
    if len(wide[0]) * own["seed"].nunique() != len(own):
        raise ValueError("predictions of different seeds must cover the same images, each once")
    return _images(own, wide[0].index), np.stack([table.to_numpy().T for table in wide], axis=-1)


def judged(own: pd.DataFrame, detail: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the images whose detail is judged, its labels (N,), and the probabilities of good (S, N)."""
    images, probs = by_image(own)
    known = images[detail].notna().to_numpy()
    images = images[known].reset_index(drop=True)
    return images, images[detail].to_numpy(dtype=int), probs[:, known, DETAILS.index(detail)]


@dataclass(frozen=True)
class Graded:
    """What one model calls the overall quality of those images of one dataset that have a grade."""

    own: pd.DataFrame  # its predictions, image by image and seed by seed
    images: pd.DataFrame  # N rows, sorted by name
    truth: np.ndarray  # (N,), the class of each image
    called: np.ndarray  # int (S, N), the class called, one row per training seed
    seeds: tuple[int, ...]
    n_classes: int  # of the set, 2 or 3

    def by_seed(self, column: str) -> pd.DataFrame:
        """Lay a column out: one row per image, sorted by name, one column per seed."""
        return _by_seed(self.own, column)

    @property
    def probs(self) -> np.ndarray:
        """Lay the probabilities of the set's classes out, (S, N, K)."""
        return np.stack([self.by_seed(column).to_numpy().T for column in OVERALL[: self.n_classes]], axis=-1)

    def scores(self, **bootstrap: float) -> dict[str, Interval]:
        """Compute every score of overall quality, see `riqa.evaluate.stats.bootstrap_interval`."""
        how = {"n_classes": self.n_classes, "groups": drawn_as_one(self.images)} | bootstrap
        return bootstrap_interval(self.truth, self.called, **how)


def graded(own: pd.DataFrame) -> Graded:
    """Bring one model's answers on one dataset into one row per graded image; raise as `by_image`."""
    own = own.dropna(subset="overall")
    called = _by_seed(own, "called").astype(int)
    images, n_classes = _images(own, called.index), int(own[OVERALL].notna().any().sum())
    truth = images["overall"].to_numpy()
    return Graded(own, images, truth, called.to_numpy().T, tuple(called.columns), n_classes)


def _by_seed(own: pd.DataFrame, column: str) -> pd.DataFrame:
    wide = own.pivot(index="image_id", columns="seed", values=column)
    if wide.isna().any(axis=None):
        raise ValueError("predictions of different seeds must cover the same images, each once")
    return wide


def drawn_as_one(images: pd.DataFrame, unit: str = "patient") -> np.ndarray:
    """Name what is drawn as a whole, image by image; where an eye is "unknown", its image stands alone."""
    ids, patients = images["image_id"].astype(str), images["patient_id"].astype(str)
    eyes = (patients + "/" + images["eye"]).where(images["eye"] != "unknown", "image " + ids)
    return {"patient": patients, "eye": eyes, "image": ids}[unit].to_numpy()


def _images(own: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    return own.drop_duplicates("image_id").set_index("image_id").loc[ids].reset_index()
