import numpy as np
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.phantom import raters as R  # noqa: N812
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade

SURE = [R.Rater("sure", {"overall": 0.0}, {"overall": 0.0})]


@pytest.fixture(scope="module")
def rated():
    rng = np.random.default_rng(0)
    severities = draw_severities(4000, TROUBLE["details"], rng)
    perceived = np.stack([R.perceived_severity(severities, detail) for detail in DETAILS], axis=1)
    panels = R.draw_panels(4000, rng)
    scores = R.rate_details(perceived, R.experts(), rng)
    return perceived, scores, R.majority(scores, panels)


def test_experts_agree_least_on_illumination(rated):
    scores = rated[1]
    pairs = [(scores[:, i] == scores[:, j]).mean(axis=0) for i in range(8) for j in range(i)]
    illumination, *others = np.mean(pairs, axis=0)
    assert illumination < min(others) - 0.05


def test_a_perfect_detector_of_severity_leaves_room_and_details_are_often_bad(rated):
    perceived, _, labels = rated
    macro = [f1_score(labels[:, k], perceived[:, k] <= R.THRESHOLD, average="macro") for k in range(3)]
    assert 0.88 < macro[0] < 0.97
    assert all(0.94 < value < 0.98 for value in macro[1:])
    assert ((labels.mean(axis=0) > 0.55) & (labels.mean(axis=0) < 0.75)).all()


def test_perceived_severity_by_hand():
    severities = {"defocus": np.array([0.0, 0.5, 0.5, 1.0]), "motion": np.array([0.0, 0.0, 0.4, 1.0])}
    expected = [0, 0.5, (0.125 + 0.064) ** (1 / 3), 1]
    assert R.perceived_severity(severities, "clarity") == pytest.approx(expected)
    assert R.perceived_severity({"haze": np.array([0.3])}, "clarity") == pytest.approx([0])
    with pytest.raises(ValueError, match="colour"):
        R.perceived_severity(severities, "colour")


def test_overall_score_counts_every_group():
    half = {name: np.array([0.5]) for name in ("vignette", "defocus", "haze", "dust")}
    score = [R.overall_score({name: value})[0] for name, value in half.items()]
    assert score == pytest.approx([0.27, 0.22, 0.23, 0.25])
    assert R.overall_score(half) == pytest.approx([np.linalg.norm(score)])


def test_panels_are_odd_and_use_every_expert():
    panels = R.draw_panels(500, np.random.default_rng(0))
    assert set(panels.sum(axis=1)) == {3, 5, 7}
    assert panels.any(axis=0).all()


def test_majority_by_hand():
    scores = np.array([[[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]])
    assert R.majority(scores, np.array([[True, True, True, False]])).tolist() == [[1, 0, 0]]


def test_bias_and_noise_are_alive_and_biases_cancel_over_the_experts():
    people = [
        R.Rater("x", dict.fromkeys(DETAILS, bias), dict.fromkeys(DETAILS, noise))
        for bias, noise in ((0.0, 0.1), (0.1, 0.1), (0.1, 0.0))
    ]
    share = R.rate_details(np.full((2000, 3), 0.45), people, np.random.default_rng(0)).mean(axis=(0, 2))
    assert share == pytest.approx([0.5, 0.841, 1.0], abs=0.02)  # normal distribution at 0, 1 and infinity sd
    for detail in DETAILS:
        assert sum(rater.bias[detail] for rater in R.experts()) == pytest.approx(0, abs=1e-9)


def test_the_true_grade_changes_at_the_thresholds():
    scores = np.array([[0.0, 0.42, 0.43], [0.62, 0.63, 1.7]])
    assert R.true_grade(scores, 3).tolist() == [[2, 2, 1], [1, 0, 0]]
    assert R.true_grade([0.51, 0.53], 2).tolist() == [1, 0]
    with pytest.raises(ValueError, match="2 or 3, got 4"):
        R.true_grade(scores, 4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_grades_are_the_true_ones_without_noise_and_the_expected_ones_on_average(n_classes):
    thresholds, rng = R.grade_thresholds(n_classes), np.random.default_rng(0)
    scores = rng.uniform(0, 1.7, 200)
    grades = R.rate_overall(scores, SURE, thresholds, rng)[:, 0]
    assert np.array_equal(grades, R.true_grade(scores, n_classes))
    scores = np.array([0.2, 0.40, 0.55, 0.66, 0.86, 1.2])
    drawn = R.rate_overall(np.repeat(scores, 20_000), R.graders(), thresholds, rng)
    means = np.median(drawn, axis=1).reshape(len(scores), -1).mean(axis=1)
    assert R.expected_grade(scores, n_classes) == pytest.approx(means, abs=0.015)


def test_ratings_table_is_long():
    scores = np.array([[[1, 0, 1], [0, 0, 1]], [[1, 1, 1], [1, 0, 0]]])
    seen = np.array([[True, False], [True, True]])
    table = R.ratings_table(["a", "b"], scores, DETAILS, R.experts()[:2], seen, session=2)
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
