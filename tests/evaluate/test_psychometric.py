import numpy as np
import pytest

from riqa.evaluate.psychometric import fit_psychometric


def answered(n):
    rng = np.random.default_rng(0)
    severity = rng.random(n)
    return severity, rng.random(n) < 1 / (1 + np.exp(-12 * (severity - 0.45)))


def test_the_curve_that_made_the_answers_is_found():
    curve = fit_psychometric(*answered(4_000), np.arange(4_000))
    assert curve.threshold == pytest.approx(0.45, abs=0.02)
    assert curve.low < 0.45 < curve.high
    assert curve.high - curve.low < 0.05
    assert curve.width == pytest.approx(2 * np.log(3) / 12, rel=0.1)
    assert curve.chance_of_bad(curve.threshold + curve.width / 2) == pytest.approx(0.75)


def test_copies_of_a_patient_are_no_evidence():
    severity, bad = answered(300)
    once = fit_psychometric(severity, bad, np.arange(300))
    copied = fit_psychometric(np.tile(severity, 4), np.tile(bad, 4), np.tile(np.arange(300), 4))
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.02)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(20),
        np.ones(20),
        np.linspace(0, 1, 20) > 0.45,
        np.linspace(0, 1, 20) < 0.45,
        np.arange(20) % 2 * (np.arange(20) < 10),
    ],
    ids=["never", "always", "separated", "reversed", "falling"],
)
def test_where_there_is_no_curve_there_is_none(bad):
    assert fit_psychometric(np.linspace(0, 1, 20), bad, np.arange(20)) is None
