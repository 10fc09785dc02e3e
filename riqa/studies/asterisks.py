"""Which of the paper's asterisks can be: the smallest p-values that its printed scores allow.

On few images a printed precision, recall and F1 leave one table of counts, or few (`riqa.evaluate.printed`).
They do not say on which images two models are right, and paired tests depend on that. The most favourable
case is that one model's hits are among the other's, and its false alarms, too: the same difference then comes
from the fewest images. If no test finds it there, none finds it on the paper's images.
"""

import numpy as np
import pandas as pd
from scipy.stats import binom

from riqa import paper
from riqa.evaluate.printed import possible_tables
from riqa.evaluate.stats import paired_bootstrap
from riqa.results import tidy

SETS = {
    "deepdrid": {"n_images": 400, "n_positive": 220},
    "mshf": {"n_images": 160},
    "eyeq_d": {"n_images": 160},
}
"""Sets with two classes -> test images (section 3.1), and how many are positive where a file says so."""
RIVALS = {"Table 2": "single_task", "Table 4": "teacher"}
"""Table -> with what the paper compares; in Table 5 each of two rows with the other."""
WITHIN = 1.0
"""Largest distance from print, in units of the last digit: several rows were not rounded cleanly."""
TESTS = {"bootstrap": "best_bootstrap", "exact": "best_exact", "mid_p": "best_mid_p"}
"""Column of p-values -> method of their rows of results."""


def most_alike(n_images: int, positive: int, hits: int, false_alarms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a truth and answers (N,), 0 for the positive class, 1 for the other, that have these counts.

    Answers that are made from different counts agree on as many images as can be.
    """
    positives, others = np.arange(positive), np.arange(n_images - positive)
    truth = np.repeat([0, 1], [positive, n_images - positive])
    return truth, np.r_[positives >= hits, others >= false_alarms].astype(int)


def swap_test(positive: int, a: tuple[int, int], b: tuple[int, int], metric: str) -> tuple[float, float]:
    """Test a difference in a score exactly, where two models agree on as many images as can be.

    If neither model is better, then on each image on which they differ their answers might as well be
    swapped. All swaps are counted: the randomisation test of Yeh (2000, doi:10.3115/992730.992783) without
    its draws. For recall it is McNemar's.

    Of `positive` images of the positive class and others, `a` and `b` are each model's hits and false alarms;
    the metric is "f1", "precision" or "recall".

    Returns:
        The two-sided p-value, exact and mid-p; half of each is one-sided.
    """
    low, high = np.minimum(a, b), np.maximum(a, b)
    hits, alarms = np.ogrid[low[0] : high[0] + 1, low[1] : high[1] + 1]
    chance = np.outer(*(binom.pmf(np.arange(differ + 1), differ, 0.5) for differ in high - low))
    others = _score(metric, positive, low[0] + high[0] - hits, low[1] + high[1] - alarms)
    swapped = np.abs(_score(metric, positive, hits, alarms) - others)
    observed = abs(_score(metric, positive, *a) - _score(metric, positive, *b))
    as_far = np.isclose(swapped, observed, atol=1e-12)
    exact = chance[(swapped > observed) | as_far].sum()
    ties = chance[as_far].sum() if observed else 0.0  # with no difference at all both p-values are 1
    return float(exact), float(exact - ties / 2)


def fitting_tables(source: str, paper_set: str, target: str) -> dict[str, pd.DataFrame]:
    """Find the tables of counts that fit each model's scores, by its name in print, and share a truth."""
    own = paper.numbers(source).query("paper_set == @paper_set and target == @target")
    scores = {model: rows.set_index("metric")["paper"].to_dict() for model, rows in own.groupby("printed_as")}
    of_set = SETS[paper_set] | {"within": WITHIN}
    fits = {model: possible_tables(printed=one, **of_set) for model, one in scores.items()}
    shared = set.intersection(*(set(table["n_positive"]) for table in fits.values()))
    return {model: table[table["n_positive"].isin(shared)] for model, table in fits.items()}


def best_cases(n_resamples: int = 100_000) -> pd.DataFrame:
    """Find, for each asterisk on a set of `SETS`, the smallest p-values that the printed scores allow.

    Returns:
        One row per asterisk, as `riqa.paper.numbers` has them, and: rival (as printed); n, images; tables,
        how many pairs of tables of counts fit; difference; and two-sided p-values, each the smallest over
        these pairs: bootstrap (paired, over images), exact and mid_p (`swap_test`).
    """
    printed, found = paper.numbers(), []
    where = ["source", "paper_set", "target", "metric", "group"]
    for _, row in printed[(printed["significant"] == "*") & printed["paper_set"].isin(SETS)].iterrows():
        others = printed[(printed[where] == row[where]).all(axis=1)]
        others = others[others["printed_as"] != row["printed_as"]]
        model = RIVALS.get(row["source"])
        rival = (others[others["model"] == model] if model else others).iloc[0]
        fits, n = fitting_tables(*row[where[:3]]), SETS[row["paper_set"]]["n_images"]
        pairs = fits[row["printed_as"]].merge(fits[rival["printed_as"]], on="n_positive")
        tests = []
        for pair in pairs.itertuples():
            a = pair.true_positive_x, pair.false_positive_x
            b = pair.true_positive_y, pair.false_positive_y
            (truth, of_a), (_, of_b) = (most_alike(n, pair.n_positive, *counts) for counts in (a, b))
            how = {"n_classes": 2, "metric": row["metric"], "n_resamples": n_resamples}
            drawn = paired_bootstrap(truth, of_a, of_b, **how)
            tests.append([drawn.p_value, *swap_test(pair.n_positive, a, b, row["metric"])])
        told = {"rival": rival["printed_as"], "n": n, "tables": len(pairs)}
        told["difference"] = row["paper"] - rival["paper"]
        found.append(row.to_dict() | told | dict(zip(TESTS, np.min(tests, axis=0), strict=True)))
    return pd.DataFrame(found)


def can_be(cases: pd.DataFrame, alpha: float = 0.05) -> pd.Series:
    """Say of each asterisk whether any test can find it: "yes", "one-sided only" or "no"."""
    smallest = cases[[*TESTS]].min(axis=1)
    words = np.select([smallest < alpha, smallest / 2 < alpha], ["yes", "one-sided only"], "no")
    return pd.Series(words, cases.index)


def rows_of(cases: pd.DataFrame) -> pd.DataFrame:
    """Return rows of results: each asterisk's printed difference, with the smallest p-value of each test."""
    keys = cases.assign(dataset=cases["paper_set"], model=cases["printed_as"], value=cases["difference"])
    keys = keys[["dataset", "model", "rival", "target", "metric", "group", "value", "n"]]
    return pd.concat([tidy(keys.assign(p=cases[test]), method=method) for test, method in TESTS.items()])


def _score(metric: str, positive: int, hits: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    if metric == "recall":
        return hits / positive + 0 * alarms
    called = hits + alarms
    return hits / np.maximum(called, 1) if metric == "precision" else 2 * hits / (positive + called)
