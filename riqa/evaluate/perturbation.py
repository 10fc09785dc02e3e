"""Deletion and insertion: what happens to an answer when the pixels that a map calls important go or come.

After Petsiuk et al. 2018 (RISE, arXiv:1806.07421). Pixels of the field are replaced by a baseline in the
order of the map, the largest first, and the network is asked again at several shares. If the map is right
about the network, the probability falls fast when its pixels go (a small area under the deletion curve) and
rises fast when they come (a large area under the insertion curve). Any order changes something, so the
yardstick is noise that is as coarse as the map. One curve of noise serves both: its deletion read backwards
is the insertion of the opposite noise, so both have the same area on average.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from riqa.learn.model import QualityNet
from riqa.learn.predict import images_at_a_time


def ranks_in_field(maps: np.ndarray, fields: np.ndarray, seed: int = 0) -> np.ndarray:
    """Order the pixels of each field by the map, the largest first, equal ones at random.

    Args:
        maps: (N, H, W).
        fields: bool (N, H, W).
        seed: Seed of the order of equal pixels.

    Returns:
        (N, H, W) in [0, 1): the share of the field's pixels that come before each one; 1 outside the field.
    """
    ranks = np.ones(maps.shape)
    noise = np.random.default_rng(seed).random(maps.shape[1:])
    for rank, saliency, field in zip(ranks, maps, fields, strict=True):
        order = np.lexsort((noise[field], -saliency[field]))
        places = np.empty(len(order))
        places[order] = np.arange(len(order)) / len(order)
        rank[field] = places
    return ranks


def random_maps(n: int, size: int, cells: int, seed: int) -> np.ndarray:
    """Return n maps of noise, (n, size, size): `cells` per side, interpolated as Grad-CAM interpolates."""
    coarse = np.random.default_rng(seed).random((n, cells, cells), dtype=np.float32)
    return np.stack([cv2.resize(one, (size, size)) for one in coarse])


def mean_colours(images: Tensor, fields: np.ndarray) -> Tensor:
    """Return a baseline for each image: its own mean colour all over its field, black outside.

    Args:
        images: (N, 3, H, W) in [0, 1].
        fields: bool (N, H, W).
    """
    field = torch.from_numpy(fields)[:, None].to(images)
    means = (images * field).sum(dim=(2, 3), keepdim=True) / field.sum(dim=(2, 3), keepdim=True)
    return means * field


def replaced(images: Tensor, baselines: Tensor, ranks: np.ndarray, share: float) -> Tensor:
    """Replace the first `share` of each field's pixels, in the order of `ranks`, by the baseline's."""
    first = torch.from_numpy(ranks < share)[:, None]
    return torch.where(first, baselines, images)


@torch.inference_mode()
def class_probs(model: QualityNet, images: Tensor, classes: np.ndarray) -> np.ndarray:
    """Return the probability (N,) that the overall head gives to each image's own class."""
    batches = images.split(images_at_a_time(images.shape[-1], images.device))
    parts = [torch.softmax(model(batch)["overall"].double(), dim=1) for batch in batches]
    return torch.cat(parts)[torch.arange(len(images)), torch.from_numpy(classes)].numpy()


def perturbation_curves(
    model: QualityNet,
    images: Tensor,
    baselines: Tensor,
    orders: dict[str, tuple[np.ndarray, bool]],
    classes: np.ndarray,
    shares: Sequence[float],
) -> dict[str, np.ndarray]:
    """Ask for the probability of a class while more and more of each image is replaced.

    Args:
        model: A network in evaluation mode with an overall head.
        images: (N, 3, H, W) in [0, 1].
        baselines: (N, 3, H, W), what pixels are replaced by.
        orders: For each curve the `ranks_in_field` (N, H, W), and whether it is an insertion: that one starts
            at the baseline, and the image's pixels come in the order of the ranks.
        classes: (N,) the overall class whose probability is asked for.
        shares: Where to ask, rising from 0 to 1. The ends need no order and are computed once.

    Returns:
        (N, K) for each curve, K = len(shares).

    Raises:
        ValueError: If `shares` do not rise from 0 to 1.
    """
    if len(shares) < 2 or shares[0] != 0 or shares[-1] != 1 or (np.diff(shares) <= 0).any():
        raise ValueError(f"shares must rise from 0 to 1, got {list(shares)}")
    whole, nothing = (class_probs(model, ends, classes) for ends in (images, baselines))
    curves = {}
    for name, (ranks, insertion) in orders.items():
        start, end = (baselines, images) if insertion else (images, baselines)
        between = [class_probs(model, replaced(start, end, ranks, share), classes) for share in shares[1:-1]]
        ends = (nothing, whole) if insertion else (whole, nothing)
        curves[name] = np.stack([ends[0], *between, ends[1]], axis=1)
    return curves


def area_under(curves: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return the area (N,) under curves (N, K) by the trapezium rule; 1 is the largest possible."""
    return np.trapezoid(curves, shares, axis=1)
