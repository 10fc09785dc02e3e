import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from riqa.evaluate import metrics
from riqa.evaluate.metrics import aggregate_eyes, detail_scores, overall_scores, reliability_table
from riqa.labels import DETAILS, class_names

NAN = float("nan")


def one_hot(labels, n_classes):
    return np.eye(n_classes)[np.asarray(labels)]


def test_three_classes_by_hand():
    # truth x prediction: reject 2 right, 1 called usable; usable 1 right, 1 called good; good 3 right
    y_true = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    scores = overall_scores(y_true, one_hot([0, 0, 1, 1, 2, 2, 2, 2], 3))
    expected = {
        "macro_f1": (4 / 5 + 1 / 2 + 6 / 7) / 3, "precision": (2 / 2 + 1 / 2 + 3 / 4) / 3,
        "recall": (2 / 3 + 1 / 2 + 3 / 3) / 3, "accuracy": 6 / 8,
        "quadratic_kappa": 1 - 2 / ((6 + 4 * 12 + 4 + 8 + 4 * 6 + 6) / 8),  # two errors by one class
        "f1.reject": 2 * 2 / (3 + 2), "f1.usable": 2 * 1 / (2 + 2), "f1.good": 2 * 3 / (3 + 4),
    }  # fmt: skip
    assert scores == pytest.approx(expected)
    assert list(scores) == list(expected)


def test_binary_scores_belong_to_the_class_bad():
    # 3 bad of which 2 found, 5 good of which 1 called bad
    y_true = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    scores = overall_scores(y_true, one_hot([0, 0, 1, 0, 1, 1, 1, 1], 2))
    of_bad = dict.fromkeys(["precision", "recall", "f1", "f1.bad"], 2 / 3)
    others = {"accuracy": 6 / 8, "f1.good": 4 / 5, "macro_f1": 11 / 15, "quadratic_kappa": 1 - 2 * 8 / 30}
    assert scores == pytest.approx(of_bad | others)


def test_images_of_unknown_quality_are_left_out():
    probs = one_hot([0, 0, 1, 1, 2], 3)
    known = overall_scores(np.array([0, 1, 1, 2]), probs[[0, 1, 2, 4]])
    assert overall_scores(np.array([0, 1, 1, NAN, 2]), probs) == known


@settings(max_examples=60)
@given(st.integers(2, 3), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_scores_are_those_of_scikit_learn(n_classes, seed, n):
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
    with warnings.catch_warnings(action="ignore"):  # of one class there is no kappa
        slow["quadratic_kappa"] = cohen_kappa_score(
            y_true, labels, labels=range(n_classes), weights="quadratic"
        )
    slow |= {"f1": slow["f1.bad"]} if n_classes == 2 else {}
    assert overall_scores(y_true, one_hot(labels, n_classes)) == pytest.approx(slow, nan_ok=True)


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
        overall_scores(np.array(y_true, dtype=float), probs)


def test_details_by_hand():
    y_true = np.array([[1, 1, 0], [1, 0, 0], [0, NAN, 1], [0, 1, 1]])
    probs = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.6], [0.7, 0.9, 0.7], [0.1, 0.6, 0.8]])
    scores = detail_scores(y_true, probs)
    # illumination: 1 hit, 1 missed, 1 false alarm; clarity: 2 hits (0.5 counts as good), 1 false alarm
    assert [scores[f"{detail}.f1"] for detail in DETAILS] == pytest.approx([0.5, 0.8, 0.8])
    assert (scores["clarity.precision"], scores["clarity.recall"]) == pytest.approx((2 / 3, 1))
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.8 + 0.8) / 3)
    bad = [0.5, 0.0, 2 * 1 / (2 + 1)]  # F1 of the class bad, detail by detail
    both = np.mean([(0.5 + bad[0]) / 2, 0.4, (0.8 + bad[2]) / 2])
    assert scores["macro_f1_both_classes"] == pytest.approx(both)


def test_a_detail_without_truth_has_no_score_and_no_part_in_the_mean():
    scores = detail_scores(np.array([[1, NAN, 1], [0, NAN, 1]]), np.full((2, 3), 0.9))
    assert math.isnan(scores["clarity.f1"])
    assert math.isnan(scores["clarity.recall"])
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan([*detail_scores(np.full((2, 3), NAN), np.full((2, 3), 0.9)).values()]).all()
    with pytest.raises(ValueError, match="must both be"):
        detail_scores(np.ones((2, 2)), np.ones((2, 2)))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30))
def test_details_agree_with_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    y_true, probs = rng.integers(2, size=(n, 3)).astype(float), rng.random((n, 3))
    scores, both = detail_scores(y_true, probs), []
    for k, detail in enumerate(DETAILS):
        labels = probs[:, k] >= 0.5
        for name, of in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            assert scores[f"{detail}.{name}"] == pytest.approx(of(y_true[:, k], labels, zero_division=0))
        both.append(f1_score(y_true[:, k], labels, average="macro", labels=[0, 1], zero_division=0))
    assert scores["macro_f1_both_classes"] == pytest.approx(np.mean(both))


