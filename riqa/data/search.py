"""The search for a field of view in a small copy of a photograph, over margins and thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from riqa.data.alone import is_alone, thickness
from riqa.data.bars import find_bars
from riqa.data.circle import least_squares_circle, ransac_circle, trimmed_circle
from riqa.data.margin import distance_from, fills_frame, margin_colours
from riqa.data.read import UnreadableError
from riqa.data.rim import UNSEEN, inner_points, outline, refine, resampled, support

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

NO_FIELD = "no field of view found"
NOT_ALONE = "not one photograph: several fields of view, or a page or a screen around one"


class NoFieldError(UnreadableError):
    """A photograph that can be read but does not show one field of view, alone."""


@dataclass(frozen=True)
class Fit:
    """A field of view in the small copy: circle ∩ rectangle, in its pixels.

    Attributes:
        circle: (x, y, radius).
        box: (left, top, right, bottom) of the rectangle.
        score: Agreement with the image, at most 1; 0 where no rim is to be seen.
        margin: Colour of the margin, uint8 (3,).
    """

    circle: np.ndarray
    box: tuple[float, float, float, float]
    score: float
    margin: np.ndarray


def find_field(image: np.ndarray) -> Fit:
    """Return the best field over all margins and thresholds, or the whole frame where retina fills it.

    Args:
        image: uint8 (H, W, 3), a small copy of the photograph.

    Raises:
        NoFieldError: If there is no field, or more than one photograph alone.
    """
    best = _best_circle(image) or _best_circle(cv2.blur(image, (_GRAIN, _GRAIN))) or _whole_frame(image)
    if best is None:
        return _within_frame(image)
    if not is_alone(image, best.circle, best.box, best.score, best.margin):
        raise NoFieldError(NOT_ALONE)
    return best


def _best_circle(image: np.ndarray) -> Fit | None:
    """Return the best circle ∩ rectangle over all margins and thresholds, or None when none is good."""
    best = None
    for colour in margin_colours(image):
        distance = distance_from(image, colour)
        seen = distance.astype(np.float32)
        seen[0] = seen[-1] = seen[:, 0] = seen[:, -1] = UNSEEN
        for threshold in _THRESHOLDS:
            for fit in _fits(distance, seen, threshold, colour):
                if best is None or fit.score > best.score + _WINS_BY:
                    best = fit
                if fit.score > _GOOD_ENOUGH:
                    return best
    return best if best is not None and best.score > _LEAST else None


def _fits(distance: np.ndarray, seen: np.ndarray, threshold: int, colour: np.ndarray) -> Iterator[Fit]:
    """Yield the field at one threshold by ever slower and more robust means."""
    hull = outline(distance, threshold)
    if hull is None:
        return
    region = cv2.fillConvexPoly(np.zeros(distance.shape, np.uint8), hull, 1)
    for circle, reaches in _first_circles(hull, distance.shape):
        for reach in reaches:
            circle, edges = refine(seen, circle, threshold, reach)
            box = find_bars(distance, circle, threshold)
            overlap = _overlap(circle, box, region)
            if overlap > 0.6:  # else the outline is no circle
                yield Fit(circle, box, 0.5 * overlap + 0.5 * support(circle, edges, box), colour)


def _first_circles(
    hull: np.ndarray, shape: tuple[int, int]
) -> Iterator[tuple[np.ndarray, tuple[float, ...]]]:
    """Yield circles along a hull, and the reaches within which to look for their rim one after the other."""
    # A straight cut has two corners of the hull, an arc has many: they usually give the circle at once.
    corners = inner_points(hull[:, 0].astype(float), shape)
    if len(corners) >= 12:
        circle = least_squares_circle(corners)
        yield trimmed_circle(corners, circle, 0.06 * circle[2]), _REACHES[:1]
    circle = ransac_circle(inner_points(resampled(hull), shape), max(shape))
    if circle is not None:
        yield circle, _REACHES


def _overlap(circle: np.ndarray, box: tuple[float, float, float, float], region: np.ndarray) -> float:
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


def _whole_frame(image: np.ndarray) -> Fit | None:
    """Return the frame as the field where retina fills it, else None."""
    if not fills_frame(image):
        return None
    height, width = image.shape[:2]
    circle = np.array([(width - 1) / 2, (height - 1) / 2, np.hypot(width, height) / 2])
    return Fit(circle, (0, 0, width, height), 0.0, np.zeros(3, np.uint8))


def _within_frame(image: np.ndarray) -> Fit:
    """Return the field of a photograph that is framed by padding or lies on an empty page.

    Raises:
        NoFieldError: As `find_field`.
    """
    height, width = image.shape[:2]
    distance = distance_from(image, next(margin_colours(image)))
    hull = outline(distance, _PADDING)
    if hull is None:
        raise NoFieldError(NO_FIELD)
    left, top, columns, rows = cv2.boundingRect(hull)
    framed = cv2.contourArea(hull) > 0.93 * columns * rows and columns * rows < 0.95 * height * width
    strip = min(columns, rows) < max(16, _NARROWEST * max(columns, rows))
    if not framed or strip or columns * rows < _SMALLEST * height * width:
        raise NoFieldError(NO_FIELD)
    # A pixel less on each side, where padding and photograph mix.
    inner = find_field(image[top + 1 : top + rows - 1, left + 1 : left + columns - 1])
    level, part = _INK
    beside = cv2.compare(distance, level, cv2.CMP_GT)
    beside[max(0, top - 1) : top + rows + 1, max(0, left - 1) : left + columns + 1] = 0
    if thickness(beside) > part * min(columns, rows):
        raise NoFieldError(NOT_ALONE)
    x, y = left + 1, top + 1
    box = tuple(np.add(inner.box, (x, y, x, y)).tolist())
    return Fit(inner.circle + np.array([x, y, 0]), box, inner.score, inner.margin)
