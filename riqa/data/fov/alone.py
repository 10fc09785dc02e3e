"""Whether a photograph shows one field of view alone: no second one, no page or screen around it.

Outside a field there is margin, of one colour, and light that fades away from the rim. So the tests look for
what a single photograph never shows: something thick that stands out of the margin, a margin that changes its
colour along the rim, the outline of two discs, a straight edge inside the field. All work on the small
copy in which the field was found, and most cost nothing unless the field itself is in doubt.
"""

import cv2
import numpy as np

from riqa.data.fov.rim import RAYS, Box, Fit, ransac_circle

_DARK = 100  # grey levels; what shows on a margin below it is brighter, and fading light is not taken for it
_LIT = 30  # grey levels; a margin of the colour of retina that is as bright is retina
_ANYTHING = 8, 0.45  # grey levels above the margin, radius of a disc in it / the field's radius
_WARM = 20, 0.12  # the same for what has the colour of retina
_DOUBT, _GRAVE_DOUBT = 0.93, 0.8  # scores below which a field may be a wrong reading of several, of a page
_OTHER_MARGIN = 80, 0.15  # grey levels between two margins, part of the rim that lies in the second
_FEW = 12  # of 120 points around a field: too few to tell its margin
_ARC = 0.25  # part of a circle by which a second disc is recognised
_FIELD = 24  # grey levels that it stands out of the margin
_SEAM = 5  # times the usual difference between neighbouring columns
_BORDER = 8  # columns of the small copy
_STRAIGHT = 0.5  # length of an edge / the picture's shorter side
_STEP, _ASIDE = 15, 5  # grey levels between its sides, pixels from it to where they are read: beyond a vessel
_SPECK = np.ones((3, 3), np.uint8)


def is_alone(image: np.ndarray, field: Fit) -> bool:
    """Tell whether a photograph, uint8 (H, W, 3), a small copy, shows this field of view and nothing else."""
    margin = field.margin
    if field.score == 0 or (margin.max() >= _LIT and _warm(margin[None, None]).any()):  # all of it is retina
        return not (_has_seam(image) or _has_straight_edge(image, field.box))
    image, radius = cv2.medianBlur(image, 3), float(field.circle[2])
    around = _around(image, field)
    light = _standing_out(image, margin, around)
    beside = cv2.bitwise_not(_grown(image.shape[:2], field))
    level, part = _ANYTHING
    mask = cv2.bitwise_and(cv2.compare(light, level, cv2.CMP_GT), beside)
    # What is smaller than a disc is thinner, too, and counting takes no time.
    thickest = thickness(mask) if cv2.countNonZero(mask) > 3 * (_WARM[1] * radius) ** 2 else 0.0
    if thickest > part * radius:
        return False
    level, part = _WARM
    if thickest > part * radius:
        mask = cv2.bitwise_and(cv2.compare(light, level, cv2.CMP_GT), beside)
        if thickness(cv2.bitwise_and(mask, _warm(image))) > part * radius:
            return False
    if field.score < _DOUBT and (_changes(around) or _two_discs(light)):
        return False
    return field.score >= _GRAVE_DOUBT or not _has_straight_edge(image, field.box)


def _around(image: np.ndarray, field: Fit) -> np.ndarray:
    """Return the colours of an image, int (N, 3), closely around a field, where box and image go on."""
    left, top, right, bottom = field.box
    xs, ys = np.rint(field.circle[:2] + (1.05 * field.circle[2] + 2) * RAYS).astype(int).T
    seen = (xs >= max(0, left)) & (xs < min(image.shape[1], right))
    seen &= (ys >= max(0, top)) & (ys < min(image.shape[0], bottom))
    return image[ys[seen], xs[seen]].astype(int)


def _standing_out(image: np.ndarray, margin: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return by how many grey levels pixels stand out of the margin in their largest channel, uint8 (H, W).

    Light that strays around a field raises its margin, most so at the rim. So the level there counts, unless
    another field lies there, which takes less than two thirds of the rim.
    """
    if margin.max() >= _DARK:
        channels = cv2.split(cv2.absdiff(image, (*margin.tolist(), 0)))
    else:
        rim = np.sort(around, axis=0)[int(0.3 * len(around))] if len(around) >= _FEW else margin
        channels = cv2.split(cv2.subtract(image, (*np.maximum(margin, rim).tolist(), 0)))
    return cv2.max(cv2.max(channels[0], channels[1]), channels[2])


def _grown(shape: tuple[int, int], field: Fit) -> np.ndarray:
    """Return a field, grown by what blurs its border, as 255 inside and 0 outside, uint8 (H, W)."""
    x, y, radius = (round(16 * float(length)) for length in field.circle)
    inside = np.zeros(shape, np.uint8)
    cv2.circle(inside, (x, y), round(1.04 * radius) + 32, 255, -1, shift=4)
    left, top, right, bottom = (max(0, round(length)) for length in np.add(field.box, (-2, -2, 2, 2)))
    inside[:top] = inside[bottom:] = inside[:, :left] = inside[:, right:] = 0
    return inside


def thickness(mask: np.ndarray) -> float:
    """Return the radius in pixels of the largest disc within a mask, uint8 (H, W)."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return float(cv2.distanceTransform(framed, cv2.DIST_L2, 3).max())


def largest_region(distance: np.ndarray, threshold: float, kind: int) -> np.ndarray | None:
    """Return the outline, int32 (N, 1, 2), of the largest region above a threshold, if there is one."""
    mask = cv2.compare(distance, threshold, cv2.CMP_GT)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _SPECK)  # thin noise is no field
    return max(cv2.findContours(mask, cv2.RETR_EXTERNAL, kind)[0], key=cv2.contourArea, default=None)