def test_reliability_by_hand_and_its_error():
    truth, probs = np.array([0, 1, 1, 1, NAN]), np.array([0.1, 0.2, 0.5, 1.0, 0.3])
    table = reliability_table(truth, probs, n_bins=2)
    assert table["count"].tolist() == [2, 2]
    assert table["mean_predicted"].tolist() == pytest.approx([0.15, 0.75])
    assert table["fraction_positive"].tolist() == pytest.approx([0.5, 1.0])
    assert metrics.expected_calibration_error(table) == pytest.approx(0.5 * 0.35 + 0.5 * 0.25)
    honest = reliability_table(np.array([1, 0, 0, 0, 1, 1, 1, 0]), np.repeat([0.25, 0.75], 4))
    assert metrics.expected_calibration_error(honest) == pytest.approx(0)
    assert honest["fraction_positive"].isna().sum() == 8
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        reliability_table(np.array([1, 0]), np.array([0.5, 1.5]))


def predictions(rows, **run):
    """Return predictions of two classes for rows of image, patient, eye, P(good), overall."""
    frame = pd.DataFrame(rows, columns=["image_id", "patient_id", "eye", "p_overall_1", "overall"])
    frame = frame.assign(p_overall_0=1 - frame["p_overall_1"], p_overall_2=np.nan)
    return frame.assign(p_clarity=0.5, clarity=np.nan, **{"seed": 0, **run})


VIEWS = [
    ("1_l1", "1", "left", 0.75, 1.0),
    ("1_l2", "1", "left", 0.25, 1.0),
    ("1_r1", "1", "right", 0.5, 0.0),
    ("1_r2", "1", "right", 0.125, 1.0),
    ("2_l1", "2", "left", 0.875, 0.0),
]


def test_views_of_an_eye_are_averaged_and_their_label_is_what_all_share():
    eyes = aggregate_eyes(predictions(VIEWS))
    assert eyes["image_id"].tolist() == ["1_l1", "1_r1", "2_l1"]
    assert eyes["p_overall_1"].tolist() == [0.5, 0.3125, 0.875]
    assert eyes["p_overall_0"].tolist() == [0.5, 0.6875, 0.125]
    assert eyes["p_overall_2"].isna().all()
    assert eyes["n_views"].tolist() == [2, 2, 1]
    assert eyes["contradicts"].tolist() == [False, True, False]
    assert np.array_equal(eyes["overall"], [1, NAN, 0], equal_nan=True)
    half = predictions([("a", "1", "left", 0.5, np.nan), ("b", "1", "left", 0.5, 1.0)])
    assert aggregate_eyes(half)[["overall", "contradicts"]].to_numpy().tolist() == [[1, False]]
    assert aggregate_eyes(half)["clarity"].isna().all()


def test_other_runs_stay_apart():
    both = pd.concat([predictions(VIEWS, seed=0), predictions(VIEWS, seed=1).assign(p_overall_1=0.5)])
    eyes = aggregate_eyes(both)
    assert eyes["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert eyes["p_overall_1"].tolist() == [0.5, 0.3125, 0.875, 0.5, 0.5, 0.5]


SIDES, GRADES = st.sampled_from(["left", "right", "unknown"]), st.sampled_from([0.0, 1.0, np.nan])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("12"), SIDES, st.floats(0, 1), GRADES), min_size=1, max_size=12),
    st.integers(0, 100),
)
def test_eyes_against_a_loop_in_any_order(rows, seed):
    frame = predictions([(f"i{k}", *row) for k, row in enumerate(rows)])
    eyes = aggregate_eyes(frame)
    shuffled = frame.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(aggregate_eyes(shuffled), eyes, check_exact=True)
    assert eyes["n_views"].sum() == len(frame)
    for eye in eyes.itertuples():
        views = frame[(frame["patient_id"] == eye.patient_id) & (frame["eye"] == eye.eye)]
        if eye.eye == "unknown":
            views = views[views["image_id"] == eye.image_id]
        assert eye.n_views == len(views)
        assert abs(eye.p_overall_1 - views["p_overall_1"].mean()) < 1e-12
        assert abs(eye.p_overall_0 + eye.p_overall_1 - 1) < 1e-12
        labels = set(views["overall"].dropna())
        assert eye.contradicts == (len(labels) == 2)
        assert (eye.overall == labels.pop()) if len(labels) == 1 else np.isnan(eye.overall)
        if len(views) == 1:
            alone, view = eyes.loc[[eye.Index], frame.columns], views.set_axis([eye.Index])
            pd.testing.assert_frame_equal(alone, view, check_exact=True)
