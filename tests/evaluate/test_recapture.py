import numpy as np
import pytest

from riqa.evaluate.recapture import (
    CAUSES,
    best_detail,
    causes,
    outcome,
    raised,
    repair_any,
    repair_codes,
    repair_one,
    surely,
    worst_detail,
)
from riqa.phantom.repair import REPAIRS


def test_codes_are_those_of_the_repairs():
    details = [[d in repair for d in ("illumination", "clarity", "contrast")] for repair in REPAIRS]
    assert repair_codes(np.array(details)).tolist() == list(range(8))


def test_a_sure_policy_has_one_code():
    assert surely(np.array([0, 5])).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]]
    assert repair_one(np.array([0, 1, 2])).argmax(axis=1).tolist() == [1, 2, 4]


def test_the_worst_detail_has_the_lowest_probability():
    assert worst_detail(np.array([[0.9, 0.2, 0.3], [0.6, 0.9, 0.6]])).tolist() == [1, 0]


def test_a_random_policy_shares_its_chances():
    candidates = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]])
    third = 1 / 3
    assert repair_any(candidates) == pytest.approx(
        np.array(
            [
                [0, 0.5, 0, 0, 0.5, 0, 0, 0],
                [0, 0, 1, 0, 0, 0, 0, 0],
                [1, 0, 0, 0, 0, 0, 0, 0],  # nothing to repair
                [0, third, third, 0, third, 0, 0, 0],
            ]
        )
    )


def test_the_best_detail_leaves_the_lowest_score():
    scores = np.array([[0.9, 0.8, 0.3, 0.1, 0.9, 0.8, 0.3, 0.1], [0.9, 0.2, 0.9, 0.2, 0.5, 0.0, 0.5, 0.0]])
    assert best_detail(scores).tolist() == [1, 0]


def test_outcomes_by_hand():
    """Two photographs, two seeds. The first is raised by clarity alone, the second by nothing single."""
    grades = np.array([[0, 0, 1, 1, 0, 0, 1, 2], [1, 1, 1, 2, 1, 1, 1, 2]])
    up = raised(grades)
    assert up[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert up[1].tolist() == [0, 0, 0, 1, 0, 0, 0, 1]
    worst = np.array([[1, 0], [0, 0]])
    asked = np.array([[True, True], [True, False]])
    student = outcome(repair_one(worst), up, asked)
    np.testing.assert_array_equal(student, [[1, 0], [0, np.nan]])
    other = outcome(repair_any(worst[..., None] != np.arange(3)), up, asked)
    np.testing.assert_array_equal(other, [[0, 0], [0.5, np.nan]])  # seed 2: clarity or contrast


def test_the_difference_from_another_is_one_and_a_half_times_that_from_any():
    rng = np.random.default_rng(0)
    up, worst = rng.integers(2, size=(50, 8)).astype(float), rng.integers(3, size=(2, 50))
    asked = np.full(worst.shape, True)
    student, other, anyone = (
        outcome(policy, up, asked)
        for policy in (
            repair_one(worst),
            repair_any(worst[..., None] != np.arange(3)),
            repair_any(np.full((*worst.shape, 3), True)),
        )
    )
    assert student - other == pytest.approx(1.5 * (student - anyone))
    assert np.ptp(student - other) > 0


def test_what_is_not_known_stays_unknown():
    grades = np.array([[1.0, 2, 1, 2, 1, 2, 1, 2], [np.nan] * 8])
    assert np.isnan(raised(grades)[1]).all()
    found = outcome(repair_one(np.array([[0, 0]])), raised(grades), np.array([[True, True]]))
    np.testing.assert_array_equal(found, [[1, np.nan]])


def test_causes_by_hand():
    grades = np.array(
        [
            [2, 2, 2, 2, 2, 2, 2, 2],
            [1, 1, 1, 1, 2, 2, 2, 2],
            [0, 0, 0, 1, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1, 1, 1],
            [0, 1, 0, 1, 0, 1, 0, 1],
        ]
    )
    assert causes(grades, 3).tolist() == [*CAUSES, CAUSES[1]]
    assert causes(grades[1:2] // 2, 2).tolist() == [CAUSES[1]]
