"""Fundus cameras of the phantom: how a circular field of view sits in a photograph.

Real collections mix cameras, and a curation step must cope with all of them: circles cut at top and
bottom, index notches on the rim, black margins of various widths that are not exactly black, several
aspect ratios and resolutions (Fu et al. 2019 count more than 40 cameras behind EyeQ; Jin et al. 2023 use two
tabletop cameras and one portable).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A camera model: framing, optics and colour.

    Attributes:
        name: Key in `CAMERAS`, stored as `source` in the manifest.
        angle: Field of view, degrees of retina across the circle.
        aspect: Height / width of the photograph.
        scale: Width of the photograph relative to the requested size (resolutions differ).
        diameter: Diameter of the field / width of the photograph.
        cut: Half height at which the circle is cut at top and bottom, in field radii (1: uncut).
        notch: Tab on the rim: "none", "round", "square" or "triangle".
        black: Mean grey level of the margin, 0-255.
        black_noise: Standard deviation of the margin's noise, grey levels.
        gain: Colour balance, factors for R, G, B.
        contrast: Exponent of the tone curve (1: neutral, above 1: darker, more contrast).
        blur: Standard deviation of the optics' point spread, in percent of the field's diameter.
        noise: Standard deviation of the sensor noise, grey levels.
        falloff: Darkening at the rim, fraction.
        rim: Strength of the blue-green scatter at the rim, fraction.
    """

    name: str
    angle: float
    aspect: float
    scale: float
    diameter: float
    cut: float
    notch: str
    black: float
    black_noise: float
    gain: tuple[float, float, float]
    contrast: float
    blur: float
    noise: float
    falloff: float
    rim: float


# fmt: off
_MODELS = [Camera(*row) for row in (
    ("tabletop_a", 45, 0.667, 1.10, 0.72, 0.86, "none", 3, 1.2, (1.0, 1.0, 1.0), 1.0, 0.12, 1.5, 0.20, 0.3),
    ("tabletop_b", 45, 0.75, 1.0, 0.74, 1.0, "round", 2, 0.7, (1.04, 0.97, 0.86), 1.08, 0.16, 2, 0.25, 0.05),
    ("tabletop_c", 50, 0.75, 1.25, 0.9, 0.8, "none", 5, 2, (0.98, 1.03, 1.06), 0.95, 0.2, 2.2, 0.15, 0.45),
    ("tabletop_d", 40, 0.96, 0.9, 0.97, 0.98, "square", 1, 0.5, (1.02, 0.92, 0.74), 1.15, 0.15, 1.6, 0.3, 0),
    ("tabletop_e", 45, 0.667, 1.2, 0.58, 1, "triangle", 4, 1.5, (0.96, 0.94, 1.0), 1.0, 0.18, 1.8, 0.1, 0.15),
    ("reader_a", 45, 0.75, 0.95, 0.86, 0.84, "triangle", 3, 1, (1.05, 0.96, 0.8), 1.05, 0.18, 2, 0.22, 0.1),
    ("reader_b", 50, 0.809, 1.05, 0.8, 1, "square", 2, 0.8, (1.0, 1.0, 0.92), 1.0, 0.14, 1.5, 0.18, 0.2),
    ("portable", 60, 0.766, 1.15, 0.76, 1, "none", 7, 3, (1.08, 0.95, 0.82), 0.92, 0.28, 3.2, 0.35, 0.1),
)]
# fmt: on

CAMERAS: dict[str, Camera] = {camera.name: camera for camera in _MODELS}
"""Every camera model by name."""


@dataclass(frozen=True)
class Field:
    """Where the field of view lies in one photograph, in pixels.

    Attributes:
        width: Width of the photograph.
        height: Height of the photograph.
        cx: Column of the circle's centre.
        cy: Row of the circle's centre.
        radius: Radius of the circle.
        cut: Half height of the field, in radii (1: uncut).
    """

    width: int
    height: int
    cx: float
    cy: float
    radius: float
    cut: float


def place_field(camera: Camera, rng: np.random.Generator, size: int) -> Field:
    """Draw where the field of view falls on the sensor for one exposure.

    Args:
        camera: Camera model.
        rng: Source of the small differences between two units of one model.
        size: Nominal width of a photograph, pixels (`camera.scale` applies on top).

    Returns:
        Field geometry in pixels.
    """
    width = max(32, round(size * camera.scale))
    height = max(32, round(width * camera.aspect))
    radius = 0.5 * width * camera.diameter * rng.uniform(0.98, 1.02)
    cx = 0.5 * (width - 1) + rng.normal(0.0, 0.012) * width
    cy = 0.5 * (height - 1) + rng.normal(0.0, 0.006) * height
    return Field(width, height, cx, cy, radius, min(1.0, camera.cut * rng.uniform(0.98, 1.02)))


def field_alpha(field: Field, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Compute how far the field of view, notch included, covers each pixel.

    Args:
        field: Field geometry.
        camera: Camera model (its notch).
        rng: Draws the notch's place on the rim.

    Returns:
        float32 (height, width) in [0, 1], antialiased at the rim.
    """
    y, x = np.ogrid[0 : field.height, 0 : field.width]
    dx, dy = (x - field.cx).astype(np.float32), (y - field.cy).astype(np.float32)
    edge = field.radius - np.hypot(dx, dy)
    angle = float(np.deg2rad(rng.choice([-42.0, -25.0, 40.0]) + rng.normal(0.0, 2.0)))
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    if camera.notch != "none":
        along = (dx * cos + dy * sin) / field.radius
        across = np.abs(-dx * sin + dy * cos) / field.radius
        tab = {
            "round": 0.05 - np.hypot(along - 1.0, across),
            "square": np.minimum(0.045 - across, np.minimum(1.055 - along, along)),
            "triangle": np.minimum(0.06 - across - 0.8 * (along - 1.0), np.minimum(1.06 - along, along)),
        }[camera.notch]
        edge = np.maximum(edge, field.radius * tab)
    edge = np.minimum(edge, field.cut * field.radius - np.abs(dy)) if field.cut < 1 else edge
    return np.clip(edge + 0.5, 0.0, 1.0).astype(np.float32)
