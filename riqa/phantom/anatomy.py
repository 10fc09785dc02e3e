"""Anatomy of the phantom: patients, their two eyes, and the fundus as a camera sees it.

Colour follows a Beer-Lambert picture of the fundus: light returns from choroid and sclera and is absorbed
on its way by melanin, blood and macular pigment, each with its own absorption in red, green and blue
(after the reflectance models of Delori and Pflibsen 1989, Applied Optics 28:1061, reduced to three
channels).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from riqa.phantom.cameras import Camera, Field, field_alpha, place_field
from riqa.phantom.vessels import VesselTree, draw_vessels, grow_vessels

_BASE = np.array([1.00, 0.66, 0.42], np.float32)  # light that returns from choroid and sclera
_MELANIN = np.array([0.50, 1.00, 1.30], np.float32)  # absorption per unit of pigment
_BLOOD_VEIN = np.array([0.42, 0.95, 0.62], np.float32)
_BLOOD_ARTERY = np.array([0.16, 0.74, 0.56], np.float32)
_MACULAR = np.array([0.30, 0.62, 0.75], np.float32)
_RIM = np.array([1.02, 0.74, 0.47], np.float32)  # neuroretinal rim of the disc
_CUP = np.array([1.06, 0.94, 0.74], np.float32)
_SPAN = 100.0  # degrees covered by an eye's texture, centred on the fovea


@dataclass(frozen=True)
class Patient:
    """What the two eyes of a patient share.

    Attributes:
        pigment: Melanin of the fundus, about 0.15 (blond) to 1.1 (dark).
        tint: Yellow (-1) to red (+1) shade of the background.
        tortuosity: Wiggliness of the vessels, [0, 1].
        calibre: Factor on the vessels' calibre.
        cup_ratio: Cup diameter / disc diameter.
        disc_diameter: Degrees.
        macula: Strength of the macular pigment.
        choroid: Visibility of the choroidal texture, [0, 1].
        sheen: Visibility of the nerve fibre layer around the disc, [0, 1] (higher in the young).
        lesions: Expected number of diabetic lesions an eye.
    """

    pigment: float
    tint: float
    tortuosity: float
    calibre: float
    cup_ratio: float
    disc_diameter: float
    macula: float
    choroid: float
    sheen: float
    lesions: float


@dataclass(frozen=True)
class Eye:
    """One eye: its patient's traits with small differences of its own, and its vessels.

    Attributes:
        side: "left" or "right".
        traits: The patient's traits as this eye has them.
        disc: Centre of the disc relative to the fovea, degrees (right-eye coordinates).
        vessels: Vessel tree, degrees (right-eye coordinates).
        textures: Noise grids, coarse to fine, float32, covering `_SPAN` degrees around the fovea.
        lesions: (n, 4) float: x, y, radius in degrees, and kind (0 dark: bleeding, 1 bright: exudate).
    """

    side: str
    traits: Patient
    disc: tuple[float, float]
    vessels: VesselTree
    textures: tuple[np.ndarray, ...]
    lesions: np.ndarray


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


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient's traits."""
    pigment = float(np.clip(rng.beta(2.2, 2.6) * 1.15, 0.1, 1.1))
    return Patient(
        pigment=pigment,
        tint=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        tortuosity=float(rng.beta(1.6, 3.0)),
        calibre=float(rng.uniform(0.82, 1.18)),
        cup_ratio=float(np.clip(rng.normal(0.42, 0.13), 0.15, 0.8)),
        disc_diameter=float(rng.normal(5.7, 0.4)),
        macula=float(rng.uniform(0.45, 1.1)),
        choroid=float(np.clip(rng.beta(1.3, 3.0) + 0.25 * (0.5 - pigment), 0.02, 1)),
        sheen=float(rng.beta(1.5, 2.5)),
        lesions=float(rng.gamma(1.0, 9.0)) if rng.random() < 0.3 else 0.0,
    )


