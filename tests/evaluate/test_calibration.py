import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from riqa.evaluate.calibration import calibration, fit_psychometric
from riqa.evaluate.metrics import expected_calibration_error, reliability_table


@pytest.fixture
def answers():
    rng = np.random.default_rng(5)
    probs = rng.random((3, 400))
    truth = (rng.random(400) < probs.mean(axis=0)).astype(float)
    return truth, probs


def test_brier_score_and_curve_are_scikit_learns(answers):
    truth, probs = answers
    found = calibration(truth, probs, n_resamples=100)
    assert found.brier.value == pytest.approx(np.mean([brier_score_loss(truth, p) for p in probs]))
    shares, predicted = calibration_curve(np.tile(truth, 3), probs.ravel(), n_bins=10)
    assert found.table["fraction_positive"].to_numpy() == pytest.approx(shares)
    assert found.table["mean_predicted"].to_numpy() == pytest.approx(predicted)


def test_replicates_agree_with_a_plain_loop(answers):
    truth, probs = answers
    groups = np.repeat(np.arange(100), 4)
    found = calibration(truth, probs, groups=groups, n_resamples=2_000)
    rng, errors, last = np.random.default_rng(1), [], []
    for _ in range(600):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(100, size=100)])
        seeds = rng.integers(3, size=3)
        table = reliability_table(np.tile(truth[rows], 3), probs[seeds][:, rows].ravel())
        errors.append(expected_calibration_error(table))
        last.append(table["fraction_positive"].iloc[-1])
    errors = np.array(errors) - (np.mean(errors) - found.ece.value)
    assert [found.ece.low, found.ece.high] == pytest.approx(np.quantile(errors, [0.025, 0.975]), abs=0.012)
    ends = found.table.iloc[-1][["low", "high"]].to_numpy(dtype=float)
    assert ends == pytest.approx(np.nanquantile(last, [0.025, 0.975]), abs=0.04)


def test_the_floor_is_the_mean_distance_of_a_coin_and_that_of_one_of_equal_seeds():
    """One bin of n fair coins: E|share - 1/2| = sqrt(1 / (2 pi n)) for large n; all seeds see the same truths."""
    found = calibration(np.arange(100) % 2, np.full(100, 0.5), n_bins=1, n_resamples=10)
    assert found.floor == pytest.approx(np.sqrt(1 / (2 * np.pi * 100)), rel=0.15)
    probs = np.random.default_rng(2).random(200)
    one, three = (calibration(probs > 0.4, np.tile(probs, (s, 1)), n_resamples=10) for s in (1, 3))
    assert three.floor == pytest.approx(one.floor)


def test_unknown_truth_is_left_out_and_one_class_is_enough():
    found = calibration([1, np.nan, 1], [0.8, 0.1, 0.6], n_resamples=20)
    assert found.brier.value == pytest.approx((0.04 + 0.16) / 2)
    assert found.ece.value == pytest.approx(0.3)
    assert found.table["count"].sum() == 2
    assert found.table.loc[0, ["low", "high"]].isna().all()  # an empty bin has no interval
    with pytest.raises(ValueError, match="no image with a known label"):
        calibration([np.nan, np.nan], [0.2, 0.3])
    with pytest.raises(ValueError, match="probs"):
        calibration([1, 0], [0.2, 0.3, 0.4])


def test_seeds_may_be_asked_different_questions(answers):
    """As two models would be: the table of all seeds is that of their answers one after the other."""
    truth, probs = answers
    each = np.stack([truth, 1 - truth, truth])
    found = calibration(each, probs, n_resamples=100)
    table = reliability_table(each.ravel(), probs.ravel())
    assert found.ece.value == pytest.approx(expected_calibration_error(table))
    assert found.brier.value == pytest.approx(np.mean((each - probs) ** 2))
    same, one = (calibration(asked, probs, n_resamples=100) for asked in (np.tile(truth, (3, 1)), truth))
    assert (same.ece, same.floor, same.brier) == (one.ece, one.floor, one.brier)
    with pytest.raises(ValueError, match="probs"):
        calibration(each[:2], probs)


@pytest.mark.parametrize("knob", [{"n_resamples": 50}, {"confidence": 0.5}, {"seed": 1}, {"n_bins": 4}])
def test_every_knob_is_alive(knob, answers):
    assert calibration(*answers, **knob).ece != calibration(*answers).ece


def test_the_error_lies_in_its_own_interval():
    """Drawing anew adds error: without the shift the value of an honest model lies below its interval."""
    rng = np.random.default_rng(3)
    for _ in range(10):
        probs = rng.random(60)
        found = calibration(rng.random(60) < probs, probs, n_resamples=400).ece
        assert 0 <= found.low <= found.value <= found.high


def answered(n):
    rng = np.random.default_rng(0)
    severity = rng.random(n)
    return severity, rng.random(n) < 1 / (1 + np.exp(-12 * (severity - 0.45)))


def test_the_psychometric_curve_that_made_the_answers_is_found():
    curve = fit_psychometric(*answered(4_000), np.arange(4_000))
    assert curve.threshold == pytest.approx(0.45, abs=0.02)
    assert curve.low < 0.45 < curve.high
    assert curve.high - curve.low < 0.05
    assert curve.width == pytest.approx(2 * np.log(3) / 12, rel=0.1)
    sure = fit_psychometric(*answered(4_000), np.arange(4_000), 0.99)
    assert sure.low < curve.low < curve.high < sure.high


def test_copies_of_a_patient_are_no_evidence():
    severity, bad = answered(300)
    once = fit_psychometric(severity, bad, np.arange(300))
    copied = fit_psychometric(np.tile(severity, 4), np.tile(bad, 4), np.tile(np.arange(300), 4))
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.02)


SEVERITY = np.linspace(0, 1, 20)
NO_CURVE = {
    "never": np.zeros(20),
    "always": np.ones(20),
    "separated": SEVERITY > 0.45,
    "reversed": SEVERITY < 0.45,
    "falling": np.arange(20) % 2 * (np.arange(20) < 10),
}


@pytest.mark.parametrize("why", NO_CURVE)
def test_where_there_is_no_curve_there_is_none(why):
    assert fit_psychometric(SEVERITY, NO_CURVE[why], np.arange(20)) is None
