import numpy as np
import pytest

from riqa.evaluate.means import mean_interval, pooled_intervals


def test_the_interval_of_a_share_is_that_of_the_binomial():
    values = np.repeat([1.0, 0.0], [60, 140])
    found = mean_interval(values, n_resamples=4_000)
    assert found.value == 0.3
    half = 1.96 * np.sqrt(0.3 * 0.7 / 200)
    assert [found.low, found.high] == pytest.approx([0.3 - half, 0.3 + half], abs=0.01)


def test_patients_are_drawn_whole():
    values = np.repeat([1.0, 0.0], [60, 140])
    pairs = np.repeat(np.arange(100), 2)  # two equal images a patient: half the evidence
    alone, together = (mean_interval(values, groups=g, n_resamples=4_000) for g in (None, pairs))
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(2), rel=0.08)


def test_seeds_are_drawn_too():
    values = np.array([np.ones(50), np.zeros(50)])  # seeds disagree, images do not
    found = mean_interval(values, n_resamples=2_000)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize("knob", [{"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1}])
def test_every_knob_is_alive(knob):
    values = np.random.default_rng(0).random((2, 40))
    assert mean_interval(values, **knob) != mean_interval(values)


def test_no_image_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="no image"):
        mean_interval(np.zeros((2, 0)))
    with pytest.raises(ValueError, match=r"groups \(2,\)"):
        mean_interval(np.zeros(3), groups=np.zeros(2))


def test_a_pooled_mean_weighs_every_value_alike():
    values = np.array([[1.0, 1.0, np.nan, np.nan], [0.0, np.nan, np.nan, np.nan]])
    found = pooled_intervals(values[None], groups=np.arange(4), n_resamples=200)
    assert [one.value for one in found] == pytest.approx([2 / 3])


def test_a_pooled_interval_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    values, groups = rng.random((2, 30)), np.arange(30) // 2
    values[0, :12], values[1, 20:] = np.nan, np.nan
    (found,) = pooled_intervals(values[None], groups=groups, n_resamples=8_000)
    replicates = []
    for _ in range(8_000):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(15, size=15)])
        replicates.append(np.nanmean(values[rng.integers(2, size=2)][:, rows]))
    assert [found.low, found.high] == pytest.approx(np.quantile(replicates, [0.025, 0.975]), abs=0.012)


def test_pooled_without_gaps_is_the_plain_mean():
    values, groups = np.random.default_rng(0).random((2, 3, 40)), np.arange(40)
    for pooled, one in zip(pooled_intervals(values, groups=groups), values, strict=True):
        plain = mean_interval(one, groups=groups)
        assert [pooled.value, pooled.low, pooled.high] == pytest.approx([plain.value, plain.low, plain.high])


def test_a_pooled_difference_is_tested_against_zero():
    values = np.random.default_rng(0).normal(0.5, 1, (1, 100))
    p_values = [one.p_value for one in pooled_intervals([values, 0 * values], groups=np.arange(100))]
    assert p_values[0] < 0.01
    assert p_values[1] == 1


def test_no_value_at_all_has_no_mean():
    values = np.stack([np.full((2, 5), np.nan), np.ones((2, 5))])
    nothing, one = pooled_intervals(values, groups=np.arange(5))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert (one.value, one.low, one.high) == (1, 1, 1)
    with pytest.raises(ValueError, match=r"groups \(4,\)"):
        pooled_intervals(values, groups=np.arange(4))


@pytest.mark.parametrize("knob", [{"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1}])
def test_every_knob_of_a_pooled_mean_is_alive(knob):
    values, groups = np.random.default_rng(0).random((1, 2, 40)), np.arange(40)
    assert pooled_intervals(values, groups=groups, **knob) != pooled_intervals(values, groups=groups)
