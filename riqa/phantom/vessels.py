"""Retinal vessel trees: arcades that leave the disc, branch, taper and curve around the macula.

Coordinates are degrees of visual angle on a right eye seen as in a photograph: fovea at (0, 0), x to the
right (nasal), y down (inferior), disc centre near (15.5, -1.5). Calibres follow Murray's law
(Murray 1926, PNAS 12:207): at a branching the cubes of the calibres add up.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True)
class VesselTree:
    """Polylines of one eye's vessels.

    Attributes:
        points: One float array (n, 2) per vessel, degrees.
        widths: One float array (n,) per vessel, calibre in degrees.
        is_artery: One bool per vessel.
    """

    points: tuple[np.ndarray, ...]
    widths: tuple[np.ndarray, ...]
    is_artery: tuple[bool, ...]


def grow_vessels(
    rng: np.random.Generator, disc: tuple[float, float], tortuosity: float, calibre: float
) -> VesselTree:
    """Grow the arterial and venous trees of one eye.

    Args:
        rng: Random generator of the eye.
        disc: Centre of the optic disc, degrees.
        tortuosity: Wiggliness in [0, 1].
        calibre: Factor on every calibre (1: a vein of 0.50 degrees at the disc).

    Returns:
        The tree; trunks first, then branches of the first and second order.
    """
    trunks, artery = _trunks(rng, disc, tortuosity)
    widths = np.where(artery, 0.38, 0.52) * np.repeat([1.0, 0.68], 4) * calibre * rng.uniform(0.85, 1.15, 8)
    trunk_widths, seeds = _branch_off(rng, trunks, widths, artery, per_vessel=6, first=9)
    macular = _macular_seeds(rng, disc, calibre)
    seeds = tuple(np.concatenate(pair) for pair in zip(seeds, macular, strict=True))
    first = _grow(rng, seeds, tortuosity, steps=24)
    first_widths, twigs = _branch_off(rng, first, seeds[2], seeds[3], per_vessel=3, first=5)
    second = _grow(rng, twigs, tortuosity, steps=12)
    second_widths = np.repeat(twigs[2][:, None], second.shape[1], axis=1)
    points, calibres, kinds = [], [], []
    for group, group_widths, group_artery in (
        (trunks, trunk_widths, artery),
        (first, first_widths, seeds[3]),
        (second, second_widths * np.linspace(1, 0.7, second.shape[1]), twigs[3]),
    ):
        for line, width, kind in zip(group, group_widths, group_artery, strict=True):
            n = _length(line)
            if n > 2:
                points.append(line[:n])
                calibres.append(width[:n])
                kinds.append(bool(kind))
    return VesselTree(tuple(points), tuple(calibres), tuple(kinds))


def _length(line: np.ndarray) -> int:
    stopped = np.flatnonzero(np.isnan(line[:, 0]))
    return int(stopped[0]) if stopped.size else len(line)


def _wiggle(rng: np.random.Generator, n: int, steps: int) -> np.ndarray:
    """Draw smooth noise of unit scale, (n, steps), zero at the start."""
    knots = rng.normal(size=(n, max(4, steps // 5)))
    knots[:, 0] = 0
    at = np.linspace(0, knots.shape[1] - 1, steps)
    low = np.minimum(at.astype(int), knots.shape[1] - 2)
    part = 0.5 - 0.5 * np.cos(np.pi * (at - low))
    return knots[:, low] * (1 - part) + knots[:, low + 1] * part


def _trunks(
    rng: np.random.Generator, disc: tuple[float, float], tortuosity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw four arcades of an artery and a vein each: (8, 56, 2) points and (8,) kinds."""
    steps = 56
    t = np.linspace(0, 1, steps)
    lines, artery = [], []
    wiggle = _wiggle(rng, 16, steps) * (0.25 + 1.1 * tortuosity) * np.minimum(1, 4 * t)
    for i, (temporal, side) in enumerate([(True, -1), (True, 1), (False, -1), (False, 1)]):
        height = rng.uniform(8.5, 11.5)
        for k in range(2):
            kind = k == 0
            h = height + (rng.uniform(-1.6, -0.4) if kind else rng.uniform(0.2, 1.2))
            start = np.array(disc) + rng.normal(0, 0.35, 2) + [0, side * 0.3]
            if temporal:
                x = start[0] - 40 * t**1.55 + 1.5 * rng.uniform(-1, 1) * np.sin(np.pi * np.minimum(1, 3 * t))
                y = start[1] + side * (h * (1 - (1 - t) ** 3.2) - rng.uniform(-0.5, 2.5) * t**2)
            else:
                x = start[0] + rng.uniform(16, 24) * t**1.15
                y = start[1] + side * rng.uniform(9, 17) * t**0.8
            line = np.stack([x + wiggle[4 * i + 2 * k], y + wiggle[4 * i + 2 * k + 1]], axis=1)
            lines.append(line)
            artery.append(kind)
    return np.array(lines), np.array(artery)


