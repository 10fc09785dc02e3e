"""Does a map say the truth: about a place, about the answer, about what was learned?

Pointing game and energy follow Zhang et al. 2018 (arXiv:1608.00507) and Wang et al. 2020
(doi:10.1109/CVPRW50498.2020.00020). The chance level of both, what a map that knows nothing reaches on
average, is the share of the field that the region covers.

Deletion and insertion follow Petsiuk et al. 2018 (RISE, arXiv:1806.07421): pixels of the field are replaced
by a baseline in the order of the map, the largest first, and the network is asked again at several shares. If
the map is right, the probability falls fast when its pixels go (a small area under the deletion curve) and
rises fast when they come (a large one under the insertion curve). Any order changes something, so the
yardstick is noise as coarse as the map. One curve of noise serves both: its deletion read backwards is the
insertion of the opposite noise, so both have the same area on average. How far p can fall differs from one
network and photograph to the next, so curves are stretched from p(baseline) = 0 to p(photograph) = 1.

A map that stays the same when the weights are destroyed shows the image, not the network (Adebayo et al.
2018, arXiv:1810.03292). Maps are (N, H, W) and not negative; `fields`, of view, are bool (N, H, W).
"""

import copy
from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from riqa.learn.model import QualityNet
from riqa.learn.predict import images_at_a_time

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of a map's maximum at which it is cut for the intersection over union."""
LEAST_FALL = 0.1
"""By how much the baseline must lower a probability, for a photograph to have an answer to lose."""


def localisation(maps: np.ndarray, regions: np.ndarray, fields: np.ndarray) -> pd.DataFrame:
    """Compare maps with regions, bool (N, H, W), that they should point at.

    Returns:
        One row per map: share (of the field that is region), pointing (1 if the map's peak lies in the
        region; the share of equal peaks that does), energy (share of the map's sum in the region), and for
        each of `THRESHOLDS` iou_<threshold> (of the region with where the map reaches that share of its
        maximum). All but share are NaN for a map that is 0 everywhere: it points nowhere.
    """
    maps = np.asarray(maps, dtype=float)
    if not maps.shape == regions.shape == fields.shape:
        raise ValueError(f"maps {maps.shape}, regions {regions.shape}, fields {fields.shape} must be alike")
    n = len(maps)
    flat, field = (maps * fields).reshape(n, -1), fields.reshape(n, -1)
    region = regions.reshape(n, -1) & field
    if n and not field.any(axis=1).all():
        raise ValueError("a field of view is empty")
    top = flat.max(axis=1, initial=0)
    known = top > 0
    scale = np.where(known, top, np.nan)[:, None]
    peaks = flat == scale
    with np.errstate(invalid="ignore"):
        columns = {
            "share": region.sum(axis=1) / field.sum(axis=1),
            "pointing": (peaks & region).sum(axis=1) / np.where(known, peaks.sum(axis=1), np.nan),
            "energy": (flat * region).sum(axis=1) / np.where(known, flat.sum(axis=1), np.nan),
        }
        for threshold in THRESHOLDS:
            cut = (flat >= threshold * scale) & field
            union = (cut | region).sum(axis=1)
            columns[f"iou_{threshold:g}"] = np.where(known, (cut & region).sum(axis=1) / union, np.nan)
    return pd.DataFrame(columns)


def outside(maps: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Return the share of each map's sum outside the field of view, (N,), its frame; NaN for empty maps."""
    maps = np.asarray(maps, dtype=float)
    total = maps.sum(axis=(1, 2))
    return (maps * ~fields).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan)


