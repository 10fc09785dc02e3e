import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.phantom import raters as R  # noqa: N812
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade


def people(items, habits):
    bias, noise = np.array(habits).T
    return R.Raters(pd.DataFrame({item: bias for item in items}), np.tile(noise[:, None], len(items)))


def test_experts_agree_least_on_illumination_and_leave_a_perfect_detector_of_severity_room():
    rng = np.random.default_rng(0)
    perceived = R.perceived_severity(draw_severities(4000, TROUBLE["details"], rng))
    seen, panels = np.stack([perceived[detail] for detail in DETAILS], axis=1), R.draw_panels(4000, rng)
    scores = R.EXPERTS.rate(seen, [R.THRESHOLD], rng)
    pairs = [(scores[:, i] == scores[:, j]).mean(axis=0) for i in range(8) for j in range(i)]
    illumination, *others = np.mean(pairs, axis=0)
    assert illumination < min(others) - 0.05
    labels = R.majority(scores, panels)
    macro = [f1_score(labels[:, k], seen[:, k] <= R.THRESHOLD, average="macro") for k in range(3)]
    assert 0.88 < macro[0] < 0.97
    assert all(0.94 < value < 0.98 for value in macro[1:])
    assert ((labels.mean(axis=0) > 0.55) & (labels.mean(axis=0) < 0.75)).all(), "details are often bad"


def test_perceived_severity_by_hand():
    severities = {"defocus": np.array([0.0, 0.5, 0.5, 1.0]), "motion": np.array([0.0, 0.0, 0.4, 1.0])}
    found = R.perceived_severity(severities)
    assert found["clarity"] == pytest.approx([0, 0.5, (0.125 + 0.064) ** (1 / 3), 1])
    assert list(found) == list(GROUPS)
    assert not any(found[group].any() for group in GROUPS if group != "clarity")


def test_overall_score_counts_every_group():
    half = {name: np.array([0.5]) for name in ("vignette", "defocus", "haze", "dust")}
    score = [R.overall_score({name: value})[0] for name, value in half.items()]
    assert score == pytest.approx([0.27, 0.22, 0.23, 0.25])
    assert R.overall_score(half) == pytest.approx([np.linalg.norm(score)])


