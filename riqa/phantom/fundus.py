"""The clean photograph: an eye as a camera sees it.

Colour follows a Beer-Lambert picture of the fundus: light returns from choroid and sclera and is absorbed on
its way by melanin, blood and macular pigment, each with its own absorption in red, green and blue (after the
reflectance model of Delori and Pflibsen 1989, Applied Optics 28:1061, reduced to three channels). Colour
arrays are planar, (3, height, width): a map of one quantity then multiplies all channels at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from riqa.phantom.anatomy import TEXTURE_SPAN, Eye, Patient
from riqa.phantom.cameras import Camera, Field, field_alpha, place_field
from riqa.phantom.vessels import draw_vessels


def _rgb(red: float, green: float, blue: float) -> np.ndarray:
    return np.array([red, green, blue], np.float32)[:, None, None]


_BASE = _rgb(1.00, 0.66, 0.42)  # light that returns from choroid and sclera
_MELANIN = _rgb(0.50, 1.00, 1.30)  # absorption per unit of pigment
_BLOOD_VEIN = _rgb(0.42, 0.95, 0.62)
_BLOOD_ARTERY = _rgb(0.16, 0.70, 0.54)
_MACULAR = _rgb(0.34, 0.66, 0.80)
_RIM = _rgb(1.04, 0.78, 0.50)  # neuroretinal rim of the disc
_CUP = _rgb(1.10, 1.00, 0.80)
_NERVE_FIBRES = _rgb(0.70, 0.90, 0.80)
_EXUDATE = _rgb(1.0, 0.85, 0.45)


@dataclass(frozen=True)
class Fundus:
    """A rendered photograph before any defect.

    Attributes:
        image: uint8 (height, width, 3) RGB.
        fov_mask: bool (height, width), True inside the field of view (notch included).
        field: Geometry of the field.
        disc: Centre of the disc, pixels (column, row); it may lie outside the photograph.
        fovea: Centre of the fovea, pixels (column, row).
    """

    image: np.ndarray
    fov_mask: np.ndarray
    field: Field
    disc: tuple[float, float]
    fovea: tuple[float, float]


def render_fundus(eye: Eye, view: str, camera: Camera, rng: np.random.Generator, size: int = 256) -> Fundus:
    """Photograph an eye without any defect.

    Args:
        eye: The eye.
        view: What lies near the centre, "macula" or "disc".
        camera: Camera model.
        rng: Draws the exposure: gaze, camera roll, gain, sensor noise.
        size: Nominal width of the photograph, pixels.

    Returns:
        The photograph with its field of view.

    Raises:
        ValueError: If `view` is neither "macula" nor "disc".
    """
    if view not in ("macula", "disc"):
        raise ValueError(f"view must be 'macula' or 'disc', got {view!r}")
    field = place_field(camera, rng, size)
    alpha = field_alpha(field, camera, rng)
    affine = _aim(eye, view, camera, field, rng)
    # Only the field's bounding box is painted; the rest of the sensor is dark.
    lit = alpha > 0
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    window = np.s_[top : rows[-1] + 1, left : columns[-1] + 1]
    shape = alpha[window].shape
    colour = _fundus_colour(eye, affine - [[0, 0, left], [0, 0, top]], shape)
    colour = 255 * _expose(colour, field, (top, left), camera, rng)
    colour += camera.noise * rng.standard_normal(shape, dtype=np.float32)
    black = camera.black + camera.black_noise * rng.standard_normal(alpha.shape, dtype=np.float32)
    planes = np.repeat(black[None], 3, axis=0)
    planes[:, window[0], window[1]] += alpha[window] * (colour - black[window])
    image = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    disc = affine[:, :2] @ eye.disc + affine[:, 2]
    return Fundus(
        cv2.merge(list(image)),
        alpha > 0.5,
        field,
        (float(disc[0]), float(disc[1])),
        (float(affine[0, 2]), float(affine[1, 2])),
    )


def _aim(eye: Eye, view: str, camera: Camera, field: Field, rng: np.random.Generator) -> np.ndarray:
    """Return the (2, 3) map from degrees (right-eye coordinates, fovea at 0) to pixels."""
    disc = np.array(eye.disc)
    centre = disc * (0.30 if view == "macula" else 0.90) + rng.normal(0, 1.1, 2)
    scale = 2 * field.radius / camera.angle
    roll = np.deg2rad(rng.normal(0, 3.0))
    mirror = np.diag([1.0 if eye.side == "right" else -1.0, 1.0])
    rotate = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    linear = scale * rotate @ mirror
    return np.column_stack([linear, np.array([field.cx, field.cy]) - linear @ centre])


def _texture(grid: np.ndarray, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Look at one of the eye's noise grids through the camera."""
    step = TEXTURE_SPAN / (grid.shape[0] - 1)
    half = TEXTURE_SPAN / 2
    to_degrees = np.array([[step, 0, -half], [0, step, -half], [0, 0, 1]])
    full = np.vstack([affine, [0, 0, 1]]) @ to_degrees
    size = (shape[1], shape[0])
    return cv2.warpAffine(grid, full[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _fundus_colour(eye: Eye, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the reflected colour of the fundus, float32 (3, height, width), about [0, 1]."""
    traits = eye.traits
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))  # pixels per degree
    inverse = np.linalg.inv(affine[:, :2]).astype(np.float32)
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    x, y = (x - affine[0, 2]).astype(np.float32), (y - affine[1, 2]).astype(np.float32)
    X, Y = inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y
    coarse, middle, fine, grain = (_texture(grid, affine, shape) for grid in eye.textures)
    radius2 = X * X + Y * Y
    dx, dy = X - eye.disc[0], Y - eye.disc[1]
    near_disc = np.exp((dx * dx + dy * dy) / -60.0)
    pole = np.exp(radius2 / -55.0)

    # Melanin: more at the macula, patchy, striped by choroidal vessels where it is thin.
    stripes = np.minimum(np.abs(middle + 0.5 * fine), 1.5) - 0.7
    melanin = traits.pigment * (1 + 0.10 * coarse + 0.03 * fine + 0.03 * grain) + 0.018 * grain
    melanin += 0.30 * pole + traits.choroid * 0.28 * stripes * (1 - pole) - 0.12 * near_disc
    macular = traits.macula * (0.55 * np.exp(radius2 / -8.0) + 0.50 * np.exp(radius2 / -1.3))
    tint = _rgb(0.0, 0.10, -0.10) * traits.tint
    colour = _BASE * np.exp(-(melanin * (_MELANIN + tint) + macular * _MACULAR))
    colour += np.maximum(traits.sheen * 0.12 * near_disc * (1 + 0.5 * fine), 0) * _NERVE_FIBRES
    disc, colour = _paint_disc(colour, traits, dx, dy, fine)

    layers = draw_vessels(eye.vessels, affine, shape)
    softness = max(0.4, 0.10 * scale)
    veins, arteries, reflex = (cv2.GaussianBlur(layer, (0, 0), softness) for layer in layers)
    thin = 1 - 0.45 * disc  # on the pale disc less blood lies in the light's way
    blood = (veins * thin) * _BLOOD_VEIN + (arteries * thin) * _BLOOD_ARTERY
    if len(eye.lesions):
        bleeding, exudate = _lesion_layers(eye.lesions, affine, scale, shape)
        blood += bleeding * _BLOOD_VEIN
        colour += exudate * (_EXUDATE - colour)
    colour *= np.exp(-blood)
    colour += reflex * _rgb(0.13, 0.10, 0.05)
    return colour


def _inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """Return soft membership: 1 inside (negative distance), 0 outside."""
    return 0.5 - 0.5 * np.tanh(distance / (2 * softness))


def _paint_disc(
    colour: np.ndarray, traits: Patient, dx: np.ndarray, dy: np.ndarray, fine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blend disc and cup into the background, with a darker ring around; return also the disc's coverage."""
    half = traits.disc_diameter / 2
    r = np.hypot(dx / 0.93, dy / 1.05) + 0.04 * fine
    disc = _inside(r - half, 0.14)
    cup = _inside(np.hypot(dx + 0.15, dy) - half * traits.cup_ratio, 0.25)
    ring = 0.10 * np.exp(-(((r - half - 0.35) / 0.35) ** 2)) * (0.5 + traits.pigment)
    shade = 1 - 0.12 * np.clip(dx / half, -1, 1)  # the nasal rim is thicker, so redder and darker
    brightness = float(0.74 + 0.26 * np.exp(-0.8 * traits.pigment))
    target = brightness * (shade * (1 - cup) * _RIM + cup * _CUP)
    colour = colour * (1 - ring)
    return disc, colour + disc * (target - colour)


def _lesion_layers(
    lesions: np.ndarray, affine: np.ndarray, scale: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coverage by bleedings and by exudates, float32 each."""
    layers = np.zeros((2, *shape), np.uint8)
    centres = lesions[:, :2] @ affine[:, :2].T + affine[:, 2]
    for (column, row), radius, kind in zip(centres, lesions[:, 2], lesions[:, 3].astype(int), strict=True):
        if -50 < column < shape[1] + 50 and -50 < row < shape[0] + 50:
            centre = (round(column * 16), round(row * 16))
            reach = max(8, round(radius * scale * 16))
            cv2.circle(layers[kind], centre, reach, (230,), -1, cv2.LINE_AA, 4)
    softness = max(0.5, 0.12 * scale)
    dark, bright = (cv2.GaussianBlur(layer, (0, 0), softness).astype(np.float32) / 255 for layer in layers)
    return dark * 0.8, bright * 0.75


def _expose(
    colour: np.ndarray, field: Field, corner: tuple[int, int], camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """Apply falloff, rim scatter, optics, colour balance and tone curve; (3, height, width) in [0, 1]."""
    _, height, width = colour.shape
    y, x = np.ogrid[0:height, 0:width]
    u = ((x + corner[1] - field.cx) / field.radius).astype(np.float32)
    v = ((y + corner[0] - field.cy) / field.radius).astype(np.float32)
    tilt_x, tilt_y = rng.normal(0, 0.06, 2).tolist()
    r2 = u * u + v * v
    light = 1.0 - camera.falloff * r2 + tilt_x * u + tilt_y * v
    gain = np.array(camera.gain) * rng.normal(1.0, 0.03, 3) * rng.uniform(0.92, 1.12)
    rim = 0.35 * camera.rim * rng.uniform(0.5, 1.0) * np.exp((1.0 - np.sqrt(r2)) ** 2 / -0.004)
    colour = colour * light * _rgb(*gain) + rim * _rgb(0.25, 0.55, 0.55)
    sigma = max(0.35, camera.blur / 100 * 2 * field.radius)
    planes = [cv2.GaussianBlur(plane, (0, 0), sigma) for plane in colour]
    return np.clip(np.stack(planes), 0, 1) ** np.float32(camera.contrast * rng.uniform(0.95, 1.05))
