"""Files that are no plain photograph, made of phantoms: several fields of view, pages and screens around one.

Each layout is a function of (draw, rng) that returns an image, uint8 (H, W, 3), and the true field of its first
photograph, bool (H, W); `draw()` returns another phantom and its true field.
"""

from functools import partial

import cv2
import numpy as np

from benchmarks.fov_accuracy import truth_mask
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.fundus import CAMERAS
from riqa.phantom.photograph import Exposure, render_clean, spoil

SIDE = 240  # of a photograph in a montage, pixels


def phantom(seed, number, size=300):
    """Return a phantom with up to three defects of any severity, uint8 (H, W, 3), and its true field."""
    rng = np.random.default_rng((seed, number))
    defects = rng.choice(list(DEFECTS), rng.integers(0, 4), replace=False)
    severities = {str(name): float(rng.uniform(0.1, 1)) for name in defects}
    side, view = ("left", "right")[number % 2], ("macula", "disc")[number // 2 % 2]
    camera = list(CAMERAS)[rng.integers(len(CAMERAS))]
    shot = Exposure("phantom_grades", seed, number, number, side, view, camera, size, severities)
    clean = render_clean(shot)
    image, _ = spoil(clean.image, clean.fov_mask, shot.study, seed, number, severities)
    return image, truth_mask(clean.field)


def resized(picture, side):
    """Return a picture and its field with another longer side, pixels."""
    image, mask = picture
    scale = side / max(mask.shape)
    shape = round(image.shape[1] * scale), round(image.shape[0] * scale)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, shape, interpolation=kind), cv2.resize(mask.astype(np.uint8), shape) > 0


def tight(picture, margin=1):
    """Return a picture cut to its field, with some pixels of margin."""
    image, mask = picture
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    window = np.s_[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]
    return image[window], mask[window]


def page(height, width, kind, rng):
    """Return an empty page: white, grey, black, dark, textured or wooden."""
    level = {"white": 255, "grey": rng.integers(90, 215), "black": 0, "dark": rng.integers(18, 60)}
    if kind in level:
        return np.full((height, width, 3), level[kind], np.uint8)
    base = np.array([235, 230, 220]) if kind == "textured" else np.array([150, 105, 65])
    coarse = rng.normal(0, 6 if kind == "textured" else 18, (12, 5 if kind == "wooden" else 12))
    coarse = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return (base + (coarse + rng.normal(0, 4, (height, width)))[..., None]).clip(0, 255).astype(np.uint8)