def test_panels_are_odd_and_use_every_expert_and_majority_by_hand():
    panels = R.draw_panels(500, np.random.default_rng(0))
    assert set(panels.sum(axis=1)) == {3, 5, 7}
    assert panels.any(axis=0).all()
    scores = np.array([[[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]])
    assert R.majority(scores, np.array([[True, True, True, False]])).tolist() == [[1, 0, 0]]


def test_bias_and_noise_are_alive_and_biases_cancel_over_the_experts():
    raters = people(DETAILS, [(0.0, 0.1), (0.1, 0.1), (0.1, 0.0)])
    share = raters.rate(np.full((2000, 3), 0.45), [0.45], np.random.default_rng(0)).mean(axis=(0, 2))
    assert share == pytest.approx([0.5, 0.841, 1.0], abs=0.02)  # normal distribution at 0, 1 and infinity sd
    assert R.EXPERTS.bias.sum().to_numpy() == pytest.approx(np.zeros(3), abs=1e-9)
    assert (R.EXPERTS.bias.std() > 0.05).all()


def test_the_true_grade_changes_at_the_thresholds():
    scores = np.array([[0.0, 0.42, 0.43], [0.62, 0.63, 1.7]])
    assert R.true_grade(scores, 3).tolist() == [[2, 2, 1], [1, 0, 0]]
    assert R.true_grade([0.51, 0.53], 2).tolist() == [1, 0]
    with pytest.raises(ValueError, match="2 or 3, got 4"):
        R.true_grade(scores, 4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_grades_are_the_true_ones_without_noise_and_the_expected_ones_on_average(n_classes):
    thresholds, rng = R.grade_thresholds(n_classes), np.random.default_rng(0)
    scores = rng.uniform(0, 1.7, (200, 1))
    sure = people(["overall"], [(0.0, 0.0)]).rate(scores, thresholds, rng)
    assert np.array_equal(sure[:, 0], R.true_grade(scores, n_classes))
    scores = np.array([0.2, 0.40, 0.55, 0.66, 0.86, 1.2])
    drawn = R.GRADERS.rate(np.repeat(scores, 20_000)[:, None], thresholds, rng)
    means = np.median(drawn, axis=1).reshape(len(scores), -1).mean(axis=1)
    assert R.expected_grade(scores, n_classes) == pytest.approx(means, abs=0.015)


def test_a_table_of_ratings_is_long():
    scores = np.array([[[1, 0, 1], [0, 0, 1]], [[1, 1, 1], [1, 0, 0]]])
    judged = np.array([[True, False], [True, True]])
    pair = R.Raters(R.EXPERTS.bias[:2], R.EXPERTS.noise)
    table = pair.table(["a", "b"], scores, judged, session=2)
    assert list(table.columns) == ["image_id", "rater", "item", "score", "session"]
    assert len(table) == 9
    picked = table[(table["image_id"] == "b") & (table["rater"] == "expert_2")]
    assert picked.set_index("item")["score"].to_dict() == {"illumination": 1, "clarity": 0, "contrast": 0}
    assert set(table["session"]) == {2}


def test_graders_leave_a_perfect_model_room():
    grade = np.repeat([0, 1, 2], [360, 300, 1340])
    score = R.overall_score(sample_by_grade(grade, 3, np.random.default_rng(0))[0])
    low, high = R.GRADE_THRESHOLDS
    best = max(
        f1_score(grade, (score <= a).astype(int) + (score <= b), average="macro")
        for a in np.linspace(low - 0.05, low + 0.1, 7)
        for b in np.linspace(high - 0.1, high + 0.1, 9)
    )
    assert 0.84 < best < 0.93


def strongest(drawn, group):
    return np.max([drawn[name] for name in GROUPS[group]], axis=0)


def test_as_many_are_affected_as_was_asked_and_as_strongly():
    """Without a common difficulty: uniform strengths for an exponent of 1, their square roots for 1/2."""
    alone = dict.fromkeys(TROUBLE["grades"], 0.0)
    shapes = {"illumination": 0.5, "clarity": 1.0, "contrast": 1.0, "artifact": 1.0}
    drawn = draw_severities(40_000, TROUBLE["grades"], np.random.default_rng(0), alone, shapes)
    assert list(drawn) == list(DEFECTS)
    assert all(0 <= severity.min() < severity.max() <= 1 for severity in drawn.values())
    for group, chance in TROUBLE["grades"].items():
        strength = strongest(drawn, group)
        assert (strength > 0).mean() == pytest.approx(chance, abs=0.015)
        for q in (0.1, 0.5, 0.9):
            expected = 0.03 + 0.97 * q ** shapes[group]
            assert np.quantile(strength[strength > 0], q) == pytest.approx(expected, abs=0.02)


def test_affected_groups_come_together_as_the_loadings_say():
    """Two of chance 1/2 with normal correlation r meet in 1/4 + arcsin(r) / (2 pi) of all (Sheppard 1899)."""
    half = dict.fromkeys(TROUBLE["grades"], 0.5)
    loadings = {"illumination": 0.5, "clarity": 0.8, "contrast": 1.0, "artifact": 0.0}
    drawn = draw_severities(40_000, half, np.random.default_rng(0), loadings)
    for one, other in itertools.combinations(half, 2):
        both = (strongest(drawn, one) > 0) & (strongest(drawn, other) > 0)
        expected = 0.25 + np.arcsin(loadings[one] * loadings[other]) / (2 * np.pi)
        assert both.mean() == pytest.approx(expected, abs=0.015)


def test_details_are_bad_as_often_as_in_eyeq_d_and_as_often_together():
    """Against counts of its 160 rows: 33 of class reject, 49 usable, 78 good."""
    bad_in_eyeq_d, rows = np.array([[32, 27, 29], [44, 9, 22], [30, 3, 4]]), np.array([[33], [49], [78]])
    wanted, rng = np.repeat([0, 1, 2], 60 * rows[:, 0]), np.random.default_rng(0)
    severities, _ = sample_by_grade(wanted, 3, rng)
    bad = 1 - R.expert_labels(np.arange(len(wanted)), severities, rng)[0]
    shares = np.stack([bad[wanted == k].mean(axis=0) for k in range(3)])
    assert shares == pytest.approx(bad_in_eyeq_d / rows, abs=0.08)
    found = np.corrcoef(bad.T)
    assert [found[1, 2], found[0, 2], found[0, 1]] == pytest.approx([0.63, 0.35, 0.25], abs=0.1)


@pytest.mark.parametrize("views", [1, 2])
def test_rejection_sampling_keeps_the_grades_asked_for_and_views_of_an_eye_share_its_media(views):
    wanted = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [20, 30, 50]))
    severities, given = sample_by_grade(wanted, 3, np.random.default_rng(0), views)
    assert np.array_equal(np.median(given, axis=1), wanted)
    score = R.overall_score(severities).reshape(100, views)
    assert score[wanted == 0].mean() > score[wanted == 1].mean() > score[wanted == 2].mean()
    haze, motion = (severities[name].reshape(100, views) > 0 for name in ("haze", "motion"))
    assert np.array_equal(haze[:, 0], haze[:, -1])
    assert np.array_equal(motion[:, 0], motion[:, -1]) == (views == 1), "the exposure is each view's own"
