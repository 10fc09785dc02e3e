import numpy as np
import pytest

from riqa.evaluate.means import mean_interval


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
