from __future__ import annotations

import numpy as np
import pytest

from riqa.phantom.vessels import _branch_off, draw_vessels, grow_vessels

DISC = (15.5, -1.5)


def tree(tortuosity=0.3, calibre=1.0, seed=0):
    return grow_vessels(np.random.default_rng(seed), DISC, tortuosity, calibre)


def test_trunks_leave_the_disc_and_arcades_run_above_and_below_the_macula():
    grown = tree()
    for line in grown.points[:8]:
        assert np.hypot(*(line[0] - DISC)) < 1.6
    for line, side in ((grown.points[0], -1), (grown.points[2], 1)):
        above_fovea = line[np.argmin(np.abs(line[:, 0]))]
        assert 4 < side * above_fovea[1] < 14


def test_the_fovea_is_free_of_vessels():
    closest = min(np.hypot(*line.T).min() for seed in range(5) for line in tree(seed=seed).points)
    assert closest > 0.8


def test_vessels_taper():
    for width in tree().widths:
        assert (np.diff(width) <= 1e-9).all()


def test_calibres_follow_murrays_law_at_each_branching():
    line = np.stack([np.linspace(0, 20, 40), np.ones(40)], axis=1)[None]
    along, (_, _, children, _) = _branch_off(
        np.random.default_rng(0), line, np.array([0.5]), np.array([True]), per_vessel=4, first=6
    )
    along = along[0] / np.linspace(1, 0.8, 40)  # without the slow taper between branchings
    levels = along[np.r_[0, np.flatnonzero(np.diff(along) < -1e-9) + 1]]
    assert levels[:-1] ** 3 == pytest.approx(levels[1:] ** 3 + children**3)


def test_arteries_are_thinner_than_veins():
    grown = [tree(seed=seed) for seed in range(8)]
    arteries = np.mean([w[0] for t in grown for w, a in zip(t.widths[:8], t.is_artery[:8], strict=True) if a])
    veins = np.mean(
        [w[0] for t in grown for w, a in zip(t.widths[:8], t.is_artery[:8], strict=True) if not a]
    )
    assert 0.6 < arteries / veins < 0.85


def turning(tortuosity):
    total = 0.0
    for seed in range(4):
        for line in tree(tortuosity, seed=seed).points[:8]:
            heading = np.unwrap(np.arctan2(*np.diff(line, axis=0).T[::-1]))
            total += np.abs(np.diff(heading)).sum()
    return total


def test_tortuosity_and_calibre_are_alive():
    assert turning(0.9) > 1.3 * turning(0.0)
    assert tree(calibre=1.2).widths[0][0] == pytest.approx(1.2 * tree(calibre=1.0).widths[0][0])


def test_drawing_covers_the_calibre():
    affine = np.array([[6.0, 0, 60], [0, 6.0, 128]])
    veins, arteries, reflex = draw_vessels(tree(), affine, (256, 256))
    for layer in (veins, arteries, reflex):
        assert layer.dtype == np.float32
        assert 0 <= layer.min() <= layer.max() <= 1
    assert veins.mean() > arteries.mean() > reflex.mean() > 0
