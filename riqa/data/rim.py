"""The rim of a field of view: its outline in a small copy of a photograph, and the circle along it."""

from collections.abc import Sequence

import cv2
import numpy as np

from riqa.data.circle import trimmed_circle

UNSEEN = -1e4
"""Stands along the border of an image, where the field is cut and what goes on is not to be seen."""

N_RAYS = 120  # radii along which the rim is looked for
_ANGLES = np.arange(N_RAYS) * (2 * np.pi / N_RAYS)
_RAYS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_COLUMNS = _RAYS.T[:, :, None].astype(np.float32)  # of x and of y, for remap
_SPECK = np.ones((3, 3), np.uint8)
_STEP = 0.5  # px along a ray
_NEAR = 6  # steps to both sides of the rim that are close to it
_DIM = 30  # grey levels of distance from the margin
_CONTRAST = 3  # grey levels between its sides
_TRIMS = (0.05, 0.015)  # radii within which edges count, from fit to fit


def outline(distance: np.ndarray, threshold: float) -> np.ndarray | None:
    """Return the convex hull of the largest region that differs from the margin.

    Args:
        distance: Distance from the margin's colour, uint8 (H, W).
        threshold: Distance that counts as field.

    Returns:
        Corners of the hull, int32 (N, 1, 2) as (x, y), or None when the region is tiny.
    """
    contours = _contours(distance, threshold, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    return hull if cv2.contourArea(hull) >= 0.02 * distance.size else None


def resampled(hull: np.ndarray) -> np.ndarray:
    """Return points (N, 2), a pixel apart, along a hull."""
    corners = hull[:, 0].astype(float)
    closed = np.concatenate([corners, corners[:1]])
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    steps = np.arange(0, lengths[-1], 1.0)
    return np.stack([np.interp(steps, lengths, closed[:, axis]) for axis in (0, 1)], axis=1)


def outer_contour(distance: np.ndarray, threshold: float) -> np.ndarray:
    """Return points (N, 2), a pixel apart, along the largest region that differs from the margin."""
    contours = _contours(distance, threshold, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=cv2.contourArea)[:, 0].astype(float) if contours else np.zeros((0, 2))
    return inner_points(points, distance.shape)


def _contours(distance: np.ndarray, threshold: float, kind: int) -> Sequence[np.ndarray]:
    """Return the outlines of the regions that differ from the margin by more than a threshold."""
    mask = cv2.compare(distance, threshold, cv2.CMP_GT)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _SPECK)  # thin noise is no field
    return cv2.findContours(mask, cv2.RETR_EXTERNAL, kind)[0]


