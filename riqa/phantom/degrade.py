"""Acquisition defects with a continuous severity and a per-pixel mask, for any RGB fundus photograph.

A severity lies in [0, 1]: 0 leaves the image exactly as it is, and the damage grows with it. Lengths are
fractions of the field of view's diameter, so that a severity means the same at every resolution. The experts'
threshold between good and bad lies at 0.45 (`riqa.phantom.raters`); there, defocus blurs with a standard
deviation of 1.5 % of the diameter. The defects follow those named for retinal photographs by Shen et al.
2020 (doi:10.1016/j.media.2019.101654) and in the paper's section 5.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

GROUPS: dict[str, tuple[str, ...]] = {
    "illumination": ("under_exposure", "vignette", "pupil_crescent", "flash_spot", "halo"),
    "clarity": ("defocus", "motion", "partial_defocus"),
    "contrast": ("haze", "flat_gamma"),
    "artifact": ("dust", "eyelash", "rainbow"),
}
"""The defects that spoil each quality detail, and the artifacts, which belong to none."""

DEFECTS: dict[str, str] = {name: group for group, names in GROUPS.items() for name in names}
"""The group of each defect."""

_ORDER = (
    *("defocus", "partial_defocus", "motion", "haze", "flat_gamma"),  # light passes optics and media,
    *("under_exposure", "vignette", "pupil_crescent", "flash_spot", "halo"),  # then meets stray light,
    *("eyelash", "dust", "rainbow"),  # then dirt in front of the sensor
)


def degrade(
    image: np.ndarray, fov_mask: np.ndarray, severities: Mapping[str, float], rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Add defects to a photograph, uint8 (H, W, 3) RGB, inside its field of view, bool (H, W).

    Severities are in [0, 1]; defects left out are absent. Where one sits (the side of a crescent, the place
    of a spot) depends on `rng` alone, so that the same generator state with rising severities gives one
    series of the same defect.

    Returns the degraded image, and a mask for each defect with a severity above 0: float32 (H, W) in [0, 1],
    how much it affects each pixel; 0 outside the field. Raises a ValueError for an unknown defect, a severity
    outside [0, 1], or arrays of the wrong kind.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    if fov_mask.shape != image.shape[:2]:
        raise ValueError(f"fov_mask must be {image.shape[:2]}, got {fov_mask.shape}")
    for name, severity in severities.items():
        if name not in DEFECTS:
            raise ValueError(f"unknown defect {name!r}; legal: {', '.join(DEFECTS)}")
        if not 0 <= severity <= 1:
            raise ValueError(f"severity of {name} must be in [0, 1], got {severity}")
    seeds = rng.integers(0, 2**63, size=len(_ORDER)).tolist()
    present = {name: seed for name, seed in zip(_ORDER, seeds, strict=True) if severities.get(name, 0) > 0}
    spoilt, masks = image.copy(), {name: np.zeros(fov_mask.shape, np.float32) for name in present}
    if present and fov_mask.any():
        left, top, width, height = cv2.boundingRect(fov_mask.astype(np.uint8))
        window = np.s_[top : top + height, left : left + width]
        field = _Field(image[window], fov_mask[window])
        for name, seed in present.items():
            masks[name][window] = field.spoil(name, float(severities[name]), np.random.default_rng(seed))
        spoilt[window] = cv2.merge(list(np.rint(field.pixels).astype(np.uint8)))
    return spoilt, masks


def _step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Step smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def planar(values: np.ndarray | list[float]) -> np.ndarray:
    """Return a colour, one number per channel, so that planes (3, H, W) can be multiplied by it."""
    return np.asarray(values, np.float32)[:, None, None]


def _blend(pixels: np.ndarray, weight: np.ndarray | float, colour: np.ndarray) -> np.ndarray:
    return pixels + weight * (colour - pixels)


def _line_kernel(length: float, angle: float) -> np.ndarray:
    """Return the point spread of a straight motion: `length` pixels long, sum 1, a single 1 at length 0."""
    half = int(np.ceil(length / 2)) + 1
    steps = np.linspace(-length / 2, length / 2, 4 * half + 1)
    grid = np.arange(-half, half + 1)
    rows = np.maximum(0, 1 - np.abs(grid[:, None] - steps * np.sin(angle)))
    columns = np.maximum(0, 1 - np.abs(grid[:, None] - steps * np.cos(angle)))
    return (rows @ columns.T / len(steps)).astype(np.float32)


class _Field:
    """The field of view of a photograph, and a method for each defect, called by its name.

    A defect takes a severity in (0, 1] and a generator, and returns the changed pixels with its mask in
    [0, 1]: (H, W), or one number where it is everywhere.
    """

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        """Take the pixels of a field, bool (H, W), that touches all four sides of its array."""
        self.pixels, self.mask = np.stack(cv2.split(image)).astype(np.float32), mask
        height, width = mask.shape
        self.diameter = float(max(height, width))  # pixels
        y, x = np.ogrid[0:height, 0:width]
        # Coordinates (1, W) and (H, 1), in field radii from the centre.
        self.u = ((x - (width - 1) / 2) * 2 / self.diameter).astype(np.float32)
        self.v = ((y - (height - 1) / 2) * 2 / self.diameter).astype(np.float32)

    def spoil(self, name: str, severity: float, rng: np.random.Generator) -> np.ndarray:
        """Change the pixels by a defect; return its mask, float32 (H, W)."""
        changed, mask = getattr(self, name)(severity, rng)
        mask = np.asarray(mask, np.float32)
        touched = self.mask & (mask > 0.004)
        self.pixels = np.where(touched, np.clip(changed, 0, 255), self.pixels)
        return np.where(touched, np.minimum(mask, 1), 0)

    def along(self, angle: float) -> np.ndarray:
        """Return the position along a direction, float32 (H, W), in field radii; 0 at the centre."""
        return self.u * float(np.cos(angle)) + self.v * float(np.sin(angle))

    def distance(self, shift: float, angle: float) -> np.ndarray:
        """Return the distance from a point `shift` radii off the centre, float32 (H, W), in field radii."""
        return np.hypot(self.u - float(shift * np.cos(angle)), self.v - float(shift * np.sin(angle)))

    def points(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return field coordinates as OpenCV's fixed-point pixels (4 fractional bits), int32 (n, 2)."""
        places = np.stack([u - self.u[0, 0], v - self.v[0, 0]], axis=1)
        return np.rint(places * self.diameter * 8).astype(np.int32)

    def soften(self, layer: np.ndarray, width: float) -> np.ndarray:
        """Blur a uint8 layer of coverage by a share of the diameter; float32 in [0, 1]."""
        return cv2.GaussianBlur(layer, (0, 0), max(0.5, width * self.diameter)).astype(np.float32) / 255

    def filtered(self, smooth: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Filter the retina without mixing in the black margin (normalised convolution)."""
        weight = self.mask.astype(np.float32)
        planes = np.stack([smooth(plane * weight) for plane in self.pixels])
        return planes / np.maximum(smooth(weight), 1e-3)

    def blurred(self, width: float) -> np.ndarray:
        """Blur by a Gaussian of a standard deviation in diameters."""
        sigma = width * self.diameter
        # Wide blurs work on a smaller copy: the cost then does not grow with the resolution.
        factor, whole = max(1, int(sigma / 3)), self.mask.shape[::-1]
        small = tuple(max(1, side // factor) for side in whole)

        def smooth(plane: np.ndarray) -> np.ndarray:
            plane = cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
            return cv2.resize(cv2.GaussianBlur(plane, (0, 0), sigma / factor), whole)

        return self.filtered(smooth)

    def defocus(self, severity, rng):
        return self.blurred(0.04 * severity**1.23), severity

    def partial_defocus(self, severity, rng):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(-0.45, -0.15)
        where = _step(self.along(angle), reach, reach + 0.5)
        blurred, _ = self.defocus(min(1.0, 1.3 * severity), rng)
        return _blend(self.pixels, where, blurred), where * severity

    def motion(self, severity, rng):
        kernel = _line_kernel(0.16 * severity**1.3 * self.diameter, angle=rng.uniform(0, np.pi))
        return self.filtered(lambda plane: cv2.filter2D(plane, -1, kernel)), severity

    def haze(self, severity, rng):
        angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.2)
        density = np.clip(severity * (0.80 + slope * self.along(angle)), 0.3 * severity, 0.94)
        glow = self.blurred(0.10)
        veil = 0.45 * glow + 0.55 * (glow.mean(axis=0) * planar([1.0, 0.98, 0.88]) + 28)
        return _blend(self.pixels, density, veil), density

    def flat_gamma(self, severity, rng):
        mean, lift = self.pixels[:, self.mask].mean(axis=1), rng.uniform(-0.1, 0.25)
        target = mean + lift * (mean.mean() - mean) + 12 * lift
        return _blend(self.pixels, 0.85 * severity, planar(target)), severity

    def under_exposure(self, severity, rng):
        gain = (1 - 0.92 * severity) ** np.array([0.85, 1.05, 1.0])
        noise = rng.standard_normal(self.mask.shape, dtype=np.float32)
        return self.pixels * planar(gain) + 3.0 * severity * noise, severity

    def vignette(self, severity, rng):
        angle, shift, start = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.4), rng.uniform(0.25, 0.4)
        dark = _step(self.distance(shift, angle), start, start + 0.75) * min(1.0, 1.15 * severity)
        return self.pixels * (1 - 0.90 * dark), dark

    def pupil_crescent(self, severity, rng):
        angle, bright = rng.uniform(0, 2 * np.pi), rng.random() < 0.75
        inner, outer = 1.42 - 0.72 * severity**0.7, 1.50 - 0.25 * severity
        profile = _step(self.distance(0.55, angle + np.pi), inner, outer) * min(1.0, 0.25 + 0.9 * severity)
        profile *= min(1.0, 5 * severity)
        if not bright:
            return self.pixels * (1 - 0.93 * profile), profile
        colour = np.array([165, 200, 205]) + rng.uniform() * np.array([70, 40, 35])
        return _blend(self.pixels, profile, planar(colour)), profile

    def flash_spot(self, severity, rng):
        centre, count = rng.uniform(-0.45, 0.45, 2), rng.integers(1, 4)
        offsets, shares = rng.normal(0, 0.16, (3, 2)), (1.0, 0.6, 0.45)
        tint, weight = planar(rng.uniform([215, 220, 215], [250, 250, 255])), np.float32(0)
        for k in range(count):
            x, y = (centre + (offsets[k] if k else 0)).tolist()
            radius = (0.07 + 0.30 * severity) * shares[k]
            far = ((self.u - x) ** 2 + (self.v - y) ** 2) / radius**2
            weight = np.maximum(weight, np.exp(-(far**1.3)))
        weight *= min(1.0, 0.35 + 0.9 * severity) * min(1.0, 5 * severity)
        return _blend(self.pixels, weight, tint), weight

    def halo(self, severity, rng):
        inner = 1.02 - 0.50 * severity
        colour = np.array([95, 160, 165]) + rng.uniform() * np.array([110, 65, 55])
        r = self.distance(abs(rng.normal(0, 0.07)), rng.uniform(0, 2 * np.pi))
        profile = _step(r, inner - 0.12, inner + 0.45) * min(1.0, 0.2 + severity) * min(1.0, 5 * severity)
        return _blend(self.pixels, profile, planar(colour)), profile

    def eyelash(self, severity, rng):
        """Draw blurred lashes from the upper or lower rim, over the pale haze of the lid."""
        total, side = 18, float(rng.choice([-1, 1]))
        root = rng.normal(rng.uniform(-0.3, 0.3), 0.3, total)
        lean, bend = rng.normal(rng.uniform(-0.4, 0.4), 0.12, total), rng.normal(0, 0.12, total)
        length, thick = rng.uniform(0.4, 1.0, total), rng.uniform(0.004, 0.010, total)
        lines, t = np.zeros(self.mask.shape, np.uint8), np.linspace(0, 1, 14)
        for k, shown in enumerate(np.clip(severity * total - np.arange(total), 0, 1)):
            if shown > 0:
                reach = length[k] * (0.35 + 0.65 * severity)
                x, y = root[k] + (lean[k] * t + bend[k] * t**2) * reach, side * (1.02 - reach * t)
                width, value = max(1, round(thick[k] * self.diameter)), 255 * shown * (0.4 + 0.4 * severity)
                cv2.polylines(lines, [self.points(x, y)], False, (value,), width, cv2.LINE_AA, 4)
        lash = self.soften(lines, 0.009)
        lid = np.clip((side * self.v - 1.0 + 0.7 * severity) / 0.6, 0, 1) ** 1.5 * 0.75 * severity
        pixels = _blend(self.pixels, lid, planar([214, 200, 184]))
        return _blend(pixels, lash, planar([70, 40, 26])), np.maximum(lash, lid)

    def dust(self, severity, rng):
        """Draw out-of-focus specks, mostly bright; a higher severity shows more of the same specks."""
        total = 50
        radius, angle = np.sqrt(rng.uniform(0, 1, total)) * 0.97, rng.uniform(0, 2 * np.pi, total)
        cluster = rng.uniform(-0.6, 0.6, 2) + rng.normal(0, 0.2, (total, 2))
        places = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        places = np.where(rng.random((total, 1)) < 0.45, cluster, places)
        sizes = np.minimum(rng.gamma(1.8, 0.006, total) + 0.005, 0.035)
        opacity = rng.uniform(0.35, 0.9, total) * np.minimum(1, 0.016 / sizes) ** 0.5  # wide specks are faint
        dark = rng.random(total) >= 0.8
        shown = np.clip(severity * total - np.arange(total), 0, 1) * opacity * (0.45 + 0.55 * severity)
        layers, centres = np.zeros((2, *self.mask.shape), np.uint8), self.points(*places.T).tolist()
        for k in np.argsort(shown, kind="stable"):  # the strongest on top: more severe never means fainter
            if shown[k] > 0:
                reach = max(12, round(sizes[k] * self.diameter * 16))
                cv2.circle(layers[int(dark[k])], centres[k], reach, (255 * shown[k],), -1, cv2.LINE_AA, 4)
        white, black = (self.soften(layer, 0.005) for layer in layers)
        pixels = _blend(self.pixels, white, planar([222, 230, 236])) * (1 - 0.7 * black)
        return pixels, np.maximum(white, black)

    def rainbow(self, severity, rng):
        """Draw a coloured arc near the rim, from blue inside to red outside."""
        angle, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.8)
        centre, width = 1.02 - rng.uniform(0.08, 0.3), 0.05 + 0.11 * severity
        r = self.distance(0, 0)
        around = np.abs((np.arctan2(self.v, self.u) - angle + np.pi) % (2 * np.pi) - np.pi)
        profile = np.exp(-(((r - centre) / width) ** 2) - (around / (spread * (0.6 + 0.5 * severity))) ** 4)
        profile *= min(1.0, 0.25 + 0.75 * severity) * min(1.0, 5 * severity)
        phase = np.clip((r - centre) / width, -1.2, 1.2)
        light = 85 + 125 * np.exp(-(((phase - planar([0.7, 0.0, -0.7])) / 0.65) ** 2))  # red, green, blue
        return _blend(self.pixels, profile, np.minimum(255, 0.6 * self.pixels + light)), profile  # it adds up
