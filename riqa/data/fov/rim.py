"""The border of a field of view in a small copy of a photograph: the circle along its rim, straight bars."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

Box = tuple[float, float, float, float]  # (left, top, right, bottom)

UNSEEN = -1e4
"""Stands along the border of an image, where the field is cut and what goes on is not to be seen."""

# Which triples of points are tried, as parts of the number of points; the same for every photograph. With
# every second point astray, all triples miss the circle once in 40,000 times.
_TRIPLES = np.random.default_rng(0).random((3, 80))
_VOTERS = 90

N_RAYS = 120  # radii along which the rim is looked for
_ANGLES = np.arange(N_RAYS) * (2 * np.pi / N_RAYS)
RAYS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_EACH = np.arange(N_RAYS)
_COLUMNS = RAYS.T[:, :, None].astype(np.float32)  # of x and of y, for remap
_STEP = 0.5  # px along a ray
_NEAR = 6  # steps to both sides of the rim that are close to it
_DIM = 30  # grey levels of distance from the margin
_CONTRAST = 3  # grey levels between its sides
_TRIMS = (0.05, 0.015)  # radii within which edges count, from fit to fit

_SHALLOWEST = 0.045  # radii that a bar must cut off
_NEAREST = 0.5  # rows from the image's border on which a bar can be recognised
_NO_LIGHT = 2, 8  # grey levels of distance that rows in front of a bar do not exceed: without, with ripples
_RIPPLES = 0.07  # radii
_LOW = 24  # grey levels of distance: above the noise of most margins, below most retina


@dataclass(frozen=True)
class Fit:
    """A field of view in the small copy: circle ∩ rectangle, in its pixels."""

    circle: np.ndarray  # (x, y, radius)
    box: Box
    score: float  # agreement with the image, at most 1; 0 where no rim is to be seen
    margin: np.ndarray  # colour of the margin, uint8 (3,)


def ransac_circle(points: np.ndarray, long_side: int) -> np.ndarray | None:
    """Return the circle (x, y, radius) through most of the points; straight runs and spikes are outvoted.

    Random sample consensus (Fischler and Bolles, 1981): circles through random triples of points (N, 2),
    a pixel apart, are voted on, and the winner is fitted to its voters by least squares. The radius lies
    between 0.12 and 0.9 of the image's longer side. None with fewer than 24 points or no such circle.
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
    """Return the least-squares circle of the points within `reach` px of a circle; itself if below 12."""
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


