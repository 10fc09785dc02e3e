"""Find the field of view of a fundus photograph and crop to it.

A fundus camera images a disc of the retina through a circular aperture. On the photograph that disc is cut
by the sensor's edges, often by the camera's own straight bars at top and bottom, and surrounded by a margin
that is black, or noisy after enhancement. The field is modelled as *circle ∩ rectangle*, and fitted:

1. the margin's colour is read off the corners, and every pixel gets its distance from that colour;
2. at several thresholds the largest region that differs from the margin gives a circle by RANSAC (Fischler
   and Bolles, 1981) on the outline of its convex hull, so that dark bites and missing arcs do not matter;
3. the circle is refined on the outermost edges along its radii, and the bars are found as straight steps;
4. the candidate that explains region and edges best wins; a poor best means that there is no field of view.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from riqa.data.circle import ransac_circle
from riqa.data.read import UnreadableError, read_with_shape

_WORK_SIDE = (
    320  # px; the fit is made on an image reduced to this, and is accurate to a fraction of its pixels
)
_THRESHOLDS = (4, 8, 14, 24, 40, 64, 100, 2)  # grey levels of distance from the margin; 2 for the darkest
_GOOD_ENOUGH = 0.96  # score at which no further threshold is tried


class NoFieldError(UnreadableError):
    """A photograph that can be read but shows no field of view."""


@dataclass(frozen=True)
class FieldOfView:
    """The part of a photograph that shows retina: circle ∩ rectangle. Lengths are in pixels of the image.

    Attributes:
        shape: (height, width) of the image.
        center: (x, y) of the circle, possibly outside of the image.
        radius: Radius of the circle.
        box: (left, top, right, bottom) of the rectangle: where the image ends or a straight bar cuts the
            field; right and bottom are exclusive.
        score: Agreement of image and model, at most 1; a field with all its border visible scores above 0.9.
    """

    shape: tuple[int, int]
    center: tuple[float, float]
    radius: float
    box: tuple[int, int, int, int]
    score: float

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """The smallest (left, top, right, bottom) that holds the field; right and bottom are exclusive."""
        (x, y), r, (left, top, right, bottom) = self.center, self.radius, self.box
        return (
            max(left, int(np.floor(x - r))),
            max(top, int(np.floor(y - r))),
            min(right, int(np.ceil(x + r)) + 1),
            min(bottom, int(np.ceil(y + r)) + 1),
        )

    def scaled(self, shape: tuple[int, int]) -> "FieldOfView":
        """Return the field as it lies on the same photograph resized to (height, width) `shape`."""
        sy, sx = shape[0] / self.shape[0], shape[1] / self.shape[1]
        (x, y), (left, top, right, bottom) = self.center, self.box
        # Column j is centred on j + 0.5 column widths.
        center = (x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5
        box = round(left * sx), round(top * sy), round(right * sx), round(bottom * sy)
        return FieldOfView(shape, center, self.radius * (sx + sy) / 2, box, self.score)

    def mask(self) -> np.ndarray:
        """Return the field as a boolean array of the image's shape, True inside."""
        ys, xs = np.ogrid[: self.shape[0], : self.shape[1]]
        left, top, right, bottom = self.box
        inside = (xs - self.center[0]) ** 2 + (ys - self.center[1]) ** 2 <= self.radius**2
        return inside & (xs >= left) & (xs < right) & (ys >= top) & (ys < bottom)


