"""Circles through points, some of which lie on no circle."""

import math

import numpy as np

# Which triples of points are tried, as parts of the number of points; the same for every photograph. With
# every second point astray, all triples miss the circle once in 40,000 times.
_TRIPLES = np.random.default_rng(0).random((3, 80))
_VOTERS = 90


def ransac_circle(points: np.ndarray, long_side: int) -> np.ndarray | None:
    """Return the circle through most of the points; straight runs and spikes are outvoted.

    Random sample consensus (Fischler and Bolles, 1981): circles through random triples of points are voted
    on, and the winner is fitted to its voters by least squares.

    Args:
        points: (N, 2) points (x, y), about a pixel apart.
        long_side: Longer side of the image, pixels; the radius lies between 0.12 and 0.9 of it.

    Returns:
        (x, y, radius) in pixels, or None with fewer than 24 points or no circle among the triples.
    """
    if len(points) < 24:
        return None
    a, b, c = points[(_TRIPLES * len(points)).astype(int)]
    # Circle through three points: 2 (b - a) . m = |b|^2 - |a|^2 and the same for c, solved by Cramer's rule,
    # with a as the origin.
    b, c = b - a, c - a
    u, v = (b * b).sum(axis=1), (c * c).sum(axis=1)
    determinant = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    safe = np.where(np.abs(determinant) > 1e-6, determinant, 1e-6)
    x, y = (u * c[:, 1] - v * b[:, 1]) / safe, (v * b[:, 0] - u * c[:, 0]) / safe
    radius = np.sqrt(x * x + y * y)
    usable = (radius > 0.12 * long_side) & (radius < 0.9 * long_side)
    if not usable.any():
        return None
    x, y, radius = x[usable] + a[usable, 0], y[usable] + a[usable, 1], radius[usable]
    voters = points[:: max(1, len(points) // _VOTERS)]
    dx, dy = voters[:, 0] - x[:, None], voters[:, 1] - y[:, None]
    votes = (np.abs(np.sqrt(dx * dx + dy * dy) - radius[:, None]) < 1.5).sum(axis=1)
    winner = int(np.argmax(votes))
    return trimmed_circle(points, np.array([x[winner], y[winner], radius[winner]]), 2.0)


def trimmed_circle(points: np.ndarray, circle: np.ndarray, reach: float) -> np.ndarray:
    """Return the circle fitted by least squares to the points within `reach` pixels of a circle.

    Args:
        points: (N, 2) points (x, y).
        circle: (x, y, radius).
        reach: Pixels; with fewer than 12 points that near, `circle` itself is returned.
    """
    dx, dy = points[:, 0] - circle[0], points[:, 1] - circle[1]
    near = points[np.abs(np.sqrt(dx * dx + dy * dy) - circle[2]) < reach]
    return least_squares_circle(near) if len(near) >= 12 else circle


def least_squares_circle(points: np.ndarray) -> np.ndarray:
    """Return the circle (x, y, radius) with the least algebraic distance (Kasa, 1976) to points (N, 2)."""
    middle = points.sum(axis=0) / len(points)
    centred = points - middle
    # Normal equations of 2 x a + 2 y b = x^2 + y^2 - mean, well conditioned because the points are centred.
    (xx, xy), (_, yy) = (centred.T @ centred).tolist()
    u, v = ((centred * centred).sum(axis=1) @ centred).tolist()
    determinant = 2 * (xx * yy - xy * xy)
    a, b = (u * yy - v * xy) / determinant, (v * xx - u * xy) / determinant
    x, y = middle.tolist()
    return np.array([a + x, b + y, math.sqrt((xx + yy) / len(points) + a * a + b * b)])
