"""Whether printed scores can be true together: the literature's rows of Table 2, checked by arithmetic.

Printed numbers are taken as rounded or cut, so that each may be off by less than 0.001. In three classes,
with precision P and recall R averaged over classes, macro-F1 lies at or below 2 P R / (P + R), because the
harmonic mean is concave; and not below the value at the corners of what P and R permit. With recall R, the
accuracy is bounded by the shares of the classes in the test set. Where these pass, a confusion matrix is
searched that gives all four numbers. In two classes every confusion matrix can be tried.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import softmax

from riqa import paper
from riqa.data.published import COUNTS
from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.printed import possible_tables
from riqa.labels import class_names

TOLERANCE = 0.001
"""How far a number with three digits can be from what was measured, rounded or cut."""


def harmonic(precision: float, recall: float) -> float:
    """Return 2 P R / (P + R): the F1 score in two classes, the most that macro-F1 can be in more."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def macro_f1_range(precision: float, recall: float) -> tuple[float, float]:
    """Return the least and the most that macro-F1 of three classes can be, given both means in [0, 1].

    The mean of harmonic means is concave: it is largest where all classes are alike, and smallest at a corner
    of the polytope, where all classes but one have a precision of 0 or 1, and alike for recall.
    """
    precisions, recalls = (np.clip(mean * 3 - np.arange(3), 0, 1) for mean in (precision, recall))
    values = [
        np.mean([harmonic(p, r) for p, r in zip(precisions, order, strict=True)])
        for order in permutations(recalls)
    ]
    return float(min(values)), harmonic(precision, recall)


def accuracy_range(recall: float, shares: np.ndarray) -> tuple[float, float]:
    """Return the least and the most that accuracy can be, given macro recall and the classes' shares (K,)."""
    shares = np.sort(np.asarray(shares, dtype=float) / np.sum(shares))
    filled = np.clip(recall * len(shares) - np.arange(len(shares)), 0, 1)
    return float(shares @ filled), float(shares[::-1] @ filled)


def nearest_confusion(
    printed: Mapping[str, float], shares: np.ndarray, n_starts: int = 3
) -> tuple[np.ndarray, float]:
    """Search the confusion matrix whose scores are nearest to printed ones.

    Printed are some of `macro_f1`, `precision`, `recall`, `accuracy`, in [0, 1]; shares (K,) those of classes
    in the test set. At most `n_starts` starting points are tried, until all scores are within `TOLERANCE`.

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
        found.append(least_squares(misses, start, max_nfev=40))
        if abs(found[-1].fun).max() < TOLERANCE:
            break
    best = min(found, key=lambda one: abs(one.fun).max())
    return rows(best.x), float(abs(best.fun).max())


def binary_confusions(printed: Mapping[str, float], n_bad: int, n_good: int) -> np.ndarray:
    """Return every confusion matrix of a test set with so many bad and good images that has printed scores.

    The scores are some of `f1`, `precision`, `recall` of bad, and `accuracy`, in [0, 1]. The matrices are
    (M, 2, 2) counts, rows the true class (bad, good); those with the smallest miss first.
    """
    found = possible_tables(n_bad + n_good, printed, within=1_000 * TOLERANCE, n_positive=n_bad)
    found = found.sort_values("off", kind="stable")
    hits, false = found["true_positive"], found["false_positive"]
    return np.stack([hits, n_bad - hits, false, n_good - false], axis=1).reshape(-1, 2, 2)


def literature(printed: pd.DataFrame) -> pd.DataFrame:
    """Check the rows of Table 2 (`riqa.paper.numbers`, Tables 2 and 3) against the test sets that they name.

    Returns:
        One row per set and method, in the order of print: `set`, `method`, `verdict` ("possible",
        "impossible", or "doubtful" where no confusion matrix was found but none of the bounds is broken, or
        where Table 3 says otherwise), `remark` ("" where there is nothing to say), and the scores as printed.
    """
    by_class = printed[printed["source"] == "Table 3"].groupby("printed_as")["paper"].mean()
    found = []
    for dataset, method, _, row in _rows_of_table_2(printed):
        verdict, remarks = _three_classes(row) if dataset == "eyeq" else _two_classes(row)
        in_table_3 = "MCF" if method == "Fu et al. 2019" else method
        average = by_class.get(in_table_3) if dataset == "eyeq" else None
        # Four numbers that are each off by less than the tolerance.
        if average is not None and abs(average - row["macro_f1"]) >= 2 * TOLERANCE:
            verdict = "impossible" if verdict == "impossible" else "doubtful"
            remarks.append(f"the F1 scores by class in Table 3 average to {average:.3f}")
        scores = {"F1": row.get("macro_f1", row.get("f1"))}
        scores |= {name: row.get(name) for name in ("precision", "recall", "accuracy")}
        said = {"set": dataset, "method": method, "verdict": verdict, "remark": "; ".join(remarks)}
        found.append(said | scores)
    return pd.DataFrame(found)


def binary_matrices() -> dict[tuple[str, str], pd.DataFrame]:
    """Return the confusion matrices, rows sum to 1, that Table 2's rows on DeepDRiD leave possible.

    Each fits one matrix of 220 bad and 180 good test images only, so this is the lower half of the paper's
    Figure 3, worked out from its numbers: (set, method or riqa's model) -> true class (rows) by class called.
    """
    counts, names, matrices = COUNTS["deepdrid"]["test"], list(class_names(2)), {}
    for dataset, method, model, printed in _rows_of_table_2(paper.numbers()):
        if dataset == "deepdrid":
            (matrix,) = binary_confusions(printed, counts["bad"], counts["good"])
            shares = matrix / matrix.sum(axis=1, keepdims=True)
            matrices[dataset, model or method] = pd.DataFrame(shares, names, names)
    return matrices


def _rows_of_table_2(printed: pd.DataFrame) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    table = printed[printed["source"] == "Table 2"]
    for (dataset, method), own in table.groupby(["paper_set", "printed_as"], sort=False):
        yield dataset, method, own["model"].iloc[0], dict(zip(own["metric"], own["paper"], strict=True))


def _three_classes(printed: Mapping[str, float]) -> tuple[str, list[str]]:
    shares = [COUNTS["eyeq"]["test"][name] for name in class_names(3)]
    found = []
    f1, p, r = (printed[name] for name in ("macro_f1", "precision", "recall"))
    low = macro_f1_range(p - TOLERANCE, r - TOLERANCE)[0]
    high = macro_f1_range(min(p + TOLERANCE, 1), min(r + TOLERANCE, 1))[1]
    if not low - TOLERANCE < f1 < high + TOLERANCE:
        found.append(f"its precision and recall permit a macro-F1 of {low:.3f} to {high:.3f} only")
    if "accuracy" in printed:
        low = accuracy_range(r - TOLERANCE, shares)[0]
        high = accuracy_range(min(r + TOLERANCE, 1), shares)[1]
        if not low - TOLERANCE < printed["accuracy"] < high + TOLERANCE:
            found.append(f"its recall permits an accuracy of {low:.3f} to {high:.3f} only")
    if found:
        return "impossible", found
    missed = nearest_confusion(printed, shares)[1]
    if missed < TOLERANCE:
        return "possible", []
    text = f"no confusion matrix with EyeQ's test classes was found, the nearest misses by {missed:.3f}"
    if missed < 2 * TOLERANCE and abs(f1 - harmonic(p, r)) < TOLERANCE:
        text = "its F1 seems to be the harmonic mean of precision and recall, another definition"
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
