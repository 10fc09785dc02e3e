"""Whether a Teacher can be trusted: a rule for each detail, stated before it is applied.

A detail passes when, on every set that experts have judged, the Teacher beats both constant answers, and on
the large set the share that it calls bad is possible in every overall class. Where it fails, the sentences
say why.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from riqa.errors import InputError
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import paired_bootstrap
from riqa.labels import DETAILS
from riqa.show import name, typeset


def against_constants(images: pd.DataFrame, truth: np.ndarray, probs: np.ndarray) -> dict[str, Interval]:
    """Compare a Teacher with always saying good and always saying bad, each by the F1 that favours it.

    Of one detail: `images`, N rows with patient_id, drawn as a whole; truth (N,), 0 bad, 1 good; and
    probabilities of good (S, N), one row per seed. For "always good" and "always bad" the difference, Teacher
    minus constant, is returned with its 95 % interval.
    """
    called = (probs >= 0.5).astype(int)
    constants = {"good": np.ones_like(called), "bad": np.zeros_like(called)}
    how = {"n_classes": 2, "groups": images["patient_id"].to_numpy(), "n_resamples": 2_000}
    return {
        f"always {answer}": paired_bootstrap(truth, called, constant, metric=f"f1.{answer}", **how)
        for answer, constant in constants.items()
    }


def possible_shares(n_bad: pd.DataFrame, n: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return between which shares of bad the truth lies, low and high, shaped as `n_bad`.

    `n_bad` are images that experts called bad, one row per class, one column per detail, of `n` in the class.
    Exact intervals (Clopper and Pearson 1934), all of them together at 95 % (Bonferroni).
    """
    each = 1 - (1 - 0.95) / max(n_bad.size, 1)
    low, high = n_bad.astype(float), n_bad.astype(float)
    for label, row in n_bad.iterrows():
        for detail, count in row.items():
            interval = binomtest(int(count), int(n[label])).proportion_ci(each, method="exact")
            low.loc[label, detail], high.loc[label, detail] = interval.low, interval.high
    return low, high


def reasons_against(
    compared: Mapping[str, Mapping[str, Interval]], answers: pd.DataFrame, detail: str, low: pd.DataFrame,
    high: pd.DataFrame,
) -> list[str]:  # fmt: skip
    """Apply the rule to one detail: a sentence for each reason against it.

    `compared` are `against_constants` by the name of the set that experts have judged; `low` and `high` the
    `possible_shares`, one row per class in the order of codes. Answers, rows of
    `riqa.learn.predict.predict`, are of large sets, which are judged by their training photographs; only
    sets with these classes are.
    """
    found = [
        f'on {name(dataset)} it does not beat the answer "{constant}" '
        f"(difference {gain.value:+.3f}, {gain.low:+.3f} to {gain.high:+.3f})"
        for dataset, gains in compared.items()
        for constant, gain in gains.items()
        if not gain.low > 0
    ]
    graded = answers[(answers["split"] == "train") & answers["overall"].notna()]
    for dataset, rows in graded.groupby("dataset", sort=False):
        shares = rows[f"p_{detail}"].lt(0.5).groupby(rows["overall"].astype(int)).mean()
        if shares.index.max() + 1 == len(low):
            found += [
                f"on {name(dataset)} it calls {share:.0%} of class {label} bad, "
                f"{low.loc[label, detail]:.0%} to {high.loc[label, detail]:.0%} are possible"
                for label, share in shares.set_axis(low.index[shares.index]).items()
                if not low.loc[label, detail] <= share <= high.loc[label, detail]
            ]
    return [typeset(sentence) for sentence in found]


def refuse_to_drop_all(unfit: Sequence[str]) -> None:
    """Raise an InputError where all details fail: dropping them would leave nothing to learn."""
    if set(unfit) == set(DETAILS):
        raise InputError(
            "if_unfit is drop, and no detail of the Teacher passes: nothing is left for a Student to learn; "
            "set it to warn or to calibrate, or train a better Teacher"
        )


def teacher_warnings(verdicts: Mapping[str, Sequence[str]], if_unfit: str) -> list[str]:
    """Return what readers must know of a Student that learned from this Teacher.

    A sentence, without a full stop, for every detail that fails by `reasons_against`, with the first reason
    and how many more there are; or that the detail was dropped, if `if_unfit` is drop.
    """
    failed = {detail: why for detail, why in verdicts.items() if why}
    if if_unfit == "drop":
        return [f"{detail} is not judged: the Teacher failed in it" for detail in failed]
    return [
        f"the Teacher's answers on {detail} did not pass their test: {why[0]}"
        + f", and {len(why) - 1} more" * (len(why) > 1)
        for detail, why in failed.items()
    ]
