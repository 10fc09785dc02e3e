"""Checks of curated data: counts, label shift between splits, fields of view against the truth."""

import numpy as np
import pandas as pd

from riqa.data.fov import FieldOfView
from riqa.data.manifest import SPLITS
from riqa.labels import class_names


def class_counts(manifest: pd.DataFrame, n_classes: int | None) -> pd.DataFrame:
    """Count images by split and overall class.

    Args:
        manifest: Table with `split` and `overall`.
        n_classes: 2, 3, or None when overall quality is not labelled.

    Returns:
        One row per split that occurs, in the order train, val, test; one column per class, and `all`.
    """
    splits = [split for split in SPLITS if (manifest["split"] == split).any()]
    counts = pd.DataFrame(index=pd.Index(splits, name="split"))
    for code, name in enumerate(class_names(n_classes) if n_classes else ()):
        counts[name] = [int(((manifest["split"] == s) & (manifest["overall"] == code)).sum()) for s in splits]
    counts["all"] = [int((manifest["split"] == split).sum()) for split in splits]
    return counts


def label_shift(manifest: pd.DataFrame, before: str = "train", after: str = "test") -> float:
    """Return the total variation distance between the overall classes of two splits, in [0, 1].

    Half the sum over classes of |share before - share after|: the share of images that would need another
    label for both splits to look alike. NaN when one of the splits has no labelled image.
    """
    shares = manifest.dropna(subset="overall").groupby("split")["overall"].value_counts(normalize=True)
    shares = shares.unstack(fill_value=0.0)
    if not {before, after} <= set(shares.index):
        return float("nan")
    return float((shares.loc[before] - shares.loc[after]).abs().sum() / 2)


def field_agreement(fields: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    """Compare the fields of view found with the true ones of a phantom, as intersection over union.

    Args:
        fields: `fields.parquet` of a store.
        truth: `truth.parquet` of the phantom: fov_x, fov_y, fov_radius in pixels, fov_cut in radii.

    Returns:
        Intersection over union in [0, 1] of each row of `fields`; notches on the rim are not counted.
    """
    true = truth.set_index("image_id").loc[fields["image_id"]]
    values = []
    for found, real in zip(fields.itertuples(), true.itertuples(), strict=True):
        height, width = shape = int(found.height), int(found.width)
        box = found.left, found.top, found.right, found.bottom
        one = FieldOfView(shape, (found.x, found.y), found.radius, box, found.score).mask()
        whole = (0, 0, width, height)
        other = FieldOfView(shape, (real.fov_x, real.fov_y), real.fov_radius, whole, 1.0).mask()
        if real.fov_cut < 1:
            rows = np.arange(height)[:, None]
            other &= np.abs(rows - real.fov_y) <= real.fov_cut * real.fov_radius
        values.append((one & other).sum() / (one | other).sum())
    return pd.Series(values, index=fields["image_id"], name="iou")