def _branch_off(
    rng: np.random.Generator,
    lines: np.ndarray,
    widths: np.ndarray,
    artery: np.ndarray,
    per_vessel: int,
    first: int,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Return calibres along the parents, thinned at each branching, and the seeds of the branches."""
    n, steps, _ = lines.shape
    slots = np.linspace(first, steps - 4, per_vessel)
    at = np.clip((slots + rng.uniform(-2, 2, (n, per_vessel))).astype(int), 1, steps - 2)
    ratio = rng.uniform(0.3, 0.68, (n, per_vessel))
    along = np.empty((n, steps))
    current = widths.astype(float).copy()
    columns = np.arange(steps)
    along[:] = current[:, None]
    rows = np.arange(n)
    starts, headings, calibres, kinds = [], [], [], []
    for k in range(per_vessel):
        here = lines[rows, at[:, k]]
        tangent = here - lines[rows, at[:, k] - 1]
        side = np.where(rng.random(n) < 0.5, 1, -1)
        heading = np.arctan2(tangent[:, 1], tangent[:, 0]) + side * np.deg2rad(rng.uniform(30, 65, n))
        inward = np.cos(heading) * here[:, 0] + np.sin(heading) * here[:, 1] < 0
        child = current * ratio[:, k] * np.where(inward, 0.7, 1.0)  # the macula has fine vessels only
        current = np.cbrt(current**3 - child**3)  # Murray's law
        along = np.where(columns[None] > at[:, k, None], current[:, None], along)
        alive = ~np.isnan(here[:, 0]) & ~np.isnan(heading)
        starts.append(here[alive])
        headings.append(heading[alive])
        calibres.append(child[alive])
        kinds.append(artery[alive])
    along *= np.linspace(1, 0.8, steps)
    return along, tuple(np.concatenate(part) for part in (starts, headings, calibres, kinds))


def _macular_seeds(
    rng: np.random.Generator, disc: tuple[float, float], calibre: float
) -> tuple[np.ndarray, ...]:
    """Draw the starts of small vessels that leave the disc, towards the macula and all around."""
    n = 5
    heading = np.concatenate([np.pi + rng.uniform(-0.7, 0.7, 3), rng.uniform(-1.2, 1.2, n - 3)])
    start = np.array(disc) + 1.2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return start, heading, calibre * rng.uniform(0.11, 0.2, n), rng.random(n) < 0.5


def _grow(
    rng: np.random.Generator, seeds: tuple[np.ndarray, ...], tortuosity: float, steps: int
) -> np.ndarray:
    """Walk every branch, away from the fovea or towards it: (n, steps, 2), NaN after its end."""
    start, heading, _, _ = seeds
    n = len(start)
    position, heading = start.copy(), heading.copy()
    outward = position - [1.0, 0.0]
    inside = np.cos(heading) * outward[:, 0] + np.sin(heading) * outward[:, 1] < 0
    length = rng.uniform(0.35, 1.0, n) * steps
    turn = np.diff(_wiggle(rng, n, steps + 1), axis=1) * (0.16 + 0.45 * tortuosity)
    lines = np.full((n, steps, 2), np.nan)
    alive = np.ones(n, bool)
    for k in range(steps):
        lines[alive, k] = position[alive]
        radius = np.hypot(position[:, 0], position[:, 1])
        target = np.arctan2(position[:, 1], position[:, 0] - 1.0) + np.where(inside, np.pi, 0.0)
        error = (target - heading + np.pi) % (2 * np.pi) - np.pi
        heading += 0.10 * error + turn[:, k]
        position = position + 0.75 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        alive &= (k < length) & ~(inside & (radius < 2.6))
    return lines


def draw_vessels(
    tree: VesselTree, affine: np.ndarray, shape: tuple[int, int], supersample: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a tree as three layers of coverage.

    Args:
        tree: Vessels in degrees.
        affine: (2, 3) map from degrees to pixels (column, row).
        shape: (height, width) of the layers, pixels.
        supersample: Drawing happens at this multiple of the resolution.

    Returns:
        Veins, arteries and the arteries' central light reflex: float32 (height, width), each in [0, 1].
    """
    height, width = shape
    canvas = np.zeros((3, height * supersample, width * supersample), np.uint8)
    scale = supersample * np.sqrt(abs(np.linalg.det(affine[:, :2])))
    fixed = supersample * (1 << _SHIFT)
    thickest = [w.max() for w in tree.widths]
    for i in np.argsort(thickest, kind="stable"):  # thin first: a twig must not pale its parent
        pixels = np.rint((tree.points[i] @ affine[:, :2].T + affine[:, 2] + 0.5) * fixed).astype(np.int32)
        calibre = tree.widths[i] * scale
        layer = 1 if tree.is_artery[i] else 0
        _draw_tapering(canvas[layer], pixels, calibre)
        if tree.is_artery[i] and thickest[i] * scale > 2.4 * supersample**0.5:
            _draw_tapering(canvas[2], pixels, calibre * 0.34)
    layers = [cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA) for layer in canvas]
    return tuple(layer.astype(np.float32) / 255.0 for layer in layers)


def _draw_tapering(canvas: np.ndarray, pixels: np.ndarray, calibre: np.ndarray) -> None:
    """Draw one polyline, cut where its rounded thickness changes; thinner than a pixel means fainter."""
    thickness = np.maximum(1, np.rint(calibre)).astype(int)
    cuts = [0, *(np.flatnonzero(thickness[1:] != thickness[:-1]) + 1).tolist(), len(pixels)]
    for low, high in itertools.pairwise(cuts):
        value = 255 * min(1.0, calibre[(low + high) // 2] / thickness[low])
        piece = pixels[max(0, low - 1) : high]
        cv2.polylines(canvas, [piece], False, value, int(thickness[low]), cv2.LINE_AA, _SHIFT)