def ranks_in_field(maps: np.ndarray, fields: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Order the pixels of each field by the map, the largest first, equal ones by `ties`, of the same shape.

    Where a map is silent, ties of `random_maps` keep its order as coarse as elsewhere.

    (N, H, W): the share of the field's pixels that come before each one, in [0, 1); 1 outside the field.
    """
    ranks = np.ones(maps.shape)
    for rank, saliency, tie, field in zip(ranks, maps, ties, fields, strict=True):
        order = np.lexsort((-tie[field], -saliency[field]))
        rank[field] = np.argsort(order) / len(order)
    return ranks


def random_maps(n: int, size: int, cells: tuple[int, int], seed: int) -> np.ndarray:
    """Return n maps of noise, (n, size, size): rows x columns of cells, enlarged as Grad-CAM enlarges."""
    coarse = np.random.default_rng(seed).random((n, *cells), dtype=np.float32)
    return np.stack([cv2.resize(one, (size, size)) for one in coarse])


def mean_colours(images: Tensor, fields: np.ndarray) -> Tensor:
    """Return a baseline for each image (N, 3, H, W): its mean colour all over its field, black outside."""
    field = torch.from_numpy(fields)[:, None].to(images)
    means = (images * field).sum(dim=(2, 3), keepdim=True) / field.sum(dim=(2, 3), keepdim=True)
    return means * field


def perturbation_curves(
    model: QualityNet, images: Tensor, baselines: Tensor, orders: dict[str, tuple[np.ndarray, bool]],
    classes: np.ndarray, shares: Sequence[float],
) -> tuple[dict[str, np.ndarray], np.ndarray]:  # fmt: skip
    """Ask a network for the probability p of each image's class while more and more of it is replaced.

    The model is in evaluation mode, with an overall head. Images are (N, 3, H, W) in [0, 1], and so are
    `baselines`, by which their pixels are replaced; classes are (N,). `orders` hold for each curve the
    `ranks_in_field` (N, H, W), and whether it is an insertion: that one starts at the baseline, and the
    image's pixels come in the order of the ranks. `shares` are K places to ask, rising from 0 to 1; the ends
    need no order and are computed once.

    Returns:
        (N, K) for each curve, stretched so that p of the image becomes 1 and that of its baseline 0; NaN
        where the baseline lowers p by less than `LEAST_FALL`. And (N,) by how much it does.
    """
    if len(shares) < 2 or shares[0] != 0 or shares[-1] != 1 or (np.diff(shares) <= 0).any():
        raise ValueError(f"shares must rise from 0 to 1, got {list(shares)}")
    nothing = _class_probs(model, baselines, classes)
    fall = _class_probs(model, images, classes) - nothing
    able = np.flatnonzero(fall >= LEAST_FALL)
    last = torch.channels_last  # a third faster
    ends = [x[able].contiguous(memory_format=last) for x in (images, baselines)]
    curves = {name: np.full((len(fall), len(shares)), np.nan) for name in orders}
    for name, (ranks, insertion) in orders.items() if len(able) else ():
        (start, end), curve = ends[::-1] if insertion else ends, curves[name]
        curve[able, 0], curve[able, -1] = not insertion, insertion
        for k, share in enumerate(shares[1:-1], start=1):
            mixed = torch.where(torch.from_numpy(ranks[able] < share)[:, None], end, start)
            curve[able, k] = (_class_probs(model, mixed, classes[able]) - nothing[able]) / fall[able]
    return curves, fall


@torch.inference_mode()
def _class_probs(model: QualityNet, images: Tensor, classes: np.ndarray) -> np.ndarray:
    """Return the probability (N,) that the overall head gives to each image's own class."""
    batches = images.split(images_at_a_time(images.shape[-1], images.device))
    parts = [torch.softmax(model(batch)["overall"].double(), dim=1) for batch in batches]
    return torch.cat(parts)[torch.arange(len(images)), torch.from_numpy(classes)].numpy()


def with_shuffled_weights(model: QualityNet, seed: int, images: Tensor, share: float = 1.0) -> QualityNet:
    """Copy a network, and shuffle the entries of every weight tensor from the answers down to some depth.

    Little that was learned is left, but each tensor's distribution is. Batch norm's running statistics were
    those of the old weights: with them activations would drift, and maps be empty for no other reason. So
    the norms that were shuffled measure theirs anew.

    Besides the heads, a `share` (0 to 1) of the backbone's layers is shuffled, the last first; what a smaller
    share shuffles, a larger one shuffles alike. The norms are measured on `images` (N, 3, H, W) in [0, 1].
    """
    shuffled = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    layers = [layer for layer in shuffled.backbone.modules() if [*layer.parameters(recurse=False)]]
    layers = layers[len(layers) - round(share * len(layers)) :]
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer in (*shuffled.heads.values(), *reversed(layers)):
            for weight in layer.parameters(recurse=False):
                order = torch.randperm(weight.numel(), generator=generator)
                weight.copy_(weight.flatten()[order.to(weight.device)].view_as(weight))
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches, which here are one
            norm.train()
        if norms:
            shuffled.features(images)
    return shuffled.eval()


def rank_correlation(maps_a: np.ndarray, maps_b: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation (N,) of two maps within the field; NaN where one is constant.

    scipy's `spearmanr` also computes a p-value, for which pixels are no sample.
    """
    found = []
    for a, b, field in zip(maps_a, maps_b, fields, strict=True):
        a, b = a[field], b[field]
        alike = np.ptp(a) == 0 or np.ptp(b) == 0
        found.append(np.nan if alike else np.corrcoef(rankdata(a), rankdata(b))[0, 1])
    return np.array(found)
