"""Which of two models is better, and which differences matter? Pairs are told apart image by image.

Targets are "overall" or details; a detail of which all images are good, or all bad, is not compared.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from riqa.evaluate import comparisons as tests
from riqa.evaluate.interval import Interval
from riqa.labels import DETAILS
from riqa.results import stack
from riqa.studies.answers import Answers, Pairs, each_pair

UNITS = {"patient": "bootstrap", "eye": "bootstrap_eye", "image": "bootstrap_image"}
"""What the bootstrap can draw as a whole -> the method that it is then."""
READINGS = ("image_probability", "image_correct", "seed_score")
"""What Wilcoxon's test can pair: probability of the true class, being right, macro-F1 seed by seed."""
SIDES = {"wilcoxon": "two-sided", "wilcoxon_greater": "greater"}


def differences(
    predictions: pd.DataFrame, pairs: Pairs, targets: Sequence[str] = ("overall",), *,
    unit: str = "patient", **bootstrap: float,
) -> pd.DataFrame:  # fmt: skip
    """Compare macro-F1, and of details F1 of good, on the same draws of seeds and of a unit of `UNITS`."""
    found = []
    for a, b in each_pair(predictions, pairs, *targets, **bootstrap):
        asked = {"f1.good": ("f1", "good")} if a.keys["target"] in DETAILS else {}
        asked |= {"macro_f1": ("macro_f1", "all")}
        numbers = {key: a.minus(b, score, unit) for score, key in asked.items()}
        found.append(a.rows(numbers, method=UNITS[unit]))
    return stack(found)


def equivalence(
    predictions: pd.DataFrame,
    pairs: Pairs,
    targets: Sequence[str] = ("overall",),
    *,
    n_resamples: int = 10_000,
) -> pd.DataFrame:
    """Return the 90 % intervals that two one-sided tests at 0.05 hold against a margin (Schuirmann, 1987)."""
    intervals = differences(predictions, pairs, targets, confidence=0.9, n_resamples=n_resamples)
    return intervals.assign(method="equivalence", p=np.nan)


def findings(differences: pd.DataFrame, within: pd.DataFrame, margin: float) -> list[str]:
    """Return the finding that each difference, with its p-value corrected in a column `holm`, supports.

    "differs" where that is below 0.05; "equivalent" where the 90 % interval `within` (rows of `equivalence`
    in the same order) lies within the margin (above 0), else "non-inferior" where its lower end lies above
    minus the margin; "undecided" where none of these holds.
    """
    found = []
    for p, row in zip(differences["holm"], within.itertuples(), strict=True):
        verdict = tests.margin_verdict(Interval(row.value, row.low, row.high), margin)
        words = ["differs"] * (p < 0.05) + ["equivalent"] * verdict.equivalent
        words += ["non-inferior"] * (verdict.non_inferior and not verdict.equivalent)
        found.append(", ".join(words) or "undecided")
    return found


def wilcoxon(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test overall quality by Wilcoxon's signed ranks, in each of `READINGS`; values are mean differences."""
    found = []
    for a, b in each_pair(predictions, pairs, "overall"):
        for reading, x, y in zip(READINGS, _readings(a), _readings(b), strict=True):
            for method, side in SIDES.items():
                p = tests.wilcoxon_test(x, y, side)
                found.append(_test(a, (reading, "all"), (x - y).mean(), p, n=len(x), method=method))
    return stack(found)


def mcnemar(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test overall quality by McNemar, seed by seed: are two networks right equally often?"""
    found = []
    for a, b in each_pair(predictions, pairs, "overall"):
        for seed, *right in zip(a.keys["seeds"], a.called == a.truth, b.called == a.truth, strict=True):
            lead, p = right[0].mean() - right[1].mean(), tests.mcnemar_test(*right)
            found.append(_test(a, ("accuracy", f"seed {seed}"), lead, p, seeds=[seed], method="mcnemar"))
    return stack(found)


def mcnemar_of_details(predictions: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Test each detail by McNemar, over all seeds: are two models right equally often?"""
    found = []
    for a, b in each_pair(predictions, pairs, *DETAILS):
        right = a.called == a.truth, b.called == a.truth
        lead, p = right[0].mean() - right[1].mean(), tests.mcnemar_over_seeds(*right)
        found.append(_test(a, ("accuracy", "all"), lead, p, method="mcnemar_exact"))
    return stack(found)


def power(
    predictions: pd.DataFrame, pair: tuple[str, str], sizes: Sequence[int], n_studies: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute what test sets of some sizes could find between two models that disagree as these on one set.

    Returns:
        The curves (`riqa.evaluate.comparisons.power_curve`) with a column `images`; and rows of the metrics
        `detectable_difference` (found with a power of 0.8; NaN if more than the curve reaches) and `power`
        (for the difference found).
    """
    ((a, b),) = each_pair(predictions, [pair], "overall")
    joint = tests.joint_counts(a.truth, a.called, b.called, a.n_classes)
    curves, found = [], []
    for size in sizes:
        curve = tests.power_curve(joint, size, n_studies=n_studies)
        worlds = joint, joint.swapaxes(1, 2)
        either = max(tests.power(world, size, n_studies=n_studies) for world in worlds)
        numbers = {"detectable_difference": tests.detectable_difference(curve), "power": either}
        numbers = {(metric, f"{size} images"): value for metric, value in numbers.items()}
        found.append(a.rows(numbers, n=size, method="simulation", confidence=np.nan))
        curves.append(curve.assign(images=size))
    return pd.concat(curves, ignore_index=True), stack(found)


def _readings(of: Answers) -> Iterator[np.ndarray]:
    """Yield what Wilcoxon's test can rank, in the order of `READINGS`."""
    yield pd.DataFrame(of.column("p_true").T).mean(axis=1).to_numpy()
    yield (of.called == of.truth).mean(axis=0)
    yield np.array([f1_score(of.truth, called, average="macro", zero_division=0) for called in of.called])


def _test(of: Answers, key: tuple[str, str], lead: float, p: float, **more: object) -> pd.DataFrame:
    return of.rows({key: Interval(lead, np.nan, np.nan, p)}, confidence=np.nan, **more)
