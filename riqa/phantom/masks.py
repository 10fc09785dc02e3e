"""Where defects lie on a curated image, and which defects lie anywhere at all.

Some defects are everywhere: a photograph out of focus is so in every pixel. No map can point at them. The
others have a place, as long as they do not grow over most of the field.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from riqa.data.fov import crop_to_fov, read_with_field
from riqa.phantom.cases import case
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import THRESHOLD

EVERYWHERE = ("under_exposure", "defocus", "motion", "haze", "flat_gamma")
"""Defects whose masks cover the whole field at every severity."""

LOCALISED = tuple(name for name in DEFECTS if name not in EVERYWHERE)
"""Defects with a place."""


@dataclass(frozen=True)
class CuratedCase:
    """A photograph and its truth after reading, cropping and resizing as in a store of side `size`.

    Attributes:
        image: uint8 (size, size, 3), the same pixels as in the store.
        clean: uint8 (size, size, 3), the same exposure without defects (and without JPEG compression).
        masks: For each defect present float32 (size, size) in [0, 1], how much it affects each pixel.
        severities: Severity of each defect present, in (0, 1].
    """

    image: np.ndarray
    clean: np.ndarray
    masks: dict[str, np.ndarray]
    severities: dict[str, float]


def curated_case(
    root: Path | str, image_id: str, size: int, *, source_root: Path | str | None = None
) -> CuratedCase:
    """Render a photograph of a phantom or simulated set again, and crop it with all its masks.

    The field of view is found on the photograph's own file, at the scale at which `riqa.data.curate` read it,
    so that a mask lies where its defect lies on the curated image.

    Args:
        root: Folder of the set (holds `truth.parquet` and `images/`).
        image_id: The photograph.
        size: Side of the curated images, pixels.
        source_root: For simulated sets, the folder of the real dataset that was spoilt.

    Raises:
        InputError: As `riqa.phantom.cases.case`.
    """
    truth = case(root, image_id, source_root=source_root)
    photograph, fov, _ = read_with_field(Path(root) / "images" / f"{image_id}.jpg", size)
    height, width = fov.shape

    def crop(array: np.ndarray) -> np.ndarray:
        return crop_to_fov(cv2.resize(array, (width, height), interpolation=cv2.INTER_AREA), fov, size)

    def crop_mask(mask: np.ndarray) -> np.ndarray:
        grey = np.rint(255 * mask).astype(np.uint8)
        return crop(np.repeat(grey[..., None], 3, axis=2))[..., 0].astype(np.float32) / 255

    masks = {name: crop_mask(mask) for name, mask in truth.masks.items()}
    return CuratedCase(crop_to_fov(photograph, fov, size), crop(truth.clean), masks, truth.severities)


def has_place(truth: pd.DataFrame, groups: tuple[str, ...]) -> pd.Series:
    """Tell which photographs are spoilt at places: by a localised defect, and by none that is everywhere.

    A defect counts if its severity is above the experts' threshold, so that an unbiased expert would call its
    detail bad for it alone.

    Args:
        truth: A set's truth table, with a column of severities for each of `DEFECTS`.
        groups: The details asked for, and "artifact"; defects of other groups are ignored.

    Returns:
        bool, in the order of `truth`.
    """
    asked = [name for name, group in DEFECTS.items() if group in groups]
    strong = truth[asked] > THRESHOLD
    here = [name for name in asked if name in LOCALISED]
    return strong[here].any(axis=1) & ~strong[[name for name in asked if name in EVERYWHERE]].any(axis=1)


def regions(
    curated: CuratedCase, field: np.ndarray, groups: tuple[str, ...], largest_share: float
) -> dict[str, np.ndarray]:
    """Return the places of the strong localised defects.

    A pixel belongs to a defect that affects it at least half as much as the pixel it affects most.

    Args:
        curated: The photograph.
        field: bool (size, size), its field of view.
        groups: As in `has_place`.
        largest_share: A defect on more than this share of the field counts as everywhere.

    Returns:
        bool (size, size) by defect, and their union as "any"; empty if a strong defect is everywhere or none
        has a place.
    """
    found = {}
    for name, severity in curated.severities.items():
        if DEFECTS[name] not in groups or severity <= THRESHOLD:
            continue
        mask = curated.masks[name] * field
        region = mask >= 0.5 * mask.max()
        if name in EVERYWHERE or not mask.any() or region.sum() > largest_share * field.sum():
            return {}
        found[name] = region
    return found | {"any": np.any(list(found.values()), axis=0)} if found else {}
