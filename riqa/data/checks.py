"""Checks of labels: how many images each split and class has, and how far splits differ."""

import pandas as pd

from riqa.data.fields import field_agreement  # noqa: F401 - a page asks for it here
from riqa.data.manifest import SPLITS
from riqa.labels import class_names


def class_counts(manifest: pd.DataFrame, n_classes: int | None) -> pd.DataFrame:
    """Count images by split that occurs (rows: train, val, test) and overall class (columns), and `all`."""
    names = class_names(n_classes) if n_classes else ()
    is_of = {name: manifest["overall"] == code for code, name in enumerate(names)} | {"all": True}
    counts = pd.DataFrame(is_of, index=manifest.index).groupby(manifest["split"]).sum()
    return counts.reindex([split for split in SPLITS if split in counts.index])


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
