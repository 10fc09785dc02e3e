"""Whether a Teacher deserves belief: a rule for each detail, stated before it is applied.

A detail passes when, on every set that experts have judged, the Teacher beats both who always say the same,
and on the large set the share that it calls bad is possible in every overall class. Where it fails, the
sentences say why.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from riqa.evaluate.stats import Interval, paired_bootstrap

CONSTANTS = {"always good": (1, "f1.good"), "always bad": (0, "f1.bad")}
"""Who answers the same for every image, and the score that is best for such an answer."""


def against_constants(
    truth: np.ndarray, called: np.ndarray, groups: np.ndarray, n_resamples: int = 2_000
) -> dict[str, Interval]:
    """Compare a Teacher with those who always say good and always say bad, each by the F1 that favours it.

    Args:
        truth: (N,) expert labels, 0 bad, 1 good.
        called: (S, N) the Teacher's, a row a seed.
        groups: (N,) patients, drawn as a whole.
        n_resamples: bootstrap replicates.

    Returns:
        For each of `CONSTANTS` the difference, Teacher minus constant, with its 95 % interval.
    """
    return {
        name: paired_bootstrap(
            truth,
            called,
            np.full_like(called, answer),
            n_classes=2,
            metric=metric,
            groups=groups,
            n_resamples=n_resamples,
        )
        for name, (answer, metric) in CONSTANTS.items()
    }


def possible_shares(n_bad: pd.DataFrame, n: pd.Series, confidence: float = 0.95) -> tuple[pd.DataFrame, ...]:
    """Return between which shares of bad the truth lies, given how many images experts called bad.

    Exact intervals (Clopper and Pearson 1934), all of them together at the confidence given (Bonferroni).

    Args:
        n_bad: images called bad, a row a class and a column a detail.
        n: images of each class.
        confidence: of all intervals together, in (0, 1).

    Returns:
        low and high, as `n_bad`.
    """
    each = 1 - (1 - confidence) / n_bad.size
    low, high = n_bad.astype(float), n_bad.astype(float)
    for name, row in n_bad.iterrows():
        for detail, count in row.items():
            interval = binomtest(int(count), int(n[name])).proportion_ci(each, method="exact")
            low.loc[name, detail], high.loc[name, detail] = interval.low, interval.high
    return low, high


def reasons_against(
    compared: Mapping[str, Mapping[str, Interval]],
    shares: Mapping[str, pd.Series],
    low: pd.Series,
    high: pd.Series,
) -> list[str]:
    """Apply the rule to one detail.

    Args:
        compared: `against_constants` by the name of the set that experts have judged.
        shares: share called bad by overall class, by the name of the large set.
        low: least possible share by class.
        high: largest possible share by class.

    Returns:
        A sentence for everything that speaks against belief; empty if the detail passes.
    """
    found = [
        f"on {name} it does not beat the answer {constant} "
        f"(difference {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}])"
        for name, gains in compared.items()
        for constant, gain in gains.items()
        if not gain.low > 0
    ]
    found += [
        f"on {name} it calls {share:.0%} of class {label} bad; "
        f"{low[label]:.0%} to {high[label]:.0%} are possible"
        for name, by_class in shares.items()
        for label, share in by_class.items()
        if not low[label] <= share <= high[label]
    ]
    return found
