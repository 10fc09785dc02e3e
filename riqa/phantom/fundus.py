"""Cameras, and the clean photograph that one takes of an eye.

Colour follows a Beer-Lambert picture of the fundus: light returns from choroid and sclera and is absorbed on
its way by melanin, blood and macular pigment, each with its own absorption in red, green and blue (after the
reflectance model of Delori and Pflibsen 1989, Applied Optics 28:1061, reduced to three channels). Colour
arrays are planar, (3, height, width): a map of one quantity then multiplies all channels at once.
"""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from riqa.phantom.degrade import planar
from riqa.phantom.eye import Eye, Vessel

_TEXTURE_SPAN = 100.0  # degrees covered by an eye's texture, centred on the fovea
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_SUPERSAMPLE = 2  # vessels are drawn at this multiple of the resolution


_BASE = planar([1.00, 0.66, 0.42])  # light that returns from choroid and sclera
_MELANIN = planar([0.50, 1.00, 1.30])  # absorption per unit of pigment
_BLOOD_VEIN = planar([0.42, 0.95, 0.62])
_BLOOD_ARTERY = planar([0.16, 0.70, 0.54])
_MACULAR = planar([0.34, 0.66, 0.80])
_RIM = planar([1.04, 0.78, 0.50])  # neuroretinal rim of the disc
_CUP = planar([1.10, 1.00, 0.80])
_NERVE_FIBRES = planar([0.70, 0.90, 0.80])
_EXUDATE = planar([1.0, 0.85, 0.45])


@dataclass(frozen=True)
class Camera:
    """A camera model: framing, optics and colour."""

    angle: float  # field of view, degrees of retina across the circle
    aspect: float  # height / width of the photograph
    scale: float  # width of the photograph relative to the requested size (resolutions differ)
    diameter: float  # diameter of the field / width of the photograph
    cut: float  # half height at which the circle is cut at top and bottom, in field radii (1: uncut)
    notch: str  # tab on the rim: "none", "round", "square" or "triangle"
    black: float  # mean grey level of the margin, 0-255
    black_noise: float  # standard deviation of the margin's noise, grey levels
    gain: tuple[float, float, float]  # colour balance, factors for R, G, B
    contrast: float  # exponent of the tone curve (1: neutral, above 1: darker, more contrast)
    blur: float  # standard deviation of the optics' point spread, in percent of the field's diameter
    noise: float  # standard deviation of the sensor noise, grey levels
    falloff: float  # darkening at the rim, fraction
    rim: float  # strength of the blue-green scatter at the rim, fraction


# fmt: off
CAMERAS: dict[str, Camera] = {name: Camera(*row) for name, *row in (
    ("tabletop_a", 45, 0.667, 1.10, 0.72, 0.86, "none", 3, 1.2, (1.0, 1.0, 1.0), 1.0, 0.12, 1.5, 0.20, 0.3),
    ("tabletop_b", 45, 0.75, 1.0, 0.74, 1.0, "round", 2, 0.7, (1.04, 0.97, 0.86), 1.08, 0.16, 2, 0.25, 0.05),
    ("tabletop_c", 50, 0.75, 1.25, 0.9, 0.8, "none", 5, 2, (0.98, 1.03, 1.06), 0.95, 0.2, 2.2, 0.15, 0.45),
    ("tabletop_d", 40, 0.96, 0.9, 0.97, 0.98, "square", 1, 0.5, (1.02, 0.92, 0.74), 1.15, 0.15, 1.6, 0.3, 0),
    ("tabletop_e", 45, 0.667, 1.2, 0.58, 1, "triangle", 4, 1.5, (0.96, 0.94, 1.0), 1.0, 0.18, 1.8, 0.1, 0.15),
    ("reader_a", 45, 0.75, 0.95, 0.86, 0.84, "triangle", 3, 1, (1.05, 0.96, 0.8), 1.05, 0.18, 2, 0.22, 0.1),
    ("reader_b", 50, 0.809, 1.05, 0.8, 1, "square", 2, 0.8, (1.0, 1.0, 0.92), 1.0, 0.14, 1.5, 0.18, 0.2),
    ("portable", 60, 0.766, 1.15, 0.76, 1, "none", 7, 3, (1.08, 0.95, 0.82), 0.92, 0.28, 3.2, 0.35, 0.1),
)}
# fmt: on
"""Camera models by name, the `source` of manifests. Real collections mix them, too, and curation must cope
with all: more than 40 are behind EyeQ (Fu et al. 2019), two tabletop ones and a portable one behind MSHF."""


