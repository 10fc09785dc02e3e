"""Read one photograph, of whatever kind, as 8-bit RGB; a JPEG also at a reduced scale, which is faster."""

import os
import stat
import warnings
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from riqa.data.bare import SIGNATURES, without_metadata
from riqa.data.depth import DepthError, has_room, high_byte, refuse_unused_bits
from riqa.names import shown

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_TURNS = {  # what makes a photograph upright, by its orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_REDUCED = {  # OpenCV's flags by the scale's denominator
    1: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION | cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_FINAL = (DepthError, Image.DecompressionBombError, MemoryError)  # metadata is not to blame for these


class UnreadableError(Exception):
    """A photograph that cannot be read; the message is the reason, without the file's name."""


def read_photograph(path: Path | str, min_side: int | None = None) -> np.ndarray:
    """Read a photograph upright, as uint8 (H, W, 3) RGB.

    The orientation is applied where EXIF or XMP tells it, transparency becomes black, grey becomes three
    equal channels, deeper values are scaled to 8 bits (`riqa.data.depth`), and CMYK is converted without a
    colour profile. Other metadata are ignored.

    Args:
        path: The file.
        min_side: If given, a JPEG may be read at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter side
            has at least this many pixels. Other formats are always read whole.

    Raises:
        UnreadableError: If the file is missing, not an image, truncated, or of a kind without a known range;
            whatever a decoder raises is such a reason.
    """
    return read_with_shape(path, min_side)[0]


def read_with_shape(path: Path | str, min_side: int | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """Read as `read_photograph` does; return also the (height, width) of the whole photograph, upright."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # to open a pipe is to wait for its other end
            raise UnreadableError("a folder" if stat.S_ISDIR(mode) else "neither file nor folder")
        with open(path, "rb") as file:  # Pillow would map it, and garbles a grey TIFF that is turned
            try:
                return _read(file, min_side)
            except Exception as error:
                return _read_bare(file, min_side, error)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_reason(error)) from None


def _read(file: BinaryIO, min_side: int | None) -> tuple[np.ndarray, tuple[int, int]]:
    """Read a photograph and its shape; raise whatever the decoders raise."""
    _hush_pillow()
    with Image.open(file) as image:
        if image.format in ("JPEG", "MPO"):
            return _read_jpeg(image, file, min_side)
        room = has_room(image)
        image.load()
        orientation = _orientation(image)  # of a TIFF 1 by now: Pillow has turned it
        if image.mode.startswith("I"):
            image = Image.fromarray(high_byte(image, room))
        elif room:
            refuse_unused_bits(image)
        pixels = _as_rgb(_upright(image, orientation))
        return pixels, pixels.shape[:2]


def _read_jpeg(
    image: Image.Image, file: BinaryIO, min_side: int | None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Read a JPEG that is open, maybe at a reduced scale."""
    size, denominator = image.size, 1
    if min_side is not None:
        # The decoder rounds the reduced sides up; do not count on the rounded part.
        denominator = next(d for d in (8, 4, 2, 1) if min(size) // d >= min_side or d == 1)
    orientation = _orientation(image)
    if orientation == 1 and image.format == "JPEG" and image.mode in ("RGB", "L"):
        # OpenCV decodes to the same values and hands them over without Pillow's copying.
        file.seek(0)
        with suppress(cv2.error):
            in_memory = isinstance(file, BytesIO)
            content = np.frombuffer(file.read(), np.uint8) if in_memory else np.fromfile(file, np.uint8)
            pixels = cv2.imdecode(content, _REDUCED[denominator])
            if pixels is not None:  # else Pillow says what is wrong
                return pixels, size[::-1]
    image.draft(None, (size[0] // denominator, size[1] // denominator))
    image.load()
    return _as_rgb(_upright(image, orientation)), size if orientation >= 5 else size[::-1]


def _read_bare(file: BinaryIO, min_side: int | None, error: Exception) -> tuple[np.ndarray, tuple[int, int]]:
    """Read a photograph without its metadata, which may be all that is wrong; else raise the first error."""
    if isinstance(error, _FINAL):
        raise error
    file.seek(0)
    content = file.read()
    for orientation in (True, False):
        try:
            return _read(BytesIO(without_metadata(content, orientation)), min_side)
        except DepthError:
            raise
        except Exception:
            continue
    if isinstance(error, UnidentifiedImageError) and content.startswith(SIGNATURES):
        raise UnreadableError("damaged, or of a kind that is not understood")
    raise error


@cache
def _hush_pillow() -> None:
    """Drop what Pillow prints of odd metadata, which are ignored: answers and progress are on the screen."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _orientation(image: Image.Image) -> int:
    """Return the orientation, 1 to 8; 1 where it is not told in a way that can be understood."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        value = int(value[0] if isinstance(value, (bytes, str, tuple)) else value)
    except Exception:
        return 1
    return value if value in _TURNS else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a loaded image; Pillow's own way would write its EXIF anew, and fail at what is odd in it."""
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _reason(error: Exception) -> str:
    """Say in a line why a file could not be read."""
    match error:
        case DepthError():
            return str(error)
        case FileNotFoundError():
            return "file is missing"
        case PermissionError():
            return "no permission to read it"
        case UnidentifiedImageError():
            return "not an image file"
        case Image.DecompressionBombError():
            return "too many pixels for a photograph"
        case MemoryError():
            return "not enough memory to read it"
        case OSError(errno=int(), strerror=str()):
            return f"cannot be opened ({error.strerror})"
    said = str(error).strip().splitlines() or [type(error).__name__]
    return f"truncated or damaged ({shown(said[0])})"


def _as_rgb(image: Image.Image) -> np.ndarray:
    """Return a loaded image of any mode as uint8 (H, W, 3)."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(image)
    if image.mode == "F":
        raise DepthError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))
