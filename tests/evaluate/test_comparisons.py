"""Classical tests, margins and power: by hand, against libraries and formulas, and by simulation."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from riqa.evaluate.comparisons import (
    _difference,
    _shifted,
    detectable_difference,
    joint_counts,
    margin_verdict,
    mcnemar_over_seeds,
    mcnemar_test,
    power,
    power_curve,
    wilcoxon_test,
)
from riqa.evaluate.interval import Interval
from riqa.evaluate.stats import paired_bootstrap


def correctness(both, only_a, only_b, neither):
    cells = [(True, True), (True, False), (False, True), (False, False)]
    return np.repeat(cells, (both, only_a, only_b, neither), axis=0).T


def test_wilcoxon_by_hand():
    # ranks of |d|: 0.1 -> 1, 0.2 -> 2, 0.3 -> 3, 0.4 -> 4; only 0.1 is negative, so W- = 1.
    # Of 2^4 signs two ({}, {1}) give W- <= 1: one-tailed 2/16, two-tailed 4/16.
    a, b = np.array([0.5, 0.5, 0.5, 0.4, 0.7]), np.array([0.1, 0.3, 0.2, 0.5, 0.7])
    assert wilcoxon_test(a, b) == pytest.approx(4 / 16)
    assert wilcoxon_test(a, b, "greater") == pytest.approx(2 / 16)
    assert wilcoxon_test(a, b, "less") == pytest.approx(15 / 16)


def test_what_is_equal_or_but_for_its_last_bit_is_no_evidence():
    a = np.linspace(0, 1, 9)
    assert wilcoxon_test(a, a) == 1
    # Without rounding the first two would differ by 5.6e-17, and be two pairs more.
    a, b = np.array([0.1 + 0.2, 0.3, 0.6, 0.7]), np.array([0.3, 0.1 + 0.2, 0.5, 0.6])
    assert wilcoxon_test(a, b) == wilcoxon_test(a[2:], b[2:])


def test_few_seeds_can_never_be_significant():
    for n_seeds in (3, 5):
        scores = np.arange(n_seeds) / 100
        assert wilcoxon_test(0.9 + scores, 0.1 - scores) == pytest.approx(2 / 2**n_seeds)
        assert 2 / 2**n_seeds > 0.05


def test_mcnemar_by_hand():
    # b = 5, c = 1: Binomial(6, 1/2) has 1 + 6 of 64 at 1 or below
    a, b = correctness(20, 5, 1, 4)
    assert mcnemar_test(a, b, "exact") == pytest.approx(2 * 7 / 64)
    assert mcnemar_test(a, b) == pytest.approx(2 * 7 / 64 - 6 / 64)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_a_binomial_test_and_mid_p_is_never_above_exact(only_a, only_b):
    a, b = correctness(7, only_a, only_b, 3)
    exact, mid = mcnemar_test(a, b, "exact"), mcnemar_test(a, b, "mid-p")
    if only_a + only_b:
        assert exact == pytest.approx(mcnemar([[7, only_a], [only_b, 3]], exact=True).pvalue)
    else:
        assert exact == mid == 1
    assert mid <= exact + 1e-12
    assert mcnemar_test(b, a, "mid-p") == pytest.approx(mid)
    assert 0 < mid <= 1


def test_several_seeds_are_combined_by_twice_the_median():
    a = np.array([[True] * 9 + [False] * 2, [True] * 11, [True] * 6 + [False] * 5])
    b = np.zeros((3, 11), dtype=bool)
    b[0, -2:], b[2, -5:] = True, True
    p_values = [mcnemar([[0, x], [y, 0]], exact=True).pvalue for x, y in ((9, 2), (11, 0), (6, 5))]
    assert mcnemar_over_seeds(a, b) == pytest.approx(min(1, 2 * np.median(p_values)))
    assert mcnemar_over_seeds(a[:1], b[:1]) == pytest.approx(p_values[0])
    assert mcnemar_over_seeds(a, a) == 1.0


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "non_inferior"),
    [
        (-0.01, 0.015, True, True),
        (-0.03, 0.03, False, False),  # p > 0.05, and yet nothing is shown
        (0.005, 0.015, True, True),  # better, and too little to matter
        (0.005, 0.03, False, True),
        (-0.03, -0.01, False, False),
        (-0.02, 0.0, False, False),  # touching the margin is not enough
    ],
)
def test_verdicts_at_a_margin_of_two_hundredths(low, high, equivalent, non_inferior):
    assert margin_verdict(Interval((low + high) / 2, low, high), 0.02) == (equivalent, non_inferior)


def two_models(n, better, seed=0):
    """Truth and two models that err independently, B less often right by `better`."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    return truth, *(np.where(rng.random(n) < share, truth, 1 - truth) for share in (0.9, 0.9 - better))


@pytest.mark.parametrize("better", [0.0, 0.01, 0.03])
def test_verdicts_on_accuracy_are_those_of_two_one_sided_tests(better):
    truth, a, b = two_models(2000, better)
    difference = paired_bootstrap(truth, a, b, n_classes=2, metric="accuracy", confidence=0.9)
    differences = (a == truth).astype(float) - (b == truth)
    for margin in (0.01, 0.02, 0.05):
        p_value, (_, p_low, _), _ = DescrStatsW(differences).ttost_mean(-margin, margin)
        assert abs(p_value - 0.05) > 0.01, "too close to call: another seed, please"
        assert margin_verdict(difference, margin) == (p_value < 0.05, p_low < 0.05)


