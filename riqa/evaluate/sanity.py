"""Does a map depend on what was learned? Destroy it and look again (Adebayo et al. 2018, arXiv:1810.03292).

A map that stays the same when the weights are destroyed shows the image, not the network.
"""

import copy

import numpy as np
import torch
from scipy.stats import rankdata

from riqa.learn.model import QualityNet


def with_shuffled_weights(model: QualityNet, seed: int, *, heads_only: bool = False) -> QualityNet:
    """Copy a network and shuffle the entries of every weight tensor, so that nothing learned is left.

    Shuffling keeps each tensor's distribution, and so the scale of activations; redrawn weights would let
    them vanish in deep networks, and the maps with them.

    Args:
        model: The network.
        seed: Seed of the shuffling.
        heads_only: Whether to destroy the heads alone, the last step from features to answers.
    """
    shuffled = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    part = shuffled.heads if heads_only else shuffled
    with torch.no_grad():
        for weight in part.parameters():
            order = torch.randperm(weight.numel(), generator=generator)
            weight.copy_(weight.flatten()[order.to(weight.device)].view_as(weight))
    return shuffled


def rank_correlation(maps_a: np.ndarray, maps_b: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation (N,) of two maps of each image, within its field.

    Args:
        maps_a: (N, H, W).
        maps_b: (N, H, W).
        fields: bool (N, H, W).

    Returns:
        In [-1, 1]; NaN where a map is the same everywhere.
    """
    return np.array([_spearman(a[f], b[f]) for a, b, f in zip(maps_a, maps_b, fields, strict=True)])


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlate ranks; scipy's `spearmanr` also computes a p-value, for which pixels are no sample."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
