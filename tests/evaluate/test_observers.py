from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

from riqa.evaluate import observers
from riqa.evaluate.mrmc import BySeed, interval_of_method
from riqa.evaluate.observers import errors_together, majority_of_rest

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


def test_leaving_one_of_three_out_leaves_a_tie_that_is_left_out_and_counted():
    # Raters a, b, c say good, good, bad: without c all is good, without a or b the others tie.
    scores = np.array([[1, 1, 0], [1, 1, 1], [NAN, 0, 0], [NAN, NAN, 1]])[:, :, None]
    reference, tied = observers.majority_of_others(scores)
    expected = [[NAN, NAN, 1], [1, 1, 1], [NAN, 0, 0], [NAN, NAN, NAN]]
    assert np.array_equal(reference[:, :, 0], expected, equal_nan=True)
    assert tied[:, :, 0].tolist() == [[True, True, False], *[[False] * 3] * 3]
    for ties, called in (("good", 1), ("bad", 0)):
        reference, _ = observers.majority_of_others(scores, ties)
        assert reference[0, :, 0].tolist() == [called, called, 1]
        assert np.isnan(reference[3]).all()  # nobody else looked: no tie, nothing to agree with
    with pytest.raises(ValueError, match="ties must be one of"):
        observers.majority_of_others(scores, "coin")


def test_the_majority_of_a_panel():
    scores = np.array([[1, 1, 0], [1, 0, NAN], [NAN, NAN, NAN], [0, 0, 1]])[:, :, None]
    assert np.array_equal(observers.majority(scores)[:, 0], [1, NAN, NAN, 0], equal_nan=True)


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
    reference, _ = observers.majority_of_others(scores)
    same = np.where(np.isnan(reference), NAN, scores == reference)[:, 2, 1]
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


def test_a_model_that_copies_the_first_rater_differs_from_it_by_nothing():
    scores, _, groups = panels(n_raters=3)
    found = observers.against_others(scores, scores[None, :, 0], groups, n_resamples=50)
    for name in observers.METRICS:
        assert np.array_equal(found.value[name][0, 0], found.value[name][0, 1])
        assert np.array_equal(found.replicates[name][:, 0, 0], found.replicates[name][:, 0, 1])


def model_with_errors(share, n=400):
    """Three raters who agree but for one image in 30 each, and two networks that err in the given share."""
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=(n, 1, 3)).astype(float)
    scores = np.where(np.arange(n)[:, None, None] % 30 == np.arange(3)[None, :, None], 1 - truth, truth)
    answers = np.where(rng.random((2, n, 3)) < share, 1 - truth[:, 0], truth[:, 0])
    return scores, answers, np.arange(n)


def test_bounds_find_a_loss_its_absence_or_neither_and_nothing_without_others():
    bounds = {}
    for share, n in ((0.0, 400), (0.4, 400), (0.1, 30)):
        gaps = observers.average_gaps(*model_with_errors(share, n))
        assert all(gap.low <= gap.value <= gap.high for gap in gaps)
        bounds[share] = gaps
    assert all(gap.low > -0.05 for gap in bounds[0.0])
    assert all(gap.high < -0.05 for gap in bounds[0.4])
    assert bounds[0.1][0].low < -0.05 < bounds[0.1][0].high
    scores, answers, groups = model_with_errors(0.1, n=30)
    alone = np.where(np.arange(3)[None, :, None] == 0, scores, NAN)
    gaps = observers.average_gaps(alone, answers, groups)
    assert np.isnan([(gap.value, gap.low, gap.high) for gap in gaps]).all()


def test_the_difference_is_averaged_over_raters_and_then_over_details():
    scores, answers, groups = panels()
    found = observers.against_others(scores, answers, groups, n_resamples=5).value["agreement"]
    *by_detail, together = observers.average_gaps(scores, answers, groups, confidence=0.9)
    gaps = found[:, 1] - found[:, 0]
    assert [gap.value for gap in by_detail] == pytest.approx(list(gaps.mean(axis=0)))
    assert together.value == pytest.approx(gaps.mean())

    def by_seed(keep):  # a plain loop over networks, without a patient
        alone = [observers.against_others(scores[keep], answers[[s]][:, keep], groups[keep], n_resamples=1)
                 for s in range(len(answers))]  # fmt: skip
        of_both = [one.value["agreement"] for one in alone]
        return np.array([(of[:, 1] - of[:, 0]).mean() for of in of_both])

    without = np.array([by_seed(groups != patient) for patient in np.unique(groups)])
    covariance = (len(without) - 1) * np.cov(without.T, bias=True)
    expected = interval_of_method(BySeed(by_seed(groups >= 0), covariance), confidence=0.8)
    assert (together.low, together.high) == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match="confidence"):
        observers.average_gaps(scores, answers, groups, confidence=0.5)
    with pytest.raises(ValueError, match="disagree"):
        observers.against_others(scores, answers[:, :-1], groups)


@pytest.mark.parametrize("knob", [{"ties": "good"}, {"confidence": 0.9}])
def test_every_knob_of_the_gaps_is_alive(knob):
    plain, other = (observers.average_gaps(*panels(), **chosen)[3] for chosen in ({}, knob))
    assert (plain.low, plain.high) != (other.low, other.high)


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


