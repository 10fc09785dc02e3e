"""One photograph of a set from its few numbers: drawn or read, spoilt, written; or made again, with truth.

A row of a set's `truth.parquet` determines its photograph. Each purpose has a random generator of its own,
so any number of workers writes the same bytes, and both eyes of a patient come from the same patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from riqa.data.fov import find_fov
from riqa.data.read import UnreadableError, read_photograph
from riqa.data.set_names import MADE
from riqa.errors import InputError
from riqa.names import to_path
from riqa.phantom.degrade import DEFECTS, degrade
from riqa.phantom.eye import draw_eye, draw_own, draw_patient
from riqa.phantom.fundus import CAMERAS, Field, frame, render_fundus

STUDIES = (*MADE, "simulated_details", "phantom_sequences")
"""Names of the studies; the position goes into the random seeds."""

JPEG_QUALITY = 92

_PATIENT, _EYE, _EXPOSURE, _DEFECTS = range(4)


class Exposure(NamedTuple):
    """Everything that determines one drawn photograph but for its defects."""

    study: str  # one of `STUDIES`
    seed: int  # of the study
    patient: int
    number: int  # of the photograph
    eye: str  # "left" or "right"
    view: str  # "macula" or "disc"
    camera: str  # key of `riqa.phantom.fundus.CAMERAS`
    size: int  # nominal width, pixels


@dataclass(frozen=True)
class Case:
    """A photograph and its truth."""

    image: np.ndarray  # uint8 (H, W, 3) RGB, spoilt (before JPEG compression)
    clean: np.ndarray  # uint8 (H, W, 3) RGB, the same exposure without defects
    fov_mask: np.ndarray  # bool (H, W), the field of view
    masks: dict[str, np.ndarray]  # by defect present float32 (H, W) in [0, 1], how much it affects each pixel
    severities: dict[str, float]  # of each defect present, in (0, 1]
    draw: tuple[str, int, int]  # study, seed and number, from which the defects' random numbers follow
    geometry: dict[str, float]  # width, height, fov_x, fov_y, fov_radius in pixels; if drawn fov_cut, radii

    def spoil(self, severities: Mapping[str, float]) -> "Case":
        """Take the same photograph with these defects instead; raise as `riqa.phantom.degrade.degrade`."""
        study, seed, number = self.draw
        rng = generator(study, seed, _DEFECTS, number)
        image, masks = degrade(self.clean, self.fov_mask, severities, rng)
        present = {name: severity for name, severity in severities.items() if severity > 0}
        return replace(self, image=image, masks=masks, severities=present)


def generator(study: str, seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """Return the random generator of one purpose within a study; ValueError for an unknown study."""
    if study not in STUDIES:
        raise ValueError(f"study must be one of {STUDIES}, got {study!r}")
    return np.random.default_rng(np.random.SeedSequence([seed, STUDIES.index(study), purpose, *numbers]))


def render_clean(exposure: Exposure) -> Case:
    """Draw a photograph without defects, which `Case.spoil` adds."""
    study, seed, patient, number, side, view, camera, size = exposure
    draw = partial(generator, study, seed)
    traits = draw_patient(draw(_PATIENT, patient))
    eye = draw_eye(traits, side, draw(_EYE, patient, ("left", "right").index(side)))
    clean, mask, field = render_fundus(eye, view, CAMERAS[camera], draw(_EXPOSURE, number), size)
    return Case(clean, clean, mask, {}, {}, (study, seed, number), field._asdict())


def landmarks(exposure: Exposure) -> np.ndarray:
    """Return where disc and fovea of a drawn photograph lie, (2, 2) of x and y in pixels; none is drawn."""
    study, seed, patient, number, side, view, camera, size = exposure
    draw = partial(generator, study, seed)
    traits = draw_patient(draw(_PATIENT, patient))
    _, disc = draw_own(traits, draw(_EYE, patient, ("left", "right").index(side)))
    *_, affine = frame(disc, side, view, CAMERAS[camera], draw(_EXPOSURE, number), size)
    return np.array([disc, (0.0, 0.0)]) @ affine[:, :2].T + affine[:, 2]


def _read_clean(row: Mapping, source_root: Path) -> Case | None:
    """Read the real photograph of a row, reduced to its size; None if that fails or it shows no field."""
    try:
        clean = read_photograph(source_root / to_path(row["source_path"]))
    except UnreadableError:
        return None
    if clean.shape[1] > row["size"]:
        height = max(1, round(clean.shape[0] * row["size"] / clean.shape[1]))
        clean = cv2.resize(clean, (row["size"], height), interpolation=cv2.INTER_AREA)
    fov, draw = find_fov(clean), (row["study"], row["seed"], row["number"])
    if fov is None:
        return None
    geometry = zip(Field._fields, (*clean.shape[1::-1], *fov.center, fov.radius), strict=False)
    return Case(clean, clean, fov.mask(), {}, {}, draw, dict(geometry))


def _case(row: Mapping, source_root: Path | None) -> Case | None:
    """Make the photograph of a row of a truth table; None if a real one shows no field or cannot be read."""
    if "source_path" in row:
        clean = _read_clean(row, source_root)
    else:
        clean = render_clean(Exposure(*(row[name] for name in Exposure._fields)))
    return clean and clean.spoil({defect: row[defect] for defect in DEFECTS})


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an RGB uint8 image as JPEG."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(data.tobytes())


def take(row: Mapping, source_root: Path | None, folder: Path) -> dict[str, float]:
    """Write the photograph of a row into a folder; return its geometry, {} if `_case` makes none."""
    if one := _case(row, source_root):
        write_jpeg(folder / f"{row['image_id']}.jpg", one.image)
    return one.geometry if one else {}


def case(root: Path | str, image_id: str, *, source_root: Path | str | None = None) -> Case:
    """Make a photograph of the set in the folder `root` again; InputError if there is none.

    Simulated sets need `source_root`, the folder of the real dataset that was spoilt.
    """
    path = Path(root) / "truth.parquet"
    if not path.is_file():
        raise InputError(f"{path} does not exist; {root} is not a phantom or simulated set")
    truth = pd.read_parquet(path)
    rows = truth[truth["image_id"] == image_id].to_dict("records")
    if not rows:
        raise InputError(f"{path}: no photograph {image_id!r}; e.g. {truth['image_id'].iloc[0]!r}")
    source = rows[0].get("source_path")
    if source and source_root is None:
        raise InputError(f"{source} is a real photograph; give source_root, the folder of its dataset")
    one = _case(rows[0], Path(source_root or ""))
    if one is None:
        where = Path(source_root) / source
        raise InputError(f"{where} cannot be read or shows no field of view; restore the file")
    return one
