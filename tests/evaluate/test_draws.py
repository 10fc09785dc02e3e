import numpy as np
import pytest

from riqa.evaluate.draws import drawn_means, drawn_seeds, image_weights


def test_patients_are_drawn_whole_and_as_many_as_there_are():
    groups = np.array(["c", "a", "a", "b", "c", "c"])
    weights = image_weights(groups, 5_000, np.random.default_rng(0))
    assert weights.shape == (5_000, 6)
    assert (weights[:, 0] == weights[:, 4]).all()
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    # A patient is Binomial(3, 1/3) times there: mean 1, variance 2/3.
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.05)
    assert weights.var(axis=0) == pytest.approx(np.full(6, 2 / 3), abs=0.05)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no image"):
        image_weights(np.array([]), 10, np.random.default_rng(0))
    with pytest.raises(ValueError, match="n_resamples must be at least 1, got 0"):
        image_weights(np.array(["a"]), 0, np.random.default_rng(0))


def test_means_leave_out_what_is_missing():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, np.nan]])
    found = drawn_means(values, np.array([[1, 1, 1], [2, 0, 2], [0, 2, 1]]))
    assert found == pytest.approx(np.array([[3, 5], [3, np.nan], [11 / 3, 5]]), nan_ok=True)


def test_seeds_are_drawn_by_replicate():
    by_seed = np.tile([0.0, 1.0], (8_000, 1))
    drawn = drawn_seeds(by_seed, np.random.default_rng(0))
    assert np.unique(drawn).tolist() == [0, 0.5, 1]
    assert drawn.var() == pytest.approx(1 / 8, rel=0.1)
