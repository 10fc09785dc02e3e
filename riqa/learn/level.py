"""A Teacher's answers brought to the level of known shares, before they become pseudo-labels.

No image has a label, but of every bag, an overall class, the share is known that experts call bad in a
detail, not which images these are. An answer is a logit z of *good*; it says bad below 0. Learning from label
proportions is that of Quadrianto et al. 2009 (Journal of Machine Learning Research 10), here with the
Teacher's own answers as features. Everywhere `logits` (N, D) are float64 and of good, `overall` (N,) are
classes 0..K-1 int64, each with an image, and `shares` (K, D) in [0, 1] are of bad.
"""

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional

from riqa.data.published import CALLED_BAD, COUNTS
from riqa.labels import DETAILS, class_names

LEVELS = ("raw", "intercepts", "class_intercepts", "proportions")
"""Answers as they are; one number per detail; one per detail and class; a layer learned from proportions."""

_PROBABILITIES = [f"p_{detail}" for detail in DETAILS]
_NEAREST = 1e-9  # to 0 or 1, so that logits are finite
_SHARPNESS = 4.0  # multiplies logits, so that a mean probability comes near the share that is called bad


def set_level(answers: pd.DataFrame, shares: pd.DataFrame, level: str) -> pd.DataFrame:
    """Shift every seed's answers so that shares of bad by class in training are nearest to the known ones.

    `answers` are rows of `riqa.learn.predict.predict` of one dataset with overall quality, any seeds; the
    shift is learned on the split ``train`` and applied to all. `shares` are known shares of bad, one row per
    class in the order of codes, one column per detail. `level` is one of `LEVELS`, else a ValueError. With
    ``class_intercepts`` an image without an overall class, or of one that training lacks, stays as it is.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}, must be one of {LEVELS}")
    if level == "raw":
        return answers
    known, moved = shares[list(DETAILS)].to_numpy(dtype=float), answers.copy()
    for _, rows in answers.groupby("seed", sort=False):
        z = logit(rows[_PROBABILITIES].to_numpy(dtype=float).clip(_NEAREST, 1 - _NEAREST))
        overall = rows["overall"].to_numpy(dtype=float)
        train = (rows["split"].to_numpy() == "train") & ~np.isnan(overall)
        classes, codes = np.unique(overall[train].astype(int), return_inverse=True)  # small sets may lack one
        if level == "intercepts":
            z = z + fit_intercepts(z[train], codes, known[classes])
        elif level == "class_intercepts":  # within a class the known share is met
            for code in classes:
                bag = z[train & (overall == code)]
                z[overall == code] += fit_intercepts(bag, np.zeros(len(bag), int), known[[code]])
        else:
            matrix, bias = fit_proportions(z[train], codes, known[classes])
            z = z @ matrix + bias
        moved.loc[rows.index, _PROBABILITIES] = expit(z)
    return moved


def known_counts(source: str, observers: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return how many photographs experts call bad, by class and detail, and how many each class has.

    The source (another is a ValueError) is ``eyeq_d`` for the numbers published with the paper,
    ``observers`` to count in a manifest, in rows with overall quality and details. Where a class has
    none, both results are empty.
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
        none = pd.Series(index=pd.Index([], dtype="str"), dtype=float)  # by name, as the other answers
        return none.to_frame().reindex(columns=DETAILS), none
    return (1 - judged[list(DETAILS)]).groupby(label).sum().astype(int).reindex(names), n


def fit_intercepts(logits: np.ndarray, overall: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Choose for each detail one number to add to all its logits, (D,), half way between two images.

    Of all cuts, the one whose shares by class are nearest to those known: the smallest sum of squared
    distances, every class counting alike. The search is exact.
    """
    n_classes = len(shares)
    bags = overall[:, None] == np.arange(n_classes)
    intercepts = []
    for z, known in zip(logits.T, shares.T, strict=True):
        order = np.argsort(z, kind="stable")
        below = np.vstack([np.zeros(n_classes), bags[order].cumsum(axis=0)]) / bags.sum(axis=0)  # (N + 1, K)
        edges = np.concatenate([[z[order[0]] - 1], z[order], [z[order[-1]] + 1]])
        possible = np.diff(edges) > 0  # images with the same answer stay together
        distance = np.where(possible, ((below - known) ** 2).sum(axis=1), np.inf)
        best = int(distance.argmin())
        intercepts.append(-(edges[best] + edges[best + 1]) / 2)
    return np.array(intercepts)


def fit_proportions(
    logits: np.ndarray, overall: np.ndarray, shares: np.ndarray, *, pull: float = 0.003
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a layer on top of the Teacher's answers from the known shares: z' = z A + b; return A and b.

    The loss is the mean cross-entropy between the known share of a bag and its mean probability of bad.
    `pull`, above 0, is the weight of the squared distance of A from the identity: nine numbers do not
    determine twelve, and what they leave open stays the Teacher's.
    """
    z, known = torch.from_numpy(logits), torch.from_numpy(shares)
    bags = functional.one_hot(torch.from_numpy(overall), len(shares)).to(z.dtype)  # (N, K)
    identity = torch.eye(z.shape[1], dtype=z.dtype)
    matrix = identity.clone().requires_grad_()
    bias = torch.from_numpy(fit_intercepts(logits, overall, shares)).requires_grad_()
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        p_bad = torch.sigmoid(-_SHARPNESS * (z @ matrix + bias))
        means = (bags.T @ p_bad) / bags.sum(dim=0)[:, None]  # (K, D)
        loss = functional.binary_cross_entropy(means.clamp(1e-6, 1 - 1e-6), known)
        loss = loss + pull * ((matrix - identity) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return matrix.detach().numpy(), bias.detach().numpy()
