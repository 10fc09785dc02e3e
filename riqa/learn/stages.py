"""The features of images in every stage of a network, and their distance from the training images.

Distances are those of Lee et al. 2018 (arXiv:1807.03888): Mahalanobis, on the features of every stage, not of
its last alone. The last stage knows only what its task needed, and takes a disc of noise for one more bad
fundus; the early stages still see that it is noise. Covariances are those of Ledoit and Wolf 2004
(doi:10.1016/S0047-259X(03)00096-4), which can be inverted also with few images. Where Lee et al. weigh stages
by examples of strange images, here each distance is divided by its median over the validation images. One
mean serves all classes, as a Teacher has none.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor

from riqa.learn.model import QualityNet

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

    A stage ends where the resolution falls: the last map of every resolution, averaged over places. The
    shared representation h (paper, Eq. 2) is the last stage.
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