def draw_eye(patient: Patient, side: str, rng: np.random.Generator) -> Eye:
    """Draw one eye of a patient: small differences in the traits, vessels and texture of its own.

    Raises:
        ValueError: If `side` is neither "left" nor "right".
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', got {side!r}")

    def near(value: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(value + rng.normal(0, spread), low, high))

    traits = Patient(
        pigment=near(patient.pigment, 0.03, 0.1, 1.15),
        tint=near(patient.tint, 0.06, -1, 1),
        tortuosity=near(patient.tortuosity, 0.04, 0, 1),
        calibre=near(patient.calibre, 0.03, 0.75, 1.25),
        cup_ratio=near(patient.cup_ratio, 0.03, 0.12, 0.85),
        disc_diameter=near(patient.disc_diameter, 0.12, 4.4, 7.0),
        macula=near(patient.macula, 0.05, 0.3, 1.2),
        choroid=near(patient.choroid, 0.03, 0, 1),
        sheen=near(patient.sheen, 0.04, 0, 1),
        lesions=patient.lesions,
    )
    disc = (float(rng.normal(15.5, 0.6)), float(rng.normal(-1.6, 0.5)))
    vessels = grow_vessels(rng, disc, traits.tortuosity, traits.calibre)
    textures = tuple(rng.standard_normal((n, n), dtype=np.float32) for n in (14, 40, 110, 260))
    n = rng.poisson(patient.lesions) if patient.lesions else 0
    kind = (rng.random(n) < 0.4).astype(float)
    radius = rng.gamma(2.0, 0.11, n) + 0.08
    lesions = np.column_stack([rng.normal(0, 8, n), rng.normal(0, 7, n), radius, kind])
    return Eye(side, traits, disc, vessels, textures, lesions)


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
    reflectance = _fundus_colour(eye, affine, (field.height, field.width))
    image = _expose(reflectance, field, camera, rng)
    black = camera.black + camera.black_noise * rng.standard_normal(image.shape, dtype=np.float32)
    image = black + alpha[..., None] * (image * 255.0 - black)
    image += (
        camera.noise * alpha[..., None] * rng.standard_normal(image.shape[:2], dtype=np.float32)[..., None]
    )
    disc = affine[:, :2] @ eye.disc + affine[:, 2]
    return Fundus(
        np.clip(np.rint(image), 0, 255).astype(np.uint8),
        alpha > 0.5,
        field,
        (float(disc[0]), float(disc[1])),
        (float(affine[0, 2]), float(affine[1, 2])),
    )


def _aim(eye: Eye, view: str, camera: Camera, field: Field, rng: np.random.Generator) -> np.ndarray:
    """(2, 3) map from degrees (right-eye coordinates, fovea at 0) to pixels."""
    disc = np.array(eye.disc)
    centre = disc * 0.28 if view == "macula" else disc * 0.88
    centre = centre + rng.normal(0, 1.1, 2)
    scale = 2 * field.radius / camera.angle
    roll = np.deg2rad(rng.normal(0, 3.0))
    mirror = np.diag([1.0 if eye.side == "right" else -1.0, 1.0])
    rotate = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    linear = scale * rotate @ mirror
    return np.column_stack([linear, np.array([field.cx, field.cy]) - linear @ centre])


def _texture(grid: np.ndarray, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Look at one of the eye's noise grids through the camera."""
    step = _SPAN / (grid.shape[0] - 1)
    to_degrees = np.array([[step, 0, -_SPAN / 2], [0, step, -_SPAN / 2], [0, 0, 1]])
    full = np.vstack([affine, [0, 0, 1]]) @ to_degrees
    return cv2.warpAffine(
        grid, full[:2], (shape[1], shape[0]), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )


