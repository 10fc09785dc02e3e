import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from riqa.evaluate.pairs import (
    MCNEMAR,
    holm,
    mcnemar_over_seeds,
    mcnemar_test,
    wilcoxon_test,
)


def fake(n=60, n_seeds=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(3, size=n), rng.dirichlet(np.ones(3), size=(n_seeds, n))


def correctness(both, only_a, only_b, neither):
    a = np.repeat([True, True, False, False], (both, only_a, only_b, neither))
    b = np.repeat([True, False, True, False], (both, only_a, only_b, neither))
    return a, b


def test_wilcoxon_by_hand():
    # ranks of |d|: 0.1 -> 1, 0.2 -> 2, 0.3 -> 3, 0.4 -> 4; only 0.1 is negative, so W- = 1.
    # Of 2^4 signs two ({}, {1}) give W- <= 1: one-tailed 2/16, two-tailed 4/16.
    a, b = np.array([0.5, 0.5, 0.5, 0.4, 0.7]), np.array([0.1, 0.3, 0.2, 0.5, 0.7])
    assert wilcoxon_test(a, b, "greater").p_value == pytest.approx(2 / 16)
    assert wilcoxon_test(a, b, "less").p_value == pytest.approx(15 / 16)
    found = wilcoxon_test(a, b)
    assert (found.p_value, found.n, found.n_differ) == (pytest.approx(4 / 16), 5, 4)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_wilcoxon_of_many_pairs_follows_its_normal_approximation(alternative):
    rng = np.random.default_rng(3)
    a, b = rng.random(300), rng.random(300)
    d = a - b
    ranks = scipy.stats.rankdata(abs(d))
    z = (ranks[d > 0].sum() - 300 * 301 / 4) / np.sqrt(300 * 301 * 601 / 24)
    expected = {"greater": scipy.stats.norm.sf(z), "less": scipy.stats.norm.cdf(z)}
    expected["two-sided"] = 2 * min(expected.values())
    assert wilcoxon_test(a, b, alternative).p_value == pytest.approx(expected[alternative])


def test_equal_models_have_no_evidence():
    a = np.linspace(0, 1, 9)
    assert wilcoxon_test(a, a).p_value == 1
    assert wilcoxon_test(a, a).n_differ == 0
    for method in MCNEMAR:
        assert mcnemar_test(a > 0.5, a > 0.5, method).p_value == 1


def test_differences_that_are_equal_but_for_their_last_bit_are_ties():
    a = np.array([0.1 + 0.2, 0.3, 0.6, 0.7])
    b = np.array([0.3, 0.1 + 0.2, 0.5, 0.6])
    assert wilcoxon_test(a, b).n_differ == 2


def test_wilcoxon_of_right_and_wrong_is_mcnemar_without_correction():
    a, b = correctness(100, 40, 22, 30)
    z = (40 - 22) / np.sqrt(40 + 22)
    found = wilcoxon_test(a.astype(float), b.astype(float))
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(z))
    table = [[100, 40], [22, 30]]
    assert found.p_value == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue)


@pytest.mark.parametrize("n_seeds", [3, 5])
def test_few_seeds_can_never_be_significant(n_seeds):
    scores = np.arange(n_seeds) / 100
    found = wilcoxon_test(0.9 + scores, 0.1 - scores)
    assert found.p_value == pytest.approx(2 / 2**n_seeds)
    assert found.p_value > 0.05


def test_mcnemar_by_hand():
    # b = 5, c = 1: Binomial(6, 1/2) has 1 + 6 of 64 at 1 or below
    a, b = correctness(20, 5, 1, 4)
    assert mcnemar_test(a, b, "exact").p_value == pytest.approx(2 * 7 / 64)
    assert mcnemar_test(a, b, "mid-p").p_value == pytest.approx(2 * 7 / 64 - 6 / 64)
    assert mcnemar_test(a, b, "chi2").p_value == pytest.approx(scipy.stats.chi2.sf((4 - 1) ** 2 / 6, 1))
    found = mcnemar_test(a, b)
    assert (found.n, found.n_differ) == (30, 6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_a_binomial_test_and_mid_p_is_never_above_exact(only_a, only_b):
    a, b = correctness(7, only_a, only_b, 3)
    exact, mid = mcnemar_test(a, b, "exact").p_value, mcnemar_test(a, b, "mid-p").p_value
    if only_a + only_b:
        assert exact == pytest.approx(scipy.stats.binomtest(only_a, only_a + only_b).pvalue)
    assert mid <= exact + 1e-12
    assert mcnemar_test(b, a, "mid-p").p_value == pytest.approx(mid)
    assert 0 < mid <= 1


def test_holm_by_hand_and_in_order():
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, then never below the one before
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1, 1])


def test_what_was_not_tested_does_not_count_in_the_correction():
    np.testing.assert_allclose(holm([[0.01, np.nan], [0.04, np.nan]]), [[0.02, np.nan], [0.04, np.nan]])
    assert np.isnan(holm([np.nan])).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilcoxon_test([1.0], [1.0, 2.0]), "one length"),
        (lambda: wilcoxon_test([np.nan], [1.0]), "without NaN"),
        (lambda: wilcoxon_test([2.0], [1.0], "larger"), "alternative must be"),
        (lambda: mcnemar_test([True], [True, False]), "same length"),
        (lambda: mcnemar_test([True], [False], "midp"), "method must be one of mid-p"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_several_seeds_are_combined_by_twice_the_median():
    a = np.array([[True] * 9 + [False] * 2, [True] * 11, [True] * 6 + [False] * 5])
    b = np.zeros((3, 11), dtype=bool)
    b[0, -2:], b[2, -5:] = True, True
    p_values = [mcnemar([[0, x], [y, 0]], exact=True).pvalue for x, y in ((9, 2), (11, 0), (6, 5))]
    assert mcnemar_over_seeds(a, b) == pytest.approx(min(1, 2 * np.median(p_values)))
    assert mcnemar_over_seeds(a[:1], b[:1]) == pytest.approx(p_values[0])
    assert mcnemar_over_seeds(a, a) == 1.0
