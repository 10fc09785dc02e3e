"""Files that are no plain photograph, made of phantoms: several fields of view, pages and screens around one.

Each layout is a function of (draw, rng) that returns an image, uint8 (H, W, 3), and for `PAGES` the true field,
bool (H, W); `draw()` returns another phantom and its true field.
"""

import cv2
import numpy as np

from benchmarks.fov_accuracy import truth_mask
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.fundus import CAMERAS, Field
from riqa.phantom.photograph import Exposure, render_clean

_FONT = cv2.FONT_HERSHEY_SIMPLEX
Picture = tuple[np.ndarray, np.ndarray]


def phantom(seed: int, number: int, size: int = 300) -> Picture:
    """Return a phantom with up to three defects of any severity, uint8 (H, W, 3), and its true field."""
    rng = np.random.default_rng((seed, number))
    defects = rng.choice(list(DEFECTS), rng.integers(0, 4), replace=False)
    severities = {str(name): float(rng.uniform(0.1, 1)) for name in defects}
    side, view = ("left", "right")[number % 2], ("macula", "disc")[number // 2 % 2]
    camera = list(CAMERAS)[rng.integers(len(CAMERAS))]
    clean = render_clean(Exposure("phantom_grades", seed, number, number, side, view, camera, size))
    return clean.spoil(severities).image, truth_mask(Field(**clean.geometry))


def resized(picture: Picture, scale: float) -> Picture:
    """Return a picture and its field at another size."""
    image, mask = picture
    shape = max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, shape, interpolation=kind), cv2.resize(mask.astype(np.uint8), shape) > 0


def tight(picture: Picture, margin: int = 1) -> Picture:
    """Return a picture cut to its field, with some pixels of margin."""
    image, mask = picture
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    window = np.s_[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]
    return image[window], mask[window]


def paste(canvas: np.ndarray, image: np.ndarray, top: int, left: int) -> None:
    """Paste an image onto a canvas, as far as there is room."""
    window = canvas[top : top + image.shape[0], left : left + image.shape[1]]
    window[:] = image[: window.shape[0], : window.shape[1]]


