"""The density of points by Gaussian mixtures: how surprising a further point is.

One Gaussian would have to reach from the darkest photographs to the hazy ones, and would take for known
whatever lies between them. A mixture has a Gaussian for each crowd of points. A fit
depends on where it begins, so several are fitted, and their densities averaged.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

POINTS_A_CROWD = 200
MOST_CROWDS = 8
BEGINNINGS = 4
_LEAST = 1e-6  # of the variance, so that two points, or equal ones, have a spread in every direction
_SMALLEST_VARIANCE = 0.1  # added to a crowd's, where that of all points is 1 in every direction


@dataclass(frozen=True)
class Mixture:
    """Gaussians in D dimensions.

    Attributes:
        weights: (M,) positive.
        means: (M, D).
        roots: (M, D, D) square roots of the precisions: a distance is the length of (point - mean) @ root.
    """

    weights: np.ndarray
    means: np.ndarray
    roots: np.ndarray

    @threadpool_limits.wrap(limits=1, user_api="blas")  # more would spin while the network computes
    def surprise(self, points: np.ndarray) -> np.ndarray:
        """Return minus the logarithm of the density at points (N, D), but for a constant: (N,)."""
        distances = [
            np.square((points - mean) @ root).sum(axis=1)
            for mean, root in zip(self.means, self.roots, strict=True)
        ]
        heights = np.log(self.weights) + np.linalg.slogdet(self.roots)[1]
        return -logsumexp(heights[:, None] - np.array(distances) / 2, axis=0)


@threadpool_limits.wrap(limits=1)  # the order of floating-point sums, and so the last bits, depend on it
def fit_mixture(points: np.ndarray) -> Mixture:
    """Fit `BEGINNINGS` mixtures of a Gaussian for every `POINTS_A_CROWD` points, at most `MOST_CROWDS`.

    Points are brought to unit covariance first, by the estimate of Ledoit and Wolf 2004, which can be
    inverted also with fewer points than dimensions.

    Args:
        points: (n, D), at least two.
    """
    spread = points.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    centre = points.mean(axis=0)
    covariance = LedoitWolf(assume_centered=True).fit((points - centre) / scale).covariance_
    precision = np.linalg.inv(covariance + _LEAST * np.eye(len(scale)))
    whitening = np.linalg.cholesky(precision) / scale[:, None]
    white = (points - centre) @ whitening
    n_crowds = int(np.clip(len(points) // POINTS_A_CROWD, 1, MOST_CROWDS))
    beginnings = BEGINNINGS if n_crowds > 1 else 1  # one Gaussian has one best place
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough to a density is enough
        fitted = [
            GaussianMixture(n_crowds, reg_covar=_SMALLEST_VARIANCE, random_state=seed).fit(white)
            for seed in range(beginnings)
        ]
    weights = np.concatenate([one.weights_ for one in fitted]) / len(fitted)
    back = np.linalg.inv(whitening)
    means = centre + np.concatenate([one.means_ for one in fitted]) @ back
    return Mixture(weights, means, whitening @ np.concatenate([one.precisions_cholesky_ for one in fitted]))
