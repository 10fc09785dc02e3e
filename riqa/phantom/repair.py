"""Recapture as a counterfactual: the same photograph with the defects of some quality details repaired.

Eye, camera, exposure and the random numbers of the remaining defects stay as they are, so that two
photographs differ in nothing but what was repaired. Artifacts belong to no detail and are never repaired.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import pandas as pd

from riqa.data.curate import curate_photograph
from riqa.labels import DETAILS
from riqa.phantom.cases import Case, case
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import spoil, write_jpeg
from riqa.phantom.raters import overall_score

Severity = TypeVar("Severity", float, np.ndarray)

REPAIRS: tuple[tuple[str, ...], ...] = tuple(
    tuple(detail for k, detail in enumerate(DETAILS) if code >> k & 1) for code in range(2 ** len(DETAILS))
)
"""Every choice of details to repair. Its position is its code, the sum of 2**k over the details k repaired:
0 is nothing, 1, 2 and 4 are one detail each, 7 is all three."""


def without(severities: Mapping[str, Severity], details: Collection[str]) -> dict[str, Severity]:
    """Set the severities of all defects of some details to zero.

    Args:
        severities: Severity by defect, numbers or arrays in [0, 1].
        details: Out of `riqa.labels.DETAILS`.

    Returns:
        The severities in the same order.

    Raises:
        ValueError: For an unknown detail.
    """
    unknown = set(details) - set(DETAILS)
    if unknown:
        raise ValueError(f"details must be among {DETAILS}, got {sorted(unknown)}")
    return {name: value * (DEFECTS[name] not in details) for name, value in severities.items()}


def repaired_scores(truth: pd.DataFrame) -> np.ndarray:
    """Compute what graders would perceive after each of `REPAIRS`.

    Args:
        truth: N rows of a set's `truth.parquet`.

    Returns:
        (N, 8) overall scores, see `riqa.phantom.raters.overall_score`; column 0 is the photograph as it is.
    """
    severities = {name: truth[name].to_numpy(dtype=float) for name in DEFECTS}
    return np.stack([overall_score(without(severities, details)) for details in REPAIRS], axis=1)


def spoilt_details(truth: pd.DataFrame) -> np.ndarray:
    """Tell which details have a defect of any severity: bool (N, 3), in the order of `DETAILS`."""
    names = [[name for name, owner in DEFECTS.items() if owner == detail] for detail in DETAILS]
    return np.stack([truth[group].gt(0).any(axis=1).to_numpy() for group in names], axis=1)


def recapture(photograph: Case, details: Collection[str]) -> np.ndarray:
    """Take a photograph again with some details repaired.

    Returns:
        uint8 (H, W, 3) RGB, before JPEG compression.
    """
    left = without(photograph.severities, details)
    return spoil(photograph.clean, photograph.fov_mask, *photograph.draw, left)[0]


def recaptures(
    root: Path | str, image_id: str, size: int, *, source_root: Path | str | None = None
) -> np.ndarray | None:
    """Take a photograph of a set again after each of `REPAIRS`, and curate each as chapter 01 does.

    Each is written as a JPEG file, read again, searched for its field of view, cropped and resized, so that
    the first equals the store's image to the bit.

    Args:
        root: Folder of the set (holds `truth.parquet`).
        image_id: The photograph.
        size: Side of the curated images, pixels.
        source_root: For simulated sets, the folder of the real dataset that was spoilt.

    Returns:
        uint8 (8, size, size, 3), or None if one of the eight cannot be curated.

    Raises:
        InputError: If the photograph or its truth is not there.
    """
    photograph = case(root, image_id, source_root=source_root)
    spoilt = {DEFECTS[name] for name in photograph.severities}
    made: dict[tuple[str, ...], np.ndarray | None] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        for details in REPAIRS:
            changing = tuple(detail for detail in details if detail in spoilt)
            if changing not in made:
                write_jpeg(path, recapture(photograph, changing))
                made[changing], _ = curate_photograph(path, size)
    images = [made[tuple(detail for detail in details if detail in spoilt)] for details in REPAIRS]
    return None if any(image is None for image in images) else np.stack(images)
