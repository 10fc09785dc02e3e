import numpy as np
import pytest

from riqa.phantom.grades import expected_grade, true_grade
from riqa.phantom.raters import Rater, graders, rate_overall


def test_the_true_grade_changes_at_the_thresholds():
    scores = np.array([[0.0, 0.42, 0.43], [0.62, 0.63, 1.7]])
    assert true_grade(scores, 3).tolist() == [[2, 2, 1], [1, 0, 0]]
    assert true_grade(np.array([0.51, 0.53]), 2).tolist() == [1, 0]


def test_the_true_grade_is_that_of_a_grader_without_bias_and_noise():
    scores = np.random.default_rng(0).uniform(0, 1.7, 200)
    nobody = [Rater("unbiased", {"overall": 0.0}, {"overall": 0.0})]
    for n_classes in (2, 3):
        grades = rate_overall(scores, nobody, n_classes, np.random.default_rng(1))[:, 0]
        assert np.array_equal(true_grade(scores, n_classes), grades)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_expected_grade_is_the_mean_of_many_panels(n_classes):
    scores, rng = np.array([0.2, 0.40, 0.55, 0.66, 0.86, 1.2]), np.random.default_rng(0)
    drawn = rate_overall(np.repeat(scores, 20_000), graders(), n_classes, rng)
    means = np.median(drawn, axis=1).reshape(len(scores), -1).mean(axis=1)
    assert expected_grade(scores, n_classes, graders()) == pytest.approx(means, abs=0.015)


def test_three_graders_and_two_or_three_classes_are_wanted():
    with pytest.raises(ValueError, match="three, got 5"):
        expected_grade(np.zeros(1), 3, graders(5))
    with pytest.raises(ValueError, match="2 or 3, got 4"):
        true_grade(np.zeros(1), 4)