def inner_points(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return those of points (N, 2) that do not lie on the border of an image of `shape`, which is no rim."""
    x, y = points.T
    return points[(x > 1) & (x < shape[1] - 2) & (y > 1) & (y < shape[0] - 2)]


def _warm(image: np.ndarray) -> np.ndarray:
    """Return where red comes before green before blue, as in retina, as 255 or 0, uint8 (H, W)."""
    red, green, blue = (channel.astype(np.float32) for channel in cv2.split(image))
    return np.where((red > 1.2 * green) & (green > 0.9 * blue), np.uint8(255), np.uint8(0))


def _changes(around: np.ndarray) -> bool:
    """Tell whether a rim lies partly in one margin, partly in another: `around` is (N, 3), its colours."""
    if len(around) < _FEW:
        return False
    level, part = _OTHER_MARGIN
    return bool((np.abs(around - np.median(around, axis=0)).max(axis=1) > level).mean() > part)


def _two_discs(light: np.ndarray) -> bool:
    """Tell whether the outline of what stands out of the margin runs along two discs that lie side by side.

    The outline of a field in a round shadow has two arcs, too, but each lies inside the other's circle.
    """
    region = largest_region(light, _FIELD, cv2.CHAIN_APPROX_NONE)
    if region is None:
        return False
    points, arcs = inner_points(region[:, 0].astype(float), light.shape), []
    for _ in range(2):
        circle = ransac_circle(points, max(light.shape))
        if circle is None:
            return False
        near = np.abs(np.hypot(*(points - circle[:2]).T) - circle[2]) < 1.5
        arcs.append((circle, points[near]))
        points = points[~near]
    for (circle, points), (other, _) in (arcs, arcs[::-1]):
        angles = np.arctan2(*(points - circle[:2]).T)
        arc = len(np.unique(np.floor(18 * angles / np.pi))) / 36
        outside = np.hypot(*(points - other[:2]).T) > other[2] - 1
        if arc < _ARC or outside.mean() < 0.9:
            return False
    return True


def _has_seam(image: np.ndarray) -> bool:
    """Tell whether two pictures meet in a column or row, nearly all of whose pixels differ from the next."""
    for turned in (image, image.transpose(1, 0, 2)):
        ahead, behind = np.ascontiguousarray(turned[:, 2:]), np.ascontiguousarray(turned[:, :-2])
        step = np.quantile(cv2.absdiff(ahead, behind).max(axis=2), 0.1, axis=0)
        # Padding may have left something close to the border.
        if step[_BORDER:-_BORDER].max(initial=0) > _SEAM * (np.median(step) + 2):
            return True
    return False


def _has_straight_edge(image: np.ndarray, box: Box) -> bool:
    """Tell whether a page or a window ends in a picture, along a long straight edge.

    Edges of the box, which a camera's bars make, do not count.
    """
    length = _STRAIGHT * min(image.shape[:2])
    found = cv2.HoughLinesP(cv2.Canny(image, 40, 100), 1, np.pi / 180, 20, minLineLength=length, maxLineGap=3)
    for ends in np.reshape(found if found is not None else [], (-1, 2, 2)).astype(int):
        level, upright = np.ptp(ends, axis=0) == 0
        walls = box[::2] if level else box[1::2] if upright else ()
        at = ends[0, 0] if level else ends[0, 1]
        if all(abs(wall - at) >= 3 for wall in walls) and _is_step(image, ends):
            return True
    return False


def _is_step(image: np.ndarray, ends: np.ndarray) -> bool:
    """Tell whether all of the line between two points (2, 2), as (x, y), parts bright from dark."""
    direction = ends[1] - ends[0]
    length = np.hypot(*direction)
    points = ends[0] + np.linspace(0.05, 0.95, int(length))[:, None] * direction
    across = _ASIDE * direction[::-1] * (1, -1) / length
    sides = [np.rint(points + sign * across).astype(int) for sign in (1, -1)]
    if any((xy < 0).any() or (xy >= image.shape[1::-1]).any() for xy in sides):
        return False  # the picture's own border
    one, other = (image[xy[:, 1], xy[:, 0]].astype(int) for xy in sides)
    low, high = np.quantile(one - other, [0.1, 0.9], axis=0)
    return bool(low.max() > _STEP or high.min() < -_STEP)