def page(height: int, width: int, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return an empty page: white, grey, black, dark, textured or wooden."""
    if kind in ("white", "grey", "black", "dark"):
        level = {"white": 255, "grey": rng.integers(90, 215), "black": 0, "dark": rng.integers(18, 60)}[kind]
        return np.full((height, width, 3), level, np.uint8)
    base = np.array([235, 230, 220]) if kind == "textured" else np.array([150, 105, 65])
    coarse = rng.normal(0, 6 if kind == "textured" else 18, (12, 5 if kind == "wooden" else 12))
    coarse = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, 4, (height, width))
    return (base + (coarse + fine)[..., None]).clip(0, 255).astype(np.uint8)


def write(canvas: np.ndarray, top: int, bottom: int, rng: np.random.Generator, size: float = 1.0) -> None:
    """Write lines of text, dark on light or light on dark, between two rows."""
    height, width = canvas.shape[:2]
    step = max(8, int(rng.uniform(0.035, 0.06) * size * height))
    ink = (20, 20, 20) if canvas[min(top, height - 1)].mean() > 110 else (225, 225, 225)
    for row in range(int(top) + step, int(bottom), step):
        words = " ".join("".join(rng.choice(list("abcdeilmnorstuOD"), rng.integers(2, 9))) for _ in range(9))
        letters = int(rng.uniform(0.2, 1.0) * width / (0.5 * step))
        place, thick = (int(0.05 * width), row - step // 4), max(1, step // 14)
        cv2.putText(canvas, words[:letters], place, _FONT, step / 34, ink, thick, cv2.LINE_AA)


def _grid(draw, rng, rows: int, columns: int) -> np.ndarray:
    kind = rng.choice(["black", "black", "black", "white", "grey", "textured"])
    gap, cut = int(rng.choice([0, 2, 8, 20])), rng.random() < 0.5
    pictures = [tight(draw()) if cut else draw() for _ in range(rows * columns)]
    cells = [resized(picture, 240 / max(picture[0].shape[:2]))[0] for picture in pictures]
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    canvas = page(rows * height + (rows + 1) * gap, columns * width + (columns + 1) * gap, kind, rng)
    for k, cell in enumerate(cells):
        top = gap + k // columns * (height + gap) + (height - cell.shape[0]) // 2
        left = gap + k % columns * (width + gap) + (width - cell.shape[1]) // 2
        paste(canvas, cell, top, left)
    return canvas


def touching(draw, rng):
    """Two fields without margin that touch, or overlap by up to a third of their width."""
    (first, _), second = (tight(resized(draw(), 1.0), 0) for _ in range(2))
    image, mask = resized(second, first.shape[0] / second[0].shape[0])
    share = float(rng.choice([0, rng.uniform(0, 0.1), rng.uniform(0.1, 0.33)]))
    left = round(first.shape[1] * (1 - share))
    height, width = max(first.shape[0], image.shape[0]), left + image.shape[1]
    edge = int(rng.choice([0, 6, 30]))
    canvas = page(height + 2 * edge, width + 2 * edge, "black", rng)
    paste(canvas, first, edge, edge)
    canvas[edge : edge + image.shape[0], edge + left : edge + left + image.shape[1]][mask] = image[mask]
    return np.ascontiguousarray(canvas.transpose(1, 0, 2)) if rng.random() < 0.4 else canvas


def big_and_small(draw, rng):
    """A large and a small photograph side by side."""
    big, small = tight(draw(), 6)[0], resized(tight(draw(), 6), rng.uniform(0.35, 0.75))[0]
    gap = int(rng.choice([4, 12, 30]))
    kind = rng.choice(["black", "black", "white", "grey"])
    canvas = page(big.shape[0] + 2 * gap, big.shape[1] + small.shape[1] + 3 * gap, kind, rng)
    paste(canvas, big, gap, gap)
    paste(
        canvas, small, rng.integers(gap, canvas.shape[0] - gap - small.shape[0] + 1), big.shape[1] + 2 * gap
    )
    return np.ascontiguousarray(canvas[:, ::-1]) if rng.random() < 0.5 else canvas


def inset(draw, rng):
    """A thumbnail in a corner, over the margin or a part of the large field."""
    canvas = draw()[0].copy()
    thumb = resized(tight(draw(), 2), rng.uniform(0.22, 0.4))[0]
    if rng.random() < 0.4:
        frame = int(rng.choice([1, 3]))
        thumb = np.pad(thumb, ((frame, frame), (frame, frame), (0, 0)), constant_values=255)
    edge = int(rng.choice([0, 4, 10]))
    top, left = (rng.choice([edge, canvas.shape[k] - edge - thumb.shape[k]]) for k in (0, 1))
    paste(canvas, thumb, top, left)
    return canvas


def good_and_dark(draw, rng):
    """A photograph beside one with little light."""
    (first, _), second = draw(), draw()
    second = resized(second, first.shape[0] / second[0].shape[0])[0]
    second = (second * rng.uniform(0.1, 0.35)).astype(np.uint8)
    one, other = (first, second) if rng.random() < 0.5 else (second, first)
    canvas = page(first.shape[0], first.shape[1] + second.shape[1], "black", rng)
    paste(canvas, one, 0, 0)
    paste(canvas, other, 0, one.shape[1])
    return canvas


def tiles(draw, rng):
    """Two pieces of retina without a rim, side by side."""
    pieces = []
    for _ in range(2):
        image, mask = resized(draw(), 1.5)
        y, x = (int(np.flatnonzero(mask.any(axis=axis)).mean()) for axis in (1, 0))
        half = int(0.65 * np.sqrt(mask.sum() / np.pi))
        pieces.append(cv2.resize(image[y - half : y + half, x - half : x + half], (220, 220)))
    gap = np.full((220, int(rng.choice([0, 4, 12])), 3), int(rng.choice([0, 255])), np.uint8)
    return np.hstack([pieces[0], gap, pieces[1]])


def _on_a_page(canvas: np.ndarray, picture: Picture, top: float, left: float) -> Picture:
    field = np.zeros(canvas.shape[:2], bool)
    for whole, part in zip((canvas, field), picture, strict=True):
        paste(whole, part, round(top), round(left))
    return canvas, field


def report(draw, rng):
    """A page with a heading, a photograph and text below."""
    picture = draw()
    height, width = picture[0].shape[:2]
    kind = rng.choice(["white", "white", "white", "grey", "textured"])
    canvas = page(int(height * rng.uniform(1.6, 3)), int(width * rng.uniform(1.05, 1.8)), kind, rng)
    top = rng.uniform(0.1, 0.35) * (canvas.shape[0] - height)
    write(canvas, 0, int(top), rng)
    write(canvas, int(top) + height, canvas.shape[0] - 4, rng)
    return _on_a_page(canvas, picture, top, rng.uniform(0, 1) * (canvas.shape[1] - width))


def bare_page(draw, rng):
    """A photograph anywhere on a page without text."""
    picture = draw()
    height, width = picture[0].shape[:2]
    kind = rng.choice(["white", "grey", "textured", "wooden", "dark", "black"])
    canvas = page(int(height * rng.uniform(1.03, 2)), int(width * rng.uniform(1.03, 2)), kind, rng)
    top, left = rng.uniform(0, 1, 2) * (np.array(canvas.shape[:2]) - picture[0].shape[:2])
    return _on_a_page(canvas, picture, top, left)


def captioned(draw, rng):
    """A photograph with a strip of text below or above it, or on both sides."""
    picture = draw()
    height, width = picture[0].shape[:2]
    above, below = (int(rng.choice([0, rng.uniform(0.06, 0.3)]) * height) for _ in range(2))
    below += 0 if above + below else int(0.12 * height)
    canvas = page(height + above + below, width, rng.choice(["white", "grey", "dark", "black"]), rng)
    write(canvas, 0, above, rng)
    write(canvas, above + height, canvas.shape[0], rng)
    return _on_a_page(canvas, picture, above, 0)


def screenshot(draw, rng):
    """A window on a screen: bars above and at the side, icons, a photograph in the middle."""
    picture = draw()
    height, width = picture[0].shape[:2]
    dark = rng.random() < 0.5
    base, bar = ((40, 40, 43), (28, 28, 31)) if dark else ((243, 243, 243), (222, 225, 230))
    shape = int(height * rng.uniform(1.25, 1.9)), int(width * rng.uniform(1.3, 2.1))
    canvas = np.full((*shape, 3), base, np.uint8)
    bar_height, side = int(0.09 * shape[0]), int(rng.choice([0, 0.1, 0.18]) * shape[1])
    canvas[:, :side] = canvas[:bar_height] = canvas[-bar_height // 2 :] = bar
    for k, colour in enumerate(rng.integers(40, 255, (12, 3))):
        x, y, half = int((0.5 + k) * 1.2 * bar_height), bar_height // 2, bar_height // 4
        canvas[y - half : y + half, x : x + 2 * half] = colour
    write(canvas[:, : max(side, 1)], 2 * bar_height, shape[0] - bar_height, rng, 0.8) if side else None
    top = bar_height + rng.uniform(0, 1) * (shape[0] - 1.5 * bar_height - height)
    left = side + rng.uniform(0, 1) * max(0, shape[1] - side - width)
    return _on_a_page(canvas, picture, max(bar_height, top), left)


_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])


def _turned(canvas: np.ndarray, field: np.ndarray, corners: np.ndarray, ground: np.ndarray) -> Picture:
    """Lay a page onto a ground so that its corners come to lie at `corners`, (4, 2) as (x, y)."""
    height, width = canvas.shape[:2]
    start = (_CORNERS * [width, height]).astype(np.float32)
    warp = cv2.getPerspectiveTransform(start, corners.astype(np.float32))
    size = ground.shape[1::-1]
    cover = cv2.warpPerspective(np.ones((height, width), np.float32), warp, size)[..., None]
    image = cv2.warpPerspective(canvas, warp, size)
    field = cv2.warpPerspective(field.astype(np.uint8), warp, size) > 0
    return (cover * image + (1 - cover) * ground).astype(np.uint8), field


def rotated_page(draw, rng):
    """A page with a photograph, lying askew on a table."""
    canvas, field = (report if rng.random() < 0.5 else bare_page)(draw, rng)
    height, width = canvas.shape[:2]
    angle = np.deg2rad(rng.uniform(3, 25) * rng.choice([-1, 1]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = _CORNERS * [width, height] @ turn.T
    corners -= corners.min(axis=0) - 0.04 * width
    columns, rows = (corners.max(axis=0) + 0.04 * width).astype(int)
    kind = rng.choice(["white", "grey", "dark", "wooden", "black"])
    return _turned(canvas, field, corners, page(rows, columns, kind, rng))


def monitor(draw, rng):
    """A monitor that shows a photograph, photographed askew, with moire."""
    canvas, field = (screenshot if rng.random() < 0.6 else bare_page)(draw, rng)
    frame = int(0.03 * canvas.shape[1])
    canvas = cv2.copyMakeBorder(canvas, *[frame] * 4, cv2.BORDER_CONSTANT, value=(15, 15, 16))
    height, width = canvas.shape[:2]
    corners = 0.08 + _CORNERS + rng.uniform(-0.05, 0.05, (4, 2))
    ground = page(int(1.16 * height), int(1.16 * width), rng.choice(["grey", "dark", "wooden"]), rng)
    image, field = _turned(canvas, np.pad(field, frame), corners * [width, height], ground)
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    wave, angle = rng.uniform(2.2, 9), rng.uniform(0, np.pi)
    moire = 1 + 0.12 * np.sin(2 * np.pi * (xs * np.cos(angle) + ys * np.sin(angle)) / wave)
    return (image * moire[..., None] + 8).clip(0, 255).astype(np.uint8), field


FIELDS = {
    "pair_in_a_row": lambda draw, rng: _grid(draw, rng, 1, int(rng.choice([2, 2, 3]))),
    "pair_in_a_column": lambda draw, rng: _grid(draw, rng, 2, 1),
    "grid": lambda draw, rng: _grid(draw, rng, 2, int(rng.choice([2, 2, 2, 3]))),
} | {layout.__name__: layout for layout in (touching, big_and_small, inset, good_and_dark, tiles)}
_LAYOUTS = (report, bare_page, captioned, screenshot, rotated_page, monitor)
PAGES = {layout.__name__: layout for layout in _LAYOUTS}
