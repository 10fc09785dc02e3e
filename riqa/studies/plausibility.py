"""Whether printed scores can be true together: the literature's rows of Table 2, checked by arithmetic.

Printed numbers are taken as rounded or cut, so that each may be off by less than 0.001. In three classes,
with precision P and recall R averaged over classes, macro-F1 lies at or below 2 P R / (P + R), because the
harmonic mean is concave; and not below the value at the corners of what P and R permit. With recall R, the
accuracy is bounded by the shares of the classes in the test set. Where these pass, a confusion matrix is
searched that gives all four numbers. In two classes every confusion matrix can be tried.
"""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import softmax

from riqa.data.published import COUNTS
from riqa.evaluate.metrics import scores_from_counts
from riqa.labels import class_names

TOLERANCE = 0.001
"""How far a number with three digits can be from what was measured, rounded or cut."""

TABLE_3_NAMES = {"Fu et al. 2019": "MCF"}
"""Methods that Table 2 and Table 3 call differently."""


def harmonic(precision: float, recall: float) -> float:
    """Return 2 P R / (P + R): the F1 score in two classes, the most that macro-F1 can be in more."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def macro_f1_range(precision: float, recall: float, n_classes: int = 3) -> tuple[float, float]:
    """Return the least and the most that macro-F1 can be, given macro precision and macro recall in [0, 1].

    The mean of harmonic means is concave: it is largest where all classes are alike, and smallest at a corner
    of the polytope, where all classes but one have a precision of 0 or 1, and alike for recall.
    """
    precisions, recalls = (_corner(mean, n_classes).tolist() for mean in (precision, recall))
    lowest = min(np.mean([*map(harmonic, precisions, order)]) for order in permutations(recalls))
    return float(lowest), harmonic(precision, recall)


def accuracy_range(recall: float, shares: np.ndarray) -> tuple[float, float]:
    """Return the least and the most that accuracy can be, given macro recall and the classes' shares (K,)."""
    shares = np.sort(np.asarray(shares, dtype=float) / np.sum(shares))
    filled = _corner(recall, len(shares))
    return float(shares @ filled), float(shares[::-1] @ filled)


def _corner(mean: float, n: int) -> np.ndarray:
    """Return n numbers in [0, 1] with this mean, all but one of them 0 or 1."""
    return np.clip(mean * n - np.arange(n), 0, 1)


def nearest_confusion(
    printed: Mapping[str, float], shares: np.ndarray, n_starts: int = 3
) -> tuple[np.ndarray, float]:
    """Search the confusion matrix whose scores are nearest to printed ones.

    Printed are some of `macro_f1`, `precision`, `recall`, `accuracy`, in [0, 1]; shares (K,) are the classes'
    shares of the test set. So many starting points are tried until all scores are within `TOLERANCE`.

    Returns:
        (K, K) shares of each true class, rows sum to 1; and by how much the worst score is missed.
    """
    shares = np.asarray(shares, dtype=float) / np.sum(shares)
    goal, n_classes = np.array(list(printed.values())), len(shares)

    def rows(x: np.ndarray) -> np.ndarray:
        return softmax(x.reshape(n_classes, n_classes), axis=1)

    def misses(x: np.ndarray) -> np.ndarray:
        scores = scores_from_counts(shares[:, None] * rows(x))
        return np.array([scores[name] for name in printed]) - goal

    found, rng = [], np.random.default_rng(0)
    for _ in range(n_starts):
        start = 3 * np.eye(n_classes).ravel() + rng.normal(size=n_classes**2)
        x = least_squares(misses, start, max_nfev=40).x
        found.append((float(abs(misses(x)).max()), rows(x)))
        if found[-1][0] < TOLERANCE:
            break
    missed, matrix = min(found, key=lambda pair: pair[0])
    return matrix, missed


