"""A Teacher's answers brought to the level of known shares, before they become pseudo-labels."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from riqa.data.published import CALLED_BAD, COUNTS
from riqa.labels import DETAILS, class_names
from riqa.learn.shares import fit_class_intercepts, fit_intercepts, fit_proportions

LEVELS = ("raw", "intercepts", "class_intercepts", "proportions")
"""Answers as they are; one number per detail; one per detail and class; a layer learned from proportions."""

_PROBABILITIES = [f"p_{detail}" for detail in DETAILS]
_NEAREST = 1e-9  # to 0 or 1, so that logits are finite


def set_level(answers: pd.DataFrame, shares: pd.DataFrame, level: str) -> pd.DataFrame:
    """Shift every seed's answers so that shares of bad by class in training are nearest to the known ones.

    Args:
        answers: Rows of `riqa.learn.predict.predict` of one dataset with overall quality, any seeds; the
            shift is learned on the split ``train`` and applied to all.
        shares: Known share of bad, one row per class in the order of codes, one column per detail.
        level: One of `LEVELS`. With ``class_intercepts`` an image without an overall class, or of one that
            training lacks, stays as it is.

    Returns:
        The answers with other probabilities of good; all else is unchanged.

    Raises:
        ValueError: For an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}, must be one of {LEVELS}")
    if level == "raw":
        return answers
    known = shares[list(DETAILS)].to_numpy(dtype=float)
    moved = answers.copy()
    for _, rows in answers.groupby("seed", sort=False):
        z = logit(rows[_PROBABILITIES].to_numpy(dtype=float).clip(_NEAREST, 1 - _NEAREST))
        overall = rows["overall"].to_numpy(dtype=float)
        train = (rows["split"].to_numpy() == "train") & ~np.isnan(overall)
        classes, codes = np.unique(overall[train].astype(int), return_inverse=True)  # small sets may lack one
        learned_from = z[train], codes, known[classes]
        if level == "intercepts":
            z = z + fit_intercepts(*learned_from)
        elif level == "class_intercepts":
            of_class = np.zeros_like(known)
            of_class[classes] = fit_class_intercepts(*learned_from)
            graded = ~np.isnan(overall)
            z[graded] += of_class[overall[graded].astype(int)]
        else:
            matrix, bias = fit_proportions(*learned_from)
            z = z @ matrix + bias
        moved.loc[rows.index, _PROBABILITIES] = expit(z)
    return moved


def known_counts(source: str, observers: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return how many photographs experts call bad, by overall class.

    Args:
        source: ``eyeq_d`` for the numbers published with the paper, ``observers`` to count in a manifest.
        observers: Manifest of a set with overall quality and details; rows that lack one do not count.

    Returns:
        Called bad, one row per class and one column per detail, and photographs of each class; both empty
        where a class has no photograph with overall quality and details.

    Raises:
        ValueError: For an unknown source.
    """
    if source == "eyeq_d":
        n_bad = pd.DataFrame(CALLED_BAD).T
        return n_bad, pd.Series(COUNTS["eyeq_d"]["test"])[n_bad.index]
    if source != "observers":
        raise ValueError(f"source is {source!r}, must be observers or eyeq_d")
    judged = observers.dropna(subset=["overall", *DETAILS])
    names = class_names(3 if judged["overall"].max() > 1 else 2)
    label = judged["overall"].map(dict(enumerate(names)))
    n = label.value_counts().reindex(names)
    if n.isna().any():  # shares of two classes of three are no shares of bad and good
        return pd.DataFrame(columns=list(DETAILS), dtype=float), pd.Series(dtype=float)
    return (1 - judged[list(DETAILS)]).groupby(label).sum().astype(int).reindex(names), n
