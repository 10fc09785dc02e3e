"""Which photographs keep an empty margin after the crop, along the side where it is widest.

Prints every photograph below a folder (RIQA_DATA, or the one given) whose crop keeps a margin of more than
3 % of its side, and what was set aside; exit status 1 when there is such a margin. For photographs on black,
as cameras and public sets leave them. No file says whether a crop cuts into the retina: look at the sheets of
chapter 01 for that.
"""

import argparse
import os
from pathlib import Path

import cv2
import numpy as np

from riqa.data.fov import FieldOfView, read_and_crop
from riqa.data.read import UnreadableError, read_photograph
from riqa.terminal import progress_bar

WIDEST = 0.03
"""Part of the crop's side that a margin may take."""

_LIGHT = 12  # grey levels above which a pixel is lit: more than compression leaves around a field
_LIT = 0.05  # part of a row that is lit where it shows retina; the chord of a circle soon has more


def empty_margin(image: np.ndarray, fov: FieldOfView) -> float:
    """Return the widest run of unlit rows or columns along a side of the crop, as part of its longer side.

    Args:
        image: RGB photograph on black, uint8 (H, W, 3), of `fov.shape`.
        fov: The field of view to which it is cropped.

    Returns:
        In [0, 1]; 1 when nothing is lit.
    """
    left, top, right, bottom = fov.bbox
    lit = image[top:bottom, left:right].max(axis=2) > _LIGHT
    widest = 0
    for sides in (lit, lit[::-1], lit.T, lit.T[::-1]):
        shown = sides.mean(axis=1) > _LIT
        widest = max(widest, int(np.argmax(shown)) if shown.any() else max(lit.shape))
    return widest / max(lit.shape)


def main() -> None:
    """Crop every photograph, print those with a wide margin and those set aside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("RIQA_DATA"))
    parser.add_argument("--size", type=int, default=256, help="side of the crops, pixels")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    files = sorted(Path(options.folder).rglob("*.jp*g")) if options.folder else []
    if not files:
        raise SystemExit("no JPEG found; give a folder of photographs, or set RIQA_DATA to one")
    wide, aside = {}, {}
    for path in progress_bar(files, unit="image"):
        try:
            fov = read_and_crop(path, options.size)[1]
        except UnreadableError as error:
            aside[path] = str(error)
            continue
        margin = empty_margin(read_photograph(path), fov)
        if margin > WIDEST:
            wide[path] = margin
    for path, reason in aside.items():
        print(f"set aside  {path}: {reason}")
    for path, margin in sorted(wide.items(), key=lambda item: -item[1]):
        print(f"{margin:9.1%}  {path}")
    print(f"{len(files)} photographs, {len(aside)} set aside, {len(wide)} with a margin over {WIDEST:.0%}")
    raise SystemExit(bool(wide))


if __name__ == "__main__":
    main()
