"""What a test set of a given size can find: the power of a paired comparison, by simulation.

The paper judges quality details on 160 images and names their number as a limit (section 5). How large must
a difference be to be found with so few? Studies are drawn from a table that says how often truth, model A
and model B go together, and the share of them that finds A better than B is the power. To make the
difference larger or smaller the table starts from no difference at all (A and B change places half of the
time), and B then loses a share of what it gets right, to the errors that it makes anyway.

A bootstrap in each of thousands of studies would take minutes. So a study is judged by the standard error
that the bootstrap estimates, in its closed form (the delta method).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from riqa.evaluate.metrics import scores_from_counts

LOST = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.3)
"""Shares of B's right answers at which a power curve is computed: dense below, for large test sets."""


def joint_counts(y_true: np.ndarray, pred_a: np.ndarray, pred_b: np.ndarray, n_classes: int) -> np.ndarray:
    """Count truth, answer of A and answer of B together, over all images and seeds.

    Args:
        y_true: (N,) codes 0..K-1, none missing.
        pred_a: (N,) predicted codes of model A, or (S, N) with one row per training seed.
        pred_b: Those of model B, of the same shape.
        n_classes: K.

    Returns:
        (K, K, K) counts, axes truth, A and B.

    Raises:
        ValueError: If shapes disagree.
    """
    a, b = np.atleast_2d(pred_a).astype(int), np.atleast_2d(pred_b).astype(int)
    truth = np.asarray(y_true).astype(int)
    if a.shape != b.shape or a.shape[1:] != truth.shape:
        raise ValueError(f"y_true {truth.shape}, pred_a {a.shape} and pred_b {b.shape} disagree")
    cells = (truth * n_classes + a) * n_classes + b
    return np.bincount(cells.ravel(), minlength=n_classes**3).reshape((n_classes,) * 3)


def joint_difference(joint: np.ndarray) -> float:
    """Return the macro-F1 of A minus that of B in a table (K, K, K) of truth, A and B."""
    of_a, of_b = joint.sum(axis=2), joint.sum(axis=1)
    return float(scores_from_counts(of_a)["macro_f1"] - scores_from_counts(of_b)["macro_f1"])


def shifted(joint: np.ndarray, lost: float) -> np.ndarray:
    """Make A and B equally good, then take from B a share of what it gets right.

    Args:
        joint: (K, K, K) counts or shares of truth, A and B.
        lost: Share of B's right answers that become errors, in [0, 1], spread over the wrong classes as its
            errors of that true class are (evenly where it makes none); 0 leaves no difference at all.

    Returns:
        (K, K, K) shares that sum to 1.
    """
    if not 0 <= lost <= 1:
        raise ValueError(f"lost must lie in [0, 1], got {lost!r}")
    joint = np.asarray(joint, dtype=float)
    joint = (joint + joint.swapaxes(1, 2)) / (2 * joint.sum())
    n_classes = len(joint)
    off = ~np.eye(n_classes, dtype=bool)
    errors = joint.sum(axis=1) * off
    total = errors.sum(axis=1, keepdims=True)
    errors = np.where(total > 0, errors / np.where(total > 0, total, 1), off / (n_classes - 1))
    moved = joint.copy()
    for true in range(n_classes):
        right = lost * joint[true, :, true]
        moved[true, :, true] -= right
        moved[true] += right[:, None] * errors[true]
    return moved


def power(
    joint: np.ndarray, n_images: int, *, n_studies: int = 4_000, alpha: float = 0.05, seed: int = 0
) -> float:
    """Return the share of simulated studies that find A better than B, at a two-sided level.

    A study finds it if its difference is more than 1.96 (at alpha = 0.05) of its own standard errors above
    zero. With no difference at all that is alpha / 2 of the studies, or a little more in small ones.

    Args:
        joint: (K, K, K) counts or shares of truth, A and B: the world that studies are drawn from.
        n_images: Images in a study, taken as independent (one per patient).
        n_studies: Number of simulated studies; the power has a standard error of at most 0.5 / sqrt of it.
        alpha: Two-sided level, in (0, 1).
        seed: Seed of the draws.

    Raises:
        ValueError: If a number is out of range.
    """
    if min(n_images, n_studies) < 1 or not 0 < alpha < 1:
        raise ValueError(f"n_images and n_studies must be 1 or more, alpha in (0, 1): {alpha!r}")
    joint = np.asarray(joint, dtype=float)
    world = joint.ravel() / joint.sum()
    studies = np.random.default_rng(seed).multinomial(n_images, world, size=n_studies) / n_images
    studies = studies.reshape(n_studies, *joint.shape)
    (f1_a, push_a), (f1_b, push_b) = (_macro_f1_and_pushes(studies.sum(axis=axis)) for axis in (3, 2))
    pushes = push_a[:, :, :, None] - push_b[:, :, None, :]
    variance = (studies * pushes**2).sum(axis=(1, 2, 3)) / n_images
    return float((f1_a - f1_b > norm.ppf(1 - alpha / 2) * np.sqrt(variance)).mean())


def _macro_f1_and_pushes(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return macro-F1 (R,) of tables (R, K, K) of shares, and how an image of each cell pushes it (R, K, K).

    The push is the derivative of macro-F1 by the weight of one more image of the cell (its influence); their
    mean is zero, and their mean square over the number of images is the variance of macro-F1.
    """
    n_classes = tables.shape[-1]
    sums = tables.sum(axis=2) + tables.sum(axis=1)
    inverse = np.where(sums > 0, 1 / np.where(sums > 0, sums, 1), 0)
    f1 = 2 * np.diagonal(tables, axis1=1, axis2=2) * inverse
    loss = f1 * inverse
    pushes = 2 * np.eye(n_classes) * inverse[:, :, None] - loss[:, :, None] - loss[:, None, :]
    return f1.mean(axis=1), pushes / n_classes


def power_curve(
    joint: np.ndarray,
    n_images: int,
    lost: Sequence[float] = LOST,
    **options: float,
) -> pd.DataFrame:
    """Compute the power for growing differences in macro-F1, see `shifted` and `power`.

    Args:
        joint: (K, K, K) counts or shares of truth, A and B.
        n_images: Images in a study.
        lost: Shares of B's right answers that it loses, growing, in [0, 1].
        **options: Those of `power`.

    Returns:
        One row per share: `lost`, `difference` (of macro-F1, in the population) and `power`.
    """
    worlds = [shifted(joint, share) for share in lost]
    return pd.DataFrame(
        {
            "lost": list(lost),
            "difference": [joint_difference(world) for world in worlds],
            "power": [power(world, n_images, **options) for world in worlds],
        }
    )


def detectable_difference(curve: pd.DataFrame, wanted: float = 0.8) -> float:
    """Return the smallest difference found with the power wanted, between rows by a straight line.

    Args:
        curve: What `power_curve` returns.
        wanted: Power, in (0, 1).

    Returns:
        A difference in macro-F1; NaN if the curve does not get there.
    """
    enough = np.flatnonzero(curve["power"].to_numpy() >= wanted)
    if len(enough) == 0:
        return float("nan")
    rows = curve.iloc[max(enough[0] - 1, 0) : enough[0] + 1]
    return float(np.interp(wanted, rows["power"], rows["difference"]))
