"""Read one photograph, of whatever kind, as 8-bit RGB; a JPEG also at a reduced scale, which is faster."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_TURNED = (5, 6, 7, 8)  # orientations in which rows and columns have changed places
_REDUCED = {  # OpenCV's flags by the scale's denominator
    1: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


class UnreadableError(Exception):
    """A photograph that cannot be read; the message is the reason, without the file's name."""


def read_photograph(path: Path | str, min_side: int | None = None) -> np.ndarray:
    """Read a photograph upright, as uint8 (H, W, 3) RGB.

    The EXIF orientation is applied, transparency becomes black, grey becomes three equal channels, 16-bit
    values are reduced to their high byte, and CMYK is converted without a colour profile.

    Args:
        path: The file.
        min_side: If given, a JPEG may be read at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter side
            has at least this many pixels. Other formats are always read whole.

    Raises:
        UnreadableError: If the file is missing, not an image, truncated, or of a kind without a fixed range.
    """
    return read_with_shape(path, min_side)[0]


def read_with_shape(path: Path | str, min_side: int | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """Read as `read_photograph` does; return also the (height, width) of the whole photograph, upright."""
    try:
        with Image.open(path) as image:
            size = image.size
            denominator = 1
            if min_side is not None:
                # The decoder rounds the reduced sides up; do not count on the rounded part.
                denominator = next(d for d in (8, 4, 2, 1) if min(size) // d >= min_side or d == 1)
            orientation = image.getexif().get(_ORIENTATION, 1)
            if orientation == 1 and image.format == "JPEG" and image.mode in ("RGB", "L"):
                # OpenCV decodes to the same values and hands them over without Pillow's copying.
                pixels = cv2.imdecode(np.fromfile(path, np.uint8), _REDUCED[denominator])
                if pixels is not None:  # else Pillow says what is wrong
                    return pixels, size[::-1]
            image.draft(None, (size[0] // denominator, size[1] // denominator))
            image.load()
            if orientation != 1:
                image = ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise UnreadableError("file is missing") from None
    except UnidentifiedImageError:
        raise UnreadableError("not an image file") from None
    except Image.DecompressionBombError:
        raise UnreadableError("too many pixels for a photograph") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's decoders raise
        raise UnreadableError(f"truncated or damaged ({str(error).splitlines()[0]})") from None
    return _as_rgb(image), size if orientation in _TURNED else size[::-1]


def _as_rgb(image: Image.Image) -> np.ndarray:
    """Return a loaded image of any mode as uint8 (H, W, 3)."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(image)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        high = (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)
        return np.repeat(high[..., None], 3, axis=2)
    if image.mode == "F":
        raise UnreadableError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))
