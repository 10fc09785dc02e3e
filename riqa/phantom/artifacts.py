"""Artifacts that belong to no quality detail: dust, eyelashes and rainbow reflections.

Each function takes float32 pixels (H, W, 3), the `riqa.phantom.degrade.Frame`, a severity in (0, 1] and a
generator, and returns the changed pixels with a mask (H, W) in [0, 1].
"""

from __future__ import annotations

import cv2
import numpy as np


def dust(
    pixels: np.ndarray, frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-focus specks, bright or dark; a higher severity shows more of the same specks."""
    total = 46
    radius = np.sqrt(rng.uniform(0, 1, total)) * 0.97
    angle = rng.uniform(0, 2 * np.pi, total)
    gathered = rng.normal(0, 0.18, (total, 2)) + rng.uniform(-0.5, 0.5, 2)
    places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    places = np.where(rng.random(total)[:, None] < 0.35, gathered, places)
    sizes = rng.gamma(2.2, 0.008, total) + 0.008
    opacity = rng.uniform(0.45, 0.95, total)
    bright = rng.random(total) < 0.8
    layers = np.zeros((2, *frame.mask.shape), np.uint8)
    half = frame.diameter / 2
    column0, row0 = -frame.u[0, 0] * half, -frame.v[0, 0] * half
    for k in range(total):
        shown = np.clip(severity * total - k, 0, 1) * (0.35 + 0.65 * severity)
        if shown > 0:
            centre = (round((column0 + places[k, 0] * half) * 16), round((row0 + places[k, 1] * half) * 16))
            spot = np.zeros(frame.mask.shape, np.uint8)
            reach = max(12, round(sizes[k] * frame.diameter * 16))
            cv2.circle(spot, centre, reach, (255 * opacity[k] * shown,), -1, cv2.LINE_AA, 4)
            layer = layers[0 if bright[k] else 1]
            np.maximum(layer, spot, out=layer)
    soft = max(0.5, 0.004 * frame.diameter)
    white, black = (cv2.GaussianBlur(layer, (0, 0), soft).astype(np.float32) / 255 for layer in layers)
    pixels = pixels + white[..., None] * (np.array([225, 232, 235], np.float32) - pixels)
    pixels = pixels * (1 - 0.8 * black)[..., None]
    return pixels, np.maximum(white, black)


def eyelash(
    pixels: np.ndarray, frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blurred lashes that reach in from the upper or lower rim, over the pale haze of the lid."""
    total, side = 16, rng.choice([-1, 1])
    root = rng.normal(rng.uniform(-0.3, 0.3), 0.35, total)
    lean = rng.normal(rng.uniform(-0.3, 0.3), 0.15, total)
    bend = rng.normal(0, 0.12, total)
    length = rng.uniform(0.5, 1.15, total)
    thick = rng.uniform(0.006, 0.014, total)
    half = frame.diameter / 2
    lines = np.zeros(frame.mask.shape, np.uint8)
    t = np.linspace(0, 1, 14)
    for k in range(total):
        shown = np.clip(severity * total - k, 0, 1)
        if shown > 0:
            reach = length[k] * (0.35 + 0.65 * severity)
            u = root[k] + (lean[k] * t + bend[k] * t**2) * reach
            v = side * (1.02 - reach * t)
            points = np.stack([(u - frame.u[0, 0]) * half, (v - frame.v[0, 0]) * half], axis=1)
            width = max(1, round(thick[k] * frame.diameter))
            value = 255 * shown * (0.45 + 0.5 * severity)
            cv2.polylines(
                lines, [np.rint(points * 16).astype(np.int32)], False, (value,), width, cv2.LINE_AA, 4
            )
    lash = cv2.GaussianBlur(lines, (0, 0), max(0.5, 0.006 * frame.diameter)).astype(np.float32) / 255
    lid = np.clip((side * frame.v - 1.0 + 0.55 * severity) / 0.5, 0, 1) * 0.7 * severity
    pixels = pixels + lid[..., None] * (np.array([205, 200, 190], np.float32) - pixels)
    pixels = pixels + lash[..., None] * (np.array([52, 30, 22], np.float32) - pixels)
    return pixels, np.maximum(lash, lid)


def rainbow(
    pixels: np.ndarray, frame, severity: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A coloured arc near the rim, from blue inside to red outside."""
    angle, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.9)
    centre = 1.02 - rng.uniform(0.15, 0.35)
    width = 0.05 + 0.13 * severity
    r = np.hypot(frame.u, frame.v)
    around = np.abs((np.arctan2(frame.v, frame.u) - angle + np.pi) % (2 * np.pi) - np.pi)
    profile = np.exp(-(((r - centre) / width) ** 2)) * np.exp(
        -((around / (spread * (0.6 + 0.5 * severity))) ** 4)
    )
    profile *= min(1.0, 0.25 + 0.8 * severity) * min(1.0, 5 * severity)
    phase = np.clip((r - centre) / width, -1.2, 1.2)
    peaks = np.array([0.75, 0.0, -0.75], np.float32)  # red outside, green, blue inside
    colour = 60 + 190 * np.exp(-(((phase[..., None] - peaks) / 0.55) ** 2))
    return pixels + profile[..., None] * 0.85 * (colour - pixels), profile
