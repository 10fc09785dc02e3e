"""Acquisition defects with a continuous severity and a per-pixel mask, for any RGB fundus photograph.

A severity lies in [0, 1]: 0 leaves the image exactly as it is, and the damage grows with it. Lengths are
fractions of the field of view's diameter, so that a severity means the same at every resolution. The experts'
threshold between good and bad lies at 0.45 (`riqa.phantom.raters`); there, defocus blurs with a standard
deviation of 1.5 % of the diameter. The defects follow those named for retinal photographs by Shen et al.
2020 (doi:10.1016/j.media.2019.101654) and in the paper's section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from riqa.phantom import artifacts
from riqa.phantom.frame import Frame, find_frame

DEFECTS: dict[str, str] = {
    "under_exposure": "illumination",
    "vignette": "illumination",
    "pupil_crescent": "illumination",
    "flash_spot": "illumination",
    "halo": "illumination",
    "defocus": "clarity",
    "motion": "clarity",
    "partial_defocus": "clarity",
    "haze": "contrast",
    "flat_gamma": "contrast",
    "dust": "artifact",
    "eyelash": "artifact",
    "rainbow": "artifact",
}
"""Each defect and the quality detail that it spoils; artifacts belong to none."""

# Light passes media and optics (clarity, contrast), then meets stray light, then dirt in front of the sensor.
_ORDER = (
    *("defocus", "partial_defocus", "motion", "haze", "flat_gamma"),
    *("under_exposure", "vignette", "pupil_crescent", "flash_spot", "halo"),
    *("eyelash", "dust", "rainbow"),
)


def degrade(
    image: np.ndarray, fov_mask: np.ndarray, severities: Mapping[str, float], rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Add defects to a photograph.

    Where a defect sits (the side of a crescent, the place of a spot) depends on `rng` alone, so that the same
    generator state with rising severities gives one series of the same defect.

    Args:
        image: uint8 (H, W, 3) RGB.
        fov_mask: bool (H, W), True inside the field of view; pixels outside never change.
        severities: Severity in [0, 1] of each defect wanted; those left out are absent.
        rng: Random generator.

    Returns:
        The degraded uint8 image, and the mask of each defect with a severity above 0: float32 (H, W) in
        [0, 1], how much the defect affects each pixel, 0 outside the field and where the defect is absent.

    Raises:
        ValueError: For an unknown defect, a severity outside [0, 1], or arrays of the wrong kind.
    """
    _check(image, fov_mask, severities)
    seeds = rng.integers(0, 2**63, size=len(_ORDER))
    active = [(name, seed) for name, seed in zip(_ORDER, seeds, strict=True) if severities.get(name, 0) > 0]
    masks = {name: np.zeros(fov_mask.shape, np.float32) for name, _ in active}
    if not active or not fov_mask.any():
        return image.copy(), masks
    rows, columns = np.flatnonzero(fov_mask.any(axis=1)), np.flatnonzero(fov_mask.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    frame = find_frame(fov_mask[window])
    pixels = np.stack(cv2.split(image[window])).astype(np.float32)
    for name, seed in active:
        apply = _FUNCTIONS[name]
        changed, mask = apply(pixels, frame, float(severities[name]), np.random.default_rng(int(seed)))
        touched = frame.mask & (mask > 0.004)
        pixels = np.where(touched, np.clip(changed, 0, 255), pixels)
        masks[name][window] = np.where(touched, np.minimum(mask, 1), 0)
    spoilt = image.copy()
    spoilt[window] = cv2.merge(list(np.rint(pixels).astype(np.uint8)))
    return spoilt, masks


def _check(image: np.ndarray, fov_mask: np.ndarray, severities: Mapping[str, float]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    if fov_mask.shape != image.shape[:2]:
        raise ValueError(f"fov_mask must be {image.shape[:2]}, got {fov_mask.shape}")
    for name, severity in severities.items():
        if name not in DEFECTS:
            raise ValueError(f"unknown defect {name!r}; legal: {', '.join(DEFECTS)}")
        if not 0 <= severity <= 1:
            raise ValueError(f"severity of {name} must be in [0, 1], got {severity}")


def _step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Step smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _blend(pixels: np.ndarray, weight: np.ndarray | float, colour: np.ndarray) -> np.ndarray:
    return pixels + weight * (colour - pixels)


def _colour(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def _blur(pixels: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Blur the retina by a Gaussian without mixing in the black margin (normalised convolution).

    Wide blurs work on a smaller copy: the cost then does not grow with the resolution.
    """
    weight = mask.astype(np.float32)
    factor = max(1, int(sigma / 3))
    height, width = mask.shape
    small = (max(1, width // factor), max(1, height // factor))

    def smooth(plane: np.ndarray) -> np.ndarray:
        if factor == 1:
            return cv2.GaussianBlur(plane, (0, 0), sigma)
        plane = cv2.GaussianBlur(
            cv2.resize(plane, small, interpolation=cv2.INTER_AREA), (0, 0), sigma / factor
        )
        return cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)

    return np.stack([smooth(plane * weight) for plane in pixels]) / np.maximum(smooth(weight), 1e-3)


def _everywhere(frame: Frame, severity: float) -> np.ndarray:
    return np.full(frame.mask.shape, severity, np.float32)


def _defocus_sigma(severity: float, diameter: float) -> float:
    return 0.04 * severity**1.23 * diameter


def _defocus(pixels, frame, severity, rng):
    return _blur(pixels, frame.mask, _defocus_sigma(severity, frame.diameter)), _everywhere(frame, severity)


def _partial_defocus(pixels, frame, severity, rng):
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(-0.45, -0.15)
    where = _step(frame.along(angle), reach, reach + 0.5)
    blurred = _blur(pixels, frame.mask, _defocus_sigma(min(1.0, 1.3 * severity), frame.diameter))
    return _blend(pixels, where, blurred), where * severity


def _line_kernel(length: float, angle: float) -> np.ndarray:
    """Return the point spread of a straight motion: `length` pixels long, sum 1, a single 1 at length 0."""
    half = int(np.ceil(length / 2)) + 1
    steps = np.linspace(-length / 2, length / 2, 4 * half + 1)
    grid = np.arange(-half, half + 1)
    rows = np.maximum(0, 1 - np.abs(grid[:, None] - steps * np.sin(angle)))
    columns = np.maximum(0, 1 - np.abs(grid[:, None] - steps * np.cos(angle)))
    return (rows @ columns.T / len(steps)).astype(np.float32)


def _motion(pixels, frame, severity, rng):
    angle = rng.uniform(0, np.pi)
    length = 0.16 * severity**1.3 * frame.diameter
    kernel = _line_kernel(length, angle)
    weight = frame.mask.astype(np.float32)
    moved = np.stack([cv2.filter2D(plane * weight, -1, kernel) for plane in pixels])
    return moved / np.maximum(cv2.filter2D(weight, -1, kernel), 1e-3), _everywhere(frame, severity)


def _haze(pixels, frame, severity, rng):
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
    density = np.clip(severity * (0.80 + slope * frame.along(angle)), 0.3 * severity, 0.94)
    glow = _blur(pixels, frame.mask, 0.10 * frame.diameter)
    veil = 0.45 * glow + 0.55 * (glow.mean(axis=0) * _colour([1.0, 0.98, 0.88]) + 28)
    return _blend(pixels, density, veil), density


def _flat_gamma(pixels, frame, severity, rng):
    mean = pixels[:, frame.mask].mean(axis=1)
    lift = rng.uniform(-0.1, 0.25)
    target = mean + lift * (mean.mean() - mean) + 12 * lift
    return _blend(pixels, 0.85 * severity, _colour(target)), _everywhere(frame, severity)


def _under_exposure(pixels, frame, severity, rng):
    gain = (1 - 0.92 * severity) ** np.array([0.85, 1.05, 1.0])
    noise = rng.standard_normal(frame.mask.shape, dtype=np.float32)
    return pixels * _colour(gain) + 3.0 * severity * noise, _everywhere(frame, severity)


def _vignette(pixels, frame, severity, rng):
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.4)
    start = rng.uniform(0.25, 0.4)
    dark = _step(frame.distance(shift, angle), start, start + 0.75) * min(1.0, 1.15 * severity)
    return pixels * (1 - 0.90 * dark), dark


def _pupil_crescent(pixels, frame, severity, rng):
    angle, bright = rng.uniform(0, 2 * np.pi), rng.random() < 0.75
    r = frame.distance(0.55, angle + np.pi)
    profile = _step(r, 1.42 - 0.72 * severity**0.7, 1.50 - 0.25 * severity) * min(1.0, 0.25 + 0.9 * severity)
    profile *= min(1.0, 5 * severity)
    if not bright:
        return pixels * (1 - 0.93 * profile), profile
    colour = _colour(np.array([165, 200, 205]) + rng.uniform() * np.array([70, 40, 35]))
    return _blend(pixels, profile, colour), profile


def _flash_spot(pixels, frame, severity, rng):
    centre = rng.uniform(-0.45, 0.45, 2)
    count = rng.integers(1, 4)
    offsets, shares = rng.normal(0, 0.16, (3, 2)), (1.0, 0.6, 0.45)
    tint = _colour(rng.uniform([215, 220, 215], [250, 250, 255]))
    weight = np.zeros(frame.mask.shape, np.float32)
    for k in range(count):
        x, y = (centre + (offsets[k] if k else 0)).tolist()
        radius = (0.07 + 0.30 * severity) * shares[k]
        far = ((frame.u - x) ** 2 + (frame.v - y) ** 2) / radius**2
        weight = np.maximum(weight, np.exp(-(far**1.3)))
    weight *= min(1.0, 0.35 + 0.9 * severity) * min(1.0, 5 * severity)
    return _blend(pixels, weight, tint), weight


def _halo(pixels, frame, severity, rng):
    inner = 1.02 - 0.50 * severity
    colour = _colour(np.array([95, 160, 165]) + rng.uniform() * np.array([110, 65, 55]))
    r = frame.distance(abs(rng.normal(0, 0.07)), rng.uniform(0, 2 * np.pi))
    profile = _step(r, inner - 0.12, inner + 0.45) * min(1.0, 0.2 + severity) * min(1.0, 5 * severity)
    return _blend(pixels, profile, colour), profile


_FUNCTIONS: dict[str, Callable] = {
    "under_exposure": _under_exposure,
    "vignette": _vignette,
    "pupil_crescent": _pupil_crescent,
    "flash_spot": _flash_spot,
    "halo": _halo,
    "defocus": _defocus,
    "motion": _motion,
    "partial_defocus": _partial_defocus,
    "haze": _haze,
    "flat_gamma": _flat_gamma,
    "dust": artifacts.dust,
    "eyelash": artifacts.eyelash,
    "rainbow": artifacts.rainbow,
}
