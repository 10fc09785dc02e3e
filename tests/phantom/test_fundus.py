from dataclasses import replace

import cv2
import numpy as np
import pytest

from riqa.phantom.eye import draw_eye, draw_patient
from riqa.phantom.fundus import CAMERAS, Field, field_alpha, render_fundus

from .conftest import photograph


@pytest.mark.parametrize("name", CAMERAS)
def test_the_field_is_a_cut_circle_with_an_optional_tab_on_a_dark_and_noisy_margin(name):
    camera, one = CAMERAS[name], photograph(camera=name, size=200)
    field = Field(**one.geometry)
    assert one.image.shape == (field.height, field.width, 3)
    assert field.width == round(200 * camera.scale), "the size is the nominal width"
    y, x = np.mgrid[0 : field.height, 0 : field.width]
    r = np.hypot(x - field.fov_x, y - field.fov_y) / field.fov_radius
    beyond = np.abs(y - field.fov_y) - field.fov_cut * field.fov_radius
    assert one.fov_mask[(r < 0.98) & (beyond < -1)].all()
    assert not one.fov_mask[(r > 1.10) | (beyond > 1)].any()
    assert (one.fov_mask & (r > 1.02)).any() == (camera.notch != "none")
    margin = one.image[~one.fov_mask]
    assert 0 < margin.mean() < 14
    assert margin.std() > 0
    assert one.image[one.fov_mask].mean() > 40


def test_alpha_of_a_known_circle_has_its_area():
    alpha = field_alpha(Field(200, 200, 99.5, 99.5, 80.0, 1.0), "none", np.random.default_rng(0))
    assert alpha.sum() == pytest.approx(np.pi * 80**2, rel=0.002)


def brightest(one):
    """Find the disc, where the blurred green is brightest: (column, row) and that green."""
    green = cv2.blur(one.image[..., 1], (7, 7)) * one.fov_mask
    row, column = np.unravel_index(np.argmax(green), green.shape)
    return np.array([column, row]), green.max()


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_the_disc_is_nasal_and_the_brightest_part_and_the_fovea_is_dark(side, sign):
    for number in range(6):
        one = photograph(number, side, size=192)
        (disc, light), field = brightest(one), Field(**one.geometry)
        mean = one.image[one.fov_mask][:, 1].mean()
        assert sign * (disc[0] - field.fov_x) > 0.25 * field.fov_radius
        assert light > 1.25 * mean
        degrees = np.array([-15.5 * sign, 1.6]) / (CAMERAS["tabletop_b"].angle / 2)  # from disc to fovea
        column, row = np.rint(disc + field.fov_radius * degrees).astype(int)
        assert one.image[row - 4 : row + 5, column - 4 : column + 5, 1].mean() < 0.95 * mean


def test_the_disc_view_has_the_disc_near_the_centre():
    one = photograph(view="disc")
    field = Field(**one.geometry)
    assert np.hypot(*(brightest(one)[0] - [field.fov_x, field.fov_y])) < 0.35 * field.fov_radius
    with pytest.raises(ValueError, match="side"):
        photograph(view="side")


def colour(**changes):
    eye = draw_eye(draw_patient(np.random.default_rng(0)), "left", np.random.default_rng([3, 0]))
    eye = replace(eye, traits=eye.traits | changes)
    image, mask, _ = render_fundus(eye, "macula", CAMERAS["tabletop_b"], np.random.default_rng(4), 96)
    return image[mask].mean(axis=0)


TRAITS = {"pigment": (0.2, 0.9), "tint": (-1, 1), "cup_ratio": (0.2, 0.8), "macula": (0.3, 1.2)}
TRAITS |= {"choroid": (0, 1), "sheen": (0, 1), "disc_diameter": (4.5, 7)}


@pytest.mark.parametrize("trait", TRAITS)
def test_traits_are_alive(trait):
    low, high = (colour(**{trait: value}) for value in TRAITS[trait])
    assert not np.allclose(low, high, atol=0.05)
    assert trait != "pigment" or high[1] < 0.75 * low[1], "pigment darkens"
