"""Was the advice right? The outcome of repairing one detail or another.

Every choice of details to repair has a code, the sum of 2**k over the details k repaired: 0 repairs nothing,
1, 2 and 4 one detail each, 7 all three (`riqa.phantom.repair.REPAIRS`). A *policy* says what to repair on
each image; one that tosses a coin is a distribution over codes, and its outcome is the mean over the tosses,
so the luck of a single toss does not count. Arrays are (S, N, 8): training seeds, images, codes.
"""

import numpy as np

from riqa.labels import DETAILS

SINGLE = 2 ** np.arange(len(DETAILS))
"""Codes of repairing one detail, in the order of `DETAILS`."""
N_CODES = 2 ** len(DETAILS)

CAUSES = ("already good", "one detail would do", "several details together", "no detail would do")
"""Why a photograph is not good, by what would raise its class; see `causes`."""


def repair_codes(details: np.ndarray) -> np.ndarray:
    """Return the codes int (...) of repairing the details that are True in bool (..., 3)."""
    return (np.asarray(details, dtype=bool) * SINGLE).sum(axis=-1)


def surely(codes: np.ndarray) -> np.ndarray:
    """Turn codes int (...) into a policy without chance: float (..., 8), 1 at the code."""
    return (np.asarray(codes)[..., None] == np.arange(N_CODES)).astype(float)


def repair_one(detail: np.ndarray) -> np.ndarray:
    """Repair one detail per image: positions int (...) in `DETAILS` -> policy (..., 8)."""
    return surely(SINGLE[np.asarray(detail)])


def repair_any(candidates: np.ndarray) -> np.ndarray:
    """Repair one of the candidates at random, none without any: bool (..., 3) -> policy (..., 8)."""
    candidates = np.asarray(candidates, dtype=bool)
    n = candidates.sum(axis=-1)
    policy = np.zeros((*n.shape, N_CODES))
    policy[..., SINGLE] = candidates / np.maximum(n, 1)[..., None]
    policy[..., 0] = n == 0
    return policy


def outcome(policy: np.ndarray, outcomes: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Compute what a policy (..., 8) achieves, of `outcomes` (..., 8) of each code, where `asked` (S, N).

    (S, N), NaN where advice is not asked for or its outcome is unknown.
    """
    return np.where(asked, (policy * outcomes).sum(axis=-1), np.nan)


def raised(grades: np.ndarray) -> np.ndarray:
    """Tell if each repair raises the class: grades (..., 8), NaN unknown -> float (..., 8), 1, 0, NaN."""
    grades = np.asarray(grades, dtype=float)
    before = grades[..., :1]
    return np.where(np.isnan(grades) | np.isnan(before), np.nan, grades > before)


def causes(grades: np.ndarray, n_classes: int) -> np.ndarray:
    """Sort photographs by what would raise their true class, given grades after each repair, int (N, 8).

    (N,) of `CAUSES`: the class is the best already, `n_classes` - 1; some single detail raises it; only
    several do; or not even all three do, because artifacts hold it down.
    """
    up = raised(grades) == 1
    good = np.asarray(grades)[:, 0] == n_classes - 1
    which = np.select([good, up[:, SINGLE].any(axis=-1), up[:, -1]], [0, 1, 2], default=3)
    return np.array(CAUSES)[which]
