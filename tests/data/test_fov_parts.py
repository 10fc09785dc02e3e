"""The parts of the search for a field of view: circles, bars, margins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.data.fov.rim import find_bars, ransac_circle
from riqa.data.fov.search import fills_frame


def arc(x, y, radius, n, start=0.0, end=2 * np.pi):
    angles = np.linspace(start, end, n)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


@settings(max_examples=50)
@given(
    x=st.floats(40, 160),
    y=st.floats(40, 160),
    radius=st.floats(30, 150),
    missing=st.floats(0, 3.5),
    stray=st.integers(0, 60),
)
def test_stray_points_and_missing_arcs_do_not_matter(x, y, radius, missing, stray):
    noise = np.random.default_rng(stray).uniform(0, 200, (stray, 2))
    found = ransac_circle(np.concatenate([arc(x, y, radius, 200, missing), noise]), 200)
    assert np.allclose(found, (x, y, radius), atol=0.02 * radius)


def test_too_few_points_and_circles_out_of_range():
    line = np.stack([np.arange(100.0), np.zeros(100)], axis=1)
    for points in (arc(50, 50, 40, 20), arc(50, 50, 10, 200), line):
        assert ransac_circle(points, 200) is None


@pytest.fixture
def lit():
    """Return the distance from the margin of a lit disc, uint8 (160, 160), and its circle."""
    ys, xs = np.mgrid[:160, :160]
    return ((xs - 79.5) ** 2 + (ys - 79.5) ** 2 <= 70**2) * np.uint8(120), np.array([79.5, 79.5, 70.0])


@pytest.mark.parametrize("cut", [16, 20.5, 40.25])
def test_bars_are_measured_to_a_part_of_a_pixel(lit, cut):
    distance, circle = lit
    row = int(cut)
    distance[:row] = 0
    distance[row] = distance[row] * (1 - (cut - row))  # partly covered
    distance[:, -30:] = 0
    left, top, right, bottom = find_bars(distance, circle, 8)
    assert (abs(top - cut) < 0.3, abs(right - 130) < 0.3, left, bottom) == (True, True, 0, 160)


def test_full_circle_and_round_bites_have_no_bars_and_the_first_rows_may_be_one(lit):
    distance, circle = lit
    assert find_bars(distance, circle, 8) == (0, 0, 160, 160)
    ys, xs = np.ogrid[:160, :160]
    distance[(xs - 80) ** 2 + (ys + 20) ** 2 < 60**2] = 0  # an eyelid's round shadow
    distance[2:4, 60:100] = 10
    assert find_bars(distance, circle, 8)[1] < 12
    first = np.full((160, 160), 120, np.uint8)
    first[:2] = 0
    assert abs(find_bars(first, np.array([79.5, 79.5, 89.5]), 8)[1] - 2) < 0.3


def test_ripples_of_compression_in_front_of_a_bar_are_no_field(lit):
    distance, circle = lit
    distance[:, 60:] //= 40  # dark retina hides how straight the bar is
    distance[:25] = 0
    distance[21:25, 30:130] = 5
    assert find_bars(distance, circle, 8)[1] == 25


def test_bar_in_front_of_retina_darker_than_the_threshold_is_found_behind_long_ripples(lit):
    distance, circle = lit
    distance[:, 50:] //= 2  # at a threshold of 100 most columns have no field
    distance[:30] = 0
    distance[20:30, 30:130] = 5  # 0.14 radii
    assert find_bars(distance, circle, 100)[1] == pytest.approx(30, abs=0.3)
    dark = distance // 8  # nothing straight at any threshold: what little light there is counts
    dark[20:30, 30:130] = 5
    assert find_bars(dark, circle, 100)[1] == 20


def ramp(*tint):
    """Return a smooth texture of a colour, uint8 (90, 120, 3)."""
    grey = np.linspace(100, 200, 90)[:, None, None]
    return (grey * np.array(tint) * np.ones((90, 120, 1))).astype(np.uint8)


def changed(image, *regions, to=10):
    for region in regions:
        image[region] = to
    return image


def noisy_border(image):
    noise = np.random.default_rng(0).integers(60, 200, image.shape).astype(np.uint8)
    noise[4:-4, 4:-4] = image[4:-4, 4:-4]
    return noise


RETINA, ENHANCED = (1.0, 0.6, 0.4), (0.9, 1.0, 1.0)  # as a camera, and as enhancement leaves it
FRAMES = {
    "retina": (ramp(*RETINA), True),
    "enhanced": (ramp(*ENHANCED), True),
    "near darkness": (ramp(*ENHANCED) // 5, True),
    "a shadow over a fifth of the border": (changed(ramp(*ENHANCED), np.s_[:60, 90:]), True),
    "half of it, which may be a margin": (changed(ramp(*ENHANCED), np.s_[:, 60:]), False),
    "darker, 18 grey levels": (ramp(*ENHANCED) // 8, False),
    "blue": (ramp(*RETINA)[..., ::-1], False),
    "flat": (np.full((90, 120, 3), 150, np.uint8), False),
    "noise": (np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8), False),
    "a margin": (changed(ramp(*RETINA), np.s_[:4], np.s_[-4:], to=0), False),
    "a noisy border": (noisy_border(ramp(*RETINA)), False),
}


@pytest.mark.parametrize(("frame", "fills"), FRAMES.values(), ids=FRAMES)
def test_only_lit_smooth_and_varied_frames_may_be_retina(frame, fills):
    assert fills_frame(frame) == fills
