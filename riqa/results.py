"""The results of a chapter: one tidy table with one row per number.

The columns in `KEYS` say what a number is, and no two rows share all of them; those in `VALUES` say how large
it is and how sure. For readers outside, a name is made from the keys; nothing takes it apart.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.errors import InputError
from riqa.evaluate.interval import Interval
from riqa.files import atomic_write, write_json

DEFAULTS = {
    "chapter": "",
    "dataset": "",
    "model": "",  # "multi_task"; "multi_task@eyeq" where a model is judged on another set than its own
    "rival": "",  # the model that is subtracted; empty: a plain score
    "target": "overall",  # or a detail
    "metric": "",
    "group": "all",  # a slice of what is scored: a class, a camera, a defect, a seed
    "method": "bootstrap",  # a key of METHODS: one difference may be judged in several ways
}
KEYS = list(DEFAULTS)
VALUES = ["value", "low", "high", "confidence", "p", "n", "seeds"]
FILES = ("results.parquet", "results.json")

METHODS = {
    "bootstrap": "mean over seeds; percentile bootstrap over patients and seeds",
    "bootstrap_eye": "mean over seeds; percentile bootstrap over eyes and seeds",
    "bootstrap_image": "mean over seeds; percentile bootstrap over images and seeds",
    "bootstrap_tempered": "at a temperature; mean over seeds; percentile bootstrap over patients and seeds",
    "copies": "200 draws of images with replacement, copies and all; mean and percentiles",
    "chosen": "the candidate with the highest macro-F1 on validation images",
    "conformal": "sets by one limit; mean over pairs of seed and image; bootstrap over patients and seeds",
    "conformal_class": "sets by a limit per class; mean over pairs of seed and image; bootstrap likewise",
    "count": "counted",
    "count_mean": "counted; mean over seeds",
    "drawn": "mean over truths that are drawn from the probabilities themselves",
    "em": "estimated from answers without labels; mean over seeds, smallest and largest of a seed",
    "drawn_tempered": "at a temperature; mean over truths that are drawn from the probabilities",
    "errors_shuffled": "errors about details shuffled between patients; mean and central range",
    "errors_shuffled_distance": "errors shuffled within strata of the distance to the next grade; likewise",
    "errors_shuffled_score": "errors shuffled within strata of the overall score; likewise",
    "expected": "expected of labels shuffled between images",
    "leave_one_out": "mean over seeds; each patient left out in turn, bootstrap over patients and seeds",
    "linked": "all seeds in one table; bootstrap over patients and seeds; p by shuffles between patients",
    "linked_distance": "within strata of the distance to the next grade (Mantel, Haenszel); p likewise",
    "linked_score": "within strata of the overall score (Mantel, Haenszel); p likewise",
    "loop": "one seed; 500 draws of patients in a plain loop",
    "images": "mean over images and seeds",
    "mcnemar": "McNemar's test (mid-p) of two trained networks",
    "mrmc": "seeds as readers, patients as cases (Obuchowski and Rockette, Hillis)",
    "mrmc_equivalence": "two one-sided tests at 0.05: the 90 % interval, seeds as readers, patients as cases",
    "mrmc_power": "variance between seeds and patients as estimated here (Hillis, Obuchowski and Berbaum)",
    "non_inferiority": "mean over experts, ties out; one-sided, seeds as readers, patients as cases",
    "non_inferiority_bad": "mean over experts, ties bad; one-sided, seeds as readers, patients as cases",
    "non_inferiority_good": "mean over experts, ties good; one-sided, seeds as readers, patients as cases",
    "others": "against the majority of the other experts, ties left out; bootstrap over patients and seeds",
    "others_share": "minus the other experts' share on the same images; bootstrap over patients and seeds",
    "pairs": "mean over pairs of experts, from the smallest to the largest",
    "panel": "against the majority of the panel; bootstrap over patients and seeds",
    "patients": "percentile bootstrap over patients",
    "planted": "against the planted truth; bootstrap over patients and seeds",
    "repeat": "second session against the first",
    "phantom_field": "intersection over union with the phantom's true field of view",
    "printed": "whole numbers that come closest to the paper's printed scores",
    "published": "counted in the publisher's label files",
    "scale_energies": "logistic regression on scale energies; three times five folds, corrected t interval",
    "mean": "mean over images and seeds",
    "one": "one network",
    "shuffled": "labels shuffled between patients; mean and central range",
    "given": "given, no other was tried",
    "best_bootstrap": "printed; the smallest p-value that print allows, paired bootstrap over images",
    "best_exact": "printed; the smallest p-value that print allows, all swaps of two models' answers",
    "best_mid_p": "printed; the smallest p-value that print allows, all swaps, ties count half",
    "holm": "p-value after Holm's correction, over all gains that the claims rest on",
    "judged": "answers by the rules of the chapter, over all its evidence",
    "pooled": "mean over pairs of seed and image; percentile bootstrap over patients and seeds",
    "pooled_cost": "decided by costs; mean over pairs of seed and image; bootstrap over patients and seeds",
    "mcnemar_exact": "McNemar's exact test, one per seed; twice the median p-value",
    "batches": "seeds as readers, batches of photographs as cases (Obuchowski and Rockette, Hillis)",
    "bins": "answers of all seeds in one table of bins; percentile bootstrap over patients and seeds",
    "bins_tempered": "at a temperature; all seeds in one table of bins; bootstrap over patients and seeds",
    "psychometric": "logistic curve over the answers of all seeds; delta method, clustered by patient",
    "rule": "1 if it passes the rule, else 0",
    "seeds": "mean over seeds; smallest and largest of a seed",
    "severity": "against true severity; mean over seeds; percentile bootstrap over patients and seeds",
    "starts": "one network; mean, least and most over a map's random starts",
    "together": "against the planted truth, or else the experts not compared; bootstrap over patients",
    "threshold": "limit from validation images; mean over pairs of seed and image; bootstrap likewise",
    "wilson": "counted in the publisher's label files; Wilson's interval",
    "wilcoxon": "Wilcoxon's signed-rank test, two-tailed",
    "wilcoxon_greater": "Wilcoxon's signed-rank test, one-tailed",
}
"""Code of a method -> the sentence that says how values and intervals were made."""


def rows(
    numbers: Mapping[tuple[str, ...], Interval | float], columns: Sequence[str] = ("metric", "group"),
    **shared: object,
) -> pd.DataFrame:  # fmt: skip
    """Make one row per number: keys -> a value, or a value with its interval and p-value.

    `columns` say what the keys are, out of `KEYS`; `shared` is what all rows have: other keys, and
    confidence, n (images or pairs) and seeds.
    """
    found = []
    for keys, number in numbers.items():
        one = number if isinstance(number, Interval) else Interval(number, np.nan, np.nan)
        found.append((*keys, one.value, one.low, one.high, one.p_value))
    return tidy(pd.DataFrame(found, columns=[*columns, "value", "low", "high", "p"]), **shared)


def stack(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put rows of results below each other; no table at all gives an empty one with all columns."""
    return pd.concat([*tables] or [rows({})], ignore_index=True)


