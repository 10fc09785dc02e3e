"""Straight bars that cut a field of view at its top, bottom, left or right."""

import numpy as np

_SHALLOWEST = 0.045  # radii that a bar must cut off
_NEAREST = 0.5  # rows from the image's border on which a bar can be recognised
_NO_LIGHT = 2, 8  # grey levels of distance that rows in front of a bar do not exceed: without, with ripples
_RIPPLES = 0.07  # radii
_LOW = 24  # grey levels of distance: above the noise of most margins, below most retina


def find_bars(
    distance: np.ndarray, circle: np.ndarray, threshold: float
) -> tuple[float, float, float, float]:
    """Return (left, top, right, bottom) of the rectangle between the straight bars that cut a circle.

    Args:
        distance: Distance from the margin's colour, uint8 (H, W).
        circle: (x, y, radius).
        threshold: Distance that counts as field.
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
    edge, inner = (
        distance[first, columns],
        distance[min(first + round(0.1 * radius), len(distance) - 1), columns],
    )
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
    if rows.shape[0] < 8 or rows.shape[1] < 8:
        return None
    first = np.argmax(rows > threshold, axis=0)
    every = np.arange(rows.shape[1])
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
