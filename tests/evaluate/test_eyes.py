import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.evaluate.eyes import aggregate_eyes

COLUMNS = ["image_id", "patient_id", "eye", "p_overall_0", "p_overall_1", "overall"]


def predictions(rows, **run):
    """Return predictions of two classes for rows of image, patient, eye, P(good), overall."""
    frame = pd.DataFrame(rows, columns=["image_id", "patient_id", "eye", "p_overall_1", "overall"])
    frame = frame.assign(p_overall_0=1 - frame["p_overall_1"])[COLUMNS]
    return frame.assign(p_overall_2=np.nan, p_clarity=0.5, clarity=np.nan, **{"seed": 0, **run})


VIEWS = [
    ("1_l1", "1", "left", 0.75, 1.0),
    ("1_l2", "1", "left", 0.25, 1.0),
    ("1_r1", "1", "right", 0.5, 0.0),
    ("1_r2", "1", "right", 0.125, 1.0),
    ("2_l1", "2", "left", 0.875, 0.0),
]


def test_mean_of_two_views_by_hand():
    eyes = aggregate_eyes(predictions(VIEWS))
    assert eyes["image_id"].tolist() == ["1_l1", "1_r1", "2_l1"]
    assert eyes["p_overall_1"].tolist() == [0.5, 0.3125, 0.875]
    assert eyes["p_overall_0"].tolist() == [0.5, 0.6875, 0.125]
    assert eyes["p_overall_2"].isna().all()
    assert eyes["n_views"].tolist() == [2, 2, 1]


def test_best_view_is_taken_whole():
    eyes = aggregate_eyes(predictions(VIEWS).assign(p_clarity=[0.1, 0.2, 0.3, 0.4, 0.5]), "best")
    assert eyes["p_overall_1"].tolist() == [0.75, 0.5, 0.875]
    assert eyes["p_overall_0"].tolist() == [0.25, 0.5, 0.125]
    assert eyes["p_clarity"].tolist() == [0.1, 0.3, 0.5]


def test_good_is_the_last_class_that_a_model_has():
    frame = predictions(VIEWS[:2]).assign(p_overall_2=[0.125, 0.25])
    assert aggregate_eyes(frame, "best")["p_overall_1"].tolist() == [0.25]


def test_label_is_what_all_views_share():
    eyes = aggregate_eyes(predictions(VIEWS))
    assert eyes["contradicts"].tolist() == [False, True, False]
    assert eyes["overall"].tolist()[::2] == [1, 0]
    assert np.isnan(eyes["overall"][1])
    half = predictions([("a", "1", "left", 0.5, np.nan), ("b", "1", "left", 0.5, 1.0)])
    assert aggregate_eyes(half)[["overall", "contradicts"]].to_numpy().tolist() == [[1, False]]
    assert aggregate_eyes(half)["clarity"].isna().all()


def test_unknown_eyes_and_other_runs_stay_apart():
    rows = [("a", "1", "unknown", 0.25, 1.0), ("b", "1", "unknown", 0.75, 0.0)]
    assert aggregate_eyes(predictions(rows))["p_overall_1"].tolist() == [0.25, 0.75]
    both = pd.concat([predictions(VIEWS, seed=0), predictions(VIEWS, seed=1).assign(p_overall_1=0.5)])
    eyes = aggregate_eyes(both)
    assert eyes["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert eyes["p_overall_1"].tolist() == [0.5, 0.3125, 0.875, 0.5, 0.5, 0.5]


def test_wrong_ways_are_refused():
    with pytest.raises(ValueError, match="'worst'"):
        aggregate_eyes(predictions(VIEWS), "worst")
    with pytest.raises(ValueError, match="overall quality"):
        aggregate_eyes(predictions(VIEWS).drop(columns=["p_overall_0", "p_overall_1", "p_overall_2"]), "best")


@st.composite
def tables(draw):
    n = draw(st.integers(1, 12))
    rows = [
        (
            f"i{k}",
            draw(st.sampled_from("12")),
            draw(st.sampled_from(["left", "right", "unknown"])),
            draw(st.floats(0, 1)),
            draw(st.sampled_from([0.0, 1.0, np.nan])),
        )
        for k in range(n)
    ]
    return predictions(rows)


@settings(max_examples=60, deadline=None)
@given(frame=tables(), how=st.sampled_from(["mean", "best"]), seed=st.integers(0, 100))
def test_against_a_loop_in_any_order(frame, how, seed):
    eyes = aggregate_eyes(frame, how)
    shuffled = frame.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(aggregate_eyes(shuffled, how), eyes, check_exact=True)
    assert eyes["n_views"].sum() == len(frame)
    for eye in eyes.itertuples():
        views = frame[(frame["patient_id"] == eye.patient_id) & (frame["eye"] == eye.eye)]
        if eye.eye == "unknown":
            views = views[views["image_id"] == eye.image_id]
        wanted = views["p_overall_1"].mean() if how == "mean" else views["p_overall_1"].max()
        assert eye.n_views == len(views)
        assert abs(eye.p_overall_1 - wanted) < 1e-12
        assert abs(eye.p_overall_0 + eye.p_overall_1 - 1) < 1e-12
        labels = set(views["overall"].dropna())
        assert eye.contradicts == (len(labels) == 2)
        assert (eye.overall == labels.pop()) if len(labels) == 1 else np.isnan(eye.overall)
        if len(views) == 1:
            pd.testing.assert_frame_equal(
                eyes.loc[[eye.Index], frame.columns], views.set_axis([eye.Index]), check_exact=True
            )
