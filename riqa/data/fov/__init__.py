"""Find the field of view of a fundus photograph and crop to it.

A fundus camera images a disc of the retina through a circular aperture. On the photograph that disc is cut
by the sensor's edges, often by the camera's own straight bars at top and bottom, and surrounded by a margin
that is black, noisy after enhancement, or white. The field is modelled as *circle ∩ rectangle*, and fitted on
a small copy of the photograph:

1. the margin's colour is read off the corners, and every pixel gets its distance from that colour (`search`);
2. the largest region that differs from the margin gives a first circle, from the corners of its convex hull,
   so that dark bites and missing arcs do not matter;
3. the circle is refined on the outermost edges along its radii, and the bars are found as straight steps
   (`rim`);
4. where that does not explain the photograph, further thresholds, a first circle by RANSAC, other colours of
   the margin, and last a copy without its grain are tried; the best candidate wins, and a poor best means
   that there is no circle.

A photograph without any margin that may be a piece of retina is field everywhere. A file that is not one
photograph (but several, a page, a screen) has no field of view, as it would be that of a part (`alone`).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from riqa.data.fov.search import NO_FIELD, NoFieldError, find_field
from riqa.data.read import read_with_shape

_WORK_SIDE = 160  # px; the field is looked for in a copy reduced to this, to a fraction of its pixels


@dataclass(frozen=True)
class FieldOfView:
    """The part of a photograph that shows retina: circle ∩ rectangle. Lengths are in pixels of the image.

    The rectangle ends where the image ends or a straight bar cuts the field; right and bottom are exclusive.
    The score is the agreement of image and model, at most 1; a field with all its border visible scores above
    0.9, and 0 stands where no border is visible and the whole frame is taken.
    """

    shape: tuple[int, int]  # (height, width) of the image
    center: tuple[float, float]  # (x, y) of the circle, possibly outside of the image
    radius: float
    box: tuple[int, int, int, int]  # (left, top, right, bottom) of the rectangle
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
    """Find the field of view of a fundus photograph, RGB, uint8 (H, W, 3), else ValueError.

    None when none can be seen (a blank image, noise, a strip, another subject), or when the image is not one
    photograph alone (several, a page or a screen around one).
    """
    try:
        return _the_field(image)
    except NoFieldError:
        return None


def _the_field(image: np.ndarray) -> FieldOfView:
    """Find the field of view, but raise NoFieldError where `find_fov` returns None."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    work, scale = image, _WORK_SIDE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        # Each point averages four pixels: enough against noise, and five times faster than averaging all.
        work = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if min(work.shape[:2]) < 16:
        raise NoFieldError(NO_FIELD)
    fit = find_field(work)
    x, y, radius = fit.circle.tolist()
    return FieldOfView(work.shape[:2], (x, y), radius, fit.box, fit.score).scaled((height, width))


def crop_to_fov(image: np.ndarray, fov: FieldOfView, size: int) -> np.ndarray:
    """Cut out the field of view, black outside it, padded to a square and resized; the aspect ratio is kept.

    The RGB photograph is uint8 (H, W, 3); the result is uint8 (size, size, 3). Raises a ValueError if `image`
    is not of `fov.shape` or `size` is not positive.
    """
    if image.shape[:2] != fov.shape:
        raise ValueError(f"image is {image.shape[:2]}, its field of view was found on {fov.shape}")
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    left, top, right, bottom = fov.bbox
    scale = size / max(right - left, bottom - top)
    columns, rows = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    field = _resized(image[top:bottom, left:right], columns, rows)
    inside = np.zeros((rows, columns), np.uint8)
    sx, sy = columns / (right - left), rows / (bottom - top)
    center = (fov.center[0] - left + 0.5) * sx - 0.5, (fov.center[1] - top + 0.5) * sy - 0.5
    fixed = [round(16 * length) for length in (*center, fov.radius * (sx + sy) / 2)]  # 4 binary places
    cv2.circle(inside, fixed[:2], fixed[2], 255, -1, shift=4)
    crop = np.zeros((size, size, 3), np.uint8)
    x, y = (size - columns) // 2, (size - rows) // 2
    cv2.copyTo(field, inside, crop[y : y + rows, x : x + columns])
    return crop


def _resized(image: np.ndarray, columns: int, rows: int) -> np.ndarray:
    """Resize an image without aliasing: halve it as often as possible, then interpolate between neighbours.

    Up to a factor of two that averages about as many pixels as averaging over areas, in a fifth of the time.
    """
    while image.shape[0] >= 2 * rows and image.shape[1] >= 2 * columns:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)


def read_and_crop(path: Path | str, size: int) -> tuple[np.ndarray, FieldOfView]:
    """Read a photograph, see `read_photograph`, find its field of view and crop to it.

    A JPEG is decoded at the smallest scale at which the field still has `size` pixels, so a crop is never
    enlarged where the whole photograph would have shown more, and the field is never looked for in fewer
    pixels than the search can use. Returns the crop, uint8 (size, size, 3), as `crop_to_fov` makes it, and
    the field of view in pixels of the whole upright photograph.

    Raises an UnreadableError if the file cannot be read, its kind NoFieldError if it shows no field of view,
    or more than one photograph alone, and a ValueError if `size` is not positive.
    """
    image, fov, shape = read_with_field(path, size)
    return crop_to_fov(image, fov, size), fov.scaled(shape)


def read_with_field(path: Path | str, size: int) -> tuple[np.ndarray, FieldOfView, tuple[int, int]]:
    """Read a photograph at the scale at which `read_and_crop` crops it, and raise as it does.

    Returns the photograph, uint8 (H, W, 3), at most reduced; its field of view in these pixels; and the
    (height, width) of the whole upright photograph.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, got {size}")
    min_side = max(size, _WORK_SIDE)
    while True:
        image, shape = read_with_shape(path, min_side)
        fov = _the_field(image)
        left, top, right, bottom = fov.bbox
        if max(right - left, bottom - top) >= size or image.shape[:2] == shape:
            return image, fov, shape
        min_side = min(image.shape[:2]) + 1
