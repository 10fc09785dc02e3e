"""Means and areas under the ROC curve over drawn patients and seeds: by hand, and against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from riqa.evaluate import bootstrap
from riqa.evaluate.bootstrap import Draws, auc_difference, auc_interval, mean_interval, pooled_intervals

NOISE = np.random.default_rng(0).random((2, 40))


def ends(interval):
    return [interval.low, interval.high]


def test_patients_are_drawn_whole_and_as_many_as_there_are():
    weights = Draws(np.array(["c", "a", "a", "b", "c", "c"]), 5_000).weights
    assert weights.shape == (5_000, 6)
    assert (weights[:, 0] == weights[:, 4]).all()
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    # A patient is Binomial(3, 1/3) times there: mean 1, variance 2/3.
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.05)
    assert weights.var(axis=0) == pytest.approx(np.full(6, 2 / 3), abs=0.05)


def test_seeds_are_drawn_by_replicate_and_alike_at_each_call():
    draws, by_seed = Draws(np.arange(3), 8_000), np.tile([0.0, 1.0], (8_000, 1))
    drawn = draws.over_seeds(by_seed)
    assert np.unique(drawn).tolist() == [0, 0.5, 1]
    assert drawn.var() == pytest.approx(1 / 8, rel=0.1)
    assert np.array_equal(drawn, draws.over_seeds(by_seed))
    found = mean_interval(np.array([np.ones(50), np.zeros(50)]))  # seeds that disagree
    assert [found.value, *ends(found)] == [0.5, 0.0, 1.0]


def test_means_leave_out_what_is_missing():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, np.nan]])
    found = bootstrap.drawn_means(values, np.array([[1, 1, 1], [2, 0, 2], [0, 2, 1]]))
    assert found == pytest.approx(np.array([[3, 5], [3, np.nan], [11 / 3, 5]]), nan_ok=True)


def test_the_interval_of_a_share_is_that_of_the_binomial_and_wider_where_patients_have_copies():
    share = np.repeat([1.0, 0.0], [60, 140])
    found = mean_interval(share, n_resamples=4_000)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 200)
    assert [found.value, *ends(found)] == pytest.approx([0.3, 0.3 - half, 0.3 + half], abs=0.01)
    pairs = np.repeat(np.arange(100), 2)  # two equal images a patient: half the evidence
    together = mean_interval(share, groups=pairs, n_resamples=4_000)
    assert np.ptp(ends(together)) / np.ptp(ends(found)) == pytest.approx(np.sqrt(2), rel=0.08)


def test_a_pooled_mean_weighs_every_value_alike_and_is_tested_against_zero():
    values = np.array([[1.0, 1.0, np.nan, np.nan], [0.0, np.nan, np.nan, np.nan]])
    (found,) = pooled_intervals(values[None], groups=np.arange(4), n_resamples=200)
    assert found.value == pytest.approx(2 / 3)
    values = np.random.default_rng(0).normal(0.5, 1, (1, 100))
    found = pooled_intervals([values, 0 * values, np.nan * values], groups=np.arange(100))
    plain = mean_interval(values)  # none is missing: nothing to pool
    assert [found[0].value, *ends(found[0])] == pytest.approx([plain.value, *ends(plain)])
    assert found[0].p_value < 0.01
    assert found[1].p_value == 1
    assert np.isnan([found[2].value, *ends(found[2])]).all()


def drawn_rows(groups, times):
    """Yield the rows of whole pairs of images drawn one by one, and two seeds."""
    rng = np.random.default_rng(3)
    for _ in range(times):
        drawn = rng.integers(groups, size=groups)
        yield (drawn[:, None] * 2 + [0, 1]).ravel(), rng.integers(2, size=2)


def test_a_pooled_interval_is_that_of_a_plain_loop():
    values = np.random.default_rng(3).random((2, 30))
    values[0, :12], values[1, 20:] = np.nan, np.nan
    (found,) = pooled_intervals(values[None], groups=np.arange(30) // 2, n_resamples=8_000)
    loop = [np.nanmean(values[seeds][:, rows]) for rows, seeds in drawn_rows(15, 4_000)]
    assert ends(found) == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.012)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_the_weighted_auc_is_that_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    positive = np.r_[True, False, rng.random(n - 2) < 0.4]
    scores, weights = rng.integers(5, size=n) / 4, rng.integers(0, 4, size=(3, n))  # many ties
    weights[:, :2] += 1
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(bootstrap._weighted_auc(positive, scores, weights), expected)


def test_intervals_of_an_auc_and_of_a_difference_are_those_of_a_plain_loop(monkeypatch):
    rng = np.random.default_rng(0)
    positive, groups = rng.random(150) < 0.3, np.arange(150) // 2
    scores = positive * 0.8 + rng.normal(size=(2, 150))
    worse = scores[0] + rng.normal(size=150)

    def auc(s, rows=slice(None)):
        """Compare every positive with every negative image; there are no ties."""
        up, down = s[rows][positive[rows]], s[rows][~positive[rows]]
        return (up[:, None] > down).mean()

    slow, gaps = [], []
    for rows, seeds in drawn_rows(75, 800):
        slow.append(np.mean([auc(scores[s], rows) for s in seeds]))
        gaps.append(auc(scores[0], rows) - auc(worse, rows))
    fast = auc_interval(positive, scores, groups=groups, n_resamples=6000)
    assert fast.value == pytest.approx(np.mean([auc(row) for row in scores]))
    assert ends(fast) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)
    found = auc_difference(positive, scores[0], worse, groups=groups)
    assert found.value == pytest.approx(auc(scores[0]) - auc(worse))
    assert ends(found) == pytest.approx(np.quantile(gaps, [0.025, 0.975]), abs=0.02)
    same = auc_difference(positive, worse, worse, groups=groups)
    assert (same.low, same.high, same.p_value) == (0, 0, 1)
    monkeypatch.setattr(bootstrap, "_NUMBERS_AT_ONCE", 1_000)  # blocks do not matter
    assert auc_interval(positive, scores, groups=groups, n_resamples=6000) == fast


def auc_of_noise(values, **options):
    return auc_interval(np.arange(values.shape[1]) % 2, values, **options)


def pooled(values, groups=np.arange(40), **options):  # noqa: B008
    return pooled_intervals(values[None], groups=groups, **options)[0]


@pytest.mark.parametrize("of", [mean_interval, auc_of_noise, pooled])
@pytest.mark.parametrize(
    "knob", [{"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1}, {"groups": np.arange(40) // 2}]
)
def test_every_knob_is_alive(of, knob):
    before, after = of(NOISE), of(NOISE, **knob)
    assert before == of(NOISE)
    assert before.value == after.value
    assert ends(before) != ends(after)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval(np.zeros((2, 0))), "no image"),
        (lambda: Draws(np.array(["a"]), 0), "n_resamples must be at least 1, got 0"),
        (lambda: mean_interval(np.zeros(3), groups=np.zeros(2)), r"groups \(2,\)"),
        (lambda: mean_interval(np.zeros(3), confidence=95), "between 0 and 1"),
        (lambda: pooled_intervals(np.zeros((1, 1, 5)), groups=np.arange(4)), r"groups \(4,\)"),
        (lambda: auc_interval(np.ones(3), np.arange(3)), "both classes must occur"),
        (lambda: auc_interval(np.array([1, 0]), np.arange(3)), "must be"),
        (lambda: auc_interval(np.array([1, 0]), np.arange(2), n_resamples=0), "at least 1, got 0"),
        (lambda: auc_difference(np.array([1, 0]), np.arange(2), np.zeros((2, 2))), "same shape"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