def test_errors_are_split_by_whether_the_panel_is_of_one_mind():
    scores = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, NAN], [1, NAN, NAN]])[:, :, None]
    answers = np.array([[1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0]], float)[:, :, None]
    found = observers.errors_by_consent(scores, answers)
    assert list(found) == ["unanimous", "contested"]
    # a tie and an image that one rater saw have no majority to err from
    sure = [[0, 0], [1, 0], [NAN] * 2, [NAN] * 2, [NAN] * 2, [NAN] * 2]
    assert np.array_equal(found["unanimous"][:, :, 0], sure, equal_nan=True)
    split = [[NAN] * 2, [NAN] * 2, [1, 1], [0, 1], [NAN] * 2, [NAN] * 2]
    assert np.array_equal(found["contested"][:, :, 0], split, equal_nan=True)


def kappas_by_loops(scores, answers, right):
    """Sum the parts of Geirhos' kappa over pairs of experts and, within each, of the judges; slow and plain."""
    sums = {kind: [0.0, 0.0] for kind in ("experts", "model", "between")}
    for a, b in combinations(range(scores.shape[1]), 2):
        truth = right(a, b)
        here = ~np.isnan(scores[:, a]) & ~np.isnan(scores[:, b]) & ~np.isnan(truth)
        if not here.any():
            continue
        experts = [scores[here, r] != truth[here] for r in (a, b)]
        seeds = [answer[here] != truth[here] for answer in answers]
        met = {"experts": [experts], "model": combinations(seeds, 2), "between": product(experts, seeds)}
        for kind, pairs in met.items():
            for j, k in pairs:
                expected = j.mean() * k.mean() + (1 - j.mean()) * (1 - k.mean())
                sums[kind][0] += here.sum() * ((j == k).mean() - expected)
                sums[kind][1] += here.sum() * (1 - expected)
    return {kind: top / bottom if bottom > 0 else np.nan for kind, (top, bottom) in sums.items()}


def judges(rng, n=30, n_raters=4, n_seeds=3):
    scores = rng.integers(0, 2, (n, n_raters, 1)).astype(float)
    scores[rng.random(scores.shape) < 0.3] = np.nan
    return scores, rng.integers(0, 2, (n_seeds, n, 1)).astype(float), rng.integers(0, 2, n).astype(float)


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_error_consistency_is_summed_over_pairs_on_the_same_images(seed, n_seeds):
    rng = np.random.default_rng(seed)
    scores, answers, truth = judges(rng, n_seeds=n_seeds)
    weights = np.stack([np.ones(len(truth), int), rng.integers(0, 3, len(truth))])
    by_truth = errors_together(scores, answers, truth[:, None, None], weights)
    by_rest = errors_together(scores, answers, majority_of_rest(scores), weights)
    for row, counts in enumerate(weights):  # a replicate is a set with copies
        own, right = (np.repeat(x, counts, axis=0) for x in (scores, truth))
        said = np.repeat(answers, counts, axis=1)
        slow = kappas_by_loops(own[..., 0], said[..., 0], lambda a, b, right=right: right)
        rest = kappas_by_loops(own[..., 0], said[..., 0], lambda a, b, own=own: rest_of(own[..., 0], a, b))
        for kind in slow:
            for found, expected in ((by_truth, slow), (by_rest, rest)):
                value = found["error_consistency", kind][row, 0]
                assert value == pytest.approx(expected[kind], abs=1e-9, nan_ok=True)


def rest_of(scores, a, b):
    others = [r for r in range(scores.shape[1]) if r not in (a, b)]
    votes = [[v for v in row if not np.isnan(v)] for row in scores[:, others]]
    return np.array([np.nan if 2 * sum(v) == len(v) else float(2 * sum(v) > len(v)) for v in votes])


def test_two_judges_of_everything_have_cohens_kappa_of_being_wrong():
    scores, answers, truth = judges(np.random.default_rng(5), n=60, n_raters=2, n_seeds=2)
    scores = np.nan_to_num(scores)
    found = errors_together(scores, answers, truth[:, None, None], np.ones((1, 60)))
    experts, seeds = (scores[..., 0] != truth[:, None]).T, answers[..., 0] != truth
    assert found["error_consistency", "experts"].item() == pytest.approx(cohen_kappa_score(*experts))
    assert found["error_consistency", "model"].item() == pytest.approx(cohen_kappa_score(*seeds))
    assert found["error", "experts"].item() == pytest.approx(experts.mean())
    assert found["error", "model"].item() == pytest.approx(seeds.mean())


def test_nobody_wrong_or_a_single_seed_has_no_consistency():
    right = np.ones((5, 1, 1))
    found = errors_together(np.ones((5, 2, 1)), np.ones((1, 5, 1)), right, np.ones((1, 5)))
    assert found["error", "experts"].item() == found["error", "model"].item() == 0
    kinds = ("experts", "model", "between")
    assert np.isnan([found["error_consistency", kind].item() for kind in kinds]).all()
    one = errors_together(np.zeros((5, 2, 1)), np.zeros((1, 5, 1)), right * np.nan, np.ones((1, 5)))
    assert np.isnan([value.item() for value in one.values()]).all()
