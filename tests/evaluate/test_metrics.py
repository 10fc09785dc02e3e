import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, precision_score, recall_score

from riqa.evaluate import metrics
from riqa.evaluate.metrics import aggregate_eyes, reliability_table, scores_from_counts
from riqa.labels import class_names

NAN = np.nan


@settings(max_examples=60)
@given(st.integers(2, 3), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_scores_are_those_of_scikit_learn(n_classes, seed, n):
    rng = np.random.default_rng(seed)
    y_true, labels = rng.integers(n_classes, size=(2, n))
    names, codes = class_names(n_classes), range(n_classes)
    by_class = f1_score(y_true, labels, labels=codes, average=None, zero_division=0)
    slow = {f"f1.{name}": by_class[code] for code, name in enumerate(names)}
    slow["macro_f1"] = np.mean(list(slow.values()))
    options = {"average": "macro", "labels": codes} if n_classes == 3 else {"pos_label": 0}
    slow["precision"] = precision_score(y_true, labels, zero_division=0, **options)
    slow["recall"] = recall_score(y_true, labels, zero_division=0, **options)
    slow["accuracy"] = np.mean(y_true == labels)
    with warnings.catch_warnings(action="ignore"):  # of one class there is no kappa
        slow["quadratic_kappa"] = cohen_kappa_score(y_true, labels, labels=codes, weights="quadratic")
    slow |= {"f1": slow["f1.bad"]} if n_classes == 2 else {}
    counts = confusion_matrix(y_true, labels, labels=codes)
    found = {name: float(score) for name, score in scores_from_counts(counts).items()}
    assert found == pytest.approx(slow, nan_ok=True)
    with pytest.raises(ValueError, match="n_classes must be 2 or 3"):
        scores_from_counts(np.ones((4, 4)))


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
    for wrong, message in ((([1, 0], [0.5, 1.5]), r"\[0, 1\]"), (([2], [0.5]), "must be 0, 1 or NaN")):
        with pytest.raises(ValueError, match=message):
            reliability_table(*wrong)


def predictions(rows, **run):
    """Return predictions of two classes for rows of image, patient, eye, P(good), overall."""
    frame = pd.DataFrame(rows, columns=["image_id", "patient_id", "eye", "p_overall_1", "overall"])
    frame = frame.assign(p_overall_0=1 - frame["p_overall_1"], p_overall_2=np.nan)
    return frame.assign(p_clarity=0.5, clarity=np.nan, **{"seed": 0, **run})


def test_other_runs_stay_apart():
    views = [("1_r1", "1", "right", 0.5, 0.0), ("1_r2", "1", "right", 0.125, 1.0)]
    eyes = aggregate_eyes(pd.concat(predictions(views, seed=seed) for seed in (0, 1)))
    assert eyes["seed"].tolist() == [0, 1]
    assert eyes["p_overall_1"].tolist() == [0.3125, 0.3125]
    assert eyes[["clarity", "p_overall_2"]].isna().all(axis=None)


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
    for eye in eyes.itertuples():
        views = frame[(frame["patient_id"] == eye.patient_id) & (frame["eye"] == eye.eye)]
        if eye.eye == "unknown":
            views = views[views["image_id"] == eye.image_id]
        assert eye.image_id == views["image_id"].min()
        assert abs(eye.p_overall_1 - views["p_overall_1"].mean()) < 1e-12
        assert abs(eye.p_overall_0 + eye.p_overall_1 - 1) < 1e-12
        labels = set(views["overall"].dropna())
        assert (eye.overall == labels.pop()) if len(labels) == 1 else np.isnan(eye.overall)
        if len(views) == 1:
            alone, view = eyes.loc[[eye.Index], frame.columns], views.set_axis([eye.Index])
            pd.testing.assert_frame_equal(alone, view, check_exact=True)
