"""Pictures that are no fundus photographs: what a technician's folder holds by mistake, and worse."""

from collections.abc import Callable

import cv2
import matplotlib.cbook
import numpy as np
from sklearn.datasets import load_sample_image

SIDE = 256


def text_page(rng: np.random.Generator) -> np.ndarray:
    page = np.full((SIDE, SIDE, 3), 245, np.uint8)
    for y in range(14, SIDE, 12):
        line = "".join(rng.choice(list("abcdefghilmnorstu   "), 46))
        cv2.putText(page, line, (8, y), cv2.FONT_HERSHEY_SIMPLEX, 0.32, (30, 30, 30), 1, cv2.LINE_AA)
    return page


def fur(rng: np.random.Generator) -> np.ndarray:
    """Tabby: hair along one direction, darker stripes across it, in brown."""
    hair = rng.normal(0, 1, (2 * SIDE, 2 * SIDE)).astype(np.float32)
    hair = cv2.GaussianBlur(hair, (0, 0), sigmaX=0.7, sigmaY=7)
    hair /= hair.std()
    y, x = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    wave = np.sin(2 * np.pi * (y + 14 * np.sin(x / 40 + rng.uniform(0, 6))) / rng.uniform(50, 90))
    level = 0.5 + 0.13 * hair + 0.2 * wave
    turn = cv2.getRotationMatrix2D((SIDE, SIDE), float(rng.uniform(0, 180)), 1)
    level = cv2.warpAffine(level.astype(np.float32), turn, (2 * SIDE, 2 * SIDE))
    middle = slice(SIDE // 2, SIDE // 2 + SIDE)
    colour = np.array([200, 160, 115]) * rng.uniform(0.8, 1.2)
    return (level[middle, middle, None] * colour).clip(0, 255).astype(np.uint8)


def holiday(rng: np.random.Generator) -> np.ndarray:
    """A piece of an everyday photograph that scikit-learn or matplotlib brings along."""
    pictures = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    pictures.append(cv2.imread(str(portrait), cv2.IMREAD_COLOR_RGB))
    picture = pictures[rng.integers(len(pictures))]
    side = int(rng.integers(300, 400))
    y, x = (int(rng.integers(0, length - side)) for length in picture.shape[:2])
    return cv2.resize(picture[y : y + side, x : x + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def in_a_disc(picture: Callable[[np.random.Generator], np.ndarray]) -> Callable:
    """Show a picture through a camera's round aperture, which deceives every search for a field of view."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
        inside = np.hypot(y, x) <= rng.uniform(0.4, 0.47) * SIDE
        return np.where(inside[..., None], picture(rng), 0).astype(np.uint8)

    return draw


_PICTURES = {
    "noise": lambda rng: rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8),
    "text": text_page,
    "fur": fur,
    "holiday": holiday,
}
_COLOURS = {
    "grey": lambda rng: np.full((SIDE, SIDE, 3), rng.integers(60, 220), np.uint8),
    "orange": lambda rng: np.full(
        (SIDE, SIDE, 3), np.array([190, 95, 45]) * rng.uniform(0.7, 1.2), np.uint8
    ),  # a retina's
}
_DISCS = {f"{kind} in a disc": in_a_disc(draw) for kind, draw in _PICTURES.items()}
_DISCS |= {f"{kind} disc": in_a_disc(draw) for kind, draw in _COLOURS.items()}
STRANGERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = _PICTURES | _COLOURS | _DISCS
"""How to draw each kind: a function of a generator that returns uint8 (256, 256, 3) RGB."""
