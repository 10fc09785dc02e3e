"""The search for a field of view in a small copy of a photograph, over margins and thresholds."""

from collections.abc import Iterator
from statistics import median_high

import cv2
import numpy as np

from riqa.data.fov import rim
from riqa.data.fov.alone import inner_points, is_alone, largest_region, thickness
from riqa.data.fov.rim import Box, Fit
from riqa.data.read import UnreadableError

_THRESHOLDS = (4, 8, 14, 24, 40, 64, 100, 2)  # grey levels of distance from the margin; 2 for the darkest
_REACHES = (0.12, 0.05)  # radii within which the rim is looked for: first widely, then near what was found
_GOOD_ENOUGH = 0.96  # score at which nothing further is tried
_WINS_BY = 0.01  # by how much a higher threshold must do better: of a dark rim it sees the inner part only
_LEAST = 0.65  # score below which there is no field of view
_NARROWEST = 0.35  # shorter side of a field / its longer side; a strip of a field could not be graded
_SMALLEST = 0.05  # part of the image
_GRAIN = 7  # px over which a margin is averaged that is as bright as the retina and told from it by noise
_PADDING = 8  # grey levels by which a photograph differs from the padding or the page around it
_INK = 40, 0.1  # grey levels from the page, thickness / the photograph's shorter side of what else lies on it
_ALIKE = 12  # grey levels within which two corners count as the same margin
_DARKEST = 24  # grey levels; retina without a margin that is darker cannot be told from stray light
_NOISY = 0.3  # what a pixel may differ from its neighbours, as part of the spread; more is noise

NO_FIELD = "no field of view found"
NOT_ALONE = "not one photograph: several fields of view, or a page or a screen around one"


class NoFieldError(UnreadableError):
    """A photograph that can be read but does not show one field of view, alone."""


def find_field(image: np.ndarray) -> Fit:
    """Return the best field over all margins and thresholds, or the whole frame where retina fills it.

    `image` is a small copy of the photograph, uint8 (H, W, 3). Raises a NoFieldError if there is no field, or
    more than one photograph alone.
    """
    best = _best_circle(image) or _best_circle(cv2.blur(image, (_GRAIN, _GRAIN)))
    if best is None and fills_frame(image):
        height, width = image.shape[:2]
        circle = np.array([(width - 1) / 2, (height - 1) / 2, np.hypot(width, height) / 2])
        best = Fit(circle, (0, 0, width, height), 0.0, np.zeros(3, np.uint8))
    if best is None:
        return _within_frame(image)
    if not is_alone(image, best):
        raise NoFieldError(NOT_ALONE)
    return best


def _best_circle(image: np.ndarray) -> Fit | None:
    """Return the best circle ∩ rectangle over all margins and thresholds, or None when none is good."""
    best = None
    for colour in margin_colours(image):
        distance = distance_from(image, colour)
        seen = distance.astype(np.float32)
        seen[0] = seen[-1] = seen[:, 0] = seen[:, -1] = rim.UNSEEN
        for threshold in _THRESHOLDS:
            for fit in _fits(distance, seen, threshold, colour):
                if best is None or fit.score > best.score + _WINS_BY:
                    best = fit
                if fit.score > _GOOD_ENOUGH:
                    return best
    return best if best is not None and best.score > _LEAST else None


def _fits(distance: np.ndarray, seen: np.ndarray, threshold: int, colour: np.ndarray) -> Iterator[Fit]:
    """Yield the field at one threshold by ever slower and more robust means."""
    hull = _hull(distance, threshold)
    if hull is None:
        return
    region = cv2.fillConvexPoly(np.zeros(distance.shape, np.uint8), hull, 1)
    for circle, reaches in _first_circles(hull, distance.shape):
        for reach in reaches:
            circle, edges = rim.refine(seen, circle, threshold, reach)
            box = rim.find_bars(distance, circle, threshold)
            overlap = _overlap(circle, box, region)
            if overlap > 0.6:  # else the outline is no circle
                yield Fit(circle, box, 0.5 * overlap + 0.5 * rim.support(circle, edges, box), colour)


def _hull(distance: np.ndarray, threshold: float) -> np.ndarray | None:
    """Return the convex hull, int32 (N, 1, 2), of the largest region off the margin; None if that is tiny."""
    region = largest_region(distance, threshold, cv2.CHAIN_APPROX_SIMPLE)
    hull = None if region is None else cv2.convexHull(region)
    return hull if hull is not None and cv2.contourArea(hull) >= 0.02 * distance.size else None


def _first_circles(hull: np.ndarray, shape: tuple[int, int]) -> Iterator[tuple[np.ndarray, tuple]]:
    """Yield circles along a hull, and the reaches within which to look for their rim one after the other."""
    # A straight cut has two corners of the hull, an arc has many: they usually give the circle at once.
    hull = hull[:, 0].astype(float)
    corners = inner_points(hull, shape)
    if len(corners) >= 12:
        circle = rim.least_squares_circle(corners)
        yield rim.trimmed_circle(corners, circle, 0.06 * circle[2]), _REACHES[:1]
    closed = np.concatenate([hull, hull[:1]])
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    steps = np.arange(0, lengths[-1], 1.0)  # points a pixel apart
    points = np.stack([np.interp(steps, lengths, closed[:, axis]) for axis in (0, 1)], axis=1)
    circle = rim.ransac_circle(inner_points(points, shape), max(shape))
    if circle is not None:
        yield circle, _REACHES


