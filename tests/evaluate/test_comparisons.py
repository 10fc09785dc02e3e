import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from riqa.evaluate.comparisons import margin_verdict, mcnemar_over_seeds, mcnemar_test, wilcoxon_test
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
    assert wilcoxon_test(a, a) == 1


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_wilcoxon_of_many_pairs_follows_its_normal_approximation(alternative):
    a, b = np.random.default_rng(3).random((2, 300))
    d = a - b
    ranks = scipy.stats.rankdata(abs(d))
    z = (ranks[d > 0].sum() - 300 * 301 / 4) / np.sqrt(300 * 301 * 601 / 24)
    expected = {"greater": scipy.stats.norm.sf(z), "less": scipy.stats.norm.cdf(z)}
    expected["two-sided"] = 2 * min(expected.values())
    assert wilcoxon_test(a, b, alternative) == pytest.approx(expected[alternative])


def test_differences_that_are_equal_but_for_their_last_bit_are_ties():
    # Without rounding the first two would differ by 5.6e-17, and be two pairs more.
    a, b = np.array([0.1 + 0.2, 0.3, 0.6, 0.7]), np.array([0.3, 0.1 + 0.2, 0.5, 0.6])
    assert wilcoxon_test(a, b) == wilcoxon_test(a[2:], b[2:])


def test_wilcoxon_of_right_and_wrong_is_mcnemar_without_correction():
    a, b = correctness(100, 40, 22, 30)
    found = wilcoxon_test(a.astype(float), b.astype(float))
    assert found == pytest.approx(2 * scipy.stats.norm.sf((40 - 22) / np.sqrt(40 + 22)))
    assert found == pytest.approx(mcnemar([[100, 40], [22, 30]], exact=False, correction=False).pvalue)


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_few_seeds_can_never_be_significant(n_seeds):
    scores = np.arange(n_seeds) / 100
    assert wilcoxon_test(0.9 + scores, 0.1 - scores) == pytest.approx(2 / 2**n_seeds)
    assert 2 / 2**n_seeds > 0.05


@settings(max_examples=60)
@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_that_of_statsmodels_and_in_mid_p_the_point_counts_half(only_a, only_b):
    a, b = correctness(7, only_a, only_b, 3)
    exact, mid = mcnemar_test(a, b, "exact"), mcnemar_test(a, b, "mid-p")
    n, fewer = only_a + only_b, min(only_a, only_b)
    assert exact == pytest.approx(mcnemar([[7, only_a], [only_b, 3]], exact=True).pvalue)
    at = scipy.stats.binom(n, 0.5).pmf
    assert mid == pytest.approx(min(1, 2 * sum(map(at, range(fewer))) + at(fewer)))
    assert mcnemar_test(b, a) == pytest.approx(mid)


def test_several_seeds_are_combined_by_twice_the_median():
    a = np.array([[True] * 9 + [False] * 2, [True] * 11, [True] * 6 + [False] * 5])
    b = np.zeros((3, 11), dtype=bool)
    b[0, -2:], b[2, -5:] = True, True
    p_values = [mcnemar([[0, x], [y, 0]], exact=True).pvalue for x, y in ((9, 2), (11, 0), (6, 5))]
    assert mcnemar_over_seeds(a, b) == pytest.approx(min(1, 2 * np.median(p_values)))
    assert mcnemar_over_seeds(a[:1], b[:1]) == pytest.approx(p_values[0])
    assert mcnemar_over_seeds(a, a) == 1.0


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.015, "equivalent"),
        (-0.03, 0.03, ""),  # p > 0.05, and yet nothing is shown
        (0.005, 0.015, "equivalent"),  # better, and too little to matter
        (0.005, 0.03, "non-inferior"),
        (-0.03, -0.01, ""),
        (-0.02, 0.0, ""),  # touching the margin is not enough
    ],
)
def test_verdicts_at_a_margin_of_two_hundredths(low, high, verdict):
    assert margin_verdict(Interval((low + high) / 2, low, high), 0.02) == verdict


@pytest.mark.parametrize("better", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_verdicts_on_accuracy_are_those_of_two_one_sided_tests(better, margin):
    rng, n = np.random.default_rng(0), 2000
    truth = rng.integers(2, size=n)
    a, b = (np.where(rng.random(n) < share, truth, 1 - truth) for share in (0.9, 0.9 - better))
    difference = paired_bootstrap(truth, a, b, n_classes=2, metric="accuracy", confidence=0.9)
    differences = (a == truth).astype(float) - (b == truth)
    p_value, (_, p_low, _), _ = DescrStatsW(differences).ttost_mean(-margin, margin)
    assert abs(p_value - 0.05) > 0.01, "too close to call: another seed, please"
    expected = "equivalent" if p_value < 0.05 else "non-inferior" if p_low < 0.05 else ""
    assert margin_verdict(difference, margin) == expected


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
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
