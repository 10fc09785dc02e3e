"""Artifacts that belong to no quality detail: dust, eyelashes and rainbow reflections.

Each function takes float32 pixels (3, H, W), the `riqa.phantom.frame.Frame`, a severity in (0, 1] and a
generator, and returns the changed pixels with a mask (H, W) in [0, 1].
"""

from __future__ import annotations

import cv2
import numpy as np

from riqa.phantom.frame import Frame

_TAU = 2 * np.pi


def _paint(pixels: np.ndarray, weight: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return pixels + weight * (np.array(colour, np.float32)[:, None, None] - pixels)


def dust(
    pixels: np.ndarray, frame: Frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw out-of-focus specks, mostly bright; a higher severity shows more of the same specks."""
    total = 50
    radius, angle = np.sqrt(rng.uniform(0, 1, total)) * 0.97, rng.uniform(0, _TAU, total)
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    cluster = rng.uniform(-0.6, 0.6, 2) + rng.normal(0, 0.2, (total, 2))
    places = np.where(rng.random((total, 1)) < 0.45, cluster, places)
    sizes = np.minimum(rng.gamma(1.8, 0.006, total) + 0.005, 0.035)
    opacity = rng.uniform(0.35, 0.9, total) * np.minimum(1, 0.016 / sizes) ** 0.5  # wide specks are faint
    bright = rng.random(total) < 0.8
    layers = np.zeros((2, *frame.mask.shape), np.uint8)
    shown = np.clip(severity * total - np.arange(total), 0, 1) * opacity * (0.45 + 0.55 * severity)
    centres = frame.points(places)
    for k in np.argsort(
        shown, kind="stable"
    ):  # the strongest on top, so that more severe never means fainter
        if shown[k] > 0:
            reach = max(12, round(sizes[k] * frame.diameter * 16))
            centre = tuple(centres[k].tolist())
            cv2.circle(layers[0 if bright[k] else 1], centre, reach, (255 * shown[k],), -1, cv2.LINE_AA, 4)
    soft = max(0.5, 0.005 * frame.diameter)
    white, black = (cv2.GaussianBlur(layer, (0, 0), soft).astype(np.float32) / 255 for layer in layers)
    return _paint(pixels, white, (222, 230, 236)) * (1 - 0.7 * black), np.maximum(white, black)


def eyelash(
    pixels: np.ndarray, frame: Frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw blurred lashes from the upper or lower rim, over the pale haze of the lid."""
    total, side = 18, float(rng.choice([-1, 1]))
    root = rng.normal(rng.uniform(-0.3, 0.3), 0.3, total)
    lean, bend = rng.normal(rng.uniform(-0.4, 0.4), 0.12, total), rng.normal(0, 0.12, total)
    length, thick = rng.uniform(0.4, 1.0, total), rng.uniform(0.004, 0.010, total)
    lines = np.zeros(frame.mask.shape, np.uint8)
    t = np.linspace(0, 1, 14)
    for k, shown in enumerate(np.clip(severity * total - np.arange(total), 0, 1)):
        if shown > 0:
            reach = length[k] * (0.35 + 0.65 * severity)
            u = root[k] + (lean[k] * t + bend[k] * t**2) * reach
            points = frame.points(np.stack([u, side * (1.02 - reach * t)], axis=1))
            width = max(1, round(thick[k] * frame.diameter))
            value = 255 * shown * (0.4 + 0.4 * severity)
            cv2.polylines(lines, [points], False, (value,), width, cv2.LINE_AA, 4)
    lash = cv2.GaussianBlur(lines, (0, 0), max(0.5, 0.009 * frame.diameter)).astype(np.float32) / 255
    inward = np.clip((side * frame.v - 1.0 + 0.7 * severity) / 0.6, 0, 1)
    lid = np.broadcast_to(inward**1.5 * 0.75 * severity, frame.mask.shape)
    pixels = _paint(pixels, lid, (214, 200, 184))
    return _paint(pixels, lash, (70, 40, 26)), np.maximum(lash, lid)


def rainbow(
    pixels: np.ndarray, frame: Frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a coloured arc near the rim, from blue inside to red outside."""
    angle, spread = rng.uniform(0, _TAU), rng.uniform(0.4, 0.8)
    centre = 1.02 - rng.uniform(0.08, 0.3)
    width = 0.05 + 0.11 * severity
    r = frame.distance(0, 0)
    around = np.abs((np.arctan2(frame.v, frame.u) - angle + np.pi) % _TAU - np.pi)
    profile = np.exp(-(((r - centre) / width) ** 2) - (around / (spread * (0.6 + 0.5 * severity))) ** 4)
    profile *= min(1.0, 0.25 + 0.75 * severity) * min(1.0, 5 * severity)
    phase = np.clip((r - centre) / width, -1.2, 1.2)
    peaks = np.array([0.7, 0.0, -0.7], np.float32)[:, None, None]  # red outside, green, blue inside
    light = 85 + 125 * np.exp(-(((phase - peaks) / 0.65) ** 2))
    glare = np.minimum(255, 0.6 * pixels + light)  # stray light adds to the picture
    return pixels + profile * (glare - pixels), profile