def _overlap(circle: np.ndarray, box: Box, region: np.ndarray) -> float:
    """Return intersection over union of circle ∩ box and a region; 0 when the field is a strip or tiny."""
    x, y, radius = circle
    left, top, right, bottom = (round(value) for value in box)
    sides = min(right, x + radius) - max(left, x - radius), min(bottom, y + radius) - max(top, y - radius)
    model = np.zeros(region.shape, np.uint8)
    cv2.circle(model, (round(16 * x), round(16 * y)), round(16 * radius), 1, -1, shift=4)
    model[:top] = model[bottom:] = model[:, :left] = model[:, right:] = 0
    area, common = cv2.countNonZero(model), cv2.countNonZero(model & region)
    if area < _SMALLEST * model.size or min(sides) < _NARROWEST * max(sides):
        return 0.0
    return common / (area + cv2.countNonZero(region) - common)


def _within_frame(image: np.ndarray) -> Fit:
    """Return the field of a photograph that is framed by padding or lies on an empty page, or raise."""
    height, width = image.shape[:2]
    distance = distance_from(image, next(margin_colours(image)))
    hull = _hull(distance, _PADDING)
    if hull is None:
        raise NoFieldError(NO_FIELD)
    left, top, columns, rows = cv2.boundingRect(hull)
    framed = cv2.contourArea(hull) > 0.93 * columns * rows and columns * rows < 0.95 * height * width
    strip = min(columns, rows) < max(16, _NARROWEST * max(columns, rows))
    if not framed or strip or columns * rows < _SMALLEST * height * width:
        raise NoFieldError(NO_FIELD)
    # A pixel less on each side, where padding and photograph mix.
    x, y = left + 1, top + 1
    inner = find_field(image[y : top + rows - 1, x : left + columns - 1])
    level, part = _INK
    beside = cv2.compare(distance, level, cv2.CMP_GT)
    beside[max(0, top - 1) : top + rows + 1, max(0, left - 1) : left + columns + 1] = 0
    if thickness(beside) > part * min(columns, rows):
        raise NoFieldError(NOT_ALONE)
    box = tuple(np.add(inner.box, (x, y, x, y)).tolist())
    return Fit(inner.circle + np.array([x, y, 0]), box, inner.score, inner.margin)


def margin_colours(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the colours, uint8 (3,), that the margin may have, the most probable first.

    The margin is read off the corners. Where corners differ, some show retina, or a number is burnt into one
    of them: the colour that most corners share comes first, the darkest one after it.
    """
    patch = max(3, min(image.shape[:2]) // 40)
    ends = slice(0, patch), slice(-patch, None)
    # For so few numbers Python is faster, and this is done for every photograph.
    patches = (image[rows, columns].reshape(-1, 3).T.tolist() for rows in ends for columns in ends)
    corners = sorted(([median_high(channel) for channel in patch] for patch in patches), key=sum)
    alike = [sum(_alike(corner, other) for other in corners) for corner in corners]
    # Of two pairs the darker one: the field reaches into two corners of some photographs.
    likeliest = alike.index(max(alike))
    yield np.array(corners[likeliest], np.uint8)
    if alike[0] < alike[likeliest]:
        yield np.array(corners[0], np.uint8)


def _alike(colour: list[int], other: list[int]) -> bool:
    return all(abs(a - b) <= _ALIKE for a, b in zip(colour, other, strict=True))


def distance_from(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the largest channel's distance from a colour, uint8 (H, W), speckles removed."""
    channels = zip(cv2.split(image), colour.tolist(), strict=True)
    red, green, blue = (cv2.absdiff(channel, level) for channel, level in channels)
    distance = cv2.max(cv2.max(red, green), blue)
    # The margin goes on outside of the image, so that a narrow gap between field and border is no speckle.
    distance = cv2.copyMakeBorder(distance, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.medianBlur(distance, 3)[1:-1, 1:-1]


def fills_frame(image: np.ndarray) -> bool:
    """Tell whether a photograph without a margin looks like a piece of retina: the field is all of it.

    Three quarters of the border must be lit, so it is no margin, though vessels and shadows may cross it.
    Neither border nor picture may be flat or noisy, and the picture must not be bluish, because blood and
    pigment leave little blue. Other subjects may look so, too.
    """
    light = image.max(axis=2)
    middle, border = float(np.median(light)), _border(light)
    lit = _DARKEST < middle < 250 and np.quantile(border, 0.25) > 0.25 * middle
    if not lit or min(light.std(), border.std()) <= 1.5:
        return False
    grain = cv2.absdiff(light, cv2.blur(light, (3, 3)))
    smooth = grain.mean() < _NOISY * light.std() and _border(grain).mean() < _NOISY * border.std()
    red, _, blue = np.median(image.reshape(-1, 3), axis=0)
    return bool(smooth and red >= 0.8 * blue)


def _border(values: np.ndarray) -> np.ndarray:
    """Return the values (H, W) within three pixels of the border, one after the other."""
    parts = values[:3], values[-3:], values[:, :3], values[:, -3:]
    return np.concatenate([part.ravel() for part in parts])
