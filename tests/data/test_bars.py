import numpy as np
import pytest

from riqa.data.fov.rim import find_bars


def lit_disc(side=160, radius=70.0, level=120):
    ys, xs = np.mgrid[:side, :side]
    middle = (side - 1) / 2
    inside = (xs - middle) ** 2 + (ys - middle) ** 2 <= radius**2
    return (inside * level).astype(np.uint8), np.array([middle, middle, radius])


@pytest.mark.parametrize("cut", [16, 20.5, 40.25])
def test_bars_are_measured_to_a_part_of_a_pixel(cut):
    distance, circle = lit_disc()
    row = int(cut)
    distance[:row] = 0
    distance[row] = distance[row] * (1 - (cut - row))  # partly covered
    distance[:, -30:] = 0
    left, top, right, bottom = find_bars(distance, circle, 8)
    assert abs(top - cut) < 0.3
    assert abs(right - 130) < 0.3
    assert (left, bottom) == (0, 160)


def test_full_circle_and_round_bites_have_no_bars():
    distance, circle = lit_disc()
    assert find_bars(distance, circle, 8) == (0, 0, 160, 160)
    ys, xs = np.ogrid[:160, :160]
    distance[(xs - 80) ** 2 + (ys + 20) ** 2 < 60**2] = 0  # an eyelid's round shadow
    distance[2:4, 60:100] = 10
    assert find_bars(distance, circle, 8)[1] < 12


def test_bar_in_the_first_rows_of_a_photograph():
    distance, circle = lit_disc(radius=79.5)
    circle[2] += 10
    distance[:] = 120
    distance[:2] = 0
    assert abs(find_bars(distance, circle, 8)[1] - 2) < 0.3


def test_ripples_of_compression_in_front_of_a_bar_are_no_field():
    distance, circle = lit_disc()
    distance[:, 60:] //= 40  # dark retina hides how straight the bar is
    distance[:25] = 0
    distance[21:25, 30:130] = 5
    assert find_bars(distance, circle, 8)[1] == 25


def test_bar_in_front_of_retina_darker_than_the_threshold_is_found_behind_long_ripples():
    distance, circle = lit_disc()
    distance[:, 50:] //= 2  # at a threshold of 100 most columns have no field
    distance[:30] = 0
    distance[20:30, 30:130] = 5  # 0.14 radii
    assert find_bars(distance, circle, 100)[1] == pytest.approx(30, abs=0.3)
    dark = distance // 8  # nothing straight at any threshold: what little light there is counts
    dark[20:30, 30:130] = 5
    assert find_bars(dark, circle, 100)[1] == 20
