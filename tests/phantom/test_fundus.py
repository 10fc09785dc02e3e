from dataclasses import replace

import numpy as np
import pytest

from riqa.phantom.eye import draw_eye, draw_patient, grow_vessels
from riqa.phantom.fundus import CAMERAS, Field, draw_vessels, field_alpha, place_field, render_fundus

from .conftest import make_fundus


@pytest.mark.parametrize("name", CAMERAS)
def test_the_field_is_a_cut_circle_with_an_optional_tab(name):
    camera = CAMERAS[name]
    field = place_field(camera, np.random.default_rng(0), 256)
    alpha = field_alpha(field, camera.notch, np.random.default_rng(1))
    assert alpha.shape == (field.height, field.width)
    y, x = np.mgrid[0 : field.height, 0 : field.width]
    r = np.hypot(x - field.cx, y - field.cy) / field.radius
    beyond = np.abs(y - field.cy) - field.cut * field.radius
    assert (alpha[(r < 0.98) & (beyond < -1)] == 1).all()
    assert (alpha[(r > 1.10) | (beyond > 1)] == 0).all()
    assert ((alpha > 0.5) & (r > 1.02)).any() == (camera.notch != "none")


def test_cameras_differ_in_what_curation_must_cope_with():
    cameras = CAMERAS.values()
    assert len({round(camera.aspect, 2) for camera in cameras}) >= 4
    assert {camera.notch for camera in cameras} == {"none", "round", "square", "triangle"}
    assert any(camera.cut < 0.9 for camera in cameras)
    assert min(camera.diameter for camera in cameras) < 0.6
    assert max(camera.diameter for camera in cameras) > 0.95


def test_size_is_the_nominal_width():
    for name, width in {"tabletop_b": 300, "tabletop_c": 375}.items():
        assert place_field(CAMERAS[name], np.random.default_rng(0), 300).width == width


def test_alpha_of_a_known_circle_has_its_area():
    field = Field(200, 200, 99.5, 99.5, 80.0, 1.0)
    alpha = field_alpha(field, "none", np.random.default_rng(0))
    assert alpha.sum() == pytest.approx(np.pi * 80**2, rel=0.002)


def patch(fundus, centre, half):
    column, row = np.rint(centre).astype(int)
    return fundus.image[row - half : row + half + 1, column - half : column + half + 1, 1].mean()


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_the_disc_is_nasal_and_the_brightest_part_and_the_fovea_is_dark(side, sign):
    for seed in range(6):
        fundus = make_fundus(seed, side, size=192)
        assert sign * (fundus.disc[0] - fundus.field.cx) > 0.25 * fundus.field.radius
        assert sign * (fundus.disc[0] - fundus.fovea[0]) > 0
        mean = fundus.image[fundus.fov_mask][:, 1].mean()
        assert patch(fundus, fundus.disc, 3) > 1.25 * mean
        assert patch(fundus, fundus.fovea, 2) < 0.95 * mean


def test_the_disc_view_has_the_disc_near_the_centre():
    fundus = make_fundus(view="disc")
    centre = fundus.field.cx, fundus.field.cy
    assert np.hypot(*(fundus.disc - centre)) < 0.35 * fundus.field.radius
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


def colour(seed=0, patient=0, **changes):
    eye = draw_eye(draw_patient(np.random.default_rng(patient)), "left", np.random.default_rng([3, seed]))
    eye = replace(eye, traits=eye.traits | changes)
    fundus = render_fundus(eye, "macula", CAMERAS["tabletop_b"], np.random.default_rng(4), 96)
    return fundus.image[fundus.fov_mask].mean(axis=0)


TRAITS = {"pigment": (0.2, 0.9), "tint": (-1, 1), "cup_ratio": (0.2, 0.8), "macula": (0.3, 1.2)}
TRAITS |= {"choroid": (0, 1), "sheen": (0, 1), "disc_diameter": (4.5, 7)}


@pytest.mark.parametrize("trait", TRAITS)
def test_traits_are_alive(trait):
    low, high = (colour(**{trait: value}) for value in TRAITS[trait])
    assert not np.allclose(low, high, atol=0.05)
    assert trait != "pigment" or high[1] < 0.75 * low[1], "pigment darkens"


def test_both_eyes_of_a_patient_share_their_colour():
    first, second = np.array([[colour(2 * k + e, [9, k])[1] for k in range(14)] for e in (0, 1)])
    assert np.corrcoef(first, second)[0, 1] > 0.9


def test_same_generators_same_bytes():
    assert np.array_equal(make_fundus(3).image, make_fundus(3).image)
    assert make_fundus(3).image.tobytes() != make_fundus(4).image.tobytes()


def test_drawing_covers_the_calibre():
    vessels = grow_vessels(np.random.default_rng(0), (15.5, -1.5), 0.3, 1.0)
    layers = draw_vessels(vessels, np.array([[6.0, 0, 60], [0, 6.0, 128]]), (256, 256))
    for layer in layers:
        assert layer.dtype == np.float32
        assert 0 <= layer.min() <= layer.max() <= 1
    veins, arteries, reflex = (layer.mean() for layer in layers)
    assert veins > arteries > reflex > 0