class Field(NamedTuple):
    """Where the field of view lies in one photograph, in pixels: a circle, cut at top and bottom."""

    width: int  # of the photograph
    height: int
    fov_x: float  # column of the circle's centre
    fov_y: float
    fov_radius: float
    fov_cut: float  # half height of the field, in radii (1: uncut)


def place_field(camera: Camera, rng: np.random.Generator, size: int) -> Field:
    """Draw where the field falls on the sensor; photographs are `size * camera.scale` pixels wide."""
    width = max(32, round(size * camera.scale))
    height = max(32, round(width * camera.aspect))
    radius = 0.5 * width * camera.diameter * rng.uniform(0.98, 1.02)
    x = 0.5 * (width - 1) + rng.normal(0.0, 0.012) * width
    y = 0.5 * (height - 1) + rng.normal(0.0, 0.006) * height
    return Field(width, height, x, y, radius, min(1.0, camera.cut * rng.uniform(0.98, 1.02)))


def field_alpha(field: Field, notch: str, rng: np.random.Generator) -> np.ndarray:
    """Compute how far the field, its notch included, covers each pixel: float32 (height, width) in [0, 1]."""
    radius = field.fov_radius
    y, x = np.ogrid[0 : field.height, 0 : field.width]
    dx, dy = (x - field.fov_x).astype(np.float32), (y - field.fov_y).astype(np.float32)
    edge = radius - np.hypot(dx, dy)
    angle = float(np.deg2rad(rng.choice([-42.0, -25.0, 40.0]) + rng.normal(0.0, 2.0)))
    if notch != "none":
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        along, across = (dx * cos + dy * sin) / radius, np.abs(-dx * sin + dy * cos) / radius
        tab = {
            "round": 0.05 - np.hypot(along - 1.0, across),
            "square": np.minimum(0.045 - across, np.minimum(1.055 - along, along)),
            "triangle": np.minimum(0.06 - across - 0.8 * (along - 1.0), np.minimum(1.06 - along, along)),
        }[notch]
        edge = np.maximum(edge, radius * tab)
    if field.fov_cut < 1:
        edge = np.minimum(edge, field.fov_cut * radius - np.abs(dy))
    return np.clip(edge + 0.5, 0.0, 1.0).astype(np.float32)


def render_fundus(
    eye: Eye, view: str, camera: Camera, rng: np.random.Generator, size: int = 256
) -> tuple[np.ndarray, np.ndarray, Field]:
    """Photograph an eye without any defect, with the "macula" or the "disc" near the centre, else ValueError.

    `rng` draws the exposure: framing, gaze, camera roll, gain, noise of the sensor. `size` is the nominal
    width, pixels. Returns the photograph, uint8 (H, W, 3) RGB; its field of view, bool (H, W); and its place.
    """
    if view not in ("macula", "disc"):
        raise ValueError(f"view must be 'macula' or 'disc', got {view!r}")
    field, alpha, affine = frame(eye.disc, eye.side, view, camera, rng, size)
    # Only the field's bounding box is painted; the rest of the sensor is dark.
    left, top, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    window = np.s_[top : top + height, left : left + width]
    colour = _fundus_colour(eye, affine - [[0, 0, left], [0, 0, top]], (height, width))
    colour = 255 * _expose(colour, field, (top, left), camera, rng)
    colour += camera.noise * rng.standard_normal((height, width), dtype=np.float32)
    black = camera.black + camera.black_noise * rng.standard_normal(alpha.shape, dtype=np.float32)
    planes = np.repeat(black[None], 3, axis=0)
    planes[:, *window] += alpha[window] * (colour - black[window])
    return cv2.merge(list(np.clip(np.rint(planes), 0, 255).astype(np.uint8))), alpha > 0.5, field


