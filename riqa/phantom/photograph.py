"""One photograph of a study from its few numbers: what the workers run, and what re-renders a case.

A photograph is determined by (seed, study, patient, side, view, camera, number, size, severities). Each
purpose has a generator of its own from `numpy.random.SeedSequence`, so any number of workers writes the
same bytes, and both eyes of a patient come from the same patient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from riqa.phantom.anatomy import draw_eye, draw_patient
from riqa.phantom.cameras import CAMERAS
from riqa.phantom.degrade import degrade
from riqa.phantom.fundus import Fundus, render_fundus
from riqa.terminal import progress_bar
from riqa.workers import call_in_workers

STUDIES = ("phantom_details", "phantom_grades", "phantom_eyes", "phantom_observers", "simulated_details")
"""Names of the studies; the position goes into the random seeds."""

JPEG_QUALITY = 92

_PATIENT, _EYE, _EXPOSURE, _DEFECTS = range(4)


@dataclass(frozen=True)
class Exposure:
    """Everything that determines one photograph.

    Attributes:
        study: One of `STUDIES`.
        seed: Seed of the study.
        patient: Number of the patient.
        number: Number of the photograph.
        side: "left" or "right".
        view: "macula" or "disc".
        camera: Key of `riqa.phantom.cameras.CAMERAS`.
        size: Nominal width, pixels.
        severities: Severity of each defect present.
    """

    study: str
    seed: int
    patient: int
    number: int
    side: str
    view: str
    camera: str
    size: int
    severities: Mapping[str, float]


def generator(study: str, seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """Return the random generator of one purpose within a study.

    Raises:
        ValueError: For an unknown study.
    """
    if study not in STUDIES:
        raise ValueError(f"study must be one of {STUDIES}, got {study!r}")
    return np.random.default_rng(np.random.SeedSequence([seed, STUDIES.index(study), purpose, *numbers]))


def render_clean(exposure: Exposure) -> Fundus:
    """Render the photograph without its defects."""
    key = (exposure.study, exposure.seed)
    patient = draw_patient(generator(*key, _PATIENT, exposure.patient))
    eye = draw_eye(
        patient,
        exposure.side,
        generator(*key, _EYE, exposure.patient, ("left", "right").index(exposure.side)),
    )
    rng = generator(*key, _EXPOSURE, exposure.number)
    return render_fundus(eye, exposure.view, CAMERAS[exposure.camera], rng, exposure.size)


def spoil(
    image: np.ndarray,
    fov_mask: np.ndarray,
    study: str,
    seed: int,
    number: int,
    severities: Mapping[str, float],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Add a photograph's defects; see `riqa.phantom.degrade.degrade`."""
    return degrade(image, fov_mask, severities, generator(study, seed, _DEFECTS, number))


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an RGB uint8 image as JPEG; the folder that it goes to is renamed when the set is whole."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(data.tobytes())


def photograph(exposure: Exposure, path: Path) -> dict[str, float]:
    """Render, spoil and write one photograph.

    Returns:
        Geometry of the field of view: `fov_x`, `fov_y`, `fov_radius` in pixels, `fov_cut` in radii, and
        `width`, `height`.
    """
    fundus = render_clean(exposure)
    image, _ = spoil(
        fundus.image, fundus.fov_mask, exposure.study, exposure.seed, exposure.number, exposure.severities
    )
    write_jpeg(path, image)
    field = fundus.field
    return {
        "width": field.width,
        "height": field.height,
        "fov_x": float(field.cx),
        "fov_y": float(field.cy),
        "fov_radius": float(field.radius),
        "fov_cut": float(field.cut),
    }


def run_all(function: Callable, jobs: Sequence[tuple], workers: int, title: str) -> list:
    """Call `function(*job)` for every job, in processes side by side when `workers` > 1.

    Args:
        function: A module-level function.
        jobs: Arguments of each call.
        workers: Number of processes; it never changes the results.
        title: Shown at the progress bar.

    Returns:
        The results in the order of the jobs.

    Raises:
        ValueError: If `workers` is below 1.
        InputError: If a worker was killed.
    """
    if workers == 1:
        return [function(*job) for job in progress_bar(jobs, desc=title, unit="image")]
    results = call_in_workers(partial(_on_one_thread, function), jobs, workers)
    return list(progress_bar(results, total=len(jobs), desc=title, unit="image"))


def _on_one_thread(function: Callable, *job: object) -> object:
    """Call a function; OpenCV would start threads in every process."""
    cv2.setNumThreads(1)
    return function(*job)
