"""Depth of grey: 16 bits hold the 10, 12 or 14 of a camera too, and which of them were meant must be known.

The same value 1000 is white in 10 bits and nearly black in 16. So bits beyond eight are scaled by the depth
that the file states, or by all 16 where the highest is in use. A photograph whose highest bits are empty may
be a dark one or one of fewer bits; it is refused, because a guess would decide its grade.
"""

import re

import numpy as np
from PIL import Image

_BITS, _PHOTOMETRIC, _FORMAT, _LARGEST = 258, 262, 339, (281, 341)  # TIFF tags
_WHITE_IS_ZERO, _SIGNED = 0, 2  # values of two of them
_SCALED = ("PPM", "JPEG2000")  # formats that state their depth, and whose decoder brings it to 16 bits


class DepthError(Exception):
    """A photograph of more than 8 bits whose range is not known; the message says how many it uses."""


def is_deep_colour(image: Image.Image) -> bool:
    """Tell of an image that is not yet loaded whether Pillow will keep the high byte of its 16 bits."""
    raw = str(image.tile[0].args) if image.tile else ""  # ";16" alone means 5, 6 and 5 bits
    return not image.mode.startswith("I") and re.search(";16[BLN]", raw) is not None


def refuse_unused_bits(image: Image.Image) -> None:
    """Refuse high bytes of deep colours if the highest bits are empty.

    Raises:
        DepthError: If they are.
    """
    bands = zip(image.getbands(), image.split(), strict=True)
    used = max(band.getextrema()[1] for name, band in bands if name not in "Aa").bit_length()
    if used < 8:
        raise DepthError(f"uses {8 + used} of 16 bits" if used else "uses at most 8 of 16 bits")


def high_byte(image: Image.Image) -> np.ndarray:
    """Return a loaded grey image of mode I or I;16 as uint8 (H, W): the upper eight of its bits.

    Raises:
        DepthError: If it is not known how many bits it has.
    """
    tags = getattr(image, "tag_v2", {})
    bits, is_stated = int(max(tags.get(_BITS, (16,)))), image.format in _SCALED
    if bits > 16:
        raise DepthError(f"{bits}-bit pixels have no fixed range")
    values = np.asarray(image).clip(0)
    if tags.get(_FORMAT, (1,))[0] == _SIGNED:
        bits -= 1
    used, largest = int(values.max()).bit_length(), int(max(np.max(tags.get(tag, 0)) for tag in _LARGEST))
    stated = largest.bit_length()
    # Another largest value tells of the picture, not of its depth.
    if max(used, 8) <= stated < bits and largest == 2**stated - 1:
        bits, is_stated = stated, True
    if not (is_stated or bits < 15 or used in (0, bits)):
        raise DepthError(f"uses {used} of {bits} bits")
    high = (values >> (bits - 8)).astype(np.uint8)
    return 255 - high if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else high
