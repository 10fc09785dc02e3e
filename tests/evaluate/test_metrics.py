"""Scores by hand and against scikit-learn; eyes against a plain loop."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from riqa.evaluate import metrics
from riqa.evaluate.metrics import aggregate_eyes, detail_scores, overall_scores, reliability_table
from riqa.labels import DETAILS, class_names

NAN = float("nan")


def one_hot(labels, n_classes):
    return np.eye(n_classes)[np.asarray(labels)]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_scores_are_those_of_scikit_learn_and_binary_ones_belong_to_the_class_bad(n_classes, seed, n):
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
    slow |= {"f1": slow["f1.bad"]} if n_classes == 2 else {}
    probs = one_hot(labels, n_classes)
    assert overall_scores(y_true, probs) == pytest.approx(slow)
    unknown = overall_scores(np.append(y_true, NAN), np.vstack([probs, probs[:1]]))
    assert unknown == overall_scores(y_true, probs)


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


def test_details_by_hand_and_without_truth():
    # illumination: 1 hit, 1 missed, 1 false alarm, 1 rightly bad; clarity: 2 hits, 1 false alarm; no contrast
    counts = np.array([[[1, 1], [1, 1]], [[0, 1], [0, 2]], [[0, 0], [0, 0]]])
    scores = detail_scores(counts)
    good = [scores[f"{detail}.f1"] for detail in DETAILS]
    assert good == pytest.approx([0.5, 0.8, NAN], nan_ok=True)
    assert (scores["clarity.precision"], scores["clarity.recall"]) == pytest.approx((2 / 3, 1))
    assert np.isnan([scores["contrast.precision"], scores["contrast.recall"]]).all()
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.8) / 2)
    assert scores["macro_f1_both_classes"] == pytest.approx(((0.5 + 0.5) / 2 + (0.8 + 0) / 2) / 2)
    assert np.isnan([*detail_scores(0 * counts).values()]).all()


def test_reliability_by_hand_and_its_error():
    truth, probs = np.array([0, 1, 1, 1, NAN]), np.array([0.1, 0.2, 0.5, 1.0, 0.3])
    table = reliability_table(truth, probs, n_bins=2)
    assert table["count"].tolist() == [2, 2]
    assert table["mean_predicted"].tolist() == pytest.approx([0.15, 0.75])
    assert table["fraction_positive"].tolist() == pytest.approx([0.5, 1.0])
    assert metrics.expected_calibration_error(table) == pytest.approx(0.5 * 0.35 + 0.5 * 0.25)
    assert reliability_table(truth, probs, n_bins=4)["fraction_positive"].isna().tolist() == [
        False,
        True,
        False,
        False,
    ]
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
    both = aggregate_eyes(pd.concat([predictions(VIEWS), predictions(VIEWS, seed=1).assign(p_overall_1=0.5)]))
    assert both["seed"].tolist() == [0, 0, 0, 1, 1, 1]  # other runs stay apart
    assert both["p_overall_1"].tolist() == [0.5, 0.3125, 0.875, 0.5, 0.5, 0.5]
    half = predictions([("a", "1", "left", 0.5, np.nan), ("b", "1", "left", 0.5, 1.0)])
    assert aggregate_eyes(half)[["overall", "contradicts"]].to_numpy().tolist() == [[1, False]]
    assert aggregate_eyes(half)["clarity"].isna().all()


SIDES, GRADES = st.sampled_from(["left", "right", "unknown"]), st.sampled_from([0.0, 1.0, np.nan])


@settings(max_examples=30, deadline=None)
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