def frame(
    disc: tuple[float, float], side: str, view: str, camera: Camera, rng: np.random.Generator, size: int
) -> tuple[Field, np.ndarray, np.ndarray]:
    """Draw how a photograph lies on the sensor and on the eye, whose disc is at a place in degrees.

    Returns its field of view, how far that covers each pixel, and the map from degrees to pixels, (2, 3).
    """
    field = place_field(camera, rng, size)
    alpha = field_alpha(field, camera.notch, rng)
    centre = np.array(disc) * (0.30 if view == "macula" else 0.90) + rng.normal(0, 1.1, 2)
    roll = np.deg2rad(rng.normal(0, 3.0))
    mirror = np.diag([1.0 if side == "right" else -1.0, 1.0])
    rotate = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    linear = 2 * field.fov_radius / camera.angle * rotate @ mirror
    offset = np.array([field.fov_x, field.fov_y]) - linear @ centre
    return field, alpha, np.column_stack([linear, offset])


def _texture(grid: np.ndarray, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Look at one of the eye's noise grids through the camera."""
    step, half = _TEXTURE_SPAN / (grid.shape[0] - 1), _TEXTURE_SPAN / 2
    to_degrees = np.array([[step, 0, -half], [0, step, -half], [0, 0, 1]])
    full = np.vstack([affine, [0, 0, 1]]) @ to_degrees
    return cv2.warpAffine(grid, full[:2], shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _fundus_colour(eye: Eye, affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the reflected colour of the fundus, float32 (3, height, width), about [0, 1]."""
    traits = eye.traits
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
    melanin = traits["pigment"] * (1 + 0.10 * coarse + 0.03 * fine + 0.03 * grain) + 0.018 * grain
    melanin += 0.30 * pole + traits["choroid"] * 0.28 * stripes * (1 - pole) - 0.12 * near_disc
    macular = traits["macula"] * (0.55 * np.exp(radius2 / -8.0) + 0.50 * np.exp(radius2 / -1.3))
    tint = planar([0.0, 0.10, -0.10]) * traits["tint"]
    colour = _BASE * np.exp(-(melanin * (_MELANIN + tint) + macular * _MACULAR))
    colour += np.maximum(traits["sheen"] * 0.12 * near_disc * (1 + 0.5 * fine), 0) * _NERVE_FIBRES
    disc, colour = _paint_disc(colour, traits, dx, dy, fine)

    veins, arteries, reflex = _vessel_layers(eye.vessels, affine, shape)
    thin = 1 - 0.45 * disc  # on the pale disc less blood lies in the light's way
    blood = (veins * thin) * _BLOOD_VEIN + (arteries * thin) * _BLOOD_ARTERY
    if len(eye.lesions):
        bleeding, exudate = _lesion_layers(eye.lesions, affine, shape)
        blood += bleeding * 0.8 * _BLOOD_VEIN
        colour += exudate * 0.75 * (_EXUDATE - colour)
    return colour * np.exp(-blood) + reflex * planar([0.13, 0.10, 0.05])


def _inside(distance: np.ndarray, softness: float) -> np.ndarray:
    """Return soft membership: 1 inside (negative distance), 0 outside."""
    return 0.5 - 0.5 * np.tanh(distance / (2 * softness))


def _paint_disc(
    colour: np.ndarray, traits: dict[str, float], dx: np.ndarray, dy: np.ndarray, fine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blend disc and cup into the background, with a darker ring around; return the disc's coverage first."""
    half = traits["disc_diameter"] / 2
    r = np.hypot(dx / 0.93, dy / 1.05) + 0.04 * fine
    disc = _inside(r - half, 0.14)
    cup = _inside(np.hypot(dx + 0.15, dy) - half * traits["cup_ratio"], 0.25)
    ring = 0.10 * np.exp(-(((r - half - 0.35) / 0.35) ** 2)) * (0.5 + traits["pigment"])
    shade = 1 - 0.12 * np.clip(dx / half, -1, 1)  # the nasal rim is thicker, so redder and darker
    brightness = float(0.74 + 0.26 * np.exp(-0.8 * traits["pigment"]))
    target = brightness * (shade * (1 - cup) * _RIM + cup * _CUP)
    colour = colour * (1 - ring)
    return disc, colour + disc * (target - colour)


def _scale(affine: np.ndarray) -> float:
    """Return pixels per degree."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def _vessel_layers(vessels: list[Vessel], affine: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """Draw veins, arteries and the arteries' central light reflex: float32 each, in [0, 1]."""
    canvas = np.zeros((3, shape[0] * _SUPERSAMPLE, shape[1] * _SUPERSAMPLE), np.uint8)
    scale, fixed = _scale(affine), _SUPERSAMPLE * (1 << _SHIFT)
    for vessel in sorted(vessels, key=lambda vessel: vessel.widths.max()):  # a twig must not pale its parent
        pixels = np.rint((vessel.points @ affine[:, :2].T + affine[:, 2] + 0.5) * fixed).astype(np.int32)
        calibre = vessel.widths * (_SUPERSAMPLE * scale)
        _draw_tapering(canvas[int(vessel.is_artery)], pixels, calibre)
        if vessel.is_artery and calibre.max() > 2.4 * _SUPERSAMPLE**0.5:
            _draw_tapering(canvas[2], pixels, calibre * 0.34)
    layers = (cv2.resize(one, shape[::-1], interpolation=cv2.INTER_AREA) / np.float32(255) for one in canvas)
    return [cv2.GaussianBlur(layer, (0, 0), max(0.4, 0.10 * scale)) for layer in layers]


def _draw_tapering(canvas: np.ndarray, pixels: np.ndarray, calibre: np.ndarray) -> None:
    """Draw one polyline, cut where its rounded thickness changes; thinner than a pixel means fainter."""
    thickness = np.maximum(1, np.rint(calibre)).astype(int)
    cuts = [0, *(np.flatnonzero(thickness[1:] != thickness[:-1]) + 1).tolist(), len(pixels)]
    for low, high in itertools.pairwise(cuts):
        value = 255 * min(1.0, calibre[(low + high) // 2] / thickness[low])
        piece = pixels[max(0, low - 1) : high]
        cv2.polylines(canvas, [piece], False, value, int(thickness[low]), cv2.LINE_AA, _SHIFT)


def _lesion_layers(lesions: np.ndarray, affine: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """Draw bleedings and exudates: float32 each, in [0, 1]."""
    layers, scale = np.zeros((2, *shape), np.uint8), _scale(affine)
    centres = lesions[:, :2] @ affine[:, :2].T + affine[:, 2]
    for (column, row), (_, _, radius, kind) in zip(centres, lesions, strict=True):
        if -50 < column < shape[1] + 50 and -50 < row < shape[0] + 50:
            centre, reach = (round(column * 16), round(row * 16)), max(8, round(radius * scale * 16))
            cv2.circle(layers[int(kind)], centre, reach, (230,), -1, cv2.LINE_AA, _SHIFT)
    layers = (cv2.GaussianBlur(layer, (0, 0), max(0.5, 0.12 * scale)) for layer in layers)
    return [layer.astype(np.float32) / 255 for layer in layers]


def _expose(
    colour: np.ndarray, field: Field, corner: tuple[int, int], camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """Apply falloff, rim scatter, optics, colour balance and tone curve; (3, height, width) in [0, 1]."""
    y, x = np.ogrid[0 : colour.shape[1], 0 : colour.shape[2]]
    u = ((x + corner[1] - field.fov_x) / field.fov_radius).astype(np.float32)
    v = ((y + corner[0] - field.fov_y) / field.fov_radius).astype(np.float32)
    tilt_x, tilt_y = rng.normal(0, 0.06, 2).tolist()
    r2 = u * u + v * v
    light = 1.0 - camera.falloff * r2 + tilt_x * u + tilt_y * v
    gain = np.array(camera.gain) * rng.normal(1.0, 0.03, 3) * rng.uniform(0.92, 1.12)
    rim = 0.35 * camera.rim * rng.uniform(0.5, 1.0) * np.exp((1.0 - np.sqrt(r2)) ** 2 / -0.004)
    colour = colour * light * planar(gain) + rim * planar([0.25, 0.55, 0.55])
    sigma = max(0.35, camera.blur / 100 * 2 * field.fov_radius)
    planes = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in colour])
    return np.clip(planes, 0, 1) ** np.float32(camera.contrast * rng.uniform(0.95, 1.05))
