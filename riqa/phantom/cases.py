"""Any photograph of a phantom or simulated set again, with its clean version and defect masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.fov import find_fov
from riqa.errors import InputError
from riqa.names import to_path
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import Exposure, render_clean, spoil
from riqa.phantom.simulate import read_reduced


@dataclass(frozen=True)
class Case:
    """A photograph and its truth.

    Attributes:
        image: uint8 (H, W, 3) RGB, spoilt (before JPEG compression).
        clean: uint8 (H, W, 3) RGB, the same exposure without defects.
        fov_mask: bool (H, W), the field of view.
        masks: For each defect present float32 (H, W) in [0, 1], how much it affects each pixel.
        severities: Severity of each defect present, in (0, 1].
        draw: Study, seed and number of the photograph, from which its defects' random numbers follow.
    """

    image: np.ndarray
    clean: np.ndarray
    fov_mask: np.ndarray
    masks: dict[str, np.ndarray]
    severities: dict[str, float]
    draw: tuple[str, int, int]


def case(root: Path | str, image_id: str, *, source_root: Path | str | None = None) -> Case:
    """Render a photograph of a set again.

    Args:
        root: Folder of the set (holds `truth.parquet`).
        image_id: The photograph.
        source_root: For simulated sets, the folder of the real dataset that was spoilt.

    Returns:
        The photograph with its truth.

    Raises:
        InputError: If the truth table or the photograph is not there, or the real source is missing.
    """
    path = Path(root) / "truth.parquet"
    if not path.is_file():
        raise InputError(f"{path} does not exist; {root} is not a phantom or simulated set")
    truth = pd.read_parquet(path)
    rows = truth[truth["image_id"] == image_id]
    if rows.empty:
        raise InputError(f"{path}: no photograph {image_id!r}; e.g. {truth['image_id'].iloc[0]!r}")
    row = rows.iloc[0]
    severities = {defect: float(row[defect]) for defect in DEFECTS if row[defect] > 0}
    study, seed, number, size = str(row["study"]), int(row["seed"]), int(row["number"]), int(row["size"])
    if "source_path" in row:
        clean, mask = _real(row["source_path"], source_root, size)
    else:
        exposure = Exposure(
            study, seed, int(row["patient"]), number, row["eye"], row["view"], row["camera"], size, severities
        )
        fundus = render_clean(exposure)
        clean, mask = fundus.image, fundus.fov_mask
    image, masks = spoil(clean, mask, study, seed, number, severities)
    return Case(image, clean, mask, masks, severities, (study, seed, number))


def _real(path: str, source_root: Path | str | None, size: int) -> tuple[np.ndarray, np.ndarray]:
    if source_root is None:
        raise InputError(f"{path} is a real photograph; give source_root, the folder of its dataset")
    image = read_reduced(Path(source_root) / to_path(path), size)
    field = None if image is None else find_fov(image)
    if field is None:
        raise InputError(
            f"{Path(source_root) / path} cannot be read or shows no field of view; restore the file"
        )
    return image, field.mask()
