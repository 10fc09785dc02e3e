from __future__ import annotations

import numpy as np
import pytest

from riqa.phantom.cameras import CAMERAS, Field, field_alpha, place_field


@pytest.mark.parametrize("name", CAMERAS)
def test_the_field_is_a_cut_circle_with_an_optional_tab(name):
    camera = CAMERAS[name]
    field = place_field(camera, np.random.default_rng(0), 256)
    alpha = field_alpha(field, camera, np.random.default_rng(1))
    assert alpha.shape == (field.height, field.width)
    y, x = np.mgrid[0 : field.height, 0 : field.width]
    r = np.hypot(x - field.cx, y - field.cy) / field.radius
    within = np.abs(y - field.cy) < field.cut * field.radius - 1
    assert (alpha[(r < 0.98) & within] == 1).all()
    assert (alpha[r > 1.10] == 0).all()
    assert (alpha[np.abs(y - field.cy) > field.cut * field.radius + 1] == 0).all()
    outside = ((alpha > 0.5) & (r > 1.02)).sum()
    assert (outside > 0) == (camera.notch != "none")


def test_cameras_differ_in_what_curation_must_cope_with():
    aspects = {round(camera.aspect, 2) for camera in CAMERAS.values()}
    assert len(aspects) >= 4
    assert {camera.notch for camera in CAMERAS.values()} == {"none", "round", "square", "triangle"}
    assert any(camera.cut < 0.9 for camera in CAMERAS.values())
    assert max(camera.diameter for camera in CAMERAS.values()) > 0.95
    assert min(camera.diameter for camera in CAMERAS.values()) < 0.6


def test_size_is_the_nominal_width():
    camera = CAMERAS["tabletop_b"]
    assert place_field(camera, np.random.default_rng(0), 300).width == 300
    assert place_field(CAMERAS["tabletop_c"], np.random.default_rng(0), 300).width == 375


def test_alpha_of_a_known_circle_has_its_area():
    field = Field(200, 200, 99.5, 99.5, 80.0, 1.0)
    alpha = field_alpha(field, CAMERAS["tabletop_a"], np.random.default_rng(0))
    assert alpha.sum() == pytest.approx(np.pi * 80**2, rel=0.002)
