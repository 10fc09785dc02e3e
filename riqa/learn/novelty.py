"""How unlike the training images an image is, so that a model can abstain instead of guessing.

Two views look for different things. The *network* sees that a letter is no fundus. The *colours* of every
octave (`riqa.learn.colours`) tell a drawn photograph from a taken one. Each view is scaled by what is usual
among the validation images, and the larger of the two values counts. One limit serves both, so that a second
view does not double the answers lost on images of the model's own kind. No strange image is needed.

In the network, distances are those of Lee et al. 2018 (arXiv:1807.03888): Mahalanobis, on the features of
every stage. The last knows only what its task needed, and takes a disc of noise for one more bad fundus; the
early ones see that it is noise. Covariances are those of Ledoit and Wolf 2004
(doi:10.1016/S0047-259X(03)00096-4), which can be inverted also with few images. Where Lee et al. weigh stages
by examples of strange images, here each distance is divided by its median over the validation images.
"""

from collections.abc import Sequence
from contextlib import ExitStack
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
from riqa.learn.colours import N_NUMBERS, Mixture, colour_bands, fit_mixture
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet, model_file
from riqa.learn.predict import in_batches

QUANTILE = 0.99  # share of the validation images that count as known
VIEWS = ("what the network sees", "colours and texture")  # in the words of an abstention
MOST_IMAGES, MOST_PHOTOGRAPHS = 1000, 3000  # evenly spaced training images that are enough for each view

_BEYOND = 3  # validation images, at least, beyond one unit of a view, so that the strangest is not the unit
_EXTENSION = "novelty.safetensors"
_OF_STAGE, _OF_BANDS = ("mean", "scale", "precision"), ("weights", "means", "roots")
_STAGE = "stage_"
_COPIED_AT_ONCE = 2**20  # numbers, 4 MB
_SMALLEST_SCALE = 0.1  # of a stage's largest: a channel that hardly ever fires measures nothing


@dataclass(frozen=True)
class Stage:
    """The spread of the training images in one stage of a network with D channels."""

    mean: np.ndarray  # (D,) of the pooled features
    scale: np.ndarray  # (D,) their standard deviations, positive
    precision: np.ndarray  # (D, D) inverse covariance of the features so scaled
    median: float  # squared distance of the validation images, positive

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances (N,) of features (N, D), in medians."""
        z = (features - self.mean) / self.scale
        return np.einsum("nd,de,ne->n", z, self.precision, z, optimize=True) / self.median


def outputs_with_stages(model: QualityNet, images: Tensor) -> dict[str, Tensor]:
    """Return a model's logits for images (N, 3, H, W) by task, and its stages, ``stage_0`` ..: (N, D).

    A stage is the last map of a resolution, averaged over places; the last is h (paper, Eq. 2).
    """
    maps: dict[tuple[int, ...], Tensor] = {}

    def note(module: torch.nn.Module, inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            maps[tuple(output.shape[2:])] = output

    with ExitStack() as hooks:
        for module in model.backbone.modules():
            hooks.enter_context(module.register_forward_hook(note))
        h = model.features(images)
    # By size and not by time: in some backbones a side branch ends later than the map that it returns to.
    pooled = [_average(maps[size]) for size in sorted(maps, reverse=True)] + [h.float()]
    outputs = {task: head(h) for task, head in model.heads.items()}
    return outputs | {f"{_STAGE}{k}": stage for k, stage in enumerate(pooled)}


def _average(maps: Tensor) -> Tensor:
    """Average maps (N, D, H, W) over places, in float32, a few at a time, which fit into a cache: (N, D)."""
    n = max(_COPIED_AT_ONCE // maps[0].numel(), 1)
    return torch.cat([few.float().mean((2, 3)) for few in maps.split(n)])


def fit_stage(training: np.ndarray, validation: np.ndarray) -> Stage:
    """Fit one stage to pooled features (N, D) of training images and (n, D) of validation images."""
    spread = training.std(axis=0)
    scale = np.maximum(spread, max(_SMALLEST_SCALE * spread.max(), np.finfo(np.float32).eps))
    mean = training.mean(axis=0)
    precision = LedoitWolf(assume_centered=True).fit((training - mean) / scale).precision_
    median = float(np.median(Stage(mean, scale, precision, 1.0).distances(validation)))
    return Stage(mean, scale, precision, median or 1.0)


def stages_of(outputs: dict[str, Tensor]) -> list[np.ndarray]:
    """Pick the stages out of outputs, in order, as float64 (N, D)."""
    n_stages = sum(name.startswith(_STAGE) for name in outputs)
    return [outputs[f"{_STAGE}{k}"].double().cpu().numpy() for k in range(n_stages)]


@dataclass(frozen=True)
class Novelty:
    """What makes an image new to a model."""

    stages: Sequence[Stage]  # of the network, in its order
    bands: Mixture  # where the colours of training images lie
    validation: np.ndarray  # (n, 2) of the validation images, a column per view, not yet scaled

    def scores(self, outputs: dict[str, Tensor], images: np.ndarray) -> np.ndarray:
        """Compute how unlike the training ones images (N, H, W, 3) uint8 RGB are, in each of `VIEWS`: (N, 2).

        0 is the median validation image; 99 % of them lie below 1, or all but three where they are few.
        `outputs` are those of `outputs_with_stages` for the images; an InputError tells of another kind
        of network.
        """
        features = stages_of(outputs)
        found, learned = [f.shape[1] for f in features], [len(stage.mean) for stage in self.stages]
        if found != learned:
            raise InputError(
                f"stages are {found} wide, must be {learned}: what makes an image new was learned with "
                "another network; train the model again"
            )
        return self._in_units(_views(self.stages, self.bands, features, colour_bands(images)))

    def threshold(self, quantile: float = QUANTILE) -> float:
        """Return the limit: an image is new if its largest score is above it.

        It is the smallest of the validation images' largest scores such that an image of the same kind
        exceeds it with a probability of about 1 - `quantile` (above 0, at most 1, else a ValueError) at
        most; the largest, where there are too few for that.
        """
        if not 0 < quantile <= 1:
            raise ValueError(f"quantile is {quantile}, must be above 0 and at most 1")
        largest = np.sort(self._in_units(self.validation).max(axis=1))
        n = len(largest)
        return float(largest[min(n, int(np.ceil((n + 1) * quantile))) - 1])

    def usual_and_rare(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what scores of 0 and 1 are in each view, (2,) and (2,): the validation images' quantiles."""
        share = np.clip(1 - _BEYOND / len(self.validation), 0.75, QUANTILE)
        usual, rare = np.quantile(self.validation, [0.5, share], axis=0)
        return usual, np.maximum(rare, usual + np.finfo(np.float32).eps)

    def _in_units(self, views: np.ndarray) -> np.ndarray:
        """Scale views (N, 2) by what is usual among the validation images."""
        usual, rare = self.usual_and_rare()
        return (views - usual) / (rare - usual)