def find_fov(image: np.ndarray) -> FieldOfView | None:
    """Find the field of view of a fundus photograph.

    Args:
        image: RGB photograph, uint8 (H, W, 3).

    Returns:
        The field, or None when no circular field can be seen (a blank image, a strip, another subject).

    Raises:
        ValueError: If the image is not uint8 (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    work = image
    if scale < 1:
        work_shape = max(1, round(width * scale)), max(1, round(height * scale))
        work = cv2.resize(image, work_shape, interpolation=cv2.INTER_AREA)
    if min(work.shape[:2]) < 16:
        return None
    found = _fit(_distance_from_margin(work))
    if found is None:
        return None
    (x, y, radius), (left, top, right, bottom), score = found
    # Pixel centres: column j of the reduced image is centred on column (j + 0.5) / scale - 0.5.
    sx, sy = width / work.shape[1], height / work.shape[0]
    box = round(left * sx), round(top * sy), round(right * sx), round(bottom * sy)
    center = float((x + 0.5) * sx - 0.5), float((y + 0.5) * sy - 0.5)
    return FieldOfView((height, width), center, float(radius * (sx + sy) / 2), box, score)


def crop_to_fov(image: np.ndarray, fov: FieldOfView, size: int) -> np.ndarray:
    """Cut out the field of view, black outside it, padded to a square and resized; the aspect ratio is kept.

    Args:
        image: RGB photograph, uint8 (H, W, 3), of `fov.shape`.
        fov: Its field of view.
        size: Side of the result in pixels.

    Returns:
        uint8 (size, size, 3).

    Raises:
        ValueError: If `image` is not of `fov.shape` or `size` is not positive.
    """
    if image.shape[:2] != fov.shape:
        raise ValueError(f"image is {image.shape[:2]}, its field of view was found on {fov.shape}")
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    left, top, right, bottom = fov.bbox
    side = max(right - left, bottom - top)
    square = np.zeros((side, side, 3), np.uint8)
    x, y = (side - (right - left)) // 2, (side - (bottom - top)) // 2
    inside = fov.mask()[top:bottom, left:right, None]
    square[y : y + bottom - top, x : x + right - left] = image[top:bottom, left:right] * inside
    # Averaging over areas is the reduction without aliasing; it would give blocks when enlarging.
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)


def read_and_crop(path: Path | str, size: int) -> tuple[np.ndarray, FieldOfView]:
    """Read a photograph, find its field of view and crop to it.

    A JPEG is decoded at the smallest scale at which the field still has `size` pixels, so a crop is never
    enlarged where the whole photograph would have shown more.

    Args:
        path: The file; see `read_photograph` for the kinds that are understood.
        size: Side of the crop in pixels.

    Returns:
        The crop, uint8 (size, size, 3), as `crop_to_fov` makes it, and the field of view in pixels of the
        whole upright photograph.

    Raises:
        UnreadableError: If the file cannot be read.
        NoFieldError: If it shows no field of view.
        ValueError: If `size` is not positive.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    min_side = size
    while True:
        image, shape = read_with_shape(path, min_side)
        fov = find_fov(image)
        if fov is None:
            raise NoFieldError("no field of view found")
        left, top, right, bottom = fov.bbox
        if max(right - left, bottom - top) >= size or image.shape[:2] == shape:
            return crop_to_fov(image, fov, size), fov.scaled(shape)
        min_side = min(image.shape[:2]) + 1


def _distance_from_margin(work: np.ndarray) -> np.ndarray:
    """Return the largest channel's distance from the margin's colour, float32 (H, W), speckles removed."""
    patch = max(3, min(work.shape[:2]) // 40)
    rows, columns = (slice(0, patch), slice(-patch, None)), (slice(0, patch), slice(-patch, None))
    corners = [np.median(work[r, c].reshape(-1, 3), axis=0) for r in rows for c in columns]
    # The darkest corner is margin even where the field reaches into others; in a white one all are alike.
    margin = min(corners, key=lambda colour: colour.sum())
    smooth = cv2.medianBlur(work, 5)
    level = np.round(margin).astype(np.uint8)
    red, green, blue = (
        cv2.absdiff(channel, int(m)) for channel, m in zip(cv2.split(smooth), level, strict=True)
    )
    return cv2.max(cv2.max(red, green), blue).astype(np.float32)


def _fit(distance: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int], float] | None:
    """Return (x, y, radius), box and score of the best field over all thresholds, or None."""
    height, width = distance.shape
    best = None
    for threshold in _THRESHOLDS:
        region = _largest_region(distance > threshold)
        if region is None:
            continue
        points = _outline(region)
        circle = ransac_circle(points, max(height, width))
        if circle is None:
            continue
        for reach in (0.12, 0.05):
            circle, edges = _refine(distance, circle, threshold, reach)
        box = _find_bars(distance, circle, threshold)
        support = _support(circle, edges, box)
        ys, xs = np.ogrid[:height, :width]
        model = (xs - circle[0]) ** 2 + (ys - circle[1]) ** 2 <= circle[2] ** 2
        model &= (xs >= box[0]) & (xs < box[2]) & (ys >= box[1]) & (ys < box[3])
        hull = cv2.fillConvexPoly(np.zeros(distance.shape, np.uint8), points.astype(np.int32), 1) > 0
        overlap = (model & hull).sum() / max(1, (model | hull).sum())
        score = float(0.5 * overlap + 0.5 * support)
        large = model.sum() >= 0.05 * model.size
        sides = model.any(axis=0).sum(), model.any(axis=1).sum()
        # A strip of a field, or an outline that is no circle, is not a field that anybody could grade.
        if large and min(sides) >= 0.35 * max(sides) and overlap > 0.6 and (best is None or score > best[2]):
            best = circle, box, score
            if score > _GOOD_ENOUGH:
                break
    return best if best is not None and best[2] > 0.6 else None


