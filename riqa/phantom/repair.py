"""Where the defects of a photograph lie, and the same photograph without those of some quality details.

A repair is a recapture as a counterfactual: eye, camera, exposure and the random numbers of the remaining
defects stay as they are, so that two photographs differ in nothing but what was repaired. Artifacts belong
to no detail and are never repaired.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from riqa.data.curate import curate_photograph
from riqa.data.fov import crop_to_fov, read_with_field
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.photograph import Case, case, write_jpeg
from riqa.phantom.raters import THRESHOLD, overall_score

EVERYWHERE = ("under_exposure", "defocus", "motion", "haze", "flat_gamma")
"""Defects that are everywhere: a photograph out of focus is so in every pixel, and no map can point at it.
The others have a place, as long as they do not grow over most of the field."""

REPAIRS: tuple[tuple[str, ...], ...] = tuple(
    tuple(detail for k, detail in enumerate(DETAILS) if code >> k & 1) for code in range(2 ** len(DETAILS))
)
"""Every choice of details to repair. Its position is its code, the sum of 2**k over the details k repaired:
0 is nothing, 1, 2 and 4 are one detail each, 7 is all three."""


def curated_case(
    root: Path | str, image_id: str, size: int, *, source_root: Path | str | None = None
) -> Case:
    """Make a photograph of a set again, as `case` does, cropped to its field and resized to `size` pixels.

    The field is found on the photograph's own file, at the scale at which `riqa.data.curate` read it, so that
    `image` equals the store's, and a mask lies where its defect lies there. InputError as `case`.
    """
    whole = case(root, image_id, source_root=source_root)
    photograph, fov, _ = read_with_field(Path(root) / "images" / f"{image_id}.jpg", size)

    def crop(array: np.ndarray) -> np.ndarray:
        return crop_to_fov(cv2.resize(array, fov.shape[::-1], interpolation=cv2.INTER_AREA), fov, size)

    def crop_mask(mask: np.ndarray) -> np.ndarray:
        grey = np.rint(255 * mask).astype(np.uint8)
        return crop(cv2.merge([grey] * 3))[..., 0].astype(np.float32) / 255

    masks = {name: crop_mask(mask) for name, mask in whole.masks.items()}
    image, field = crop_to_fov(photograph, fov, size), crop_mask(whole.fov_mask) > 0.5
    return replace(whole, image=image, clean=crop(whole.clean), fov_mask=field, masks=masks)


def has_place(truth: pd.DataFrame, groups: tuple[str, ...]) -> pd.Series:
    """Tell which rows of a truth table are spoilt at places: by a localised defect, and by none everywhere.

    A defect counts if it belongs to one of the groups (details, "artifact") and its severity is above the
    experts' threshold, so that an unbiased expert would call its detail bad for it alone.
    """
    strong = truth[[name for name, group in DEFECTS.items() if group in groups]] > THRESHOLD
    everywhere = strong.columns.isin(EVERYWHERE)
    return strong.loc[:, ~everywhere].any(axis=1) & ~strong.loc[:, everywhere].any(axis=1)


def regions(
    curated: Case, field: np.ndarray, groups: tuple[str, ...], largest_share: float
) -> dict[str, np.ndarray]:
    """Return where the strong localised defects lie, bool (size, size) by defect, and their union as "any".

    Strong ones are those that `has_place` counts. A pixel of `field`, bool (size, size), belongs to a defect
    that affects it at least half as much as the pixel it affects most; one on more than `largest_share` of
    the field counts as everywhere. Empty if a strong defect is everywhere or none has a place.
    """
    found = {}
    for name, severity in curated.severities.items():
        if DEFECTS[name] in groups and severity > THRESHOLD:
            mask = curated.masks[name] * field
            found[name] = mask >= 0.5 * mask.max()
            if name in EVERYWHERE or not mask.any() or found[name].sum() > largest_share * field.sum():
                return {}
    return found | {"any": np.any(list(found.values()), axis=0)} if found else {}


def _without(severities: Mapping, details: Collection[str]) -> dict:
    """Leave out the defects of some details."""
    return {name: severity for name, severity in severities.items() if DEFECTS[name] not in details}


def repaired_scores(truth: pd.DataFrame) -> np.ndarray:
    """Compute the overall score after each of `REPAIRS`: (N, 8) for N rows of a set's `truth.parquet`."""
    severities = {name: truth[name].to_numpy(dtype=float) for name in DEFECTS}
    return np.stack([overall_score(_without(severities, details)) for details in REPAIRS], axis=1)


def spoilt_details(truth: pd.DataFrame) -> np.ndarray:
    """Tell which details have a defect of any severity: bool (N, 3), in the order of `DETAILS`."""
    return np.stack([truth[[*GROUPS[detail]]].gt(0).any(axis=1).to_numpy() for detail in DETAILS], axis=1)


def recaptures(
    root: Path | str, image_id: str, size: int, *, source_root: Path | str | None = None
) -> np.ndarray | None:
    """Take a photograph of a set again after each of `REPAIRS`, and curate each as chapter 01 does.

    Each goes through a JPEG file, so that the first equals the store's image to the bit. Returns uint8 (8,
    size, size, 3), or None if one of them cannot be curated. InputError as `case`.
    """
    photograph = case(root, image_id, source_root=source_root)
    left = [_without(photograph.severities, details) for details in REPAIRS]
    made = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.jpg"
        for severities in left:
            if tuple(severities) not in made:
                write_jpeg(path, photograph.spoil(severities).image)
                made[tuple(severities)], _ = curate_photograph(path, size)
    images = [made[tuple(severities)] for severities in left]
    return None if any(image is None for image in images) else np.stack(images)
