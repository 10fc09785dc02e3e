import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from riqa.evaluate import bootstrap
from riqa.evaluate.bootstrap import Draws, auc_interval, mean_interval, pooled_intervals

SHARE = np.repeat([1.0, 0.0], [60, 140])
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


def test_means_leave_out_what_is_missing():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, np.nan]])
    found = bootstrap.drawn_means(values, np.array([[1, 1, 1], [2, 0, 2], [0, 2, 1]]))
    assert found == pytest.approx(np.array([[3, 5], [3, np.nan], [11 / 3, 5]]), nan_ok=True)


def test_the_interval_of_a_share_is_that_of_the_binomial_and_wider_where_patients_have_copies():
    found = mean_interval(SHARE, n_resamples=4_000)
    half = 1.96 * np.sqrt(0.3 * 0.7 / 200)
    assert found.value == 0.3
    assert ends(found) == pytest.approx([0.3 - half, 0.3 + half], abs=0.01)
    pairs = np.repeat(np.arange(100), 2)  # two equal images a patient: half the evidence
    together = mean_interval(SHARE, groups=pairs, n_resamples=4_000)
    assert np.ptp(ends(together)) / np.ptp(ends(found)) == pytest.approx(np.sqrt(2), rel=0.08)


def test_a_pooled_mean_weighs_every_value_alike():
    values = np.array([[1.0, 1.0, np.nan, np.nan], [0.0, np.nan, np.nan, np.nan]])
    found, nothing = pooled_intervals([values, np.nan * values], groups=np.arange(4), n_resamples=200)
    assert found.value == pytest.approx(2 / 3)
    assert np.isnan([nothing.value, *ends(nothing)]).all()
    complete, groups = np.random.default_rng(0).random((2, 3, 40)), np.arange(40)
    for pooled, one in zip(pooled_intervals(complete, groups=groups), complete, strict=True):
        plain = mean_interval(one, groups=groups)
        assert [pooled.value, *ends(pooled)] == pytest.approx([plain.value, *ends(plain)])


def test_a_pooled_interval_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    values, groups = rng.random((2, 30)), np.arange(30) // 2
    values[0, :12], values[1, 20:] = np.nan, np.nan
    (found,) = pooled_intervals(values[None], groups=groups, n_resamples=8_000)
    replicates = []
    for _ in range(8_000):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(15, size=15)])
        replicates.append(np.nanmean(values[rng.integers(2, size=2)][:, rows]))
    assert ends(found) == pytest.approx(np.quantile(replicates, [0.025, 0.975]), abs=0.012)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_the_weighted_auc_is_that_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    positive = np.r_[True, False, rng.random(n - 2) < 0.4]
    scores, weights = rng.integers(5, size=n) / 4, rng.integers(0, 4, size=(3, n))  # many ties
    weights[:, :2] += 1
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(bootstrap._weighted_auc(positive, scores, weights), expected)


def test_interval_of_an_auc_is_that_of_a_plain_loop(monkeypatch):
    rng = np.random.default_rng(0)
    positive, groups = rng.random(150) < 0.3, np.arange(150) // 2
    scores = positive * 0.8 + rng.normal(size=(2, 150))
    auc, slow = lambda rows, s: roc_auc_score(positive[rows], s[rows]), []
    for _ in range(800):
        rows = (rng.integers(75, size=75)[:, None] * 2 + [0, 1]).ravel()
        slow.append(np.mean([auc(rows, scores[s]) for s in rng.integers(2, size=2)]))
    fast = auc_interval(positive, scores, groups=groups, n_resamples=6000)
    assert fast.value == pytest.approx(np.mean([roc_auc_score(positive, row) for row in scores]))
    assert ends(fast) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)
    monkeypatch.setattr(bootstrap, "_NUMBERS_AT_ONCE", 1_000)  # blocks do not matter
    assert auc_interval(positive, scores, groups=groups, n_resamples=6000) == fast


def auc_of_noise(values, **options):
    return auc_interval(np.arange(values.shape[1]) % 2, values, **options)


@pytest.mark.parametrize(
    "knob", [{"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1}, {"groups": np.arange(40) // 2}]
)
def test_every_knob_is_alive(knob):
    def pooled(values, **options):
        return pooled_intervals(values[None], **{"groups": np.arange(40)} | options)[0]

    for of in (mean_interval, auc_of_noise, pooled):
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
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
