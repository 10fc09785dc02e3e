"""Checks of curated data: counts, leakage between splits, label shift, fields of view against the truth."""

import numpy as np
import pandas as pd

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


def patients_in_several_splits(manifest: pd.DataFrame) -> list[str]:
    """Return the patients whose images lie in more than one split: there should be none."""
    n_splits = manifest.groupby("patient_id")["split"].nunique()
    return sorted(n_splits.index[n_splits > 1])


def label_shift(manifest: pd.DataFrame, before: str = "train", after: str = "test") -> float:
    """Return the total variation distance between the overall classes of two splits.

    Half the sum over classes of |share before - share after|: the share of images that would need another
    label for both splits to look alike.

    Returns:
        A number in [0, 1]; NaN when one of the splits has no labelled image.
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
        ys, xs = np.ogrid[: int(found.height), : int(found.width)]
        one = (xs - found.x) ** 2 + (ys - found.y) ** 2 <= found.radius**2
        one &= (xs >= found.left) & (xs < found.right) & (ys >= found.top) & (ys < found.bottom)
        other = (xs - real.fov_x) ** 2 + (ys - real.fov_y) ** 2 <= real.fov_radius**2
        if real.fov_cut < 1:
            other &= np.abs(ys - real.fov_y) <= real.fov_cut * real.fov_radius
        values.append((one & other).sum() / (one | other).sum())
    return pd.Series(values, index=fields["image_id"], name="iou")
