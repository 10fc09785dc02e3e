from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.phantom import raters as R  # noqa: N812
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade


@pytest.fixture(scope="module")
def rated():
    rng = np.random.default_rng(0)
    severities = draw_severities(4000, TROUBLE["details"], rng)
    perceived = np.stack([R.perceived_severity(severities, detail) for detail in DETAILS], axis=1)
    panels = R.draw_panels(4000, 8, rng)
    scores = R.rate_details(perceived, R.experts(), rng)
    return perceived, scores, R.majority(scores, panels)


def agreement(scores):
    pairs = [(scores[:, i] == scores[:, j]).mean(axis=0) for i in range(8) for j in range(i)]
    return dict(zip(DETAILS, np.mean(pairs, axis=0), strict=True))


def test_experts_agree_least_on_illumination(rated):
    agree = agreement(rated[1])
    assert agree["illumination"] < min(agree["clarity"], agree["contrast"]) - 0.05


def test_a_perfect_detector_of_severity_leaves_room(rated):
    perceived, _, labels = rated
    guess = perceived <= R.THRESHOLD
    macro = [f1_score(labels[:, k], guess[:, k], average="macro") for k in range(3)]
    assert 0.88 < macro[0] < 0.97
    assert all(0.94 < value < 0.98 for value in macro[1:])


def test_prevalence_of_bad_details(rated):
    bad = 1 - rated[2].mean(axis=0)
    assert (bad > 0.25).all()
    assert (bad < 0.45).all()


def test_perceived_severity_by_hand():
    severities = {"defocus": np.array([0.0, 0.5, 0.5, 1.0]), "motion": np.array([0.0, 0.0, 0.4, 1.0])}
    expected = [0, 0.5, (0.125 + 0.064) ** (1 / 3), 1]
    assert R.perceived_severity(severities, "clarity") == pytest.approx(expected)
    assert R.perceived_severity({"haze": np.array([0.3])}, "clarity") == pytest.approx([0])
    with pytest.raises(ValueError, match="colour"):
        R.perceived_severity(severities, "colour")


def test_overall_score_counts_every_group():
    one = {"vignette": 0.5, "defocus": 0.5, "haze": 0.5, "dust": 0.5}
    score = {name: R.overall_score({name: np.array([value])})[0] for name, value in one.items()}
    assert score == pytest.approx({"vignette": 0.27, "defocus": 0.22, "haze": 0.23, "dust": 0.25})
    together = R.overall_score({name: np.array([value]) for name, value in one.items()})[0]
    assert together == pytest.approx(np.sqrt(sum(value**2 for value in score.values())))


def test_panels_are_odd_and_use_every_expert():
    panels = R.draw_panels(500, 8, np.random.default_rng(0))
    assert set(panels.sum(axis=1)) == {3, 5, 7}
    assert panels.any(axis=0).all()
    with pytest.raises(ValueError, match="2"):
        R.draw_panels(5, 2, np.random.default_rng(0))


def test_majority_by_hand():
    scores = np.array([[[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]])
    assert R.majority(scores, np.array([[True, True, True, False]])).tolist() == [[1, 0, 0]]


def test_bias_and_noise_are_alive():
    severity = np.full((2000, 3), 0.45)
    even = R.Rater("even", dict.fromkeys(DETAILS, 0.0), dict.fromkeys(DETAILS, 0.1))
    kind = R.Rater("kind", dict.fromkeys(DETAILS, 0.1), dict.fromkeys(DETAILS, 0.1))
    sure = R.Rater("sure", dict.fromkeys(DETAILS, 0.1), dict.fromkeys(DETAILS, 0.0))
    share = R.rate_details(severity, (even, kind, sure), np.random.default_rng(0)).mean(axis=(0, 2))
    assert share == pytest.approx([0.5, 0.841, 1.0], abs=0.02)  # normal distribution at 0, 1 and infinity sd


def test_biases_cancel_over_the_experts():
    for detail in DETAILS:
        assert sum(rater.bias[detail] for rater in R.experts()) == pytest.approx(0, abs=1e-9)


def test_overall_rating_codes():
    sure = (R.Rater("sure", {"overall": 0.0}, {"overall": 0.0}),)
    score = np.array([0.1, 0.5, 1.2])
    assert R.rate_overall(score, sure, 3, np.random.default_rng(0))[:, 0].tolist() == [2, 1, 0]
    assert R.rate_overall(score, sure, 2, np.random.default_rng(0))[:, 0].tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="4"):
        R.rate_overall(score, sure, 4, np.random.default_rng(0))


def test_ratings_table_is_long():
    scores = np.array([[[1, 0, 1], [0, 0, 1]], [[1, 1, 1], [1, 0, 0]]])
    seen = np.array([[True, False], [True, True]])
    table = R.ratings_table(["a", "b"], scores, DETAILS, R.experts()[:2], seen, session=2)
    assert list(table.columns) == ["image_id", "rater", "item", "score", "session"]
    assert len(table) == 9
    picked = table[(table["image_id"] == "b") & (table["rater"] == "expert_2")]
    assert dict(zip(picked["item"], picked["score"], strict=True)) == {
        "illumination": 1,
        "clarity": 0,
        "contrast": 0,
    }
    assert set(table["session"]) == {2}


def test_graders_leave_a_perfect_model_room():
    rng = np.random.default_rng(0)
    wanted = np.repeat([0, 1, 2], [360, 300, 1340])
    _, score, grade, _ = sample_by_grade(wanted, TROUBLE["grades"], R.graders(), rng)
    low, high = R.GRADE_THRESHOLDS
    best = max(
        f1_score(grade, (score <= a).astype(int) + (score <= b), average="macro")
        for a in np.linspace(low - 0.05, low + 0.1, 7)
        for b in np.linspace(high - 0.1, high + 0.1, 9)
    )
    assert 0.84 < best < 0.93
