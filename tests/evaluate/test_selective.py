import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riqa.evaluate.selective import aurc_interval, conformal_limit


@pytest.fixture
def answers():
    rng = np.random.default_rng(3)
    p_called = rng.uniform(0.4, 1, (3, 120))
    return (rng.random((3, 120)) > p_called).astype(float), p_called


def by_hand(wrong, p_called):
    """Average, over the images, the risk of all that are at least as sure."""
    return np.mean([wrong[p_called >= p].mean() for p in p_called])


def test_of_equal_sureness_all_enter_together_whatever_their_order():
    wrong = np.array([[1, 0, 0, 1]])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        tied = aurc_interval(wrong[:, order], np.full((1, 4), 0.7), n_resamples=10)
        assert tied.value == pytest.approx(0.5)


def test_replicates_agree_with_a_plain_loop(answers):
    wrong, p_called = answers
    groups = np.repeat(np.arange(40), 3)
    found = aurc_interval(wrong, p_called, groups=groups, n_resamples=2_000)
    assert found.value == pytest.approx(np.mean([by_hand(*one) for one in zip(wrong, p_called, strict=True)]))
    rng, areas = np.random.default_rng(1), []
    for _ in range(600):
        drawn = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(40, size=40)])
        areas.append(np.mean([by_hand(wrong[s, drawn], p_called[s, drawn]) for s in rng.integers(3, size=3)]))
    assert [found.low, found.high] == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.02)
    knobs = ({"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1})
    assert all(aurc_interval(wrong, p_called, groups=groups, **knob) != found for knob in knobs)


def test_the_limit_is_the_place_that_the_promise_asks_for():
    """Of nine images and a tenth to miss it is the ninth; of eight no image is strange enough."""
    scores = np.arange(9, 0, -1) / 10
    assert conformal_limit(scores, 0.1) == 0.9
    assert conformal_limit(scores[:8], 0.1) == conformal_limit(scores[:0], 0.1) == np.inf
    assert conformal_limit(scores, 0.5) == 0.5


@given(st.integers(1, 99), st.integers(1, 99))
def test_rounding_does_not_move_the_place(n, percent):
    limit = conformal_limit(np.arange(1, n + 1), percent / 100)
    place = -(-(n + 1) * (100 - percent) // 100)  # rounded up, in whole numbers
    assert limit == (place if place <= n else np.inf)
