import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.data.fov.rim import least_squares_circle, ransac_circle, trimmed_circle


def arc(x, y, radius, n, start=0.0, end=2 * np.pi):
    angles = np.linspace(start, end, n)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def test_circle_through_three_points_by_hand():
    # The circle around (1, 2) with radius 5 passes through these points.
    points = np.array([[6.0, 2.0], [1.0, 7.0], [-4.0, 2.0], [4.0, 6.0]])
    assert np.allclose(least_squares_circle(points), (1, 2, 5))


@settings(max_examples=50, deadline=None)
@given(
    x=st.floats(40, 160),
    y=st.floats(40, 160),
    radius=st.floats(30, 150),
    missing=st.floats(0, 3.5),
    stray=st.integers(0, 60),
)
def test_stray_points_and_missing_arcs_do_not_matter(x, y, radius, missing, stray):
    points = arc(x, y, radius, 200, missing, 2 * np.pi)
    noise = np.random.default_rng(stray).uniform(0, 200, (stray, 2))
    found = ransac_circle(np.concatenate([points, noise]), 200)
    assert np.allclose(found, (x, y, radius), atol=0.02 * radius)


def test_too_few_points_and_circles_out_of_range():
    assert ransac_circle(arc(50, 50, 40, 20), 200) is None
    assert ransac_circle(arc(50, 50, 10, 200), 200) is None
    line = np.stack([np.arange(100.0), np.zeros(100)], axis=1)
    assert ransac_circle(line, 200) is None


def test_trimmed_circle_leaves_out_what_is_far():
    points = np.concatenate([arc(50, 60, 40, 100), arc(50, 60, 30, 80)])
    assert np.allclose(trimmed_circle(points, np.array([51.0, 60.0, 41.0]), 3.0), (50, 60, 40))
    start = np.array([51.0, 60.0, 35.0])
    assert np.array_equal(trimmed_circle(points, start, 0.1), start)  # nothing that near: nothing changes
