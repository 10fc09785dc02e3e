"""Errors that go together: tables worked by hand, and statsmodels and scipy as independent judges."""

import numpy as np
import pytest
from scipy.stats import hypergeom
from scipy.stats import t as student_t
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2

from riqa.studies.error_links import (
    differences,
    link,
    odds_ratio,
    parts,
    phi,
    shuffles,
    strata_of,
    usual,
)

RNG = np.random.default_rng(5)
QUICK = {"n_shuffles": 50, "n_resamples": 100}


def errors(n_seeds=3, n=60):
    """Errors of two kinds that go together on hard photographs, and how hard those are."""
    hard = RNG.random(n)
    a, b = (RNG.random((n_seeds, n)) < 0.6 * hard for _ in range(2))
    return a, b, hard


def test_phi_and_odds_of_a_table_worked_by_hand():
    # both 3, first 1, second 2, neither 6: (18 - 2) / sqrt(4 * 8 * 5 * 7) and 18 / 2
    assert phi(np.array([3, 1, 2, 6])) == pytest.approx(16 / np.sqrt(1120))
    assert odds_ratio(np.array([[3, 1, 2, 6]])) == pytest.approx(9)
    # a second stratum with both 1, first 1, second 1, neither 1, of 4: (18 / 12 + 1 / 4) / (2 / 12 + 1 / 4)
    assert odds_ratio(np.array([[3, 1, 2, 6], [1, 1, 1, 1]])) == pytest.approx(1.75 / (5 / 12))
    assert np.isnan(phi(np.array([3, 0, 4, 0])))
    assert np.isnan(odds_ratio(np.array([[3, 0, 2, 6]])))


def test_values_are_those_of_numpy_and_statsmodels():
    a, b, hard = errors()
    groups = np.arange(60)
    strata = strata_of(hard, groups, 3)
    plain, within = link(a, b, groups, **QUICK), link(a, b, groups, strata, **QUICK)
    assert plain.phi.value == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    tables = []
    for k in range(3):
        x, y = a[:, strata == k], b[:, strata == k]
        tables.append(np.array([[(x & y).sum(), (x & ~y).sum()], [(~x & y).sum(), (~x & ~y).sum()]], float))
    assert plain.odds_ratio.value == pytest.approx(Table2x2(sum(tables), shift_zeros=False).oddsratio)
    assert within.odds_ratio.value == pytest.approx(StratifiedTable(tables).oddsratio_pooled)
    for found in (plain.phi, plain.odds_ratio, within.odds_ratio):
        assert found.low < found.value < found.high


def test_strata_hold_patients_whole_from_easy_to_hard():
    groups = np.array(["p", "p", "q", "r", "s"])
    difficulty = np.array([0.9, 0.3, 0.1, 0.7, 0.2])  # p: 0.6
    assert strata_of(difficulty, groups, 2).tolist() == [1, 1, 0, 1, 0]
    assert strata_of(np.zeros(5), groups, 9).max() == 3, "as many strata as patients at most"


def test_a_shuffle_exchanges_whole_patients_of_one_stratum():
    groups = np.array(["a", "a", "b", "b", "c", "d", "e", "e", "f"])
    strata = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0])
    drawn = list(shuffles(groups, strata, 200))
    pairs = {tuple(places[:4]) for places in drawn}
    assert pairs == {(0, 1, 2, 3), (2, 3, 0, 1)}
    assert all(places[6:8].tolist() == [6, 7] for places in drawn), "alone in its stratum"
    singles = {tuple(places[[4, 5, 8]]) for places in drawn}
    assert len(singles) == 6
    with pytest.raises(ValueError, match="one stratum"):
        next(shuffles(groups, np.arange(9), 1))


def test_shuffles_give_the_p_value_of_fishers_table():
    """One seed, one photograph a patient: how many are both wrong is hypergeometric."""
    a, b = np.zeros((1, 30), bool), np.zeros((1, 30), bool)
    a[0, :10], b[0, 3:15] = True, True  # 7 of 10 and 12 of 30
    found = link(a, b, np.arange(30), n_shuffles=4000, n_resamples=100)
    exact = 2 * hypergeom.sf(6, 30, 12, 10)
    error = 2 * np.sqrt(exact / 2 / 4000)
    assert found.phi.p_value == pytest.approx(exact, abs=4 * error)
    assert found.null.mean() == pytest.approx(0, abs=4 * found.null.std() / np.sqrt(4000))


def test_what_difficulty_explains_is_left_in_the_null_of_its_strata():
    """Errors that depend on the stratum alone: shuffles within it keep all that they have in common."""
    strata = np.repeat([0, 1], 100)
    a, b = (RNG.random((2, 200)) < np.where(strata, 0.7, 0.1) for _ in range(2))
    plain, within = (link(a, b, np.arange(200), s, n_shuffles=300, n_resamples=100) for s in (None, strata))
    assert plain.phi.p_value == pytest.approx(2 / 301), "the least that 300 shuffles can give"
    assert within.null.mean() > plain.null.mean() + 0.2
    assert within.phi.p_value > 0.001


