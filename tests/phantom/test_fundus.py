from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from riqa.phantom.anatomy import draw_eye, draw_patient
from riqa.phantom.cameras import CAMERAS
from riqa.phantom.fundus import render_fundus

from .conftest import make_fundus


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_the_disc_lies_on_the_nasal_side_and_is_the_brightest_part(side, sign):
    for seed in range(4):
        fundus = make_fundus(seed, side, size=192)
        column, row = fundus.disc
        assert sign * (column - fundus.field.cx) > 0.25 * fundus.field.radius
        assert sign * (fundus.disc[0] - fundus.fovea[0]) > 0
        green = fundus.image[..., 1].astype(float)
        c, r = round(column), round(row)
        assert green[r - 3 : r + 4, c - 3 : c + 4].mean() > 1.25 * green[fundus.fov_mask].mean()


def test_the_fovea_is_darker_than_its_surround():
    darker = []
    for seed in range(6):
        fundus = make_fundus(seed, size=192)
        c, r = (round(v) for v in fundus.fovea)
        green = fundus.image[..., 1].astype(float)
        darker.append(green[r - 2 : r + 3, c - 2 : c + 3].mean() / green[fundus.fov_mask].mean())
    assert max(darker) < 0.95


def test_the_disc_view_has_the_disc_near_the_centre():
    fundus = make_fundus(view="disc")
    assert (
        np.hypot(fundus.disc[0] - fundus.field.cx, fundus.disc[1] - fundus.field.cy)
        < 0.35 * fundus.field.radius
    )
    with pytest.raises(ValueError, match="side"):
        make_fundus(view="side")


@pytest.mark.parametrize("name", CAMERAS)
def test_margins_are_dark_and_noisy_but_not_zero(name):
    fundus = make_fundus(camera=name, size=160)
    margin = fundus.image[~fundus.fov_mask]
    assert 0 < margin.mean() < 14
    assert margin.std() > 0
    assert fundus.image[fundus.fov_mask].mean() > 40
    assert fundus.image.dtype == np.uint8


def colour(patient, seed, **changes):
    eye = draw_eye(patient, "left", np.random.default_rng([3, seed]))
    eye = replace(eye, traits=replace(eye.traits, **changes))
    fundus = render_fundus(eye, "macula", CAMERAS["tabletop_b"], np.random.default_rng(4), 96)
    return fundus.image[fundus.fov_mask].mean(axis=0)


@pytest.mark.parametrize(
    ("trait", "low", "high"),
    [
        ("pigment", 0.2, 0.9),
        ("tint", -1.0, 1.0),
        ("cup_ratio", 0.2, 0.8),
        ("macula", 0.3, 1.2),
        ("choroid", 0.0, 1.0),
        ("sheen", 0.0, 1.0),
    ],
)
def test_traits_are_alive(trait, low, high):
    patient = draw_patient(np.random.default_rng(0))
    assert not np.allclose(colour(patient, 0, **{trait: low}), colour(patient, 0, **{trait: high}), atol=0.05)


def test_pigment_darkens():
    patient = draw_patient(np.random.default_rng(0))
    assert colour(patient, 0, pigment=0.9)[1] < 0.75 * colour(patient, 0, pigment=0.2)[1]


def test_both_eyes_of_a_patient_share_their_colour():
    patients = [draw_patient(np.random.default_rng([9, k])) for k in range(14)]
    first = np.array([colour(p, 2 * k)[1] for k, p in enumerate(patients)])
    second = np.array([colour(p, 2 * k + 1)[1] for k, p in enumerate(patients)])
    assert np.corrcoef(first, second)[0, 1] > 0.9


def test_same_generators_same_bytes():
    assert np.array_equal(make_fundus(3).image, make_fundus(3).image)
    assert make_fundus(3).image.tobytes() != make_fundus(4).image.tobytes()
