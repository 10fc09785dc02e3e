from __future__ import annotations

import itertools

import numpy as np
import pytest

from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import expert_labels, graders, overall_score
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade


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
    rare = draw_severities(500, calm, np.random.default_rng(0))
    often = draw_severities(500, TROUBLE["details"], np.random.default_rng(0))
    assert overall_score(rare).mean() < 0.3 * overall_score(often).mean()


def test_as_many_are_affected_as_was_asked_and_as_strongly():
    """Without a common difficulty: uniform strengths for an exponent of 1, their square roots for 1/2."""
    alone = dict.fromkeys(TROUBLE["grades"], 0.0)
    shapes = {"illumination": 0.5, "clarity": 1.0, "contrast": 1.0, "artifact": 1.0}
    drawn = draw_severities(40_000, TROUBLE["grades"], np.random.default_rng(0), alone, shapes)
    for group, chance in TROUBLE["grades"].items():
        table = np.stack([drawn[name] for name, owner in DEFECTS.items() if owner == group], axis=1)
        strongest = table.max(axis=1)
        assert (strongest > 0).mean() == pytest.approx(chance, abs=0.015)
        for q in (0.1, 0.5, 0.9):
            expected = 0.03 + 0.97 * q ** shapes[group]
            assert np.quantile(strongest[strongest > 0], q) == pytest.approx(expected, abs=0.02)


def test_affected_groups_come_together_as_the_loadings_say():
    """Two of chance 1/2 with normal correlation r meet in 1/4 + arcsin(r) / (2 pi) of all (Sheppard 1899)."""
    half = dict.fromkeys(TROUBLE["grades"], 0.5)
    loadings = {"illumination": 0.5, "clarity": 0.8, "contrast": 1.0, "artifact": 0.0}
    drawn = draw_severities(40_000, half, np.random.default_rng(0), loadings)
    affected = {
        group: np.any([drawn[name] > 0 for name, owner in DEFECTS.items() if owner == group], axis=0)
        for group in half
    }
    for one, other in itertools.combinations(half, 2):
        expected = 0.25 + np.arcsin(loadings[one] * loadings[other]) / (2 * np.pi)
        assert (affected[one] & affected[other]).mean() == pytest.approx(expected, abs=0.015)


def test_details_are_bad_as_often_as_in_eyeq_d_and_as_often_together():
    """Against counts of its 160 rows: 33 of class reject, 49 usable, 78 good."""
    bad_in_eyeq_d = np.array([[32, 27, 29], [44, 9, 22], [30, 3, 4]])
    rows = np.array([[33], [49], [78]])
    wanted = np.repeat([0, 1, 2], 60 * rows[:, 0])
    rng = np.random.default_rng(0)
    severities, *_ = sample_by_grade(wanted, TROUBLE["grades"], graders(), rng)
    bad = 1 - expert_labels(np.arange(len(wanted)), severities, rng)[0]
    for k in range(3):
        assert bad[wanted == k].mean(axis=0) == pytest.approx(bad_in_eyeq_d[k] / rows[k], abs=0.08)
    found = np.corrcoef(bad.T)
    assert found[1, 2] == pytest.approx(0.63, abs=0.1)
    assert found[0, 2] == pytest.approx(0.35, abs=0.1)
    assert found[0, 1] == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("views", [1, 2])
def test_rejection_sampling_keeps_the_grades_that_were_asked_for(views):
    wanted = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [20, 30, 50]))
    severities, score, grade, given = sample_by_grade(
        wanted, TROUBLE["grades"], graders(), np.random.default_rng(0), 3, views
    )
    assert np.array_equal(grade, np.repeat(wanted, views))
    assert np.array_equal(np.median(given, axis=1), wanted)
    assert len(severities["haze"]) == len(score) == 100 * views
    assert score[grade == 0].mean() > score[grade == 1].mean() > score[grade == 2].mean()


def test_two_views_of_an_eye_share_its_media_but_not_the_exposure():
    wanted = np.repeat([0, 1], 60)
    severities, _, _, _ = sample_by_grade(wanted, TROUBLE["eyes"], graders(), np.random.default_rng(0), 2, 2)
    haze, motion = severities["haze"].reshape(-1, 2), severities["motion"].reshape(-1, 2)
    assert np.array_equal(haze[:, 0] > 0, haze[:, 1] > 0)
    assert not np.array_equal(motion[:, 0] > 0, motion[:, 1] > 0)
