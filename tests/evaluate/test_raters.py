import numpy as np
import pandas as pd
import pytest

from riqa.evaluate import raters
from riqa.labels import DETAILS

NAN = np.nan


def test_a_raters_two_sessions_are_compared_on_what_both_hold():
    first = [(f"i{k}", "a", "clarity", s, 1) for k, s in enumerate([1, 1, 0, 0, 1])]
    second = [(f"i{k}", "a", "clarity", s, 2) for k, s in enumerate([1, 0, 0, 0])]
    others = [("i0", "b", "contrast", 1, 1), ("i1", "b", "contrast", 1, 1), ("i0", "b", "contrast", 1, 2)]
    columns = ["image_id", "rater", "item", "score", "session"]
    found = raters.intra_rater(
        pd.DataFrame(first + second + others, columns=columns), [f"i{k}" for k in range(5)]
    )
    assert found[["rater", "item", "n"]].to_numpy().tolist() == [["a", "clarity", 4], ["b", "contrast", 1]]
    assert found["agreement"].tolist() == [0.75, 1]
    # good: 2 of 4, then 1 of 4; chance 0.5 * 0.25 + 0.5 * 0.75 = 0.5
    assert found["cohen_kappa"][0] == pytest.approx((0.75 - 0.5) / 0.5)
    assert np.isnan(found["cohen_kappa"][1])  # one class only
    assert found["gwet_ac1"].tolist() == pytest.approx(
        [(0.75 - 2 * 3 / 8 * 5 / 8) / (1 - 2 * 3 / 8 * 5 / 8), 1]
    )
    assert raters.intra_rater(pd.DataFrame(first, columns=columns), ["i0", "i1"]).empty


def test_leniency_is_measured_on_the_same_images():
    # Rater c sees only bad images and calls one of four good; a and b never do there: c is lenient.
    bad = [[0, 0, 0]] * 3 + [[0, 0, 1]]
    good = [[1, 1, NAN]] * 4
    scores = np.array(bad + good)[:, :, None]
    answers = np.array([[1] * 8, [0] * 8])[:, :, None].astype(float)
    found = raters.rater_bias(scores, answers, np.arange(8), n_resamples=200).set_index("judge")
    assert found.loc[2, ["n", "share", "others", "value"]].tolist() == [4, 0.25, 0, 0.25]
    # a's others: on bad images b and c (one half once), on good ones b alone
    assert found.loc[0, "others"] == pytest.approx((0.5 + 4) / 8)
    assert found.loc[0, "value"] == pytest.approx(-0.5 / 8)
    # the model, mean of two seeds, against the whole panel
    assert found.loc[3, ["share", "others"]].tolist() == pytest.approx([0.5, (1 / 3 + 4) / 8])
    assert found[["low", "value", "high"]].T.apply(lambda row: row.is_monotonic_increasing).all()
    assert found.loc[3, "low"] < -0.3  # the seeds are drawn as well: two that always say bad
    assert found.loc[3, "high"] > 0.2


def test_errors_are_split_by_whether_the_panel_is_of_one_mind():
    scores = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, NAN], [1, NAN, NAN]])[:, :, None]
    answers = np.array([[1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0]], float)[:, :, None]
    found = raters.errors_by_consent(scores, answers, np.arange(6), n_resamples=100)
    assert found["consent"].tolist() == ["unanimous", "contested"]
    assert found["n"].tolist() == [2, 2]  # a tie and an image that one rater saw have no majority to err from
    assert found["value"].tolist() == [0.25, 0.75]
    assert found["share_of_errors"].tolist() == [0.25, 0.75]
    assert found[["low", "value", "high"]].T.apply(lambda row: row.is_monotonic_increasing).all()
    found = raters.errors_by_consent(np.ones((4, 3, 1)), np.ones((1, 4, 1)), np.arange(4), n_resamples=10)
    assert found["n"].tolist() == [4, 0]
    assert found["value"][0] == 0
    assert found.loc[1, ["value", "low", "high"]].isna().all()  # no contested image
    assert found["share_of_errors"].isna().all()  # no error


@pytest.mark.parametrize("of", [raters.rater_bias, raters.errors_by_consent])
@pytest.mark.parametrize(("knob", "value"), [("n_resamples", 101), ("seed", 1), ("confidence", 0.5)])
def test_every_knob_is_alive(of, knob, value):
    rng = np.random.default_rng(0)
    scores = rng.integers(2, size=(40, 3, len(DETAILS))).astype(float)
    answers = rng.integers(2, size=(2, 40, len(DETAILS))).astype(float)
    options = {"n_resamples": 100, "seed": 0, "confidence": 0.95}
    before, after = (of(scores, answers, np.arange(40), **o) for o in (options, options | {knob: value}))
    assert before["value"].equals(after["value"])
    assert not before[["low", "high"]].equals(after[["low", "high"]])
