"""Published answers of other people's models to EyeQ's test photographs, beside ours."""

from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.adapters.eyeq import read_label_file
from riqa.data.published_predictions import read_published_predictions
from riqa.labels import class_names
from riqa.predictions import OVERALL, with_answers

SET = "eyeq_test"


def published_answers(data: str | Path, published: str) -> pd.DataFrame | None:
    """Read published predictions as `riqa.predictions` has ours; the probabilities are made to sum to 1.

    The folder `data`, which holds EyeQ's label files in `eyeq`, has them in `published`; "" stands for none.

    Returns:
        One row per image and model of the dataset `SET`; None where there is no such folder.

    Raises:
        InputError: If the folder is there and a file in it cannot be used.
    """
    folder = Path(data) / published
    if not (data and published and folder.is_dir()):
        return None
    table = read_published_predictions(folder, Path(data) / "eyeq" / "Label_EyeQ_test.csv")
    probs = table[OVERALL].div(table[OVERALL].sum(axis=1), axis=0)  # MCF-Net's do not sum to one
    return with_answers(table.assign(dataset=SET, **probs))


def training_shares(data: str | Path) -> np.ndarray | None:
    """Return the shares of reject, usable and good in EyeQ's label file for training; None without it."""
    path = Path(data) / "eyeq" / "Label_EyeQ_train.csv"
    if not path.is_file():
        return None
    return read_label_file(path)["overall"].value_counts(normalize=True).sort_index().to_numpy()


def f1_by_class(scored: pd.DataFrame) -> pd.DataFrame:
    """Lay out the F1 of three classes and their mean, one row per dataset and model, in their order."""
    f1 = scored[scored["metric"] == "f1"]
    f1 = f1.set_index(["dataset", "model", "group"])["value"].unstack("group", sort=False)
    f1 = f1.reindex(columns=class_names(3))
    return f1.assign(mean=f1.mean(axis=1)).reset_index().rename_axis(columns=None)


def beside_published(predictions: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame | None:
    """Put published predictions (`riqa.data.published_predictions`, `with_answers`) beside ours on one set.

    Returns:
        Our rows, and those of the published models for the same images, repeated for each of our seeds (they
        have one run). None if one of our images has no published prediction: nothing could be paired.
    """
    images = predictions["image_id"].unique()
    if not np.isin(images, published["image_id"].unique()).all():
        return None
    same = published[published["image_id"].isin(images)]
    (dataset,) = predictions["dataset"].unique()
    copies = [same.assign(seed=seed, dataset=dataset) for seed in sorted(predictions["seed"].unique())]
    return pd.concat([predictions, *copies], ignore_index=True)