def write(canvas, top, bottom, rng):
    """Write lines of text, dark on light or light on dark, between two rows."""
    height, width = canvas.shape[:2]
    step = max(8, int(rng.uniform(0.035, 0.06) * height))
    ink = (20, 20, 20) if canvas[min(int(top), height - 1)].mean() > 110 else (225, 225, 225)
    for row in range(int(top) + step, int(bottom), step):
        words = " ".join("".join(rng.choice(list("abcdeilmnorstuOD"), rng.integers(2, 9))) for _ in range(9))
        letters, place = (
            int(rng.uniform(0.2, 1.0) * width / (0.5 * step)),
            (int(0.05 * width), row - step // 4),
        )
        cv2.putText(
            canvas, words[:letters], place, cv2.FONT_HERSHEY_SIMPLEX, step / 34, ink, max(1, step // 14)
        )


def _montage(places, draw, rng, light=(1, 1, 1, 1), overlay=False):
    """Photographs at (left, top, side) in units of `SIDE`, with or without margins; `overlay`: fields alone."""
    gap, kind = int(rng.choice([0, 2, 8, 20])), str(rng.choice(["black", "white", "grey", "textured"]))
    cut, kind = overlay or rng.random() < 0.5, "black" if overlay or min(light) < 1 else kind
    columns, rows = (max(place[axis] + place[2] for place in places) for axis in (0, 1))
    canvas = page(int(rows * SIDE) + 3 * gap, int(columns * SIDE) + 3 * gap, kind, rng)
    for (left, top, side), bright in zip(places, light, strict=False):
        image, mask = resized(tight(draw(), 0 if overlay else 2) if cut else draw(), side * SIDE)
        y, x = (
            int(top * SIDE) + gap * (1 + round(top)),
            int(left * SIDE) + gap * (0 if overlay else 1 + round(left)),
        )
        window = canvas[y : y + image.shape[0], x : x + image.shape[1]]
        shown = np.broadcast_to(mask[..., None], image.shape) if overlay else np.ones(image.shape, bool)
        shown = shown[: window.shape[0], : window.shape[1]]
        window[shown] = (image * bright).astype(np.uint8)[: window.shape[0], : window.shape[1]][shown]
    return canvas, None


def tiles(draw, rng):
    """Two pieces of retina without a rim, side by side."""
    pieces = []
    for image, mask in (resized(draw(), 450), resized(draw(), 450)):
        y, x = (int(np.flatnonzero(mask.any(axis=axis)).mean()) for axis in (1, 0))
        half = int(0.65 * np.sqrt(mask.sum() / np.pi))
        pieces.append(cv2.resize(image[y - half : y + half, x - half : x + half], (220, 220)))
    gap = np.full((220, int(rng.choice([0, 4, 12])), 3), int(rng.choice([0, 255])), np.uint8)
    return np.hstack([pieces[0], gap, pieces[1]]), None


def _page(kinds, tall, wide, draw, rng, text=False, chart=False):
    """A page `tall` and `wide` times the photograph that lies on it, with text or coloured squares beside it."""
    image, mask = draw()
    height, width = mask.shape
    size = int(height * rng.uniform(*tall)), int(width * rng.uniform(*wide))
    canvas, field = page(*size, str(rng.choice(kinds)), rng), np.zeros(size, bool)
    top, left = (int(rng.uniform(0, 1) * free) for free in (size[0] - height, size[1] - width))
    top = 0 if chart else top
    strip = size[0] - height
    for k, colour in enumerate(rng.integers(0, 255, (width // strip, 3)) if chart else []):
        canvas[height + 2 : -2, k * strip + 2 : (k + 1) * strip - 2] = colour
    if text:
        write(canvas, 0, top, rng)
        write(canvas, top + height, size[0] - 4, rng)
    canvas[top : top + height, left : left + width] = image
    field[top : top + height, left : left + width] = mask
    return canvas, field


def screenshot(draw, rng):
    """A window on a screen: bars above and at the side, icons, a photograph in the middle."""
    kind = str(rng.choice(["dark", "white"]))
    canvas, field = _page([kind], (1.3, 1.9), (1.3, 2.1), draw, rng)
    bar, side = int(0.09 * len(canvas)), int(rng.choice([0, 0.1, 0.18]) * canvas.shape[1])
    canvas, field = (
        np.pad(canvas, ((bar, bar), (side, 0), (0, 0)), constant_values=225 if kind == "white" else 28),
        np.pad(field, ((bar, bar), (side, 0))),
    )
    for k, colour in enumerate(rng.integers(40, 255, (12, 3))):
        x = int((0.5 + k) * 1.2 * bar)
        canvas[bar // 4 : 3 * bar // 4, x : x + bar // 2] = colour
    return canvas, field


_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])


def _askew(layouts, moire, draw, rng):
    """A page that lies askew on a table, or a monitor photographed askew, with moire."""
    canvas, field = layouts[rng.integers(len(layouts))](draw, rng)
    frame = int(0.03 * canvas.shape[1]) if moire else 0
    canvas = cv2.copyMakeBorder(canvas, *[frame] * 4, cv2.BORDER_CONSTANT, value=(15, 15, 16))
    size, angle = np.array(canvas.shape[1::-1]), np.deg2rad(rng.uniform(3, 25) * rng.choice([-1, 1]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = _CORNERS * size @ (np.eye(2) if moire else turn.T)
    corners += rng.uniform(-0.05, 0.05, (4, 2)) * size * moire
    corners -= corners.min(axis=0) - 0.05 * size
    columns, rows = (corners.max(axis=0) + 0.05 * size).astype(int)
    ground = page(rows, columns, str(rng.choice(["grey", "dark", "wooden"])), rng)
    warp = cv2.getPerspectiveTransform((_CORNERS * size).astype(np.float32), corners.astype(np.float32))
    cover, image, field = (
        cv2.warpPerspective(part.astype(np.float32), warp, (int(columns), int(rows)))
        for part in (np.ones(canvas.shape), canvas, np.pad(field, frame))
    )
    ys, xs = np.mgrid[:rows, :columns]
    wave, angle = rng.uniform(2.2, 9), rng.uniform(0, np.pi)
    waves = np.sin(2 * np.pi * (xs * np.cos(angle) + ys * np.sin(angle)) / wave)[..., None]
    image = (image + (1 - cover) * ground) * (1 + 0.12 * moire * waves) + 8 * moire
    return image.clip(0, 255).astype(np.uint8), field > 0.5


_PAIR = [(0, 0, 1), (1, 0, 1)]
FIELDS = {
    "row": partial(_montage, _PAIR),
    "row of three": partial(_montage, [*_PAIR, (2, 0, 1)]),
    "column": partial(_montage, [(0, 0, 1), (0, 1, 1)]),
    "grid": partial(_montage, [*_PAIR, (0, 1, 1), (1, 1, 1)]),
    "big and small": partial(_montage, [(0, 0, 1), (1, 0.3, 0.5)]),
    "inset": partial(_montage, [(0, 0, 1), (0.7, 0.6, 0.3)]),
    "good and dark": partial(_montage, _PAIR, light=(1, 0.25)),
    "touching": partial(_montage, _PAIR, overlay=True),
    "overlapping": partial(_montage, [(0, 0, 1), (0.75, 0, 1)], overlay=True),
    "tiles": tiles,
}
_report = partial(_page, ["white", "white", "grey", "textured"], (1.6, 3), (1.05, 1.8), text=True)
_bare = partial(_page, ["white", "grey", "textured", "wooden", "dark", "black"], (1.03, 2), (1.03, 2))
PAGES = {
    "report": _report,
    "bare page": _bare,
    "captioned": partial(_page, ["white", "grey", "dark", "black"], (1.06, 1.6), (1, 1), text=True),
    "colour chart": partial(_page, ["white", "grey", "black"], (1.08, 1.2), (1, 1), chart=True),
    "screenshot": screenshot,
    "rotated page": partial(_askew, [_report, _bare], 0),
    "monitor": partial(_askew, [screenshot, _bare], 1),
}
