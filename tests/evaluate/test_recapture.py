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
    """Two photographs, two seeds. The first is raised by clarity alone, the second by nothing single."""
    grades = np.array([[0, 0, 1, 1, 0, 0, 1, 2], [1, 1, 1, 2, 1, 1, 1, 2]])
    up = raised(grades)
    assert up.tolist() == [[0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0, 0, 1]]
    worst = np.array([[1, 0], [0, 0]])
    asked = np.array([[True, True], [True, False]])
    np.testing.assert_array_equal(outcome(repair_one(worst), up, asked), [[1, 0], [0, np.nan]])
    other = outcome(repair_any(worst[..., None] != np.arange(3)), up, asked)
    np.testing.assert_array_equal(other, [[0, 0], [0.5, np.nan]])  # seed 2: clarity or contrast


def test_what_is_not_known_stays_unknown():
    grades = np.array([[1.0, 2, 1, 2, 1, 2, 1, 2], [np.nan] * 8])
    assert np.isnan(raised(grades)[1]).all()
    found = outcome(repair_one(np.array([[0, 0]])), raised(grades), np.array([[True, True]]))
    np.testing.assert_array_equal(found, [[1, np.nan]])


def test_causes_by_hand():
    grades = ["22222222", "11112222", "00010001", "11111111", "01010101"]
    grades = np.array([[int(grade) for grade in row] for row in grades])
    assert causes(grades, 3).tolist() == [*CAUSES, CAUSES[1]]
    assert causes(grades[1:2] // 2, 2).tolist() == [CAUSES[1]]
