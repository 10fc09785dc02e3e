"""How unlike the training images an image is, so that a model can abstain instead of guessing.

The score is that of Lee et al. 2018 (arXiv:1807.03888): Mahalanobis distances on the features of every stage
of the network, not of its last alone. The last stage knows only what its task needed, and takes a disc of
noise for one more bad fundus; the early stages still see that it is noise. Covariances are those of Ledoit
and Wolf 2004 (doi:10.1016/S0047-259X(03)00096-4), which can be inverted also with few images. Where Lee et
al. weigh stages by examples of strangers, here each distance is divided by its median over the validation
images, and the sum is the score: no stranger is needed. One mean serves all classes, as a Teacher has none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.covariance import LedoitWolf
from threadpoolctl import threadpool_limits
from torch import Tensor

from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.learn.examples import Examples
from riqa.learn.inference import in_batches
from riqa.learn.model import QualityNet, model_file

QUANTILE = 0.99
"""Share of the validation images that count as known; about one in a hundred of their kind is refused."""
MOST_IMAGES = 1000
"""Training images that are enough to know their spread; evenly spaced, where there are more."""

_STAGE = "stage_"
_EXTENSION = "novelty.safetensors"
_COPIED_AT_ONCE = 2**20  # numbers, 4 MB
_SMALLEST_SCALE = 0.1  # of a stage's largest: by a channel that hardly ever fires nothing can be measured


@dataclass(frozen=True)
class Stage:
    """The spread of the training images in one stage of a network with D channels.

    Attributes:
        mean: (D,) of the pooled features.
        scale: (D,) their standard deviations, positive.
        precision: (D, D) inverse covariance of the features so scaled.
        median: median squared distance of the validation images, positive.
    """

    mean: np.ndarray
    scale: np.ndarray
    precision: np.ndarray
    median: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances (N,) of features (N, D), in medians."""
        z = (features - self.mean) / self.scale
        return np.einsum("nd,de,ne->n", z, self.precision, z, optimize=True) / self.median


@dataclass(frozen=True)
class Novelty:
    """What makes an image new to a model.

    Attributes:
        stages: one a stage of the network, in its order.
        validation: (n,) scores of the validation images, ascending.
    """

    stages: tuple[Stage, ...]
    validation: np.ndarray

    @threadpool_limits.wrap(limits=1, user_api="blas")  # more would spin while the network computes
    def scores(self, outputs: dict[str, Tensor]) -> np.ndarray:
        """Compute scores (N,), 0 or more, the higher the less like the training images.

        Args:
            outputs: what `outputs_with_stages` gives; further entries are not looked at.

        Raises:
            InputError: the outputs come from another kind of network.
        """
        features = _stages(outputs)
        if [f.shape[1] for f in features] != [len(stage.mean) for stage in self.stages]:
            raise InputError(
                f"stages are {[f.shape[1] for f in features]} wide, "
                f"must be {[len(stage.mean) for stage in self.stages]}: what makes an image new was learned "
                "with another network; train the model again"
            )
        pairs = zip(self.stages, features, strict=True)
        return sum(stage.distances(values) for stage, values in pairs)

    def threshold(self, quantile: float = QUANTILE) -> float:
        """Return the score above which an image is new.

        It is the smallest validation score such that an image of the same kind exceeds it with a probability
        of at most 1 - `quantile`; the largest, where there are too few validation images for that.

        Raises:
            ValueError: quantile outside (0, 1].
        """
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile is {quantile}, must be above 0 and at most 1")
        n = len(self.validation)
        return float(self.validation[min(n, int(np.ceil((n + 1) * quantile))) - 1])


