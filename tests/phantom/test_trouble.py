import itertools

import numpy as np
import pytest

from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.raters import expert_labels, overall_score
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade


def strongest(drawn, group):
    return np.max([drawn[name] for name in GROUPS[group]], axis=0)


def test_severities_are_sparse_and_in_range():
    drawn = draw_severities(2000, TROUBLE["details"], np.random.default_rng(0))
    table = np.stack(list(drawn.values()), axis=1)
    assert list(drawn) == list(DEFECTS)
    assert 0 <= table.min() <= table.max() <= 1
    count = (table > 0).sum(axis=1)
    assert (count == 0).mean() > 0.02
    assert (count >= 3).mean() > 0.2
    assert ((table > 0).mean(axis=0) > 0.05).all()


def test_chances_are_alive():
    calm = dict.fromkeys(TROUBLE["details"], 0.05)
    rare, often = (draw_severities(500, c, np.random.default_rng(0)) for c in (calm, TROUBLE["details"]))
    assert overall_score(rare).mean() < 0.3 * overall_score(often).mean()


def test_as_many_are_affected_as_was_asked_and_as_strongly():
    """Without a common difficulty: uniform strengths for an exponent of 1, their square roots for 1/2."""
    alone = dict.fromkeys(TROUBLE["grades"], 0.0)
    shapes = {"illumination": 0.5, "clarity": 1.0, "contrast": 1.0, "artifact": 1.0}
    drawn = draw_severities(40_000, TROUBLE["grades"], np.random.default_rng(0), alone, shapes)
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
    bad = 1 - expert_labels(np.arange(len(wanted)), severities, rng)[0]
    shares = np.stack([bad[wanted == k].mean(axis=0) for k in range(3)])
    assert shares == pytest.approx(bad_in_eyeq_d / rows, abs=0.08)
    found = np.corrcoef(bad.T)
    assert [found[1, 2], found[0, 2], found[0, 1]] == pytest.approx([0.63, 0.35, 0.25], abs=0.1)


@pytest.mark.parametrize("views", [1, 2])
def test_rejection_sampling_keeps_the_grades_that_were_asked_for(views):
    wanted = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [20, 30, 50]))
    severities, given = sample_by_grade(wanted, 3, np.random.default_rng(0), views)
    assert np.array_equal(np.median(given, axis=1), wanted)
    score = overall_score(severities).reshape(100, views)
    assert score[wanted == 0].mean() > score[wanted == 1].mean() > score[wanted == 2].mean()


def test_two_views_of_an_eye_share_its_media_but_not_the_exposure():
    severities, _ = sample_by_grade(np.repeat([0, 1], 60), 2, np.random.default_rng(0), views=2)
    haze, motion = (severities[name].reshape(-1, 2) > 0 for name in ("haze", "motion"))
    assert np.array_equal(haze[:, 0], haze[:, 1])
    assert not np.array_equal(motion[:, 0], motion[:, 1])
