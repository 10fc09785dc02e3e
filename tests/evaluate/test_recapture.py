"""Policies of repair and their outcomes, by hand."""

import numpy as np
import pytest

from riqa.evaluate import recapture as r
from riqa.evaluate.recapture import CAUSES, causes, outcome, raised, repair_any, repair_one
from riqa.phantom.repair import REPAIRS


def test_codes_are_those_of_the_repairs_and_a_sure_policy_has_one():
    details = [[d in repair for d in ("illumination", "clarity", "contrast")] for repair in REPAIRS]
    assert r.repair_codes(np.array(details)).tolist() == list(range(8))
    assert r.surely(np.array([0, 5])).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]]
    assert repair_one(np.array([0, 1, 2])).argmax(axis=1).tolist() == [1, 2, 4]


def test_the_worst_detail_has_the_lowest_probability_and_the_best_leaves_the_lowest_score():
    assert r.worst_detail(np.array([[0.9, 0.2, 0.3], [0.6, 0.9, 0.6]])).tolist() == [1, 0]
    scores = np.array([[0.9, 0.8, 0.3, 0.1, 0.9, 0.8, 0.3, 0.1], [0.9, 0.2, 0.9, 0.2, 0.5, 0.0, 0.5, 0.0]])
    assert r.best_detail(scores).tolist() == [1, 0]


def test_a_random_policy_shares_its_chances():
    third = 1 / 3
    expected = [
        [0, 0.5, 0, 0, 0.5, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],  # nothing to repair
        [0, third, third, 0, third, 0, 0, 0],
    ]
    found = repair_any(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]]))
    assert found == pytest.approx(np.array(expected))


def test_outcomes_by_hand():
    """Two seeds. The first photograph is raised by clarity alone, the second by nothing single; who knows of the third?"""
    grades = np.array([[0, 0, 1, 1, 0, 0, 1, 2], [1, 1, 1, 2, 1, 1, 1, 2], [np.nan] * 8])
    up = raised(grades)
    expected = [[0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0, 0, 1], [np.nan] * 8]
    np.testing.assert_array_equal(up, expected)
    worst = np.array([[1, 0, 0], [0, 0, 0]])
    asked = np.array([[True, True, True], [True, False, True]])
    nobody = np.nan
    np.testing.assert_array_equal(
        outcome(repair_one(worst), up, asked), [[1, 0, nobody], [0, nobody, nobody]]
    )
    other = outcome(repair_any(worst[..., None] != np.arange(3)), up, asked)
    np.testing.assert_array_equal(
        other, [[0, 0, nobody], [0.5, nobody, nobody]]
    )  # seed 2: clarity or contrast


def test_the_difference_from_another_is_one_and_a_half_times_that_from_any():
    rng = np.random.default_rng(0)
    up, worst = rng.integers(2, size=(50, 8)).astype(float), rng.integers(3, size=(2, 50))
    others = worst[..., None] != np.arange(3)
    policies = repair_one(worst), repair_any(others), repair_any(np.ones_like(others))
    student, other, anyone = (outcome(policy, up, np.full(worst.shape, True)) for policy in policies)
    assert student - other == pytest.approx(1.5 * (student - anyone))
    assert np.ptp(student - other) > 0


def test_causes_by_hand():
    grades = ["22222222", "11112222", "00010001", "11111111", "01010101"]
    grades = np.array([[int(grade) for grade in row] for row in grades])
    assert causes(grades, 3).tolist() == [*CAUSES, CAUSES[1]]
    assert causes(grades[1:2] // 2, 2).tolist() == [CAUSES[1]]