def _fundus_colour(eye: Eye, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Reflected colour of the fundus, float32 (height, width, 3), about [0, 1]."""
    traits = eye.traits
    inverse = np.linalg.inv(affine[:, :2]).astype(np.float32)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x -= np.float32(affine[0, 2])
    y -= np.float32(affine[1, 2])
    X = inverse[0, 0] * x + inverse[0, 1] * y
    Y = inverse[1, 0] * x + inverse[1, 1] * y
    coarse, middle, fine, grain = (_texture(grid, affine, shape) for grid in eye.textures)
    radius2 = X * X + Y * Y
    to_disc2 = (X - eye.disc[0]) ** 2 + (Y - eye.disc[1]) ** 2

    # Melanin: more at the macula, patchy, striped by choroidal vessels where it is thin.
    stripes = np.minimum(np.abs(middle + 0.5 * fine), 1.5) - 0.7
    melanin = traits.pigment * (1 + 0.10 * coarse + 0.03 * fine + 0.025 * grain)
    melanin += (
        0.16 * np.exp(-radius2 / 60.0)
        + 0.02 * grain
        + traits.choroid * 0.30 * stripes * (1 - np.exp(-radius2 / 50))
    )
    melanin -= 0.12 * np.exp(-to_disc2 / 55.0)
    macular = traits.macula * (0.50 * np.exp(-radius2 / 9.0) + 0.45 * np.exp(-radius2 / 1.6))
    tint = np.array([0.0, 0.10, -0.10], np.float32) * traits.tint
    density = melanin[..., None] * (_MELANIN + tint) + macular[..., None] * _MACULAR
    colour = _BASE * np.exp(-density)
    sheen = traits.sheen * 0.11 * np.exp(-to_disc2 / 70.0) * (1 + 0.5 * fine)
    colour += np.maximum(sheen, 0)[..., None] * np.array([0.7, 0.9, 0.8], np.float32)
    colour = _paint_disc(colour, traits, X - eye.disc[0], Y - eye.disc[1], fine)

    veins, arteries, reflex = draw_vessels(eye.vessels, affine, shape)
    softness = 0.10 * np.sqrt(abs(np.linalg.det(affine[:, :2])))
    veins, arteries, reflex = (
        cv2.GaussianBlur(layer, (0, 0), max(softness, 0.4)) for layer in (veins, arteries, reflex)
    )
    blood = veins[..., None] * _BLOOD_VEIN + arteries[..., None] * _BLOOD_ARTERY
    if len(eye.lesions):
        bleeding, exudate = _lesion_layers(eye.lesions, affine, shape)
        blood += bleeding[..., None] * _BLOOD_VEIN
        colour += exudate[..., None] * (np.array([1.0, 0.85, 0.45], np.float32) - colour)
    colour *= np.exp(-blood)
    colour += reflex[..., None] * np.array([0.13, 0.10, 0.05], np.float32)
    return colour


def _inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """Soft membership: 1 inside (negative distance), 0 outside."""
    return 0.5 - 0.5 * np.tanh(distance / (2 * softness))


def _paint_disc(
    colour: np.ndarray, traits: Patient, dx: np.ndarray, dy: np.ndarray, fine: np.ndarray
) -> np.ndarray:
    """Blend the optic disc and its cup into the background; a darker scleral ring marks its border."""
    half = traits.disc_diameter / 2
    r = np.hypot(dx / 0.93, dy / 1.05) + 0.04 * fine
    disc = _inside(r - half, 0.14)
    cup = _inside(np.hypot(dx + 0.15, dy) - half * traits.cup_ratio, 0.22)
    ring = 0.10 * np.exp(-(((r - half - 0.35) / 0.35) ** 2)) * (0.5 + traits.pigment)
    shade = 1 - 0.10 * np.clip(dx / half, -1, 1)  # the nasal rim is thicker, so redder and darker
    target = (_RIM * shade[..., None]) * (1 - cup[..., None]) + _CUP * cup[..., None]
    brightness = 0.72 + 0.28 * np.exp(-0.9 * traits.pigment)
    colour = colour * (1 - ring[..., None])
    return colour + disc[..., None] * (target * brightness - colour)


def _lesion_layers(
    lesions: np.ndarray, affine: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Coverage by bleedings and by exudates, float32 each."""
    layers = np.zeros((2, *shape), np.uint8)
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    centres = lesions[:, :2] @ affine[:, :2].T + affine[:, 2]
    for (column, row), radius, kind in zip(
        centres, lesions[:, 2] * scale, lesions[:, 3].astype(int), strict=True
    ):
        if -50 < column < shape[1] + 50 and -50 < row < shape[0] + 50:
            centre = (round(column * 16), round(row * 16))
            cv2.circle(layers[kind], centre, max(8, round(radius * 16)), (230,), -1, cv2.LINE_AA, 4)
    dark, bright = (
        cv2.GaussianBlur(layer, (0, 0), max(0.5, 0.12 * scale)).astype(np.float32) / 255 for layer in layers
    )
    return dark * 0.8, bright * 0.75


def _expose(colour: np.ndarray, field: Field, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Light falloff, rim scatter, optics, colour balance and tone curve; float32 in [0, 1]."""
    y, x = np.mgrid[0 : field.height, 0 : field.width].astype(np.float32)
    u, v = (x - field.cx) / field.radius, (y - field.cy) / field.radius
    tilt_x, tilt_y = rng.normal(0, 0.06, 2)
    light = 1.0 - camera.falloff * (u * u + v * v) + tilt_x * u + tilt_y * v
    gain = (
        np.array(camera.gain, np.float32)
        * rng.normal(1.0, 0.03, 3).astype(np.float32)
        * rng.uniform(0.92, 1.12)
    )
    colour = colour * (light[..., None] * gain)
    rim = camera.rim * rng.uniform(0.5, 1.0) * np.exp(-((1.0 - np.sqrt(u * u + v * v)) ** 2) / 0.004)
    colour += (0.35 * rim)[..., None] * np.array([0.25, 0.55, 0.55], np.float32)
    colour = cv2.GaussianBlur(colour, (0, 0), max(0.35, camera.blur / 100 * 2 * field.radius))
    return np.clip(colour, 0, 1) ** (camera.contrast * rng.uniform(0.95, 1.05))
