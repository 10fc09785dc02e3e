import numpy as np
import pytest
from scipy.stats import multivariate_normal

from riqa.learn import mixture as module
from riqa.learn.mixture import Mixture, fit_mixture


def test_surprise_is_minus_the_logarithm_of_the_density():
    rng = np.random.default_rng(0)
    covariances = [np.array([[2.0, 0.5], [0.5, 1.0]]), np.diag([0.3, 4.0])]
    roots = np.array([np.linalg.cholesky(np.linalg.inv(covariance)) for covariance in covariances])
    means, weights = np.array([[0.0, 1.0], [5.0, -2.0]]), np.array([0.3, 0.7])
    points = rng.normal(scale=4, size=(20, 2))
    parts = zip(weights, means, covariances, strict=True)
    density = sum(w * multivariate_normal(mean, covariance).pdf(points) for w, mean, covariance in parts)
    expected = -np.log(density) - np.log(2 * np.pi)  # the constant that is left out, in two dimensions
    np.testing.assert_allclose(Mixture(weights, means, roots).surprise(points), expected, rtol=1e-9)


def two_crowds(n, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) + 12 * rng.integers(0, 2, (n, 1))


def test_between_two_crowds_little_is_known():
    """One Gaussian takes the middle for the most usual of all."""
    middle, usual = np.full((1, 3), 6.0), two_crowds(200, 1)
    one, several = (fit_mixture(two_crowds(n, 0)) for n in (150, 500))
    assert one.surprise(middle) < np.median(one.surprise(usual))
    assert several.surprise(middle) > np.quantile(several.surprise(usual), 0.9)


@pytest.mark.parametrize(("n", "gaussians"), [(2, 1), (399, 1), (400, 8), (1000, 20), (2400, 32)])
def test_more_points_have_more_gaussians(n, gaussians):
    """One for every 200, at most eight, from four beginnings unless it is alone."""
    fitted = fit_mixture(np.random.default_rng(0).normal(size=(n, 2)))
    assert len(fitted.weights) == gaussians
    assert fitted.weights.sum() == pytest.approx(1)


def test_units_do_not_matter():
    points, further = two_crowds(500, 0), two_crowds(50, 1)
    stretch = np.array([1.0, 100.0, 0.01])
    one, other = fit_mixture(points), fit_mixture(points * stretch)
    moved = other.surprise(further * stretch) - one.surprise(further)
    np.testing.assert_allclose(moved, moved.mean(), atol=1e-2)


def test_a_number_that_never_varies_does_no_harm():
    points = two_crowds(60, 0)
    points[:, 1] = 3.0
    assert np.isfinite(fit_mixture(points).surprise(points)).all()


def test_the_knobs_are_alive(monkeypatch):
    monkeypatch.setattr(module, "BEGINNINGS", 1)
    assert len(fit_mixture(two_crowds(500, 0)).weights) == 2
    monkeypatch.setattr(module, "POINTS_A_CROWD", 100)
    assert len(fit_mixture(two_crowds(500, 0)).weights) == 5
    monkeypatch.setattr(module, "MOST_CROWDS", 3)
    assert len(fit_mixture(two_crowds(500, 0)).weights) == 3
