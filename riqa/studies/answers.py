"""One model's answers about one dataset, brought into one row per image: what every study starts with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from riqa import results
from riqa.evaluate.bootstrap import mean_interval
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import bootstrap_interval, paired_bootstrap
from riqa.labels import DETAILS
from riqa.predictions import OVERALL

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answers:
    """What one model answers about N images of one dataset, with S training seeds."""

    own: pd.DataFrame  # its predictions, image by image and seed by seed
    images: pd.DataFrame  # N rows, sorted by name
    keys: dict  # of its rows of results: dataset, model, target, n and seeds
    bootstrap: dict

    def column(self, name: str) -> np.ndarray:
        """Lay a column of the predictions out by seed and image, (S, N)."""
        return self.own.pivot(index="image_id", columns="seed", values=name).to_numpy().T

    @property
    def details(self) -> np.ndarray:
        """Probabilities of good, (S, N, 3)."""
        return np.stack([self.column(f"p_{detail}") for detail in DETAILS], axis=-1)

    @property
    def probs(self) -> np.ndarray:
        """Probabilities of good, (S, N), of the detail that is the target."""
        return self.column(f"p_{self.keys['target']}")

    @property
    def truth(self) -> np.ndarray:
        """The label of each image, int (N,)."""
        return self.images[self.keys["target"]].to_numpy(dtype=int)

    @property
    def called(self) -> np.ndarray:
        """The class called, int (S, N)."""
        if self.keys["target"] in DETAILS:
            return (self.probs >= 0.5).astype(int)
        return self.column("called").astype(int)

    @property
    def n_classes(self) -> int:
        """How many classes the target has."""
        return 2 if self.keys["target"] in DETAILS else int(self.own[OVERALL].notna().any().sum())

    def draw(self, unit: str = "patient") -> dict:
        """Return how the bootstrap draws these images: options of the functions of `riqa.evaluate`."""
        return {"groups": drawn_as_one(self.images, unit)} | self.bootstrap

    def mean(self, values: np.ndarray, here: np.ndarray | slice = np.s_[:]) -> Interval:
        """Average values (S, N) over those images that are `here`, bool (N,)."""
        how = self.draw()
        return mean_interval(values[:, here], **how | {"groups": how["groups"][here]})

    def scores(self) -> dict[str, Interval]:
        """Compute every score of the classes called, see `riqa.evaluate.stats.bootstrap_interval`."""
        return bootstrap_interval(self.truth, self.called, n_classes=self.n_classes, **self.draw())

    def minus(self, rival: "Answers", metric: str = "macro_f1", unit: str = "patient") -> Interval:
        """Subtract a rival's score on the same images (`riqa.evaluate.stats.paired_bootstrap`)."""
        how = {"n_classes": self.n_classes, "metric": metric} | self.draw(unit)
        return paired_bootstrap(self.truth, self.called, rival.called, **how)

    def rows(
        self, numbers: Mapping, columns: Sequence[str] = ("metric", "group"), **more: object
    ) -> pd.DataFrame:
        """Make rows of `riqa.results.rows` about these answers."""
        keys = {"confidence": self.bootstrap.get("confidence", 0.95)} | self.keys | more
        return results.rows(numbers, columns, **{k: v for k, v in keys.items() if k not in columns})


def answers_of(own: pd.DataFrame, target: str = "", **bootstrap: float) -> Answers:
    """Bring predictions of one model on one dataset into one row per image that has a label of the target.

    The target is "overall" or a detail, or empty: then images without labels are there, too.

    Raises:
        ValueError: If the seeds do not cover the same images, each once.
    """
    keys = {key: next(iter(own[key]), "") for key in ("dataset", "model")}
    own = own.dropna(subset=target) if target else own
    images = own.drop_duplicates("image_id").sort_values("image_id", ignore_index=True)
    seeds = sorted(own["seed"].unique())
    if len(images) * len(seeds) != len(own):
        raise ValueError("predictions of different seeds must cover the same images, each once")
    keys |= {"target": target or "overall", "n": len(images), "seeds": tuple(map(int, seeds))}
    return Answers(own, images, keys, bootstrap)


def each(predictions: pd.DataFrame, *targets: str, **bootstrap: float) -> Iterator[Answers]:
    """Yield, for each dataset, model and target, what `answers_of` makes of its predictions."""
    for _, own in predictions.groupby(["dataset", "model"], sort=False):
        yield from (answers_of(own, target, **bootstrap) for target in targets)


def each_pair(
    predictions: pd.DataFrame, pairs: Pairs, *targets: str, **bootstrap: float
) -> Iterator[tuple[Answers, Answers]]:
    """Yield both models' answers for each dataset, pair and target; details need images of both classes.

    The keys of the first model's answers name the second as rival.

    Raises:
        ValueError: If the two do not have the same images and seeds.
    """
    for _, here in predictions.groupby("dataset", sort=False):
        for pair, target in product(pairs, targets):
            a, b = (answers_of(here[here["model"] == model], target, **bootstrap) for model in pair)
            if target in DETAILS and len(set(a.truth)) < 2:
                continue
            if not a.images["image_id"].equals(b.images["image_id"]) or a.keys["seeds"] != b.keys["seeds"]:
                raise ValueError(f"{pair[0]} and {pair[1]} must have the same images and seeds")
            yield replace(a, keys=a.keys | {"rival": pair[1]}), b


def drawn_as_one(images: pd.DataFrame, unit: str = "patient") -> np.ndarray:
    """Name what is drawn as a whole, image by image; where an eye is "unknown", its image stands alone."""
    if unit == "patient":
        return images["patient_id"].to_numpy()
    if unit == "image":
        return images["image_id"].to_numpy()
    eyes = images["patient_id"] + "/" + images["eye"]
    return eyes.where(images["eye"] != "unknown", "image " + images["image_id"]).to_numpy()