def binary_confusions(printed: Mapping[str, float], n_bad: int, n_good: int) -> np.ndarray:
    """Return every confusion matrix of a test set with so many bad and good images that has printed scores.

    The scores are some of `f1`, `precision`, `recall` of bad, and `accuracy`, in [0, 1]. The matrices are
    (M, 2, 2) counts, rows the true class (bad, good); those with the smallest miss first.
    """
    hits, false = (grid.ravel() for grid in np.mgrid[: n_bad + 1, : n_good + 1])
    counts = np.stack([hits, n_bad - hits, false, n_good - false], axis=1).reshape(-1, 2, 2)
    scores = scores_from_counts(counts)
    miss = np.max([abs(scores[name] - value) for name, value in printed.items()], axis=0)
    fits = np.flatnonzero(miss < TOLERANCE)
    return counts[fits[np.argsort(miss[fits], kind="stable")]]


def literature(printed: pd.DataFrame) -> pd.DataFrame:
    """Check the rows of Table 2 (`riqa.paper.numbers`, Tables 2 and 3) against the test sets that they name.

    Returns:
        One row per set and method, in the order of print: `set`, `method`, `verdict` ("possible",
        "impossible", or "doubtful" where no confusion matrix was found but none of the bounds is broken, or
        where Table 3 says otherwise), `remark` ("" where there is nothing to say), and the scores as printed.
    """
    by_class = printed[printed["source"] == "Table 3"].groupby("printed_as")["paper"].mean()
    table_2 = printed[printed["source"] == "Table 2"]
    found = []
    for (dataset, method), values in table_2.groupby(["paper_set", "printed_as"], sort=False):
        row = dict(zip(values["metric"], values["paper"], strict=True))
        verdict, remarks = _three_classes(row) if dataset == "eyeq" else _two_classes(row)
        average = by_class.get(TABLE_3_NAMES.get(method, method)) if dataset == "eyeq" else None
        # Four numbers that are each off by less than the tolerance.
        if average is not None and abs(average - row["macro_f1"]) >= 2 * TOLERANCE:
            verdict = "impossible" if verdict == "impossible" else "doubtful"
            remarks.append(f"the F1 scores by class in Table 3 average to {average:.3f}")
        scores = {"F1": row.get("macro_f1", row.get("f1"))}
        scores |= {name: row.get(name) for name in ("precision", "recall", "accuracy")}
        said = {"set": dataset, "method": method, "verdict": verdict, "remark": "; ".join(remarks)}
        found.append(said | scores)
    return pd.DataFrame(found)


def _three_classes(printed: Mapping[str, float]) -> tuple[str, list[str]]:
    shares = [COUNTS["eyeq"]["test"][name] for name in class_names(3)]
    f1, (p, r) = printed["macro_f1"], (printed[name] for name in ("precision", "recall"))
    (least_p, most_p), (least_r, most_r) = ((x - TOLERANCE, min(x + TOLERANCE, 1)) for x in (p, r))
    permitted = {"macro_f1": (macro_f1_range(least_p, least_r)[0], macro_f1_range(most_p, most_r)[1])}
    permitted["accuracy"] = accuracy_range(least_r, shares)[0], accuracy_range(most_r, shares)[1]
    told = {
        "macro_f1": "its precision and recall permit a macro-F1",
        "accuracy": "its recall permits an accuracy",
    }
    found = [
        f"{told[name]} of {low:.3f} to {high:.3f} only"
        for name, (low, high) in permitted.items()
        if not low - TOLERANCE < printed.get(name, low) < high + TOLERANCE
    ]
    if found:
        return "impossible", found
    missed = nearest_confusion(printed, shares)[1]
    if missed < TOLERANCE:
        return "possible", []
    if missed < 2 * TOLERANCE and abs(f1 - harmonic(p, r)) < TOLERANCE:
        text = "its F1 seems to be the harmonic mean of precision and recall, another definition"
    else:
        text = f"no confusion matrix with EyeQ's test classes was found, the nearest misses by {missed:.3f}"
    return "doubtful", [text]


def _two_classes(printed: Mapping[str, float]) -> tuple[str, list[str]]:
    n_bad, n_good = (COUNTS["deepdrid"]["test"][name] for name in class_names(2))
    matrices = binary_confusions(printed, n_bad, n_good)
    if len(matrices) == 0:
        return "impossible", [f"no confusion matrix of {n_bad} bad and {n_good} good images has these scores"]
    (hits, _), (false, _) = matrices[0]
    how = "only" if len(matrices) == 1 else "for example"
    text = f"fits {how} {hits} of {n_bad} bad images found, {false} of {n_good} good ones called bad"
    return "possible", [text]
