"""Colours and texture of a photograph in a few numbers: how its channels vary together at every scale.

A Laplacian pyramid (Burt and Adelson 1983, doi:10.1109/TCOM.1983.1095851) takes a photograph apart into
octaves. In each of them the covariance of the three channels says how much detail there is, and of which
colour: noise is fine and grey, vessels are darkest in green, haze is coarse and blue. Covariances are
compared by their matrix logarithms (Arsigny et al. 2006, doi:10.1002/mrm.20965), in which twice the detail is
one step from wherever it starts. No network takes part, so what its task does not need counts as well.
"""

import cv2
import numpy as np

N_OCTAVES = 4
N_NUMBERS = 3 + 6 * (N_OCTAVES + 1)
"""Numbers per photograph: the channels' means, and a covariance for every octave and for what is coarser."""

_FLOOR = 32.0  # grey levels: above it equal ratios are equal steps, below it differences; black is 0
_ROUNDING = 5e-6  # what rounding to 8 bits adds to a variance at middling brightness: (1 / (90 + 32))^2 / 12
_KERNEL = (5, 5)
_RIM = 2  # pixels at the edge of the field whose blur sees the black outside
_FEWEST = 16  # pixels that a covariance needs
_LOGARITHMS = np.log1p(np.arange(256, dtype=np.float32) / np.float32(_FLOOR))
_UPPER = np.triu_indices(3)


def colour_bands(images: np.ndarray) -> np.ndarray:
    """Describe photographs by the colours of their octaves.

    Args:
        images: (N, H, W, 3) uint8 RGB, black outside the field of view.

    Returns:
        float64 (N, `N_NUMBERS`), finite: the mean logarithm of each channel in the field; then, from the
        finest octave to the coarsest and for what is coarser, the upper triangle of the logarithm of the
        channels' covariance.
    """
    return np.array([_describe(image) for image in images], np.float64).reshape(-1, N_NUMBERS)


def _describe(image: np.ndarray) -> np.ndarray:
    level = cv2.LUT(image, _LOGARITHMS)
    inside = _inside(image)
    mean = np.array(cv2.mean(level, inside)[:3])
    numbers = [mean]
    smooth = cv2.GaussianBlur(level, _KERNEL, 1.0)
    numbers.append(_log_covariance(level - smooth, inside))
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
    return ((axes * np.log(variances)) @ axes.T)[_UPPER]
