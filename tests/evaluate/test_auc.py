import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from riqa.evaluate import auc


def test_by_hand_with_a_tie():
    # pairs (positive, negative): 0.9 beats 0.5 and 0.1; 0.5 ties with 0.5 and beats 0.1
    interval = auc.auc_interval(np.array([1, 1, 0, 0]), np.array([0.9, 0.5, 0.5, 0.1]), n_resamples=50)
    assert interval.value == pytest.approx(3.5 / 4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_weighted_auc_agrees_with_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    positive = np.r_[True, False, rng.random(n - 2) < 0.4]
    scores = rng.integers(5, size=n) / 4  # many ties
    weights = rng.integers(0, 4, size=(3, n))
    weights[:, :2] += 1
    got = auc._weighted_auc(positive, scores, weights)
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(got, expected)


def test_the_interval_agrees_with_a_plain_loop():
    rng = np.random.default_rng(0)
    positive = rng.random(150) < 0.3
    scores = positive * 0.8 + rng.normal(size=(2, 150))
    groups = np.arange(150) // 2
    slow = []
    for _ in range(600):
        drawn = (rng.integers(75, size=75)[:, None] * 2 + [0, 1]).ravel()
        pair = rng.integers(2, size=2)
        slow.append(np.mean([roc_auc_score(positive[drawn], scores[s, drawn]) for s in pair]))
    fast = auc.auc_interval(positive, scores, groups=groups, n_resamples=6000)
    assert fast.value == pytest.approx(np.mean([roc_auc_score(positive, row) for row in scores]))
    assert (fast.low, fast.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.02)


def test_confidence_and_seed_are_alive():
    rng = np.random.default_rng(0)
    positive = rng.random(100) < 0.5
    scores = positive + rng.normal(size=100)
    wide = auc.auc_interval(positive, scores, confidence=0.99)
    narrow = auc.auc_interval(positive, scores, confidence=0.6)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert auc.auc_interval(positive, scores, seed=1) != auc.auc_interval(positive, scores)
    assert auc.auc_interval(positive, scores) == auc.auc_interval(positive, scores)


def test_one_class_alone_is_refused():
    with pytest.raises(ValueError, match="both classes must occur"):
        auc.auc_interval(np.ones(3), np.arange(3))
    with pytest.raises(ValueError, match="must be"):
        auc.auc_interval(np.array([1, 0]), np.arange(3))


def test_a_difference_is_of_the_same_draws():
    rng = np.random.default_rng(1)
    positive = rng.random(200) < 0.4
    better = positive + rng.normal(size=200)
    groups = np.arange(200) // 2
    worse = better + rng.normal(size=200)
    found = auc.auc_difference(positive, better, worse, groups=groups)
    assert found.value == pytest.approx(roc_auc_score(positive, better) - roc_auc_score(positive, worse))
    slow = []
    for _ in range(2000):
        drawn = (rng.integers(100, size=100)[:, None] * 2 + [0, 1]).ravel()
        a, b = (roc_auc_score(positive[drawn], scores[drawn]) for scores in (better, worse))
        slow.append(a - b)
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.015)
    same = auc.auc_difference(positive, better, better, groups=groups)
    assert (same.low, same.high, same.p_value) == (0, 0, 1)
    with pytest.raises(ValueError, match="same shape"):
        auc.auc_difference(positive, better, np.stack([worse, worse]))
