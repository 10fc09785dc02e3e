"""Colours and texture of photographs, and how surprising a further photograph is among known ones.

A Laplacian pyramid (Burt and Adelson 1983, doi:10.1109/TCOM.1983.1095851) takes a photograph apart into
octaves, in each of which the covariance of the three channels says how much detail there is, and of which
colour: noise is fine and grey, vessels are darkest in green, haze is coarse and blue. Covariances are
compared by their matrix logarithms (Arsigny et al. 2006, doi:10.1002/mrm.20965), in which twice the detail is
one step from wherever it starts.

The density of these numbers is a mixture of Gaussians, as one alone would take for known whatever lies
between crowds. A fit depends on where it begins, so several are fitted, and their densities averaged.
"""

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

N_OCTAVES = 4
N_NUMBERS = 3 + 6 * (N_OCTAVES + 1)
"""Numbers per photograph: the channels' means, and a covariance for every octave and for what is coarser."""
POINTS_A_CROWD = 200
MOST_CROWDS = 8
BEGINNINGS = 4

_FLOOR = 32.0  # grey levels: above it equal ratios are equal steps, below it differences; black is 0
_ROUNDING = 5e-6  # what rounding to 8 bits adds to a variance at middling brightness: (1 / (90 + 32))^2 / 12
_KERNEL = (5, 5)
_RIM = 2  # pixels at the edge of the field whose blur sees the black outside
_FEWEST = 16  # pixels that a covariance needs
CONSTANTS = {"floor": _FLOOR, "rounding": _ROUNDING, "octaves": N_OCTAVES, "rim": _RIM, "fewest": _FEWEST}
"""What another program needs to describe photographs alike."""
_LOGARITHMS = np.log1p(np.arange(256, dtype=np.float32) / np.float32(_FLOOR))
_LEAST = 1e-6  # of the variance, so that two points, or equal ones, have a spread in every direction
_SMALLEST_VARIANCE = 0.1  # added to a crowd's, where that of all points is 1 in every direction


def colour_bands(images: np.ndarray) -> np.ndarray:
    """Describe photographs (N, H, W, 3) uint8 RGB, black outside the field, by the colours of their octaves.

    Returned are float64 (N, `N_NUMBERS`), finite: the mean logarithm of each channel in the field; then, from
    the finest octave on and for what is coarser, the upper triangle of the logarithm of their covariance.
    """
    return np.array([_describe(image) for image in images], np.float64).reshape(-1, N_NUMBERS)


def _describe(image: np.ndarray) -> np.ndarray:
    """Return the numbers (`N_NUMBERS`,) of one photograph."""
    level = cv2.LUT(image, _LOGARITHMS)
    inside = _inside(image)
    mean = np.array(cv2.mean(level, inside)[:3])
    smooth = cv2.GaussianBlur(level, _KERNEL, 1.0)
    numbers = [mean, _log_covariance(level - smooth, inside)]
    for _ in range(N_OCTAVES - 1):
        level, inside = smooth[::2, ::2], inside[::2, ::2].copy()
        # A mean over the field alone: the black outside would darken its rim.
        weight = inside.astype(np.float32)
        smooth = cv2.GaussianBlur(level * weight[..., None], _KERNEL, 1.0)
        smooth /= np.maximum(cv2.GaussianBlur(weight, _KERNEL, 1.0), 1e-3)[..., None]
        numbers.append(_log_covariance(level - smooth, inside))
    numbers.append(_log_covariance(smooth - mean.astype(np.float32), inside))
    return np.concatenate(numbers)


def _inside(image: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W), 1 in the field but for its rim; 1 everywhere where that leaves too little."""
    red, green, blue = cv2.split(image)
    brightest = cv2.max(cv2.max(red, green), blue)
    edges = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    inside = (cv2.erode(brightest, None, iterations=_RIM, **edges) > 0).view(np.uint8)
    return inside if np.count_nonzero(inside) >= _FEWEST else np.ones_like(inside)


def _log_covariance(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the upper triangle (6,) of log(second moments of values (h, w, 3) where `inside` is 1)."""
    chosen = cv2.copyTo(np.ascontiguousarray(values), inside).reshape(-1, 3)
    moments = (chosen.T @ chosen).astype(np.float64) / max(np.count_nonzero(inside), 1)
    variances, axes = np.linalg.eigh(moments + _ROUNDING * np.eye(3))
    return ((axes * np.log(variances)) @ axes.T)[np.triu_indices(3)]


@dataclass(frozen=True)
class Mixture:
    """Gaussians in D dimensions."""

    weights: np.ndarray  # (M,), positive
    means: np.ndarray  # (M, D)
    roots: np.ndarray  # (M, D, D) of the precisions: a distance is the length of (point - mean) @ root

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
    """Fit mixtures to two or more points (n, D), with a Gaussian for every `POINTS_A_CROWD` of them.

    They are brought to unit covariance first, by the estimate of Ledoit and Wolf 2004 for few points.
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
    means = centre + np.concatenate([one.means_ for one in fitted]) @ np.linalg.inv(whitening)
    return Mixture(weights, means, whitening @ np.concatenate([one.precisions_cholesky_ for one in fitted]))
