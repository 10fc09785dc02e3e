"""The margin around a field of view: what colour it has, and how far every pixel is from it."""

from collections.abc import Iterator

import cv2
import numpy as np

_ALIKE = 12  # grey levels within which two corners count as the same margin
_DARKEST = 24  # grey levels; retina without a margin that is darker cannot be told from stray light
_GRAIN = 0.3  # what a pixel may differ from its neighbours, as part of the spread; more is noise


def margin_colours(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the colours that the margin may have, the most probable first.

    The margin is read off the corners. Where corners differ, some show retina, or a number is burnt into one
    of them: the colour that most corners share comes first, the darkest one after it.

    Args:
        image: uint8 (H, W, 3), a small copy of the photograph.

    Yields:
        uint8 (3,).
    """
    patch = max(3, min(image.shape[:2]) // 40)
    ends = slice(0, patch), slice(-patch, None)
    # For so few numbers Python is faster, and this is done for every photograph.
    corners = sorted((_median_colour(image[r, c]) for r in ends for c in ends), key=sum)
    alike = [sum(_alike(corner, other) for other in corners) for corner in corners]
    # Of two pairs the darker one: the field reaches into two corners of some photographs.
    likeliest = alike.index(max(alike))
    yield np.array(corners[likeliest], np.uint8)
    if alike[0] < alike[likeliest]:
        yield np.array(corners[0], np.uint8)


def _median_colour(patch: np.ndarray) -> list[int]:
    channels = patch.reshape(-1, 3).T.tolist()
    return [sorted(channel)[len(channel) // 2] for channel in channels]


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

    Args:
        image: uint8 (H, W, 3), a small copy of the photograph.
    """
    light = image.max(axis=2)
    middle = float(np.median(light))
    border = _border(light)
    lit = _DARKEST < middle < 250 and np.quantile(border, 0.25) > 0.25 * middle
    varied = min(light.std(), border.std()) > 1.5
    if not (lit and varied):
        return False
    grain = cv2.absdiff(light, cv2.blur(light, (3, 3)))
    smooth = grain.mean() < _GRAIN * light.std() and _border(grain).mean() < _GRAIN * border.std()
    red, _, blue = np.median(image.reshape(-1, 3), axis=0)
    return bool(smooth and red >= 0.8 * blue)


def _border(values: np.ndarray) -> np.ndarray:
    """Return the values (H, W) within three pixels of the border, one after the other."""
    return np.concatenate(
        [values[:3].ravel(), values[-3:].ravel(), values[:, :3].ravel(), values[:, -3:].ravel()]
    )
