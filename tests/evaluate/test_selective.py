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


def test_the_area_is_the_mean_of_risks_worked_by_hand():
    """The surest of four is right, the second wrong: risks 0, 1/2, 1/3, 1/4. Twice: two seeds."""
    wrong, p_called = (
        np.array([[0, 1, 0, 0], [1, 0, 0, 0]]),
        np.array([[0.9, 0.8, 0.7, 0.6], [0.8, 0.9, 0.7, 0.6]]),
    )
    assert aurc_interval(wrong, p_called, n_resamples=10).value == pytest.approx(
        (0 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    )


def test_of_equal_sureness_all_enter_together_whatever_their_order():
    wrong = np.array([[1, 0, 0, 1]])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        tied = aurc_interval(wrong[:, order], np.full((1, 4), 0.7), n_resamples=10)
        assert tied.value == pytest.approx(0.5)


def test_an_order_by_luck_has_the_error_and_the_best_order_the_formula(answers):
    """With an error e, luck has the area e, and a perfect order e + (1 - e) ln(1 - e) for many images."""
    n, e = 20_000, 0.2
    wrong = (np.arange(n) < e * n).astype(float)[None]
    luck = aurc_interval(wrong, np.random.default_rng(0).random((1, n)), n_resamples=1)
    assert luck.value == pytest.approx(e, abs=0.01)
    best = aurc_interval(wrong, 1 - wrong + np.linspace(0, 0.1, n), n_resamples=1)
    assert best.value == pytest.approx(e + (1 - e) * np.log(1 - e), abs=1e-3)


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


def test_new_images_are_covered_as_promised_each_class_by_its_own_limit():
    rng, shares = np.random.default_rng(0), {"one": [], "own": []}
    truth, hard = np.repeat([0, 1, 2], [20, 60, 120]), np.array([1.0, 2.0, 0.5])
    for _ in range(300):
        known, new = rng.exponential(hard[truth]), rng.exponential(hard[truth])  # class 1 seems strange
        limits = {"one": [conformal_limit(known, 0.1)] * 3}
        limits["own"] = [conformal_limit(known[truth == k], 0.1) for k in range(3)]
        for which, of_class in limits.items():
            inside = new <= np.array(of_class)[truth]
            shares[which].append([inside.mean(), *(inside[truth == k].mean() for k in range(3))])
    one, own = (np.mean(shares[which], axis=0) for which in ("one", "own"))
    assert one[0] == pytest.approx(0.9, abs=0.01)
    assert one[2] < 0.82
    assert own[1:] == pytest.approx([0.9, 0.9, 0.9], abs=0.02)
