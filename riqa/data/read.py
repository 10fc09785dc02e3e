"""Read one photograph, of whatever kind, as 8-bit RGB; a JPEG also at a reduced scale, which is faster.

Sixteen bits of grey hold the 10, 12 or 14 of a camera too: the same value 1000 is white in 10 bits and nearly
black in 16. So bits beyond eight are scaled by the depth that the file states, or by all 16 where the highest
is in use. A photograph whose highest bits are empty may be a dark one or one of fewer bits; it is refused,
because a guess would decide its grade.
"""

import os
import re
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
from riqa.names import shown

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_T = Image.Transpose
_TURNS = {  # what makes a photograph upright, by its orientation
    **{2: _T.FLIP_LEFT_RIGHT, 3: _T.ROTATE_180, 4: _T.FLIP_TOP_BOTTOM, 5: _T.TRANSPOSE},
    **{6: _T.ROTATE_270, 7: _T.TRANSVERSE, 8: _T.ROTATE_90},
}

_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
_REDUCED[8] = cv2.IMREAD_REDUCED_GRAYSCALE_8  # OpenCV's flags by the scale's denominator

_BITS, _PHOTOMETRIC, _PLANES, _FORMAT, _LARGEST = 258, 262, 284, 339, (281, 341)  # TIFF tags
_WHITE_IS_ZERO, _APART, _SIGNED = 0, 2, 2  # values of three of them


class UnreadableError(Exception):
    """A photograph that cannot be read; the message is the reason, without the file's name."""


class _DepthError(UnreadableError):
    """A photograph of more than 8 bits whose range is not known; the message says how many it uses."""


_REASONS = {
    FileNotFoundError: "file is missing",
    PermissionError: "no permission to read it",
    UnidentifiedImageError: "not an image file",
    Image.DecompressionBombError: "too many pixels for a photograph",
    MemoryError: "not enough memory to read it",
}
_FINAL = (UnreadableError, Image.DecompressionBombError, MemoryError)  # metadata is not to blame for these

Read = tuple[np.ndarray, tuple[int, int]]


def read_photograph(path: Path | str, min_side: int | None = None) -> np.ndarray:
    """Read a photograph upright, as uint8 (H, W, 3) RGB.

    The orientation is applied where EXIF or XMP tells it, transparency becomes black, grey becomes three
    equal channels, deeper values are scaled to 8 bits, and CMYK is converted without a colour profile. Other
    metadata are ignored. With `min_side`, a JPEG may be read at 1/2, 1/4 or 1/8 of its size, the smallest
    whose shorter side has at least so many pixels; other formats are always read whole.

    Raises an UnreadableError if the file is missing, not an image, truncated, or of a kind without a known
    range; whatever a decoder raises is such a reason.
    """
    return read_with_shape(path, min_side)[0]


def read_with_shape(path: Path | str, min_side: int | None = None) -> Read:
    """Read as `read_photograph` does; return also the (height, width) of the whole photograph, upright."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # to open a pipe is to wait for its other end
            raise UnreadableError("a folder" if stat.S_ISDIR(mode) else "neither file nor folder")
        with open(path, "rb") as file:  # Pillow would map it, and garbles a grey TIFF that is turned
            try:
                return _read(file, min_side)
            except _FINAL:
                raise
            except Exception as error:
                return _read_bare(file, min_side, error)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Say in a line why a file could not be read."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, OSError) and error.errno is not None and error.strerror is not None:
        return f"cannot be opened ({error.strerror})"
    said = str(error).strip().splitlines() or [type(error).__name__]
    return f"truncated or damaged ({shown(said[0])})"


def _read(file: BinaryIO, min_side: int | None) -> Read:
    """Read a photograph and its shape; raise whatever the decoders raise."""
    _hush_pillow()
    with Image.open(file) as image:
        if image.format in ("JPEG", "MPO"):
            return _read_jpeg(image, file, min_side)
        room = _has_room(image)
        image.load()
        orientation = _orientation(image)  # of a TIFF 1 by now: Pillow has turned it
        if image.mode.startswith("I"):
            image = Image.fromarray(_high_byte(image, room))
        elif room:
            _refuse_unused_bits(image)
        pixels = _as_rgb(image, orientation)
        return pixels, pixels.shape[:2]


def _read_jpeg(image: Image.Image, file: BinaryIO, min_side: int | None) -> Read:
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
            pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), _AS_STORED | _REDUCED[denominator])
            if pixels is not None:  # else Pillow says what is wrong
                return pixels, size[::-1]
    image.draft(None, (size[0] // denominator, size[1] // denominator))
    image.load()
    return _as_rgb(image, orientation), size if orientation >= 5 else size[::-1]


def _read_bare(file: BinaryIO, min_side: int | None, error: Exception) -> Read:
    """Read a photograph without its metadata, which may be all that is wrong; else raise the first error."""
    file.seek(0)
    content = file.read()
    for orientation in (True, False):
        try:
            return _read(BytesIO(without_metadata(content, orientation)), min_side)
        except _DepthError:
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


def _as_rgb(image: Image.Image, orientation: int) -> np.ndarray:
    """Return a loaded image of any mode upright, as uint8 (H, W, 3)."""
    if orientation != 1:  # Pillow's own way would write its EXIF anew, and fail at what is odd in it
        image = image.transpose(_TURNS[orientation])
    if image.mode == "F":
        raise _DepthError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _has_room(image: Image.Image) -> bool:
    """Tell whether an image that is not yet loaded has 16 bits, which hold values of fewer as well."""
    raw, tags = str(image.tile[0][3]) if image.tile else "", getattr(image, "tag_v2", {})
    if tags.get(_PLANES) == _APART and max(tags.get(_BITS, (1,))) > 8:  # Pillow reads them as 8 bits
        raise _DepthError("16-bit colours, each apart, are not understood")
    if image.format == "PPM":  # scaled by the largest value that it states
        return "I;16B" in raw or "65535" in raw
    if image.mode.startswith("I"):
        return "I;12" not in raw
    return re.search(";16[BLN]", raw) is not None  # ";16" alone is 5, 6 and 5 bits


def _refuse_unused_bits(image: Image.Image) -> None:
    """Refuse 16-bit colours, of which Pillow keeps the high byte, if the highest bits are empty."""
    bands = zip(image.getbands(), image.split(), strict=True)
    largest = max(band.getextrema()[1] for name, band in bands if name not in "Aa")
    if largest == 0:
        raise _DepthError("uses at most 8 of 16 bits")
    used = (257 * largest - (128 if image.format == "PPM" else 0)).bit_length()  # PPM is rounded, not cut
    if used < 16:
        raise _DepthError(f"uses {used} of 16 bits")


def _high_byte(image: Image.Image, room: bool) -> np.ndarray:
    """Return a loaded grey image of mode I or I;16 as uint8 (H, W): the upper eight of its bits."""
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(_BITS, (16,)))
    if bits > 16:
        raise _DepthError(f"{bits}-bit pixels have no fixed range")
    if tags.get(_FORMAT, (1,))[0] == _SIGNED:
        bits -= 1
    values = np.asarray(image).clip(0)
    used, largest = int(values.max()).bit_length(), int(max(np.max(tags.get(tag, 0)) for tag in _LARGEST))
    stated = largest.bit_length()
    # Another largest value tells of the picture, not of its depth.
    if max(used, 8) <= stated < bits and largest == 2**stated - 1:
        bits, room = stated, False
    if room and 0 < used < bits:
        raise _DepthError(f"uses {used} of {bits} bits")
    high = (values >> (bits - 8)).astype(np.uint8)
    return 255 - high if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else high