def predictions(n=400, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    a = np.where(rng.random(n) < 0.8, truth, rng.integers(n_classes, size=n))
    b = np.where(rng.random(n) < 0.7, a, rng.integers(n_classes, size=n))
    return truth, a, b


JOINT = joint_counts(*predictions(), 3)


def test_joint_counts_by_hand():
    counts = joint_counts([0, 1, 1], [[0, 1, 0], [0, 1, 1]], [[0, 0, 0], [1, 1, 1]], 2)
    assert counts.tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 2]]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_the_difference_of_a_table_is_that_of_its_predictions(seed, n_classes):
    truth, a, b = predictions(90, n_classes, seed)
    expected = [f1_score(truth, x, average="macro", labels=range(n_classes), zero_division=0) for x in (a, b)]
    found = _difference(joint_counts(truth, a, b, n_classes))
    assert found == pytest.approx(expected[0] - expected[1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_shifting_moves_only_the_right_answers_of_b(seed, lost):
    joint = joint_counts(*predictions(seed=seed), 3)
    none, moved = _shifted(joint, 0), _shifted(joint, lost)
    assert _difference(none) == pytest.approx(0)
    assert moved.sum() == pytest.approx(1)
    assert (moved >= 0).all()
    np.testing.assert_allclose(moved.sum(axis=2), none.sum(axis=2))  # truth and A are as they were
    right = np.einsum("tat->t", none)
    np.testing.assert_allclose(np.einsum("tat->t", moved), (1 - lost) * right, atol=1e-12)
    assert _difference(moved) >= -1e-12


def test_errors_of_a_class_without_any_are_spread_evenly():
    joint = np.zeros((3, 3, 3))
    joint[0, 0, 0] = joint[1, 1, 1] = joint[2, 2, 2] = 5
    assert _shifted(joint, 0.5)[0, 0].tolist() == pytest.approx([1 / 6, 1 / 12, 1 / 12])


def test_power_of_a_difference_in_accuracy_follows_the_formula():
    # Balanced binary, errors alike in both classes: macro-F1 is then accuracy. A alone is right on 12 %,
    # B alone on 4 %, so d = 0.08 and the standard error of n images is sqrt((0.16 - 0.08 ** 2) / n).
    joint = np.zeros((2, 2, 2))
    for true in (0, 1):
        joint[true, true, true], joint[true, true, 1 - true] = 0.4, 0.06
        joint[true, 1 - true, true], joint[true, 1 - true, 1 - true] = 0.02, 0.02
    for n in (100, 300):
        expected = scipy.stats.norm.sf(1.959964 - 0.08 / np.sqrt((0.16 - 0.0064) / n))
        assert power(joint, n) == pytest.approx(expected, abs=0.035)


def test_power_is_that_of_the_paired_bootstrap():
    world = _shifted(JOINT, 0.12)
    rng, found = np.random.default_rng(1), 0
    for _ in range(200):
        truth, a, b = np.unravel_index(rng.choice(27, size=160, p=world.ravel()), (3, 3, 3))
        found += paired_bootstrap(truth, a, b, n_classes=3, n_resamples=400).low > 0
    assert power(world, 160) == pytest.approx(found / 200, abs=0.12)  # 3.4 standard errors of 200 studies


def test_power_is_half_the_level_without_a_difference_and_grows_with_it_and_with_images():
    curve = power_curve(JOINT, 160)
    assert curve["power"][0] == pytest.approx(0.025, abs=0.015)
    assert curve["difference"].is_monotonic_increasing
    assert curve["power"].diff().min() > -0.02
    small, large = (detectable_difference(of) for of in (power_curve(JOINT, 640), curve))
    assert large == pytest.approx(2 * small, rel=0.2)  # precision grows with the square root of n
    world = _shifted(JOINT, 0.1)
    assert power(world, 160) == power(world, 160) != power(world, 160, seed=1)
    few = power(world, 160, n_studies=7) * 7
    assert few == pytest.approx(round(few))


def test_the_detectable_difference_is_read_between_the_rows():
    curve = pd.DataFrame({"difference": [0, 0.1, 0.2], "power": [0.02, 0.6, 1.0]})
    assert detectable_difference(curve) == pytest.approx(0.15)
    assert np.isnan(detectable_difference(curve.iloc[:2]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilcoxon_test([1.0], [1.0, 2.0]), "one length"),
        (lambda: wilcoxon_test([np.nan], [1.0]), "without NaN"),
        (lambda: wilcoxon_test([2.0], [1.0], "larger"), "alternative"),
        (lambda: mcnemar_test([True], [True, False]), "same length"),
        (lambda: mcnemar_test([True], [False], "midp"), "method must be one of mid-p"),
        (lambda: margin_verdict(Interval(0, -1, 1), 0), "margin must be above 0"),
        (lambda: margin_verdict(Interval(0, -1, 1), np.nan), "margin must be above 0"),
        (lambda: joint_counts([0, 1], [0, 1], [0, 1, 1], 2), "disagree"),
        (lambda: power(JOINT, 160, n_studies=0), "n_studies"),
        (lambda: power(JOINT, 0), "n_images"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
