"""Circles through points, some of which lie on no circle."""

import numpy as np


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
    rng = np.random.default_rng(0)  # fixed: the same photograph always gives the same field
    a, b, c = points[rng.integers(len(points), size=(120, 3))].transpose(1, 0, 2)
    # Circle through three points: 2 (b - a) . m = |b|^2 - |a|^2 and the same for c, solved by Cramer's rule.
    (px, py), (qx, qy) = 2 * (b - a).T, 2 * (c - a).T
    u, v = (b**2 - a**2).sum(1), (c**2 - a**2).sum(1)
    determinant = px * qy - py * qx
    usable = np.abs(determinant) > 1e-6
    safe = np.where(usable, determinant, 1)
    x, y = (u * qy - v * py) / safe, (px * v - qx * u) / safe
    radius = np.hypot(x - a[:, 0], y - a[:, 1])
    usable &= (radius > 0.12 * long_side) & (radius < 0.9 * long_side)
    if not usable.any():
        return None
    voters = points[:: max(1, len(points) // 200)]
    gaps = np.abs(np.hypot(voters[:, 0] - x[:, None], voters[:, 1] - y[:, None]) - radius[:, None])
    winner = int(np.argmax(np.where(usable, (gaps < 1.5).sum(axis=1), -1)))
    gaps = np.abs(np.hypot(points[:, 0] - x[winner], points[:, 1] - y[winner]) - radius[winner])
    near = points[gaps < 2.0]
    return least_squares_circle(near)


def least_squares_circle(points: np.ndarray) -> np.ndarray:
    """Return the circle (x, y, radius) with the least algebraic distance (Kasa, 1976) to points (N, 2)."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    x, y, c = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return np.array([x, y, np.sqrt(max(c + x**2 + y**2, 1e-6))])
