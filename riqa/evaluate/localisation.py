"""Does a map point at a region? Pointing game, energy inside, and intersection over union.

The pointing game and the energy follow Zhang et al. 2018 (arXiv:1608.00507) and Wang et al. 2020
(doi:10.1109/CVPRW50498.2020.00020). A map that knows nothing reaches, on average, the share of the field that
the region covers, in both; that share is the chance level.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of a map's maximum at which it is cut for the intersection over union."""


def localisation(
    maps: np.ndarray,
    regions: np.ndarray,
    fields: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
) -> pd.DataFrame:
    """Compare maps with regions, within the field of view.

    Args:
        maps: (N, H, W), not negative.
        regions: bool (N, H, W), what a map should point at.
        fields: bool (N, H, W), the field of view; what lies outside counts for nothing.
        thresholds: Shares in (0, 1] of the maximum.

    Returns:
        One row per map: share (of the field that is region), pointing (1 if the map's peak lies in the
        region; with several equal peaks, the share of them that does), energy (share of the map's sum that
        lies in the region), and iou_<threshold> (of the region with where the map reaches that share of its
        maximum). All but share are NaN for a map that is 0 everywhere: it points nowhere.

    Raises:
        ValueError: If shapes differ or a field is empty.
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
        for threshold in thresholds:
            cut = (flat >= threshold * scale) & field
            union = (cut | region).sum(axis=1)
            columns[f"iou_{threshold:g}"] = np.where(known, (cut & region).sum(axis=1) / union, np.nan)
    return pd.DataFrame(columns)


def outside(maps: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Return the share of each map's sum that lies outside the field of view, (N,); NaN for empty maps.

    Nothing is photographed there, so a map that is large there points at the frame of the picture.
    """
    maps = np.asarray(maps, dtype=float)
    total = maps.sum(axis=(1, 2))
    return (maps * ~fields).sum(axis=(1, 2)) / np.where(total > 0, total, np.nan)
