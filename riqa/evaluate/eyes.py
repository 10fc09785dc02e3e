"""From images to eyes: where an eye was photographed several times, its views are one case.

DeepDRiD's overall quality is a verdict on an eye that was copied to its two views. So results per image,
as in the paper (section 4.1), carry noise that results per eye do not.
"""

import numpy as np
import pandas as pd

from riqa.labels import DETAILS

HOW = ("mean", "best")

_LABELS = ("overall", *DETAILS)
_OWN = ("image_id", "eye", "patient_id", *_LABELS)  # of an image; every other column is of the whole run


def aggregate_eyes(predictions: pd.DataFrame, how: str = "mean") -> pd.DataFrame:
    """Turn predictions for images into predictions for eyes.

    Views belong to one eye if patient, eye and all columns that describe the run (dataset, split, model,
    seed, ...) are the same. An image whose eye is "unknown" is a case of its own.

    Args:
        predictions: What `riqa.learn.predict.predict` returns: one row per image with image_id, patient_id,
            eye, probabilities `p_overall_0 ..`, `p_illumination ..`, true labels, and columns on the run.
        how: "mean" averages the probabilities of the views, as if they were votes on one case. "best" takes
            those of the view whose overall quality is most probably good (the first by image_id among
            equals), as in a clinic, where one readable view is enough.

    Returns:
        One row per eye with the columns given, in their order, and two more: `n_views`, and `contradicts`,
        whether its views have different labels of overall quality. `image_id` is that of its first view. A
        true label is the one that all views with a label share, and NaN where they contradict each other.

    Raises:
        ValueError: If `how` is not in `HOW`, or "best" is asked for without overall quality.
    """
    if how not in HOW:
        raise ValueError(f"how must be one of {HOW}, got {how!r}")
    probabilities = [column for column in predictions if column.startswith("p_")]
    labels = [column for column in _LABELS if column in predictions]
    run = [column for column in predictions if column not in (*_OWN, *probabilities)]
    # Sorted, so that sums do not depend on the order of the rows, not even in their last bit.
    views = predictions.sort_values([*run, "image_id"], kind="stable").reset_index(drop=True)
    alone = views["image_id"].where(views["eye"] == "unknown", "")
    groups = views.groupby([*run, "patient_id", "eye", alone.rename("_alone")], dropna=False, sort=True)
    eyes = groups[list(predictions.columns)].head(1).copy()
    eye = groups.ngroup()
    eyes.index = eye[eyes.index]
    if how == "mean":
        eyes[probabilities] = views.groupby(eye)[probabilities].mean()
    else:
        eyes[probabilities] = views.loc[_best(views, eye), probabilities].reset_index(drop=True)
    known = views.groupby(eye)[labels]
    distinct = known.nunique()
    eyes[labels] = known.first().where(distinct == 1)
    eyes["n_views"] = views.groupby(eye).size()
    eyes["contradicts"] = distinct["overall"] > 1 if "overall" in labels else False
    return eyes.sort_index().reset_index(drop=True)


def _best(views: pd.DataFrame, eye: pd.Series) -> np.ndarray:
    """Return the row, for each eye in order, whose overall quality is most probably good."""
    classes = sorted(column for column in views if column.startswith("p_overall_"))
    classes = [column for column in classes if views[column].notna().any()]
    if not classes:
        raise ValueError("how='best' needs probabilities of overall quality")
    # A model of two classes has no p_overall_2, so that good is the last class that a row has.
    good = views[classes].ffill(axis=1).iloc[:, -1]
    return good.groupby(eye).idxmax().to_numpy()
