"""Experts and a model against the other experts: by hand, by scikit-learn, and against plain loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from riqa.evaluate import observers

NAN = np.nan
RATING = ["image_id", "rater", "item", "score", "session"]


def panels(n=80, n_raters=5, seed=0, n_seeds=2):
    """Scores (N, R, 3) of panels of 3 or 5, the answers of a model with `n_seeds` seeds, and patients."""
    rng = np.random.default_rng(seed)
    quality = rng.random((n, 1, 3))
    scores = (quality + 0.2 * rng.standard_normal((n, n_raters, 3)) > 0.35).astype(float)
    for image in np.flatnonzero(rng.random(n) < 0.5):
        scores[image, rng.permutation(n_raters)[3:]] = NAN
    answers = (quality[:, 0] + 0.15 * rng.standard_normal((n_seeds, n, 3)) > 0.35).astype(float)
    return scores, answers, np.arange(n) // 2


def test_ratings_are_laid_out_by_image_rater_and_item():
    rows = [
        ("i1", "b", "clarity", 1, 1),
        ("i1", "a", "contrast", 0, 1),
        ("i2", "b", "illumination", 0, 1),
        ("i2", "b", "illumination", 1, 2),
        ("i2", "c", "overall", 2, 1),
        ("elsewhere", "d", "clarity", 1, 1),
    ]
    ratings = pd.DataFrame(rows, columns=RATING)
    cube, raters = observers.score_cube(ratings, ["i2", "i1", "i3"])
    assert raters == ("a", "b")
    assert cube.shape == (3, 2, 3)
    assert np.argwhere(~np.isnan(cube)).tolist() == [[0, 1, 0], [1, 0, 2], [1, 1, 1]]
    assert cube[~np.isnan(cube)].tolist() == [0, 0, 1]
    again, raters = observers.score_cube(ratings, ["i2"], session=2)
    assert (raters, again[0, 0, 0]) == (("b",), 1)
    with pytest.raises(ValueError, match="b judged clarity of i1 twice"):
        observers.score_cube(pd.concat([ratings, ratings[:1]]), ["i1"])


def test_the_majority_of_a_panel():
    scores = np.array([[1, 1, 0], [1, 0, NAN], [NAN, NAN, NAN], [0, 0, 1]])[:, :, None]
    assert np.array_equal(observers.majority(scores)[:, 0], [1, NAN, NAN, 0], equal_nan=True)


def test_leaving_one_of_three_out_leaves_a_tie_that_is_left_out_and_counted():
    # The trap: against the majority of *all three*, rater c would be wrong once, and a, b never.
    # Each rater has two ties, one image on which the others agree against it, and one with all of one mind.
    # Nobody else looked at the last image: no tie, nothing to agree with.
    scores = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [NAN, NAN, 1]], float)[:, :, None]
    for ties, n, n_tied, agreement in (("leave_out", 2, 2, 0.5), ("good", 4, 0, 0.25), ("bad", 4, 0, 0.75)):
        found = observers.against_others(scores, np.ones((1, 5, 1)), np.arange(5), ties=ties, n_resamples=5)
        assert (found.n == n).all()
        assert (found.n_tied == n_tied).all()
        assert found.value["agreement"][:, 0, 0] == pytest.approx([agreement] * 3)
    with pytest.raises(ValueError, match="ties must be one of"):
        observers.against_others(scores, np.ones((1, 5, 1)), np.arange(5), ties="coin")


def test_scores_are_those_of_scikit_learn_rater_by_rater_and_detail_by_detail():
    scores, answers, groups = panels()
    found = observers.against_others(scores, answers, groups, n_resamples=3)
    metrics = {"agreement": accuracy_score, "f1": f1_score, "precision": precision_score}
    metrics["recall"] = recall_score
    for r, i in np.ndindex(5, 3):
        others = [[scores[n, k, i] for k in range(5) if k != r and scores[n, k, i] >= 0] for n in range(80)]
        rows = [n for n in range(80) if scores[n, r, i] >= 0 and 2 * sum(others[n]) != len(others[n])]
        truth = [int(2 * sum(others[n]) > len(others[n])) for n in rows]
        assert found.n[r, i] == len(truth)
        for name, of in metrics.items():
            assert found.value[name][r, 0, i] == pytest.approx(of(truth, scores[rows, r, i]))
            model = np.mean([of(truth, answers[k, rows, i]) for k in (0, 1)])
            assert found.value[name][r, 1, i] == pytest.approx(model)


def test_replicates_draw_patients_and_seeds():
    scores, answers, groups = panels(n_seeds=1)
    found = observers.against_others(scores, answers, groups, n_resamples=4_000)
    good, n_others, asked = (of[:, 2, 1] for of in observers._others(scores))
    same = np.where(asked & (2 * good != n_others), scores[:, 2, 1] == (2 * good > n_others), NAN)
    rng, loop = np.random.default_rng(5), []
    for _ in range(2_000):
        rows = np.concatenate([[2 * g, 2 * g + 1] for g in rng.integers(40, size=40)])
        loop.append(np.nanmean(same[rows]))
    replicates = found.replicates["agreement"][:, 2, 0, 1]
    assert replicates.mean() == pytest.approx(np.mean(loop), abs=0.005)
    assert replicates.std() == pytest.approx(np.std(loop), rel=0.1)
    # Two seeds, one always right and one always wrong: half of the variance between them is left.
    both = np.stack([np.ones((80, 3)), np.zeros((80, 3))])
    found = observers.against_others(np.ones((80, 3, 3)), both, groups, n_resamples=4_000)
    assert found.value["agreement"][0, 1, 0] == 0.5
    assert found.replicates["agreement"][:, 0, 1, 0].var() == pytest.approx(1 / 8, rel=0.1)


def model_with_errors(share, n=400):
    """Three raters who agree but for one image in 30 each, and a model that errs in the given share."""
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=(n, 1, 3)).astype(float)
    scores = np.where(np.arange(n)[:, None, None] % 30 == np.arange(3)[None, :, None], 1 - truth, truth)
    answers = np.where(rng.random((1, n, 3)) < share, 1 - truth[:, 0], truth[:, 0])
    return scores, answers, np.arange(n)


def test_bounds_find_a_loss_its_absence_or_neither_and_nothing_without_others():
    bounds = {}
    for share, n in ((0.0, 400), (0.4, 400), (0.1, 30)):
        gaps = observers.average_gaps(observers.against_others(*model_with_errors(share, n)))
        assert all(gap.low <= gap.value <= gap.high for gap in gaps)
        bounds[share] = gaps
    assert all(gap.low > -0.05 for gap in bounds[0.0])
    assert all(gap.high < -0.05 for gap in bounds[0.4])
    assert bounds[0.1][0].low < -0.05 < bounds[0.1][0].high
    scores, answers, groups = model_with_errors(0.1, n=30)
    alone = np.where(np.arange(3)[None, :, None] == 0, scores, NAN)
    gaps = observers.average_gaps(observers.against_others(alone, answers, groups, n_resamples=10))
    assert np.isnan([(gap.value, gap.low, gap.high) for gap in gaps]).all()


def test_the_difference_is_averaged_over_raters_and_then_over_details():
    scores, answers, groups = panels()
    found = observers.against_others(scores, answers, groups, n_resamples=500)
    *by_detail, together = observers.average_gaps(found, confidence=0.9)
    gaps = found.value["agreement"][:, 1] - found.value["agreement"][:, 0]
    assert [gap.value for gap in by_detail] == pytest.approx(list(gaps.mean(axis=0)))
    drawn = found.replicates["agreement"]
    drawn = (drawn[:, :, 1] - drawn[:, :, 0]).mean(axis=(1, 2))
    expected = [gaps.mean(), *np.quantile(drawn, [0.1, 0.9])]
    assert [together.value, together.low, together.high] == pytest.approx(expected)
    with pytest.raises(ValueError, match="confidence"):
        observers.average_gaps(found, confidence=0.5)
    with pytest.raises(ValueError, match="disagree"):
        observers.against_others(scores, answers[:, :-1], groups)


KNOBS = {"n_resamples": 201, "seed": 1, "ties": "good", "confidence": 0.9}


@pytest.mark.parametrize("knob", KNOBS)
def test_every_knob_of_the_gaps_is_alive(knob):
    ends = []
    for chosen in ({}, {knob: KNOBS[knob]}):
        of_gaps = {"confidence": chosen.pop("confidence")} if "confidence" in chosen else {}
        found = observers.against_others(*panels(), **{"n_resamples": 200} | chosen)
        gap = observers.average_gaps(found, **of_gaps)[3]
        ends.append((gap.low, gap.high))
    assert ends[0] != ends[1]


def test_a_raters_two_sessions_are_compared_on_what_both_hold():
    first = [(f"i{k}", "a", "clarity", s, 1) for k, s in enumerate([1, 1, 0, 0, 1])]
    second = [(f"i{k}", "a", "clarity", s, 2) for k, s in enumerate([1, 0, 0, 0])]
    others = [("i0", "b", "contrast", 1, 1), ("i1", "b", "contrast", 1, 1), ("i0", "b", "contrast", 1, 2)]
    ratings, ids = pd.DataFrame(first + second + others, columns=RATING), [f"i{k}" for k in range(5)]
    found = observers.intra_rater(ratings, ids)
    assert found[["rater", "item", "n"]].to_numpy().tolist() == [["a", "clarity", 4], ["b", "contrast", 1]]
    assert found["agreement"].tolist() == [0.75, 1]
    # good: 2 of 4, then 1 of 4; chance 0.5 * 0.25 + 0.5 * 0.75 = 0.5
    assert found["cohen_kappa"][0] == pytest.approx((0.75 - 0.5) / 0.5)
    assert np.isnan(found["cohen_kappa"][1])  # one class only
    chance = 2 * 3 / 8 * 5 / 8
    assert found["gwet_ac1"].tolist() == pytest.approx([(0.75 - chance) / (1 - chance), 1])
    assert observers.intra_rater(pd.DataFrame(first, columns=RATING), ["i0", "i1"]).empty


def test_leniency_is_measured_on_the_same_images():
    # Rater c sees only bad images and calls one of four good; a and b never do there: c is lenient.
    scores = np.array([[0, 0, 0]] * 3 + [[0, 0, 1]] + [[1, 1, NAN]] * 4)[:, :, None]
    answers = np.array([[1] * 8, [0] * 8])[:, :, None].astype(float)
    found = observers.rater_bias(scores, answers, np.arange(8), n_resamples=200).set_index("judge")
    assert found.loc[2, ["n", "value"]].tolist() == [4, 0.25]
    # a's others: on bad images b and c (one half once), on good ones b alone
    assert found.loc[0, "value"] == pytest.approx(4 / 8 - (0.5 + 4) / 8)
    # the model, mean of two seeds, against the whole panel
    assert found.loc[3, "value"] == pytest.approx(0.5 - (1 / 3 + 4) / 8)
    assert found[["low", "value", "high"]].T.apply(lambda row: row.is_monotonic_increasing).all()
    assert found.loc[3, "low"] < -0.3  # the seeds are drawn as well: two that always say bad
    assert found.loc[3, "high"] > 0.2


def test_errors_are_split_by_whether_the_panel_is_of_one_mind():
    scores = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, NAN], [1, NAN, NAN]])[:, :, None]
    answers = np.array([[1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0]], float)[:, :, None]
    found = observers.errors_by_consent(scores, answers, np.arange(6), n_resamples=100)
    assert found["consent"].tolist() == ["unanimous", "contested"]
    assert found["n"].tolist() == [2, 2]  # a tie and an image that one rater saw have no majority to err from
    assert found["value"].tolist() == [0.25, 0.75]
    assert found["share_of_errors"].tolist() == [0.25, 0.75]
    assert found[["low", "value", "high"]].T.apply(lambda row: row.is_monotonic_increasing).all()
    found = observers.errors_by_consent(np.ones((4, 3, 1)), np.ones((1, 4, 1)), np.arange(4), n_resamples=10)
    assert found["n"].tolist() == [4, 0]
    assert found["value"][0] == 0
    assert found.loc[1, ["value", "low", "high"]].isna().all()  # no contested image
    assert found["share_of_errors"].isna().all()  # no error


@pytest.mark.parametrize("of", [observers.rater_bias, observers.errors_by_consent])
@pytest.mark.parametrize(("knob", "value"), [("n_resamples", 101), ("seed", 1), ("confidence", 0.5)])
def test_every_knob_of_leniency_and_errors_is_alive(of, knob, value):
    options = {"n_resamples": 100, "seed": 0, "confidence": 0.95}
    before, after = (of(*panels(40), **chosen) for chosen in (options, options | {knob: value}))
    assert before["value"].equals(after["value"])
    assert not before[["low", "high"]].equals(after[["low", "high"]])