def inner_points(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return those of points (N, 2) that do not lie on the border of an image of `shape`, which is no rim."""
    x, y = points.T
    return points[(x > 1) & (x < shape[1] - 2) & (y > 1) & (y < shape[0] - 2)]


def refine(
    distance: np.ndarray, circle: np.ndarray, threshold: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move a circle onto the outermost edges along its radii.

    Args:
        distance: Distance from the margin's colour, float32 (H, W), `UNSEEN` along the border.
        circle: (x, y, radius).
        threshold: Distance that counts as field.
        reach: How far from the circle edges are looked for, as part of the radius.

    Returns:
        The refitted circle, and the edge point (x, y) on each of `N_RAYS` radii (NaN where none was seen).
    """
    x, y, radius = circle
    lengths = np.arange(radius * (1 - reach) - 2, radius * (1 + reach) + 2, _STEP)
    xs, ys = _COLUMNS * lengths.astype(np.float32)
    xs += np.float32(x)
    ys += np.float32(y)
    profile = cv2.remap(
        distance, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=UNSEEN
    )
    rays, end = np.arange(N_RAYS), len(lengths) - 1
    last = end - np.argmax((profile > threshold)[:, ::-1], axis=1)
    # The edge is where the profile falls through half of the height that it has shortly before its end.
    # "Shortly" reaches across the faint glow that some lenses put around the field.
    before = max(9, round(0.12 * radius / _STEP))
    level = cv2.dilate(profile, np.ones((1, before)), anchor=(before - 1, 0))[rays, last]
    half = np.maximum(level / 2, threshold)
    high = profile > half[:, None]
    edge = end - np.argmax(high[:, ::-1], axis=1)
    after = np.minimum(edge + 2, end)
    # The rim is a step. Light that fades slowly passes one half of itself too, but goes on behind it.
    step = profile[rays, np.minimum(edge + 4, end)] < 0.75 * half
    valid = high[rays, edge] & (edge > 2) & (edge < end - 2) & (profile[rays, after] >= 0) & step
    inner, outer = profile[rays, edge], profile[rays, np.minimum(edge + 1, end)]
    part = (inner - half) / np.maximum(inner - outer, 1e-6)
    edges = circle[:2] + _RAYS * (lengths[edge] + _STEP * part.clip(0, 1))[:, None]
    edges[~valid] = np.nan
    points = edges[valid]
    if len(points) < 24:
        return circle, edges
    fitted = circle
    for part in _TRIMS:
        fitted = trimmed_circle(points, fitted, max(1.0, part * radius))
    # Where all of the rim is bright, half of the height lies on it.
    dim = np.count_nonzero(level < _DIM) > 0.1 * N_RAYS
    return _settle(profile, lengths, circle, fitted) if dim else fitted, edges


def _settle(profile: np.ndarray, lengths: np.ndarray, circle: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Move a circle to where brightness passes the middle between what lies close to both of its sides.

    Fading light and noise in the margin pull edges at half of a height off the rim, inward and outward.

    Args:
        profile: Distance from the margin's colour along radii of `circle`, (N_RAYS, M).
        lengths: (M,) how far from the centre the samples lie.
        circle: (x, y, radius) whose radii they are.
        fitted: (x, y, radius) to move.
    """
    x, y = fitted[:2] - circle[:2]
    ahead, aside = _RAYS[:, 0] * x + _RAYS[:, 1] * y, _RAYS[:, 0] * y - _RAYS[:, 1] * x
    rim = ahead + np.sqrt(np.maximum(fitted[2] ** 2 - aside**2, 0))
    middle = np.rint((rim - lengths[0]) / _STEP).astype(int)
    window = middle[:, None] + np.arange(-_NEAR, _NEAR + 1)
    usable = (window[:, 0] >= 0) & (window[:, -1] < len(lengths))
    values = profile[np.arange(N_RAYS)[:, None], window.clip(0, len(lengths) - 1)]
    inside, outside = values[:, :3].mean(axis=1), values[:, -3:].mean(axis=1)
    half = (inside + outside) / 2
    high = values > half[:, None]
    last = 2 * _NEAR - 1 - np.argmax(high[:, -2::-1], axis=1)
    rays = np.arange(N_RAYS)
    before, after = values[rays, last], values[rays, last + 1]
    part = (before - half) / np.maximum(before - after, 1e-6)
    usable &= (values.min(axis=1) >= 0) & (inside - outside > _CONTRAST)
    reach = lengths[window[:, 0].clip(0, len(lengths) - 1)] + _STEP * (last + part.clip(0, 1))
    edges = circle[:2] + _RAYS * reach[:, None]
    return trimmed_circle(edges[usable], fitted, 1.5) if usable.sum() >= 24 else fitted


def on_circle(image: np.ndarray, circle: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return the colours of an image, int (N, 3), closely around a circle, where box and image go on."""
    left, top, right, bottom = box
    xs, ys = np.rint(circle[:2] + (1.05 * circle[2] + 2) * _RAYS).astype(int).T
    seen = (xs >= max(0, left)) & (xs < min(image.shape[1], right))
    seen &= (ys >= max(0, top)) & (ys < min(image.shape[0], bottom))
    return image[ys[seen], xs[seen]].astype(int)


def support(circle: np.ndarray, edges: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Return the part of the circle inside the box, at least two fifths of it, on which an edge was found."""
    left, top, right, bottom = box
    xs, ys = (circle[:2] + _RAYS * circle[2]).T
    visible = (xs > left + 2) & (xs < right - 3) & (ys > top + 2) & (ys < bottom - 3)
    gaps = np.abs(np.hypot(edges[:, 0] - circle[0], edges[:, 1] - circle[1]) - circle[2])
    return float((visible & (gaps < max(1.0, 0.015 * circle[2]))).sum() / max(0.4 * N_RAYS, visible.sum()))
