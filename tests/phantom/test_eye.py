import numpy as np
import pytest

from riqa.phantom.eye import _branch_off, draw_eye, draw_patient, grow_vessels

DISC = (15.5, -1.5)


def eye(patient, side):
    drawn = draw_patient(np.random.default_rng([1, patient]))
    return draw_eye(drawn, side, np.random.default_rng([2, patient, ord(side[0])]))


def trees(tortuosity=0.3, calibre=1.0, n=8):
    return [grow_vessels(np.random.default_rng(seed), DISC, tortuosity, calibre) for seed in range(n)]


def test_both_eyes_of_a_patient_are_more_alike_than_those_of_two():
    left, right = (
        np.array([list(eye(k, side).traits.values())[:-1] for k in range(60)]) for side in ("left", "right")
    )
    same = (np.abs(left - right) / left.std(axis=0)).mean(axis=0)
    other = (np.abs(left - np.roll(right, 1, axis=0)) / left.std(axis=0)).mean(axis=0)
    assert (same < 0.5 * other).all()
    assert np.corrcoef(left[:, 0], right[:, 0])[0, 1] > 0.9  # pigment
    assert not np.allclose(eye(0, "left").vessels[0].points, eye(0, "right").vessels[0].points)
    with pytest.raises(ValueError, match="middle"):
        eye(0, "middle")


def test_trunks_leave_the_disc_arcades_pass_the_macula_and_arteries_are_thinner():
    lines = [vessel.points for vessel in trees(n=1)[0][:8]]
    assert max(np.hypot(*(line[0] - DISC)) for line in lines) < 1.6
    for line, side in ((lines[0], -1), (lines[2], 1)):
        assert 4 < side * line[np.argmin(np.abs(line[:, 0]))][1] < 14
    trunks = [vessel for tree in trees() for vessel in tree[:8]]
    artery, vein = (np.mean([v.widths[0] for v in trunks if v.is_artery == kind]) for kind in (True, False))
    assert 0.6 < artery / vein < 0.85


def test_the_fovea_is_free_of_vessels_and_they_taper():
    for vessel in (vessel for tree in trees(n=5) for vessel in tree):
        assert np.hypot(*vessel.points.T).min() > 0.8
        assert (np.diff(vessel.widths) <= 1e-9).all()


def test_calibres_follow_murrays_law_at_each_branching():
    line = np.stack([np.linspace(0, 20, 40), np.ones(40)], axis=1)[None]
    parent = line, np.array([0.5]), np.array([True])
    along, branches = _branch_off(np.random.default_rng(0), *parent, np.linspace(6, 36, 4))
    along = along[0] / np.linspace(1, 0.8, 40)  # without the slow taper between branchings
    levels = along[np.r_[0, np.flatnonzero(np.diff(along) < -1e-9) + 1]]
    assert levels[:-1] ** 3 == pytest.approx(levels[1:] ** 3 + branches[2] ** 3)


def turning(tortuosity):
    lines = [vessel.points for tree in trees(tortuosity, n=4) for vessel in tree[:8]]
    headings = [np.unwrap(np.arctan2(*np.diff(line, axis=0).T[::-1])) for line in lines]
    return sum(np.abs(np.diff(heading)).sum() for heading in headings)


def test_tortuosity_and_calibre_are_alive():
    assert turning(0.9) > 1.3 * turning(0.0)
    wide, plain = (trees(calibre=calibre, n=1)[0][0].widths[0] for calibre in (1.2, 1.0))
    assert wide == pytest.approx(1.2 * plain)
