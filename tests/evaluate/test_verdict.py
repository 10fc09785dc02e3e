"""The rule by which a Teacher is believed: hand-made ones that pass, repeat themselves, or exaggerate."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from riqa.errors import InputError
from riqa.evaluate.interval import Interval
from riqa.evaluate.verdict import (
    against_constants,
    possible_shares,
    reasons_against,
    refuse_to_drop_all,
)


def test_the_gain_over_who_always_says_the_same_is_a_difference_of_f1_and_none_for_one_of_them():
    truth = np.array([1] * 6 + [0] * 4)
    probs = np.array([[0.9, 0.5, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4, 0.6]])  # 5 of 6 good found, 3 of 4 bad
    gains = against_constants(pd.DataFrame({"patient_id": range(10)}), truth, probs)
    # F1 of good: 2 * 5 / (6 + 6) against 2 * 6 / (10 + 6); of bad: 2 * 3 / (4 + 4) against 2 * 4 / (10 + 4).
    assert gains["always good"].value == pytest.approx(10 / 12 - 12 / 16)
    assert gains["always bad"].value == pytest.approx(6 / 8 - 8 / 14)
    truth = np.random.default_rng(0).integers(0, 2, 200)
    gains = against_constants(pd.DataFrame({"patient_id": range(200)}), truth, np.ones((2, 200)))
    assert gains["always good"].value == gains["always good"].high == 0
    assert gains["always bad"].high < 0


def test_possible_shares_are_exact_intervals_that_hold_together():
    counts = pd.DataFrame({"clarity": [27, 3], "contrast": [33, 0]}, index=["reject", "good"])
    low, high = possible_shares(counts, pd.Series({"reject": 33, "good": 78}))
    half = 0.05 / 4 / 2
    assert low.loc["reject", "clarity"] == pytest.approx(beta.ppf(half, 27, 7), abs=1e-6)
    assert high.loc["reject", "clarity"] == pytest.approx(beta.ppf(1 - half, 28, 6), abs=1e-6)
    assert (high.loc["reject", "contrast"], low.loc["good", "contrast"]) == (1, 0)


def answers(p_of_class, **facts):
    """Return a hundred training photographs of each class, of which the shares given are called bad."""
    rows = [(code, 0.2 if k < share * 100 else 0.8) for code, share in p_of_class.items() for k in range(100)]
    frame = pd.DataFrame(rows, columns=["overall", "p_clarity"])
    return frame.assign(**{"dataset": "eyeq", "split": "train", **facts})


def test_a_detail_fails_for_every_reason_that_there_is():
    good, none = Interval(0.2, 0.1, 0.3), Interval(0.05, 0.0, 0.1)
    low = pd.DataFrame({"clarity": [0.6, 0.1, 0.0]}, index=["reject", "usable", "good"])
    high = pd.DataFrame({"clarity": [0.95, 0.4, 0.3]}, index=low.index)
    experts = {"experts": {"always good": good, "always bad": good}}
    assert reasons_against(experts, answers({0: 0.9, 1: 0.25, 2: 0}), "clarity", low, high) == []
    impossible = answers({0: 0.05, 1: 0.25, 2: 0})
    experts = {"experts": {"always good": none, "always bad": good}}
    told = reasons_against(experts, impossible, "clarity", low, high)
    assert told == [
        'on experts it does not beat the answer "always good" (difference +0.050, +0.000 to +0.100)',
        "on EyeQ it calls 5\N{NO-BREAK SPACE}% of class reject bad, 60\N{NO-BREAK SPACE}% to 95\N{NO-BREAK SPACE}% are possible",
    ]
    # Neither other splits, nor a set of two classes, are asked for shares of three.
    assert len(reasons_against(experts, impossible.assign(split="val"), "clarity", low, high)) == 1
    assert len(reasons_against(experts, answers({0: 0.05, 1: 0.25}), "clarity", low, high)) == 1


def test_dropping_every_detail_is_refused():
    refuse_to_drop_all(["illumination", "contrast"])
    with pytest.raises(InputError, match="no detail of the Teacher passes"):
        refuse_to_drop_all(["contrast", "illumination", "clarity"])
