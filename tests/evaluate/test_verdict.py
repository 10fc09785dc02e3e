"""The rule by which a Teacher is believed: hand-made ones that pass, that repeat themselves, that exaggerate."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from riqa.evaluate.stats import Interval
from riqa.evaluate.verdict import against_constants, possible_shares, reasons_against


def test_the_gain_over_who_always_says_the_same_is_a_difference_of_f1():
    truth = np.array([1] * 6 + [0] * 4)
    called = np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0, 1]])  # 5 of 6 good found, 3 of 4 bad
    gains = against_constants(truth, called, np.arange(10))
    # F1 of good: 2 * 5 / (6 + 6) against 2 * 6 / (10 + 6); of bad: 2 * 3 / (4 + 4) against 2 * 4 / (10 + 4).
    assert gains["always good"].value == pytest.approx(10 / 12 - 12 / 16)
    assert gains["always bad"].value == pytest.approx(6 / 8 - 8 / 14)


def test_who_always_says_the_same_gains_nothing():
    truth = np.random.default_rng(0).integers(0, 2, 200)
    gains = against_constants(truth, np.ones((2, 200), int), np.arange(200))
    assert gains["always good"].value == gains["always good"].high == 0
    assert gains["always bad"].high < 0


def test_possible_shares_are_exact_intervals_that_hold_together():
    counts = pd.DataFrame({"clarity": [27, 3], "contrast": [33, 0]}, index=["reject", "good"])
    low, high = possible_shares(counts, pd.Series({"reject": 33, "good": 78}))
    half = 0.05 / 4 / 2
    assert low.loc["reject", "clarity"] == pytest.approx(beta.ppf(half, 27, 7), abs=1e-6)
    assert high.loc["reject", "clarity"] == pytest.approx(beta.ppf(1 - half, 28, 6), abs=1e-6)
    assert (high.loc["reject", "contrast"], low.loc["good", "contrast"]) == (1, 0)


def test_a_detail_fails_for_every_reason_that_there_is():
    good, none = Interval(0.2, 0.1, 0.3), Interval(0.05, 0.0, 0.1)
    low, high = pd.Series({"reject": 0.6, "good": 0.0}), pd.Series({"reject": 0.9, "good": 0.1})
    possible = {"eyeq": pd.Series({"reject": 0.9, "good": 0.0})}
    assert reasons_against({"experts": {"always good": good, "always bad": good}}, possible, low, high) == []
    impossible = {"eyeq": pd.Series({"reject": 0.05, "good": 0.0})}
    told = reasons_against({"experts": {"always good": none, "always bad": good}}, impossible, low, high)
    assert told == [
        "on experts it does not beat the answer always good (difference +0.050 [+0.000, +0.100])",
        "on eyeq it calls 5% of class reject bad; 60% to 90% are possible",
    ]