def _largest_region(mask: np.ndarray) -> np.ndarray | None:
    """Return the largest connected region of a mask, freed of thin noise, or None when it is tiny."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, names, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return names == largest if stats[largest, cv2.CC_STAT_AREA] >= 0.02 * mask.size else None


def _outline(region: np.ndarray) -> np.ndarray:
    """Return points (N, 2), a pixel apart, on the convex hull of a region."""
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(contours))[:, 0].astype(float)
    closed = np.concatenate([hull, hull[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    steps = np.arange(0, along[-1], 1.0)
    return np.stack([np.interp(steps, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _refine(
    distance: np.ndarray, circle: np.ndarray, threshold: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move a circle onto the outermost edges along its radii.

    Args:
        distance: Distance from the margin's colour (H, W).
        circle: (x, y, radius).
        threshold: Distance that counts as field.
        reach: How far from the circle edges are looked for, as part of the radius.

    Returns:
        The refitted circle, and the edge point (x, y) on each of 360 radii (NaN where none was seen).
    """
    height, width = distance.shape
    x, y, radius = circle
    angles = np.deg2rad(np.arange(360.0))[:, None]
    steps = np.arange(radius * (1 - reach) - 3, radius * (1 + reach) + 3, 0.5)
    xs = (x + steps * np.cos(angles)).astype(np.float32)
    ys = (y + steps * np.sin(angles)).astype(np.float32)
    profile = cv2.remap(distance, xs, ys, cv2.INTER_LINEAR, borderValue=-1)
    seen = (xs > 1.5) & (xs < width - 2.5) & (ys > 1.5) & (ys < height - 2.5)
    rows, end = np.arange(360), len(steps) - 1
    last = end - np.argmax(((profile > threshold) & seen)[:, ::-1], axis=1)
    # The edge is where the profile falls through half of the height that it has shortly before its end.
    # "Shortly" reaches across the faint glow that some lenses put around the field.
    before = range(max(9, round(0.12 * radius)))
    level = np.stack([profile[rows, np.clip(last - back, 0, None)] for back in before]).max(axis=0)
    high = (profile > np.maximum(level / 2, threshold)[:, None]) & seen
    edge = end - np.argmax(high[:, ::-1], axis=1)
    valid = high.any(axis=1) & (edge > 2) & (edge < end - 2) & seen[rows, np.minimum(edge + 2, end)]
    edges = np.full((360, 2), np.nan)
    # A quarter of a pixel further: the edge lies between the last high sample and the first low one.
    shift = 0.25 * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    edges[valid] = (np.stack([xs[rows, edge], ys[rows, edge]], axis=1) + shift)[valid]
    refined = ransac_circle(edges[valid], max(height, width))
    if refined is None or abs(refined[2] - radius) > 0.3 * radius:
        return circle, np.full((360, 2), np.nan)
    return refined, edges


def _support(circle: np.ndarray, edges: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Return the part of the circle inside the box, at least a fifth of it, on which an edge was found."""
    left, top, right, bottom = box
    angles = np.deg2rad(np.arange(360.0))
    xs, ys = circle[0] + circle[2] * np.cos(angles), circle[1] + circle[2] * np.sin(angles)
    visible = (xs > left + 3) & (xs < right - 4) & (ys > top + 3) & (ys < bottom - 4)
    gaps = np.abs(np.hypot(edges[:, 0] - circle[0], edges[:, 1] - circle[1]) - circle[2])
    return float((visible & (gaps < max(1.5, 0.015 * circle[2]))).sum() / max(72, visible.sum()))


def _find_bars(distance: np.ndarray, circle: np.ndarray, threshold: float) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the rectangle between the straight bars that cut a circle."""
    height, width = distance.shape
    x, y, radius = circle
    turned = distance.T
    top = _bar(distance, x, y, radius, threshold)
    bottom = height - _bar(distance[::-1], x, height - 1 - y, radius, threshold)
    left = _bar(turned, y, x, radius, threshold)
    right = width - _bar(turned[::-1], y, width - 1 - x, radius, threshold)
    return left, top, right, bottom


def _bar(distance: np.ndarray, x: float, y: float, radius: float, threshold: float) -> int:
    """Return the row at which a circle starts if a straight bar cuts off its upper part, else 0."""
    half = 0.3 * radius
    for tolerance in (0.012, 0.035):
        start = _first_rows(distance, x, y, radius, threshold, half)
        if start is None:
            return 0
        row = float(np.median(start))
        # Fading light, eyelids and the pupil's edge start on a curve; a bar starts in one row.
        straight = (np.abs(start - row) <= max(1.0, tolerance * radius)).mean() > 0.75
        if not straight or row < 2 or row - (y - radius) <= 0.045 * radius:
            return 0
        # A curve looks straight on a short piece; look again on all of the chord, where bars bend a bit.
        half = max(half, 0.92 * np.sqrt(max(0.0, radius**2 - (y - row) ** 2)))
    return round(row)


def _first_rows(
    distance: np.ndarray, x: float, y: float, radius: float, threshold: float, half: float
) -> np.ndarray | None:
    """Return the first row of the field in the columns from x - half to x + half; None if many have none."""
    pole = max(0, int(np.ceil(y - radius)))
    columns = slice(max(0, int(x - half)), max(0, int(x + half) + 1))
    rows = distance[pole : max(pole, int(y + 0.5 * radius)), columns]
    if rows.shape[0] < 8 or rows.shape[1] < 8:
        return None
    first = np.argmax(rows > threshold, axis=0)
    steps = np.arange(2, max(4, round(0.1 * radius)))[:, None]
    ahead = rows[np.minimum(first + steps, len(rows) - 1), np.arange(rows.shape[1])]
    # The row is where half of the brightness reached behind it is passed, so that a blurred bar counts too.
    high = rows > np.maximum(0.5 * np.median(ahead, axis=0), threshold)
    found = high.any(axis=0)
    return pole + np.argmax(high, axis=0)[found] if found.mean() >= 0.8 else None
