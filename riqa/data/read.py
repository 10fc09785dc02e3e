"""Read one photograph, of whatever kind, as 8-bit RGB."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


class UnreadableError(Exception):
    """A photograph that cannot be read; the message is the reason, without the file's name."""


def read_photograph(path: Path | str) -> np.ndarray:
    """Read a photograph upright, as uint8 (H, W, 3) RGB.

    The EXIF orientation is applied, transparency becomes black, grey becomes three equal channels and 16-bit
    values are reduced to their high byte.

    Raises:
        UnreadableError: If the file is missing, not an image, truncated, or of a kind without a fixed range.
    """
    try:
        with Image.open(path) as file:
            file.load()
            image = ImageOps.exif_transpose(file)
    except FileNotFoundError:
        raise UnreadableError("file is missing") from None
    except UnidentifiedImageError:
        raise UnreadableError("not an image file") from None
    except Image.DecompressionBombError:
        raise UnreadableError("too many pixels for a photograph") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's decoders raise
        raise UnreadableError(f"truncated or damaged ({str(error).splitlines()[0]})") from None
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        return np.repeat(
            (np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8)[..., None], 3, 2
        )
    if image.mode == "F":
        raise UnreadableError("floating-point pixels have no fixed range")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))