def refine(
    distance: np.ndarray, circle: np.ndarray, threshold: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move a circle (x, y, radius) onto the outermost edges along its radii.

    `distance` is that from the margin's colour, float32 (H, W), `UNSEEN` along the border; what exceeds
    `threshold` counts as field. Edges are looked for within `reach`, a part of the radius, of the circle.
    Returns the refitted circle, and the edge (x, y) on each of `N_RAYS` radii (NaN where none was seen).
    """
    x, y, radius = circle
    lengths = np.arange(radius * (1 - reach) - 2, radius * (1 + reach) + 2, _STEP)
    xs, ys = _COLUMNS * lengths.astype(np.float32)
    xs += np.float32(x)
    ys += np.float32(y)
    profile = cv2.remap(
        distance, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=UNSEEN
    )
    end = len(lengths) - 1
    last = end - np.argmax((profile > threshold)[:, ::-1], axis=1)
    # The edge is where the profile falls through half of the height that it has shortly before its end.
    # "Shortly" reaches across the faint glow that some lenses put around the field.
    before = max(9, round(0.12 * radius / _STEP))
    level = cv2.dilate(profile, np.ones((1, before)), anchor=(before - 1, 0))[_EACH, last]
    half = np.maximum(level / 2, threshold)
    high = profile > half[:, None]
    edge = end - np.argmax(high[:, ::-1], axis=1)
    # The rim is a step. Light that fades slowly passes one half of itself too, but goes on behind it.
    step = profile[_EACH, np.minimum(edge + 4, end)] < 0.75 * half
    seen = profile[_EACH, np.minimum(edge + 2, end)] >= 0
    valid = high[_EACH, edge] & (edge > 2) & (edge < end - 2) & seen & step
    part = _part(profile[_EACH, edge], profile[_EACH, np.minimum(edge + 1, end)], half)
    edges = circle[:2] + RAYS * (lengths[edge] + _STEP * part)[:, None]
    edges[~valid] = np.nan
    points = edges[valid]
    if len(points) < 24:
        return circle, edges
    fitted = circle
    for trim in _TRIMS:
        fitted = trimmed_circle(points, fitted, max(1.0, trim * radius))
    # Where all of the rim is bright, half of the height lies on it.
    dim = np.count_nonzero(level < _DIM) > 0.1 * N_RAYS
    return _settle(profile, lengths, circle, fitted) if dim else fitted, edges


def _part(before: np.ndarray, after: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Return which part of a step lies before the point that has the value `half`, in [0, 1]."""
    return ((before - half) / np.maximum(before - after, 1e-6)).clip(0, 1)


def _settle(profile: np.ndarray, lengths: np.ndarray, circle: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Move a circle to where brightness passes the middle between what lies close to both of its sides.

    Fading light and noise in the margin pull edges at half of a height off the rim, inward and outward.
    `profile` (N_RAYS, M) was sampled along radii of `circle` at `lengths` (M,); `fitted` is what is moved.
    """
    x, y = fitted[:2] - circle[:2]
    ahead, aside = RAYS[:, 0] * x + RAYS[:, 1] * y, RAYS[:, 0] * y - RAYS[:, 1] * x
    rim = ahead + np.sqrt(np.maximum(fitted[2] ** 2 - aside**2, 0))
    middle = np.rint((rim - lengths[0]) / _STEP).astype(int)
    window = middle[:, None] + np.arange(-_NEAR, _NEAR + 1)
    values = profile[_EACH[:, None], window.clip(0, len(lengths) - 1)]
    inside, outside = values[:, :3].mean(axis=1), values[:, -3:].mean(axis=1)
    half = (inside + outside) / 2
    last = 2 * _NEAR - 1 - np.argmax((values > half[:, None])[:, -2::-1], axis=1)
    usable = (window[:, 0] >= 0) & (window[:, -1] < len(lengths))
    usable &= (values.min(axis=1) >= 0) & (inside - outside > _CONTRAST)
    part = _part(values[_EACH, last], values[_EACH, last + 1], half)
    reach = lengths[window[:, 0].clip(0, len(lengths) - 1)] + _STEP * (last + part)
    edges = circle[:2] + RAYS * reach[:, None]
    return trimmed_circle(edges[usable], fitted, 1.5) if usable.sum() >= 24 else fitted


def support(circle: np.ndarray, edges: np.ndarray, box: Box) -> float:
    """Return the part of the circle inside the box, at least two fifths of it, on which an edge was found."""
    left, top, right, bottom = box
    xs, ys = (circle[:2] + RAYS * circle[2]).T
    visible = (xs > left + 2) & (xs < right - 3) & (ys > top + 2) & (ys < bottom - 3)
    gaps = np.abs(np.hypot(edges[:, 0] - circle[0], edges[:, 1] - circle[1]) - circle[2])
    return float((visible & (gaps < max(1.0, 0.015 * circle[2]))).sum() / max(0.4 * N_RAYS, visible.sum()))


def find_bars(distance: np.ndarray, circle: np.ndarray, threshold: float) -> Box:
    """Return the rectangle between the straight bars that cut a circle (x, y, radius).

    `distance` is that from the margin's colour, uint8 (H, W); what exceeds `threshold` counts as field.
    """
    height, width = distance.shape
    x, y, radius = circle
    turned = distance.T
    top = _bar(distance, x, y, radius, threshold)
    bottom = height - _bar(distance[::-1], x, height - 1 - y, radius, threshold)
    left = _bar(turned, y, x, radius, threshold)
    right = width - _bar(turned[::-1], y, width - 1 - x, radius, threshold)
    return left, top, right, bottom


def _bar(distance: np.ndarray, x: float, y: float, radius: float, threshold: float) -> float:
    """Return the row at which a circle starts if a straight bar cuts off its upper part, else 0."""
    shallowest = y - radius + _SHALLOWEST * radius
    first = min(max(0, int(shallowest)), len(distance) - 1)
    columns = slice(max(0, int(x - 0.2 * radius)), max(0, int(x + 0.2 * radius) + 1))
    edge = distance[first, columns]
    inner = distance[min(first + round(0.1 * radius), len(distance) - 1), columns]
    if np.count_nonzero(edge > np.maximum(0.5 * inner, threshold)) > 0.9 * len(edge):
        return 0.0  # lit up to where a bar would be: the usual case, recognised cheaply
    row = _straight_start(distance, x, y, radius, threshold)
    if row is None:
        # Dark retina behind a bar hides how straight it is, but in front of a bar there is no light at all,
        # except for the ripples of JPEG blocks, which end soon.
        light = distance[:, max(0, int(x - radius)) : int(x + radius) + 1].max(axis=1)
        faint, clear = (int(np.argmax(light > level)) for level in _NO_LIGHT)
        row = float(clear)
        if clear - faint > _RIPPLES * radius:
            # Ripples do not reach so far, unless a lower threshold shows the bar behind them.
            row = _straight_start(distance, x, y, radius, _LOW) if threshold > _LOW else None
            row = float(faint) if row is None else row
    return row if row > max(_NEAREST, shallowest) else 0.0


def _straight_start(
    distance: np.ndarray, x: float, y: float, radius: float, threshold: float
) -> float | None:
    """Return the row at which the field starts, or None if it does not start along a straight line."""
    half = 0.3 * radius
    for tolerance in (0.016, 0.035):
        start = _first_rows(distance, x, y, radius, threshold, half)
        if start is None:
            return None
        row = float(np.median(start))
        # Fading light, eyelids and the pupil's edge start on a curve; a bar starts in one row.
        if (np.abs(start - row) <= max(1.0, tolerance * radius)).mean() <= 0.75:
            return None
        # A curve looks straight on a short piece; look again on all of the chord, where bars bend a bit.
        half = max(half, 0.92 * np.sqrt(max(0.0, radius**2 - (y - row) ** 2)))
    return row


def _first_rows(
    distance: np.ndarray, x: float, y: float, radius: float, threshold: float, half: float
) -> np.ndarray | None:
    """Return where the field starts in the columns from x - half to x + half; None if many have none.

    Row 2.3 means that three tenths of row 2 are dark.
    """
    pole = max(0, int(np.ceil(y - radius)))
    columns = slice(max(0, int(x - half)), max(0, int(x + half) + 1))
    rows = distance[pole : max(pole, int(y + 0.5 * radius)), columns]
    if min(rows.shape) < 8:
        return None
    first, every = np.argmax(rows > threshold, axis=0), np.arange(rows.shape[1])
    steps = np.arange(2, max(4, round(0.1 * radius)))[:, None]
    ahead = rows[np.minimum(first + steps, len(rows) - 1), every]
    # The row is where half of the brightness reached behind it is passed, so that a blurred bar counts too.
    half_way = np.maximum(0.5 * np.median(ahead, axis=0), threshold)
    high = rows > half_way
    start = np.argmax(high, axis=0)
    found = high[start, every]
    if np.count_nonzero(found) < 0.8 * len(found):
        return None
    inside, outside = rows[start, every].astype(float), rows[np.maximum(start - 1, 0), every]
    part = (inside - half_way) / np.maximum(inside - outside, 1e-6)
    # Centres of rows lie half a row below their upper edges.
    return (pole + start + 0.5 - np.where(start > 0, part, 0.5))[found]
