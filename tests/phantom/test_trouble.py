from __future__ import annotations

import numpy as np
import pytest

from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import graders, overall_score
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


def test_troubles_come_together():
    drawn = draw_severities(4000, TROUBLE["details"], np.random.default_rng(0))
    unclear = (drawn["defocus"] + drawn["motion"] + drawn["partial_defocus"]) > 0
    dull = (drawn["haze"] + drawn["flat_gamma"]) > 0
    assert dull[unclear].mean() > dull[~unclear].mean() + 0.08


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
