"""Patients and their eyes: traits, which a patient's eyes nearly share, and vessels of each eye's own.

Coordinates are degrees of visual angle on a right eye seen as in a photograph: fovea at (0, 0), x to the
right (nasal), y down (inferior), disc centre near (15.5, -1.5). Vessels leave the disc, branch, taper and
curve around the macula; where one branches, the cubes of the calibres add up (Murray 1926, PNAS 12:207).
"""

from dataclasses import dataclass

import numpy as np

_SPREAD = {  # by trait: standard deviation between a patient's two eyes, least and greatest value
    "pigment": (0.03, 0.1, 1.15),  # melanin of the fundus, about 0.15 (blond) to 1.1 (dark)
    "tint": (0.06, -1, 1),  # yellow (-1) to red (+1) shade of the background
    "tortuosity": (0.04, 0, 1),  # wiggliness of the vessels
    "calibre": (0.03, 0.75, 1.25),  # factor on the vessels' calibre; 1: a vein of 0.52 degrees at the disc
    "cup_ratio": (0.03, 0.12, 0.85),  # cup diameter / disc diameter
    "disc_diameter": (0.12, 4.4, 7.0),  # degrees
    "macula": (0.05, 0.3, 1.2),  # strength of the macular pigment
    "choroid": (0.03, 0, 1),  # visibility of the choroidal texture
    "sheen": (0.04, 0, 1),  # visibility of the nerve fibres around the disc, higher in the young
}


@dataclass(frozen=True)
class Vessel:
    """A polyline, with the calibre at each of its n points."""

    points: np.ndarray  # (n, 2), degrees
    widths: np.ndarray  # (n,), degrees
    is_artery: bool


@dataclass(frozen=True)
class Eye:
    """One eye of a patient."""

    side: str  # "left" or "right"
    traits: dict[str, float]  # see `draw_patient`
    disc: tuple[float, float]  # centre of the optic disc, degrees
    vessels: list[Vessel]  # the eight trunks first, then branches of the first and second order
    textures: list[np.ndarray]  # float32 grids of noise, coarse to fine, see `riqa.phantom.fundus`
    lesions: np.ndarray  # (n, 4): x, y, radius in degrees, kind (0 dark: bleeding, 1 bright: exudate)


def draw_patient(rng: np.random.Generator) -> dict[str, float]:
    """Draw a patient's traits: those of `_SPREAD`, and `lesions`, the diabetic lesions expected per eye."""
    pigment = float(np.clip(rng.beta(2.2, 2.6) * 1.15, 0.1, 1.1))
    return {
        "pigment": pigment,
        "tint": float(np.clip(rng.normal(0, 0.45), -1, 1)),
        "tortuosity": rng.beta(1.6, 3.0),
        "calibre": rng.uniform(0.82, 1.18),
        "cup_ratio": float(np.clip(rng.normal(0.42, 0.13), 0.15, 0.8)),
        "disc_diameter": rng.normal(5.7, 0.4),
        "macula": rng.uniform(0.45, 1.1),
        "choroid": float(np.clip(rng.beta(1.3, 3.0) + 0.25 * (0.5 - pigment), 0.02, 1)),
        "sheen": rng.beta(1.5, 2.5),
        "lesions": rng.gamma(1.0, 9.0) if rng.random() < 0.3 else 0.0,
    }


def draw_eye(patient: dict[str, float], side: str, rng: np.random.Generator) -> Eye:
    """Draw the "left" or "right" eye of a patient, else ValueError."""
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', got {side!r}")
    traits, disc = draw_own(patient, rng)
    vessels = grow_vessels(rng, disc, traits["tortuosity"], traits["calibre"])
    textures = [rng.standard_normal((n, n), dtype=np.float32) for n in (14, 40, 110, 260)]
    n = rng.poisson(patient["lesions"]) if patient["lesions"] else 0
    kind = (rng.random(n) < 0.4).astype(float)
    radius = rng.gamma(2.0, 0.11, n) + 0.08
    lesions = np.column_stack([rng.normal(0, 8, n), rng.normal(0, 7, n), radius, kind])
    return Eye(side, traits, disc, vessels, textures, lesions)


def draw_own(patient: dict[str, float], rng: np.random.Generator) -> tuple[dict, tuple[float, float]]:
    """Draw what an eye has for itself before its vessels: traits, and the centre of the disc in degrees."""
    traits = dict(patient)
    for name, (spread, low, high) in _SPREAD.items():
        traits[name] = float(np.clip(patient[name] + rng.normal(0, spread), low, high))
    return traits, (rng.normal(15.5, 0.6), rng.normal(-1.6, 0.5))


def grow_vessels(
    rng: np.random.Generator, disc: tuple[float, float], tortuosity: float, calibre: float
) -> list[Vessel]:
    """Grow the arterial and venous trees of one eye around its disc, ordered as in `Eye`."""
    trunks, artery = _trunks(rng, disc, tortuosity), np.array([True, False] * 4)
    widths = np.where(artery, 0.38, 0.52) * np.repeat([1.0, 0.68], 4) * calibre * rng.uniform(0.85, 1.15, 8)
    along, branches = _branch_off(rng, trunks, widths, artery, np.linspace(9, 52, 6))
    # Five small vessels leave the disc by themselves, three of them towards the macula.
    heading = np.concatenate([np.pi + rng.uniform(-0.7, 0.7, 3), rng.uniform(-1.2, 1.2, 2)])
    start = np.array(disc) + 1.2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    small = start, heading, calibre * rng.uniform(0.11, 0.2, 5), rng.random(5) < 0.5
    branches = [np.concatenate(pair) for pair in zip(branches, small, strict=True)]
    first = _grow(rng, *branches[:2], tortuosity, steps=24)
    first_along, twigs = _branch_off(rng, first, *branches[2:], np.linspace(5, 20, 3))
    second = _grow(rng, *twigs[:2], tortuosity, steps=12)
    second_along = twigs[2][:, None] * np.linspace(1, 0.7, 12)
    orders = (trunks, along, artery), (first, first_along, branches[3]), (second, second_along, twigs[3])
    vessels = []
    for points, widths, is_artery in (vessel for order in orders for vessel in zip(*order, strict=True)):
        n = np.count_nonzero(~np.isnan(points[:, 0]))
        if n > 2:
            vessels.append(Vessel(points[:n], widths[:n], bool(is_artery)))
    return vessels


