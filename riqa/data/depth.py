"""Depth of grey: 16 bits hold the 10, 12 or 14 of a camera too, and which of them were meant must be known.

The same value 1000 is white in 10 bits and nearly black in 16. So bits beyond eight are scaled by the depth
that the file states, or by all 16 where the highest is in use. A photograph whose highest bits are empty may
be a dark one or one of fewer bits; it is refused, because a guess would decide its grade.
"""

import re

import numpy as np
from PIL import Image

_BITS, _PHOTOMETRIC, _PLANES, _FORMAT, _LARGEST = 258, 262, 284, 339, (281, 341)  # TIFF tags
_WHITE_IS_ZERO, _APART, _SIGNED = 0, 2, 2  # values of three of them


class DepthError(Exception):
    """A photograph of more than 8 bits whose range is not known; the message says how many it uses."""


def has_room(image: Image.Image) -> bool:
    """Tell whether an image that is not yet loaded has 16 bits, which hold values of fewer as well.

    Raises:
        DepthError: If the colours lie apart, 16 bits each, which Pillow reads as 8.
    """
    raw, tags = str(image.tile[0][3]) if image.tile else "", getattr(image, "tag_v2", {})
    if tags.get(_PLANES) == _APART and max(tags.get(_BITS, (1,))) > 8:
        raise DepthError("16-bit colours, each apart, are not understood")
    if image.format == "PPM":  # scaled by the largest value that it states
        return "I;16B" in raw or "65535" in raw
    if image.mode.startswith("I"):
        return "I;12" not in raw
    return re.search(";16[BLN]", raw) is not None  # ";16" alone is 5, 6 and 5 bits


def refuse_unused_bits(image: Image.Image) -> None:
    """Refuse 16-bit colours, of which Pillow keeps the high byte, if the highest bits are empty.

    Raises:
        DepthError: If they are.
    """
    bands = zip(image.getbands(), image.split(), strict=True)
    largest = max(band.getextrema()[1] for name, band in bands if name not in "Aa")
    if largest == 0:
        raise DepthError("uses at most 8 of 16 bits")
    used = (257 * largest - (128 if image.format == "PPM" else 0)).bit_length()  # PPM is rounded, not cut
    if used < 16:
        raise DepthError(f"uses {used} of 16 bits")


def high_byte(image: Image.Image, room: bool) -> np.ndarray:
    """Return a loaded grey image of mode I or I;16 as uint8 (H, W): the upper eight of its bits.

    Args:
        image: The image.
        room: What `has_room` said of it.

    Raises:
        DepthError: If it is not known how many bits it has.
    """
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(_BITS, (16,)))
    if bits > 16:
        raise DepthError(f"{bits}-bit pixels have no fixed range")
    if tags.get(_FORMAT, (1,))[0] == _SIGNED:
        bits -= 1
    values = np.asarray(image).clip(0)
    used, largest = int(values.max()).bit_length(), int(max(np.max(tags.get(tag, 0)) for tag in _LARGEST))
    stated = largest.bit_length()
    # Another largest value tells of the picture, not of its depth.
    if max(used, 8) <= stated < bits and largest == 2**stated - 1:
        bits, room = stated, False
    if room and 0 < used < bits:
        raise DepthError(f"uses {used} of {bits} bits")
    high = (values >> (bits - 8)).astype(np.uint8)
    return 255 - high if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else high
