import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score, precision_score, recall_score

from riqa.evaluate import metrics
from riqa.labels import DETAILS, class_names

NAN = float("nan")


def one_hot(labels, n_classes):
    return np.eye(n_classes)[np.asarray(labels)]


def test_three_classes_by_hand():
    # truth x prediction: reject 2 right, 1 called usable; usable 1 right, 1 called good; good 3 right
    y_true = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    scores = metrics.overall_scores(y_true, one_hot([0, 0, 1, 1, 2, 2, 2, 2], 3))
    assert scores["f1.reject"] == pytest.approx(2 * 2 / (3 + 2))
    assert scores["f1.usable"] == pytest.approx(2 * 1 / (2 + 2))
    assert scores["f1.good"] == pytest.approx(2 * 3 / (3 + 4))
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 1 / 2 + 6 / 7) / 3)
    assert scores["precision"] == pytest.approx((2 / 2 + 1 / 2 + 3 / 4) / 3)
    assert scores["recall"] == pytest.approx((2 / 3 + 1 / 2 + 3 / 3) / 3)
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert list(scores) == [
        "macro_f1", "precision", "recall", "accuracy", "f1.reject", "f1.usable", "f1.good"
    ]  # fmt: skip


def test_binary_scores_belong_to_the_class_bad():
    # 3 bad of which 2 found, 5 good of which 1 called bad
    y_true = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    scores = metrics.overall_scores(y_true, one_hot([0, 0, 1, 0, 1, 1, 1, 1], 2))
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == scores["f1.bad"] == pytest.approx(2 / 3)
    assert scores["f1.good"] == pytest.approx(2 * 4 / (5 + 5))
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_images_of_unknown_quality_are_left_out():
    probs = one_hot([0, 0, 1, 1, 2], 3)
    known = metrics.overall_scores(np.array([0, 1, 1, 2]), probs[[0, 1, 2, 4]])
    assert metrics.overall_scores(np.array([0, 1, 1, NAN, 2]), probs) == known


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_counts_give_what_scikit_learn_gives(n_classes, seed, n):
    rng = np.random.default_rng(seed)
    y_true, labels = rng.integers(n_classes, size=(2, n))
    slow = {
        f"f1.{name}": f1_score(y_true == code, labels == code, zero_division=0)
        for code, name in enumerate(class_names(n_classes))
    }
    slow["macro_f1"] = np.mean(list(slow.values()))
    options = {"average": "macro", "labels": range(n_classes)} if n_classes == 3 else {"pos_label": 0}
    slow["precision"] = precision_score(y_true, labels, zero_division=0, **options)
    slow["recall"] = recall_score(y_true, labels, zero_division=0, **options)
    slow["accuracy"] = np.mean(y_true == labels)
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (y_true, labels), 1)
    fast = metrics.scores_from_counts(counts[None])
    exact = metrics.overall_scores(y_true, one_hot(labels, n_classes))
    assert set(fast) == set(exact) == set(slow) | ({"f1"} if n_classes == 2 else set())
    for name, value in slow.items():
        assert fast[name][0] == pytest.approx(value)
        assert exact[name] == pytest.approx(value)


@pytest.mark.parametrize(
    ("y_true", "probs", "message"),
    [
        ([0, 3], one_hot([0, 1], 3), "outside the codes 0..2"),
        ([0, 1, 1], one_hot([0, 1], 3), "must be"),
        ([NAN, NAN], one_hot([0, 1], 3), "no image with a known label"),
        ([0, 1], np.full((2, 3), NAN), "without NaN"),
        ([0, 1], one_hot([0, 1], 4), "n_classes must be 2 or 3"),
    ],
)
def test_wrong_arguments_are_named(y_true, probs, message):
    with pytest.raises(ValueError, match=message):
        metrics.overall_scores(np.array(y_true, dtype=float), probs)


def test_details_by_hand():
    y_true = np.array([[1, 1, 0], [1, 0, 0], [0, NAN, 1], [0, 1, 1]])
    probs = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.6], [0.7, 0.9, 0.7], [0.1, 0.6, 0.8]])
    scores = metrics.detail_scores(y_true, probs)
    # illumination: 1 hit, 1 missed, 1 false alarm; clarity: 2 hits (0.5 counts as good), 1 false alarm
    assert scores["illumination.f1"] == pytest.approx(0.5)
    assert scores["clarity.f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert (scores["clarity.precision"], scores["clarity.recall"]) == pytest.approx((2 / 3, 1))
    assert scores["contrast.f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.8 + 0.8) / 3)
    bad = [0.5, 0.0, 2 * 1 / (2 + 1)]  # F1 of the class bad, detail by detail
    assert scores["macro_f1_both_classes"] == pytest.approx(
        np.mean([(0.5 + bad[0]) / 2, 0.4, (0.8 + bad[2]) / 2])
    )


def test_a_detail_without_truth_has_no_score_and_no_part_in_the_mean():
    y_true = np.array([[1, NAN, 1], [0, NAN, 1]])
    scores = metrics.detail_scores(y_true, np.full((2, 3), 0.9))
    assert math.isnan(scores["clarity.f1"])
    assert math.isnan(scores["clarity.recall"])
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    nothing = metrics.detail_scores(np.full((2, 3), NAN), np.full((2, 3), 0.9))
    assert all(math.isnan(value) for value in nothing.values())


def test_calling_all_details_good_scores_on_good_alone():
    y_true = np.array([[1, 1, 1]] * 9 + [[0, 0, 0]])
    scores = metrics.detail_scores(y_true, np.ones((10, 3)))
    assert scores["macro_f1"] == pytest.approx(18 / 19)
    assert scores["macro_f1_both_classes"] == pytest.approx(9 / 19)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30))
