import cv2
import numpy as np
import pytest
from scipy.linalg import logm

from riqa.learn.bands import N_NUMBERS, colour_bands

UPPER = np.triu_indices(3)
ROUNDING = 5e-6


def noise(seed, spread=(20, 20, 20), side=48, level=120):
    rng = np.random.default_rng(seed)
    return (level + rng.normal(size=(side, side, 3)) * spread).round().clip(1, 255).astype(np.uint8)


def slow(image):
    """The finest octave and the means where no pixel is black, by other means: scipy and a loop."""
    level = np.log(1 + image / 32.0)
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    taps /= taps.sum()
    inside = level[2:-2, 2:-2]
    blurred = sum(
        taps[i] * taps[j] * level[i : len(level) - 4 + i, j : level.shape[1] - 4 + j]
        for i in range(5)
        for j in range(5)
    )
    detail = (inside - blurred).reshape(-1, 3)
    return inside.mean((0, 1)), logm(detail.T @ detail / len(detail) + ROUNDING * np.eye(3))[UPPER]


def test_means_and_the_finest_octave_are_those_of_a_slow_transcription():
    image = noise(0, (20, 10, 5))
    mean, finest = slow(image)
    (found,) = colour_bands(image[None])
    assert found.shape == (N_NUMBERS,)
    np.testing.assert_allclose(found[:3], mean, rtol=1e-4)
    np.testing.assert_allclose(found[3:9], finest, rtol=1e-3, atol=1e-3)


def test_twice_the_detail_is_one_step():
    """Four times the covariance, where detail is far above rounding and small beside the level."""
    once, twice = colour_bands(np.stack([noise(0, (4, 4, 4), 96), noise(0, (8, 8, 8), 96)]))
    diagonal = [3, 6, 8]
    np.testing.assert_allclose(twice[diagonal] - once[diagonal], np.log(4), atol=0.06)


def test_grey_detail_and_coloured_detail_differ_in_how_channels_go_together():
    coloured = noise(0)
    grey = np.repeat(coloured[..., :1], 3, axis=2)
    one, other = colour_bands(np.stack([coloured, grey]))
    assert abs(one[4]) < 0.1  # of red and green: independent
    assert other[4] > 2


def test_the_black_outside_of_the_field_is_not_described():
    """A field of one colour: no detail at any scale, however black its surroundings are."""
    image = np.zeros((64, 64, 3), np.uint8)
    cv2.circle(image, (32, 32), 28, (150, 90, 40), -1)
    (found,) = colour_bands(image[None])
    np.testing.assert_allclose(found[:3], np.log(1 + np.array([150, 90, 40]) / 32), rtol=1e-5)
    nothing = np.log(ROUNDING) * np.eye(3)[UPPER]
    np.testing.assert_allclose(found[3:].reshape(-1, 6), np.tile(nothing, (5, 1)), atol=1e-2)


@pytest.mark.parametrize("side", [1, 2, 5, 33])
@pytest.mark.parametrize("level", [0, 255])
def test_every_image_has_finite_numbers(side, level):
    assert np.isfinite(colour_bands(np.full((2, side, side, 3), level, np.uint8))).all()


def test_no_image_has_no_numbers():
    assert colour_bands(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, N_NUMBERS)
