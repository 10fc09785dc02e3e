"""Anatomy of the phantom: patients and their two eyes, which resemble each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riqa.phantom.vessels import VesselTree, grow_vessels

TEXTURE_SPAN = 100.0
"""Degrees covered by an eye's texture, centred on the fovea."""


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
        lesions: Expected number of diabetic lesions per eye.
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
        textures: Noise grids, coarse to fine, float32, covering `TEXTURE_SPAN` degrees around the fovea.
        lesions: (n, 4) float: x, y, radius in degrees, and kind (0 dark: bleeding, 1 bright: exudate).
    """

    side: str
    traits: Patient
    disc: tuple[float, float]
    vessels: VesselTree
    textures: tuple[np.ndarray, ...]
    lesions: np.ndarray


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