def test_the_parts_of_phi_by_hand_and_in_sum():
    # Two seeds. First photograph: the same network errs in both, (1 - .5)(1 - .5) + (0 - .5)(0 - .5) = .5 over
    # 2 - 1; second: different ones, -.5; third: nobody errs; fourth: everybody in everything, no covariance.
    a = np.array([[1, 1, 0, 1], [0, 0, 0, 1]], bool)
    b = np.array([[1, 0, 0, 1], [0, 1, 0, 1]], bool)
    shared, own = parts(a, b, np.arange(4), n_resamples=50)
    assert own.value == pytest.approx(0)
    assert shared.value == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    same = np.array([[1, 0, 0, 1], [0, 1, 0, 1]], bool)  # now the second as the first: .5 + .5 over 4
    shared, own = parts(same, b, np.arange(4), n_resamples=50)
    assert own.value == pytest.approx(0.25 / 0.25)
    assert shared.value == pytest.approx(0)
    a, b, _ = errors(n_seeds=5)
    assert sum(one.value for one in parts(a, b, np.arange(60), n_resamples=50)) == pytest.approx(
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
    )
    alone = parts(a[:1], b[:1], np.arange(60), n_resamples=50)
    assert all(np.isnan(one.value) and np.isnan(one.low) for one in alone)


def test_within_a_photograph_is_one_network_minus_other_networks():
    """The second part is P(both wrong) of one network minus that of two different ones."""
    a, b, _ = errors(n_seeds=4)
    pairs = [(a[s] & b[t]).mean() for s in range(4) for t in range(4) if s != t]
    gap = (a & b).mean() - np.mean(pairs)
    p, q = a.mean(), b.mean()
    _, own = parts(a, b, np.arange(60), n_resamples=50)
    assert own.value == pytest.approx(gap / np.sqrt(p * (1 - p) * q * (1 - q)))


def test_the_usual_outcome_is_that_of_repairs_of_like_size():
    size, outcome = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1, 0, 0, 0])
    # two groups, below 0.25 and above: 1 of 2, and 0 of 2
    assert usual(size, outcome, np.array([[0.0, 0.24], [0.26, 9.0]]), 2).tolist() == [[0.5] * 2, [0.0] * 2]
    # sizes 0, 0, 0 and 1 have their median at 0: nothing lies below it, so that group takes the mean above
    assert usual(np.array([0, 0, 0, 1]), outcome, np.array([-1, 0, 1]), 2).tolist() == [0.25] * 3
    assert np.isnan(usual(size[:0], outcome[:0], np.zeros((2, 8)), 2)).all()


def test_differences_of_methods_are_those_of_their_tables_seed_by_seed():
    a, b, _ = errors()
    c, d, _ = errors()
    groups = np.repeat(np.arange(30), 2)
    found = differences((a, b), (c, d), groups)
    by_hand = [
        np.corrcoef(x, y)[0, 1] - np.corrcoef(v, w)[0, 1] for x, y, v, w in zip(a, b, c, d, strict=True)
    ]
    assert found["phi"].value == pytest.approx(np.mean(by_hand))

    def log_odds(x, y):
        table = np.array([[(x & y).sum(), (x & ~y).sum()], [(~x & y).sum(), (~x & ~y).sum()]]) + 0.5
        return Table2x2(table, shift_zeros=False).log_oddsratio

    by_hand = [log_odds(x, y) - log_odds(v, w) for x, y, v, w in zip(a, b, c, d, strict=True)]
    assert found["log_odds_ratio"].value == pytest.approx(np.mean(by_hand))
    for one in found.values():
        assert one.low < one.value < one.high
    same = differences((a, b), (a, b), groups)["phi"]
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_difference_has_the_spread_that_left_out_patients_give_it():
    """Against a plain loop over patients, and the formula of Obuchowski and Rockette written out."""
    a, b, _ = errors()
    c, d, _ = errors()
    groups = np.repeat(np.arange(20), 3)

    def by_seed(kept):
        return np.array(
            [
                np.corrcoef(x[kept], y[kept])[0, 1] - np.corrcoef(v[kept], w[kept])[0, 1]
                for x, y, v, w in zip(a, b, c, d, strict=True)
            ]
        )

    left = np.array([by_seed(groups != g) for g in range(20)])
    covariance = 19 / 20 * (left - left.mean(axis=0)).T @ (left - left.mean(axis=0))
    values = by_seed(groups >= 0)
    shared = max(covariance[~np.eye(3, dtype=bool)].mean(), 0)
    variance = values.var(ddof=1) / 3 + shared
    degrees = 2 * (variance / (values.var(ddof=1) / 3)) ** 2
    half = student_t.ppf(0.975, degrees) * np.sqrt(variance)
    found = differences((a, b), (c, d), groups)["phi"]
    assert found.high - found.value == pytest.approx(half)