def _wiggle(rng: np.random.Generator, n: int, steps: int) -> np.ndarray:
    """Draw smooth noise of unit scale, (n, steps), zero at the start."""
    knots = rng.normal(size=(n, max(4, steps // 5)))
    knots[:, 0] = 0
    at = np.linspace(0, knots.shape[1] - 1, steps)
    low = np.minimum(at.astype(int), knots.shape[1] - 2)
    part = 0.5 - 0.5 * np.cos(np.pi * (at - low))
    return knots[:, low] * (1 - part) + knots[:, low + 1] * part


def _trunks(rng: np.random.Generator, disc: tuple[float, float], tortuosity: float) -> np.ndarray:
    """Draw four arcades, an artery and a vein each: points (8, 56, 2)."""
    t = np.linspace(0, 1, 56)
    wiggle = _wiggle(rng, 16, 56) * (0.25 + 1.1 * tortuosity) * np.minimum(1, 4 * t)
    lines = []
    for temporal, side in ((True, -1), (True, 1), (False, -1), (False, 1)):
        height = rng.uniform(8.5, 11.5)
        for nearer, farther in ((-1.6, -0.4), (0.2, 1.2)):  # arteries run nearer to the macula than veins
            h = height + rng.uniform(nearer, farther)
            start = np.array(disc) + rng.normal(0, 0.35, 2) + [0, side * 0.3]
            if temporal:
                x = start[0] - 40 * t**1.55 + 1.5 * rng.uniform(-1, 1) * np.sin(np.pi * np.minimum(1, 3 * t))
                y = start[1] + side * (h * (1 - (1 - t) ** 3.2) - rng.uniform(-0.5, 2.5) * t**2)
            else:
                x = start[0] + rng.uniform(16, 24) * t**1.15
                y = start[1] + side * rng.uniform(9, 17) * t**0.8
            k = 2 * len(lines)
            lines.append(np.stack([x + wiggle[k], y + wiggle[k + 1]], axis=1))
    return np.array(lines)


def _branch_off(
    rng: np.random.Generator, lines: np.ndarray, widths: np.ndarray, artery: np.ndarray, slots: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return calibres along parents; and starts, headings, calibres and kinds of branches near `slots`."""
    n, steps, _ = lines.shape
    at = np.clip((slots + rng.uniform(-2, 2, (n, len(slots)))).astype(int), 1, steps - 2)
    ratio = rng.uniform(0.3, 0.68, (n, len(slots)))
    along, rows, branches = np.repeat(widths[:, None], steps, axis=1), np.arange(n), []
    for k in range(len(slots)):
        here = lines[rows, at[:, k]]
        tangent = here - lines[rows, at[:, k] - 1]
        side = np.where(rng.random(n) < 0.5, 1, -1)
        heading = np.arctan2(tangent[:, 1], tangent[:, 0]) + side * np.deg2rad(rng.uniform(30, 65, n))
        inward = np.cos(heading) * here[:, 0] + np.sin(heading) * here[:, 1] < 0
        child = widths * ratio[:, k] * np.where(inward, 0.7, 1.0)  # the macula has fine vessels only
        widths = np.cbrt(widths**3 - child**3)  # Murray's law
        along = np.where(np.arange(steps) > at[:, k, None], widths[:, None], along)
        alive = ~np.isnan(heading)
        branches.append([part[alive] for part in (here, heading, child, artery)])
    return along * np.linspace(1, 0.8, steps), [np.concatenate(part) for part in zip(*branches, strict=True)]


def _grow(
    rng: np.random.Generator, position: np.ndarray, heading: np.ndarray, tortuosity: float, steps: int
) -> np.ndarray:
    """Walk every branch, away from the fovea or towards it: (n, steps, 2), NaN after its end."""
    n = len(position)
    outward = position - [1.0, 0.0]
    inside = np.cos(heading) * outward[:, 0] + np.sin(heading) * outward[:, 1] < 0
    length = rng.uniform(0.35, 1.0, n) * steps
    turn = np.diff(_wiggle(rng, n, steps + 1), axis=1) * (0.16 + 0.45 * tortuosity)
    lines, alive = np.full((n, steps, 2), np.nan), np.ones(n, bool)
    for k in range(steps):
        lines[alive, k] = position[alive]
        radius = np.hypot(position[:, 0], position[:, 1])
        target = np.arctan2(position[:, 1], position[:, 0] - 1.0) + np.where(inside, np.pi, 0.0)
        error = (target - heading + np.pi) % (2 * np.pi) - np.pi
        heading = heading + (0.10 * error + turn[:, k])
        position = position + 0.75 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        alive &= (k < length) & ~(inside & (radius < 2.6))
    return lines
