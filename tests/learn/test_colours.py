"""Colours of octaves against a slow transcription, and densities against scipy's."""

import cv2
import numpy as np
import pytest
from scipy.linalg import logm
from scipy.stats import multivariate_normal

from riqa.learn import colours
from riqa.learn.colours import N_NUMBERS, Mixture, colour_bands, fit_mixture

UPPER = np.triu_indices(3)
ROUNDING = 5e-6


def noise(seed, spread=(20, 20, 20), side=48, level=120):
    rng = np.random.default_rng(seed)
    return (level + rng.normal(size=(side, side, 3)) * spread).round().clip(1, 255).astype(np.uint8)


def test_means_and_the_finest_octave_are_those_of_a_slow_transcription():
    """Where no pixel is black, by other means: scipy and a loop."""
    image = noise(0, (20, 10, 5))
    level = np.log(1 + image / 32.0)
    taps = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    taps /= taps.sum()
    blurred = sum(taps[i] * taps[j] * level[i : i + 44, j : j + 44] for i in range(5) for j in range(5))
    detail = (level[2:-2, 2:-2] - blurred).reshape(-1, 3)
    (found,) = colour_bands(image[None])
    assert found.shape == (N_NUMBERS,)
    np.testing.assert_allclose(found[:3], level[2:-2, 2:-2].mean((0, 1)), rtol=1e-4)
    finest = logm(detail.T @ detail / len(detail) + ROUNDING * np.eye(3))[UPPER]
    np.testing.assert_allclose(found[3:9], finest, rtol=1e-3, atol=1e-3)


def test_twice_the_detail_is_one_step_and_grey_detail_goes_together():
    """Four times the covariance, where detail is far above rounding and small beside the level."""
    once, twice = colour_bands(np.stack([noise(0, (4, 4, 4), 96), noise(0, (8, 8, 8), 96)]))
    np.testing.assert_allclose((twice - once)[[3, 6, 8]], np.log(4), atol=0.06)
    one, grey = colour_bands(np.stack([noise(0), np.repeat(noise(0)[..., :1], 3, axis=2)]))
    assert abs(one[4]) < 0.1  # of red and green: independent
    assert grey[4] > 2


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
    assert colour_bands(np.zeros((0, side, side, 3), np.uint8)).shape == (0, N_NUMBERS)


def test_surprise_is_minus_the_logarithm_of_the_density():
    covariances = [np.array([[2.0, 0.5], [0.5, 1.0]]), np.diag([0.3, 4.0])]
    roots = np.array([np.linalg.cholesky(np.linalg.inv(covariance)) for covariance in covariances])
    means, weights = np.array([[0.0, 1.0], [5.0, -2.0]]), np.array([0.3, 0.7])
    points = np.random.default_rng(0).normal(scale=4, size=(20, 2))
    parts = zip(weights, means, covariances, strict=True)
    density = sum(w * multivariate_normal(mean, covariance).pdf(points) for w, mean, covariance in parts)
    expected = -np.log(density) - np.log(2 * np.pi)  # the constant that is left out, in two dimensions
    np.testing.assert_allclose(Mixture(weights, means, roots).surprise(points), expected, rtol=1e-9)


def two_crowds(n, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) + 12 * rng.integers(0, 2, (n, 1))


def test_between_two_crowds_little_is_known_units_do_not_matter_nor_a_number_that_never_varies():
    """One Gaussian takes the middle for the most usual of all."""
    middle, usual, stretch = np.full((1, 3), 6.0), two_crowds(200, 1), np.array([1.0, 100.0, 0.01])
    points = two_crowds(500, 0)
    one, several = fit_mixture(two_crowds(150, 0)), fit_mixture(points)
    assert one.surprise(middle) < np.median(one.surprise(usual))
    assert several.surprise(middle) > np.quantile(several.surprise(usual), 0.9)
    moved = fit_mixture(points * stretch).surprise(usual * stretch) - several.surprise(usual)
    np.testing.assert_allclose(moved, moved.mean(), atol=1e-2)
    points[:, 1] = 3.0
    assert np.isfinite(fit_mixture(points[:60]).surprise(points)).all()


@pytest.mark.parametrize(
    ("n", "changes", "gaussians"),
    [  # one for every 200, at most eight, from four beginnings unless it is alone
        (2, {}, 1),
        (399, {}, 1),
        (400, {}, 8),
        (1000, {}, 20),
        (2400, {}, 32),
        (500, {"BEGINNINGS": 1}, 2),
        (500, {"POINTS_A_CROWD": 100}, 20),
        (800, {"MOST_CROWDS": 3}, 12),
    ],
)
def test_more_points_have_more_gaussians_and_every_knob_is_alive(monkeypatch, n, changes, gaussians):
    for knob, value in changes.items():
        monkeypatch.setattr(colours, knob, value)
    fitted = fit_mixture(np.random.default_rng(0).normal(size=(n, 2)))
    assert len(fitted.weights) == gaussians
    assert fitted.weights.sum() == pytest.approx(1)