def test_details_agree_with_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    y_true, probs = rng.integers(2, size=(n, 3)).astype(float), rng.random((n, 3))
    scores = metrics.detail_scores(y_true, probs)
    both = []
    for k, detail in enumerate(DETAILS):
        labels = probs[:, k] >= 0.5
        assert scores[f"{detail}.f1"] == pytest.approx(f1_score(y_true[:, k], labels, zero_division=0))
        assert scores[f"{detail}.precision"] == pytest.approx(
            precision_score(y_true[:, k], labels, zero_division=0)
        )
        both.append(f1_score(y_true[:, k], labels, average="macro", labels=[0, 1], zero_division=0))
    assert scores["macro_f1_both_classes"] == pytest.approx(np.mean(both))


def test_confusion_rows_sum_to_one_and_average_over_seeds():
    y_true = np.array([0, 0, 1, 1, NAN])
    matrix = metrics.confusion(y_true, np.array([[0, 1, 1, 1, 0], [0, 0, 1, 0, 2]]), 3)
    np.testing.assert_allclose(matrix[:2], [[0.75, 0.25, 0], [0.25, 0.75, 0]])
    assert np.isnan(matrix[2]).all()


def test_reliability_by_hand_and_ece():
    table = metrics.reliability_table(
        np.array([0, 1, 1, 1, NAN]), np.array([0.1, 0.2, 0.5, 1.0, 0.3]), n_bins=2
    )
    assert table["count"].tolist() == [2, 2]
    assert table["mean_predicted"].tolist() == pytest.approx([0.15, 0.75])
    assert table["fraction_positive"].tolist() == pytest.approx([0.5, 1.0])
    assert metrics.expected_calibration_error(table) == pytest.approx(0.5 * 0.35 + 0.5 * 0.25)


def test_reliability_agrees_with_scikit_learn():
    rng = np.random.default_rng(3)
    probs = rng.random(500)
    y_true = rng.random(500) < probs**2
    table = metrics.reliability_table(y_true, probs, n_bins=7)
    fraction, mean = calibration_curve(y_true, probs, n_bins=7)
    np.testing.assert_allclose(table["fraction_positive"], fraction)
    np.testing.assert_allclose(table["mean_predicted"], mean)
    assert table["count"].sum() == 500


def test_perfectly_calibrated_predictions_have_no_calibration_error():
    probs = np.repeat([0.25, 0.75], 4)
    table = metrics.reliability_table(np.array([1, 0, 0, 0, 1, 1, 1, 0]), probs)
    assert metrics.expected_calibration_error(table) == pytest.approx(0)
    assert table["fraction_positive"].isna().sum() == 8
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        metrics.reliability_table(np.array([1, 0]), np.array([0.5, 1.5]))


def test_good_against_the_rest_by_labels_is_the_f1_of_good():
    rng = np.random.default_rng(0)
    truth, probs = rng.integers(3, size=200), rng.dirichlet(np.ones(3), size=200)
    found = metrics.good_against_rest(truth, probs)
    assert found["f1"] == pytest.approx(metrics.overall_scores(truth, probs)["f1.good"])
    answers = probs.argmax(axis=1) == 2
    assert found["precision"] == pytest.approx(precision_score(truth == 2, answers))
    assert found["recall"] == pytest.approx(recall_score(truth == 2, answers))
    assert found["accuracy"] == pytest.approx(np.mean((truth == 2) == answers))


def test_good_against_the_rest_by_probabilities_needs_more_than_all_others_together():
    probs = np.array([[0.3, 0.3, 0.4], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.35, 0.45]])
    truth = np.array([2, 2, 0, 1.0])
    assert metrics.good_against_rest(truth, probs)["f1"] == pytest.approx(2 * 2 / (2 + 3))
    assert metrics.good_against_rest(truth, probs, "probabilities")["f1"] == pytest.approx(2 / 3)
    known = metrics.good_against_rest(np.array([2, np.nan, 0, 1]), probs)
    assert known == metrics.good_against_rest(truth[[0, 2, 3]], probs[[0, 2, 3]])
    with pytest.raises(ValueError, match="merge"):
        metrics.good_against_rest(truth, probs, "votes")
    with pytest.raises(ValueError, match="must be"):
        metrics.good_against_rest(truth[:3], probs)