@threadpool_limits.wrap(limits=1)  # the order of floating-point sums, and so the last bits, depend on it
def fit_novelty(model: QualityNet, training: Examples, validation: Examples) -> Novelty:
    """Learn where the training images lie, and how far validation images, of other patients, usually are."""

    def features(examples: Examples) -> list[np.ndarray]:
        return stages_of(in_batches(model, lambda images: outputs_with_stages(model, images), examples))

    def colours(examples: Examples) -> np.ndarray:
        return np.concatenate([colour_bands(examples.images[row][None]) for row in examples.rows])

    known, others = features(training.spaced(MOST_IMAGES)), features(validation)
    stages = [fit_stage(*pair) for pair in zip(known, others, strict=True)]
    bands = fit_mixture(colours(training.spaced(MOST_PHOTOGRAPHS)))
    return Novelty(stages, bands, _views(stages, bands, others, colours(validation)))


def save_novelty(novelty: Novelty, stem: Path) -> None:
    """Write ``<stem>.novelty.safetensors``, aside and then renamed."""
    tensors = {"validation": novelty.validation}
    tensors |= {f"bands.{part}": getattr(novelty.bands, part) for part in _OF_BANDS}
    for k, stage in enumerate(novelty.stages):
        tensors |= {f"{k}.{part}": getattr(stage, part) for part in _OF_STAGE}
        tensors[f"{k}.median"] = np.array([stage.median])
    small = {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}
    atomic_write(model_file(stem, _EXTENSION), lambda aside: save_file(small, aside))


def load_novelty(stem: Path) -> Novelty | None:
    """Read what `save_novelty` wrote beside a model; None where there is no such file.

    An InputError tells of a file that is cut short, something else, or older than the view of colours.
    """
    file = model_file(stem, _EXTENSION)
    if not file.exists():
        return None
    try:
        tensors = {name: values.astype(np.float64) for name, values in load_file(file).items()}
        if not any(name.startswith("bands.") for name in tensors):
            raise ValueError("without colours, as older versions wrote it")
        n_stages = sum(name.endswith(".mean") for name in tensors)
        _check(tensors, n_stages)
        stages = [
            Stage(*(tensors[f"{k}.{part}"] for part in _OF_STAGE), tensors[f"{k}.median"][0])
            for k in range(n_stages)
        ]
        bands = Mixture(*(tensors[f"bands.{part}"] for part in _OF_BANDS))
        return Novelty(stages, bands, tensors["validation"])
    except (SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file}: cut short or no such file of riqa ({reason}); train the model again"
        ) from error


def _check(tensors: dict[str, np.ndarray], n_stages: int) -> None:
    """Refuse shapes and numbers that no fit could have given."""
    m, n, d = len(tensors["bands.weights"]), len(tensors["validation"]), N_NUMBERS
    shapes = {"validation": (n, len(VIEWS)), "bands.weights": (m,), "bands.means": (m, d)}
    shapes["bands.roots"] = (m, d, d)
    for k in range(n_stages):
        d = len(tensors[f"{k}.mean"])
        shapes |= {f"{k}.mean": (d,), f"{k}.scale": (d,), f"{k}.precision": (d, d), f"{k}.median": (1,)}
    if not (n_stages and m and n) or any(tensors[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("parts of it are missing or do not fit each other")
    finite = [tensors[name] for name in shapes] + [np.linalg.slogdet(tensors["bands.roots"])[1]]
    positive = [tensors[name] for name in shapes if name.endswith(("weights", "scale", "median"))]
    if not all(np.isfinite(values).all() for values in finite) or any(np.min(x) <= 0 for x in positive):
        raise ValueError("numbers in it cannot be")


@threadpool_limits.wrap(limits=1, user_api="blas")  # more would spin while the network computes
def _views(
    stages: Sequence[Stage], bands: Mixture, features: list[np.ndarray], colours: np.ndarray
) -> np.ndarray:
    """Look at images in both views: (N, 2)."""
    network = sum(stage.distances(values) for stage, values in zip(stages, features, strict=True))
    return np.column_stack([network, bands.surprise(colours)])