def tidy(frame: pd.DataFrame, **shared: object) -> pd.DataFrame:
    """Complete a table that has `value` and some other columns of results: defaults, types, order.

    `shared` are columns that are the same in all rows. Raises a TypeError if a column is none of results.
    """
    numbers = ["value", "low", "high", "confidence", "p"]
    known = DEFAULTS | dict.fromkeys(numbers[1:], np.nan) | {"n": None, "seeds": ()}
    if unknown := {*frame.columns, *shared} - {*KEYS, *VALUES}:
        raise TypeError(f"not a column of results: {', '.join(sorted(unknown))}")
    given = {column: value for column, value in known.items() if column not in frame} | shared
    frame = frame.assign(**{column: [value] * len(frame) for column, value in given.items()})
    frame["seeds"] = [tuple(int(seed) for seed in seeds) for seeds in frame["seeds"]]
    types = dict.fromkeys(numbers, float) | dict.fromkeys(KEYS, str) | {"n": "Int64"}
    return frame[KEYS + VALUES].astype(types).reset_index(drop=True)


def find(table: pd.DataFrame, **keys: str) -> pd.Series:
    """Return the one row with these keys; a key that is not given has its default, the chapter any value.

    Raises a KeyError if no row, or more than one, has them.
    """
    wanted = {key: value for key, value in DEFAULTS.items() if key != "chapter"} | keys
    found = table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    if len(found) != 1:
        raise KeyError(f"{len(found)} rows of results have {wanted}")
    return found.iloc[0]


def address(row: pd.Series) -> str:
    """Return what distinguishes a row in its chapter, in the words that a page's role takes."""
    told = {key: row[key] for key in KEYS if row[key] != DEFAULTS[key] and key != "chapter"}
    return " ".join(f"{key}={shlex.quote(value)}" for key, value in told.items())


def holm(table: pd.DataFrame, family: str | list[str]) -> pd.Series:
    """Correct the p-values by Holm's method, within each family of rows with the same `family` column(s)."""
    from statsmodels.stats.multitest import multipletests

    return table.groupby(family)["p"].transform(lambda p: multipletests(p, method="holm")[1])


def write(folder: str | Path, tables: Iterable[pd.DataFrame], chapter: str) -> pd.DataFrame:
    """Write the tables of a chapter, the stem of its notebook, as one: `FILES`, the second from the first.

    Raises a ValueError if two rows have the same keys, a number is infinite, or a method is unknown.
    """
    table = pd.concat(tables, ignore_index=True).assign(chapter=chapter)
    if (twice := table.duplicated(KEYS)).any():
        raise ValueError(f"two results have the same keys: {address(table[twice].iloc[0])}")
    if np.isinf(table[["value", "low", "high", "p"]]).any(axis=None):
        raise ValueError("a result must be finite or missing")
    if unknown := set(table["method"]) - METHODS.keys():
        raise ValueError(f"no method of results: {', '.join(sorted(unknown))}")
    records = table[["value", "low", "high", "confidence", "p", "n"]].astype(object)
    records = records.where(records.notna(), None)
    records.insert(0, "name", table.apply(address, axis=1))
    records["seeds"], records["method"] = table["seeds"].map(list), table["method"].map(METHODS)
    parquet, document = (Path(folder) / name for name in FILES)
    atomic_write(parquet, table.to_parquet)
    write_json(document, records.to_dict("records"))
    return table


def read(folder: str | Path) -> pd.DataFrame:
    """Read what `write` wrote; raise an InputError if nothing readable is there."""
    path = Path(folder) / FILES[0]
    try:
        table = pd.read_parquet(path)
        return table[KEYS + VALUES].assign(seeds=table["seeds"].map(tuple))
    except (OSError, ValueError, KeyError) as error:
        advice = "run `make book` again to rebuild it"
        raise InputError(f"{path}: no table of results ({error}); {advice}") from error