def outputs_with_stages(model: QualityNet, images: Tensor) -> dict[str, Tensor]:
    """Apply a model and note its stages on the way.

    A stage ends where the resolution falls: the last map of every resolution, averaged over places. The
    shared representation h (paper, Eq. 2) is the last stage.

    Args:
        model: any `QualityNet`.
        images: (N, 3, H, W) RGB in [0, 1].

    Returns:
        The logits by task, and ``stage_0``, ``stage_1``, ...: float32 (N, D).
    """
    maps: dict[tuple[int, ...], Tensor] = {}

    def note(module: torch.nn.Module, inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            maps[tuple(output.shape[2:])] = output

    handles = [module.register_forward_hook(note) for module in model.backbone.modules()]
    try:
        h = model.features(images)
    finally:
        for handle in handles:
            handle.remove()
    # By size and not by time: in some backbones a side branch ends later than the map that it returns to.
    pooled = [_average(maps[size]) for size in sorted(maps, reverse=True)] + [h.float()]
    logits = {task: head(h) for task, head in model.heads.items()}
    return logits | {f"{_STAGE}{k}": stage for k, stage in enumerate(pooled)}


def _average(maps: Tensor) -> Tensor:
    """Average maps (N, D, H, W) over places, in float32: (N, D).

    A float32 copy of all maps at once would be larger than the processor's cache, and take as long as half
    the network.
    """
    n = max(_COPIED_AT_ONCE // maps[0].numel(), 1)
    return torch.cat([few.float().mean((2, 3)) for few in maps.split(n)])


@threadpool_limits.wrap(limits=1)  # the order of floating-point sums, hence the last bits, depends on it
def fit_novelty(model: QualityNet, training: Examples, validation: Examples) -> Novelty:
    """Learn the spread of the training images, and how far validation images usually lie.

    Args:
        model: the trained network.
        training: at most `MOST_IMAGES` of them are used.
        validation: images of other patients, on which the threshold stands.
    """
    chosen = np.linspace(0, len(training) - 1, min(len(training), MOST_IMAGES)).round().astype(int)
    some = training.at(torch.from_numpy(chosen))
    known = _stages(in_batches(model, lambda images: outputs_with_stages(model, images), some))
    others = _stages(in_batches(model, lambda images: outputs_with_stages(model, images), validation))
    stages = tuple(_fit_stage(*pair) for pair in zip(known, others, strict=True))
    scores = sum(stage.distances(values) for stage, values in zip(stages, others, strict=True))
    return Novelty(stages, np.sort(scores))


def save_novelty(novelty: Novelty, stem: Path) -> None:
    """Write ``<stem>.novelty.safetensors``, aside and then renamed."""
    tensors = {"validation": novelty.validation}
    for k, stage in enumerate(novelty.stages):
        tensors |= {f"{k}.mean": stage.mean, f"{k}.scale": stage.scale, f"{k}.precision": stage.precision}
        tensors[f"{k}.median"] = np.array([stage.median])
    small = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    atomic_write(model_file(stem, _EXTENSION), lambda aside: save_file(small, aside))


def load_novelty(stem: Path) -> Novelty | None:
    """Read what `save_novelty` wrote beside a model; None where there is no such file.

    Raises:
        InputError: the file is cut short or holds something else.
    """
    file = model_file(stem, _EXTENSION)
    if not file.exists():
        return None
    try:
        tensors = {name: values.astype(np.float64) for name, values in load_file(file).items()}
        n_stages = sum(name.endswith(".mean") for name in tensors)
        stages = [
            Stage(
                *(tensors[f"{k}.{part}"] for part in ("mean", "scale", "precision")),
                tensors[f"{k}.median"][0],
            )
            for k in range(n_stages)
        ]
        _check(stages, tensors["validation"])
        return Novelty(tuple(stages), tensors["validation"])
    except (SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file}: cut short or no such file of riqa ({reason}); train the model again"
        ) from error


def _check(stages: list[Stage], validation: np.ndarray) -> None:
    """Refuse shapes and numbers that no fit could have given."""
    if not stages or validation.ndim != 1 or not len(validation):
        raise ValueError("no stage or no score in it")
    for stage in stages:
        d = stage.mean.shape
        if len(d) != 1 or stage.scale.shape != d or stage.precision.shape != d * 2:
            raise ValueError("a stage of it has parts that do not fit each other")
        finite = np.isfinite(stage.mean).all() and np.isfinite(stage.precision).all()
        if not (finite and stage.scale.min() > 0 and stage.median > 0):
            raise ValueError("a stage of it has numbers that cannot be")
    if not np.isfinite(validation).all():
        raise ValueError("scores in it are no numbers")


def _fit_stage(training: np.ndarray, validation: np.ndarray) -> Stage:
    """Fit one stage to features (N, D) of training images and (n, D) of validation images."""
    spread = training.std(axis=0)
    scale = np.maximum(spread, max(_SMALLEST_SCALE * spread.max(), np.finfo(np.float32).eps))
    mean = training.mean(axis=0)
    precision = LedoitWolf(assume_centered=True).fit((training - mean) / scale).precision_
    raw = Stage(mean, scale, precision, 1.0)
    median = float(np.median(raw.distances(validation)))
    return Stage(mean, scale, precision, median or 1.0)


def _stages(outputs: dict[str, Tensor]) -> list[np.ndarray]:
    """Pick the stages out of outputs, in order, as float64 (N, D)."""
    n_stages = sum(name.startswith(_STAGE) for name in outputs)
    return [outputs[f"{_STAGE}{k}"].double().cpu().numpy() for k in range(n_stages)]
