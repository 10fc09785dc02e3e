"""How unlike the training images an image is, so that a model can abstain instead of guessing.

Two views look for different things. The *network* sees what its task needed, and that a letter is no fundus
(`riqa.learn.stages`). The *colours* of every octave, without a network, tell a drawn photograph from a taken
one (`riqa.learn.bands`). Each view is scaled by what is usual among the validation images, and the larger of
the two values counts. One limit serves both, so that a second view does not double the answers lost on images
of the model's own kind. No example of a strange image is needed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from torch import Tensor

from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.learn.bands import N_NUMBERS, colour_bands
from riqa.learn.examples import Examples
from riqa.learn.inference import in_batches
from riqa.learn.mixture import Mixture, fit_mixture
from riqa.learn.model import QualityNet, model_file
from riqa.learn.stages import Stage, fit_stage, outputs_with_stages, stages_of

QUANTILE = 0.99
"""Share of the validation images that count as known; about one in a hundred of their kind is refused."""
VIEWS = ("what the network sees", "colours and texture")
"""The views, in the words of an abstention."""
MOST_IMAGES = 1000
"""Training images that are enough for the stages; evenly spaced, where there are more."""
MOST_PHOTOGRAPHS = 3000
"""Training images that are enough for the colours."""

_BEYOND = 3  # validation images, at least, beyond one unit of a view, so that the strangest is not the unit
_EXTENSION = "novelty.safetensors"


@dataclass(frozen=True)
class Novelty:
    """What makes an image new to a model.

    Attributes:
        stages: One per stage of the network, in its order.
        bands: Where the colours of training images lie.
        validation: (n, 2) of the validation images, one column per view, not yet scaled.
    """

    stages: tuple[Stage, ...]
    bands: Mixture
    validation: np.ndarray

    def scores(self, outputs: dict[str, Tensor], images: np.ndarray) -> np.ndarray:
        """Compute how unlike the training images are images, in each view.

        Args:
            outputs: What `outputs_with_stages` gives for the images; further entries are ignored.
            images: (N, H, W, 3) uint8 RGB, the same.

        Returns:
            (N, 2), a column for each of `VIEWS`: 0 for the median validation image, 1 where 99 % of them lie
            below, or all but three where they are few.

        Raises:
            InputError: If the outputs come from another kind of network.
        """
        features = stages_of(outputs)
        if [f.shape[1] for f in features] != [len(stage.mean) for stage in self.stages]:
            raise InputError(
                f"stages are {[f.shape[1] for f in features]} wide, "
                f"must be {[len(stage.mean) for stage in self.stages]}: what makes an image new was learned "
                "with another network; train the model again"
            )
        return self._in_units(_views(self.stages, self.bands, features, colour_bands(images)))

    def threshold(self, quantile: float = QUANTILE) -> float:
        """Return the limit: an image is new if its largest score is above it.

        It is the smallest of the validation images' largest scores such that an image of the same kind
        exceeds it with a probability of about 1 - `quantile` at most; the largest, where there are too few
        for that.

        Raises:
            ValueError: If `quantile` is outside (0, 1].
        """
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile is {quantile}, must be above 0 and at most 1")
        largest = np.sort(self._in_units(self.validation).max(axis=1))
        n = len(largest)
        return float(largest[min(n, int(np.ceil((n + 1) * quantile))) - 1])

    def _in_units(self, views: np.ndarray) -> np.ndarray:
        share = np.clip(1 - _BEYOND / len(self.validation), 0.75, QUANTILE)
        usual, one = np.quantile(self.validation, [0.5, share], axis=0)
        return (views - usual) / np.maximum(one - usual, np.finfo(np.float32).eps)


@threadpool_limits.wrap(limits=1)  # the order of floating-point sums, and so the last bits, depend on it
def fit_novelty(model: QualityNet, training: Examples, validation: Examples) -> Novelty:
    """Learn where the training images lie, and how far validation images usually are.

    Args:
        model: The trained network.
        training: At most `MOST_IMAGES` of them for the stages, `MOST_PHOTOGRAPHS` for the colours.
        validation: Images of other patients, which set the threshold.
    """
    known, others = (_features(model, some) for some in (_spaced(training, MOST_IMAGES), validation))
    stages = tuple(fit_stage(*pair) for pair in zip(known, others, strict=True))
    bands = fit_mixture(_bands(_spaced(training, MOST_PHOTOGRAPHS)))
    return Novelty(stages, bands, _views(stages, bands, others, _bands(validation)))


def save_novelty(novelty: Novelty, stem: Path) -> None:
    """Write ``<stem>.novelty.safetensors``, aside and then renamed."""
    tensors = {"validation": novelty.validation}
    tensors |= {f"bands.{part}": getattr(novelty.bands, part) for part in ("weights", "means", "roots")}
    for k, stage in enumerate(novelty.stages):
        tensors |= {f"{k}.mean": stage.mean, f"{k}.scale": stage.scale, f"{k}.precision": stage.precision}
        tensors[f"{k}.median"] = np.array([stage.median])
    small = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    atomic_write(model_file(stem, _EXTENSION), lambda aside: save_file(small, aside))


def load_novelty(stem: Path) -> Novelty | None:
    """Read what `save_novelty` wrote beside a model; None where there is no such file.

    Raises:
        InputError: If the file is cut short, holds something else, or is older than the view of colours.
    """
    file = model_file(stem, _EXTENSION)
    if not file.exists():
        return None
    try:
        tensors = {name: values.astype(np.float64) for name, values in load_file(file).items()}
        if not any(name.startswith("bands.") for name in tensors):
            raise ValueError("without colours, as older versions wrote it")
        stages = [
            Stage(
                *(tensors[f"{k}.{part}"] for part in ("mean", "scale", "precision")),
                tensors[f"{k}.median"][0],
            )
            for k in range(sum(name.endswith(".mean") for name in tensors))
        ]
        bands = Mixture(*(tensors[f"bands.{part}"] for part in ("weights", "means", "roots")))
        novelty = Novelty(tuple(stages), bands, tensors["validation"])
        _check(novelty)
        return novelty
    except (SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file}: cut short or no such file of riqa ({reason}); train the model again"
        ) from error


def _check(novelty: Novelty) -> None:
    """Refuse shapes and numbers that no fit could have given."""
    bands, validation = novelty.bands, novelty.validation
    if not novelty.stages or validation.ndim != 2 or validation.shape[1] != len(VIEWS) or not len(validation):
        raise ValueError("no stage or no score in it")
    for stage in novelty.stages:
        d = stage.mean.shape
        if len(d) != 1 or stage.scale.shape != d or stage.precision.shape != d * 2:
            raise ValueError("a stage of it has parts that do not fit each other")
        finite = np.isfinite(stage.mean).all() and np.isfinite(stage.precision).all()
        if not (finite and stage.scale.min() > 0 and stage.median > 0):
            raise ValueError("a stage of it has numbers that cannot be")
    m = bands.weights.shape
    if len(m) != 1 or bands.means.shape != (*m, N_NUMBERS) or bands.roots.shape != (*m, N_NUMBERS, N_NUMBERS):
        raise ValueError("its colours have parts that do not fit each other")
    finite = np.isfinite(bands.means).all() and np.isfinite(np.linalg.slogdet(bands.roots)[1]).all()
    if not (finite and np.isfinite(bands.weights).all() and bands.weights.min() > 0):
        raise ValueError("its colours have numbers that cannot be")
    if not np.isfinite(validation).all():
        raise ValueError("scores in it are no numbers")


@threadpool_limits.wrap(limits=1, user_api="blas")  # more would spin while the network computes
def _views(
    stages: tuple[Stage, ...], bands: Mixture, features: list[np.ndarray], colours: np.ndarray
) -> np.ndarray:
    """Look at images in both views: (N, 2)."""
    network = sum(stage.distances(values) for stage, values in zip(stages, features, strict=True))
    return np.column_stack([network, bands.surprise(colours)])


def _spaced(examples: Examples, most: int) -> Examples:
    """Choose at most `most` examples, evenly spaced."""
    chosen = np.linspace(0, len(examples) - 1, min(len(examples), most)).round().astype(int)
    return examples.at(torch.from_numpy(chosen))


def _features(model: QualityNet, examples: Examples) -> list[np.ndarray]:
    return stages_of(in_batches(model, lambda images: outputs_with_stages(model, images), examples))


def _bands(examples: Examples) -> np.ndarray:
    return np.concatenate([colour_bands(examples.images[row][None]) for row in examples.rows])
