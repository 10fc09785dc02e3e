"""Simulated details: real good photographs, spoilt on purpose and judged by the simulated experts.

A Teacher can so learn quality details on real images that no expert has labelled.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from riqa.data.findings import Finding
from riqa.data.fov import find_fov
from riqa.data.manifest import COLUMNS, Dataset
from riqa.data.read import UnreadableError, read_photograph
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.names import to_path
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.folder import finish_folder, start_folder, truth_columns
from riqa.phantom.photograph import generator, run_all, spoil, write_jpeg
from riqa.phantom.raters import expert_labels
from riqa.phantom.trouble import TROUBLE, draw_severities

_STUDY = "simulated_details"


def simulated_details(
    source: Dataset, out: Path | str, *, draws: int = 1, seed: int = 0, workers: int = 1, size: int = 512
) -> Dataset:
    """Spoil the good photographs of a real dataset with random defects and label the details.

    Severities are drawn as in `phantom_details`: none, one or several defects, mild ones too. Patients
    and splits stay as they are. Photographs that cannot be read or show no field of view are left out and
    counted in the findings.

    Args:
        source: Dataset with overall labels; photographs of its best class are used.
        out: Folder to make; an older set there is replaced.
        draws: How many spoilt versions are made of each photograph.
        seed: Seed of severities, defects and experts.
        workers: Processes side by side; the bytes do not depend on it.
        size: Wider photographs are reduced to this width first, pixels.

    Returns:
        The dataset "simulated_details", also written to `out`.

    Raises:
        InputError: If the source has no good photograph, or none of them can be used.
        ValueError: If `draws` is below 1.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    best = (source.n_classes or 0) - 1
    good = source.manifest[source.manifest["overall"] == best]
    if good.empty:
        raise InputError(
            f"{source.root}: dataset {source.name} has no photograph labelled good; nothing to spoil"
        )
    partial = start_folder(Path(out))
    rng = generator(_STUDY, seed, 10)
    plan = good.loc[good.index.repeat(draws)].reset_index(drop=True)
    draw = np.tile(np.arange(draws), len(good))
    ids = plan["image_id"] + ("" if draws == 1 else pd.Series(draw).map("_d{}".format))
    severities = draw_severities(len(plan), TROUBLE["details"], rng)
    jobs = []
    for k, row in enumerate(plan.itertuples()):
        present = {defect: float(severities[defect][k]) for defect in DEFECTS if severities[defect][k] > 0}
        jobs.append(
            (
                Path(source.root) / to_path(row.path),
                partial / "images" / f"{ids[k]}.jpg",
                seed,
                k,
                size,
                present,
            )
        )
    geometry = run_all(_spoil_file, jobs, workers, _STUDY)

    labels, ratings = expert_labels(ids, severities, rng)
    key = pd.DataFrame(
        {
            "image_id": ids,
            "study": _STUDY,
            "seed": seed,
            "number": np.arange(len(plan)),
            "size": size,
            "source_image_id": plan["image_id"],
            "source_path": plan["path"],
        }
    )
    made = np.array([one is not None for one in geometry])
    if not made.any():
        raise InputError(
            f"{source.root}: none of {len(good)} good photographs shows a field of view; check the files"
        )
    truth = pd.concat([key, pd.DataFrame([one or {} for one in geometry]), truth_columns(severities)], axis=1)
    plan = plan.assign(image_id=ids, path="images/" + ids + ".jpg", dataset=_STUDY, overall=np.nan)
    plan = plan.assign(**dict(zip(DETAILS, labels.T, strict=True)))
    ratings = ratings[ratings["image_id"].isin(ids[made])].reset_index(drop=True)
    left_out = len(good) - plan.loc[made, "patient_id"].size // draws
    text = f"{left_out} good photographs without a readable field of view were left out"
    findings = (Finding("no-field", "warning", text),) if left_out else ()
    dataset = Dataset(
        _STUDY,
        partial,
        plan.loc[made, list(COLUMNS)].reset_index(drop=True),
        None,
        source.citation,
        source.licence,
        findings,
        drawn=source.drawn,
    )
    return finish_folder(dataset, truth[made].reset_index(drop=True), ratings, Path(out))


def read_reduced(path: Path, size: int) -> np.ndarray | None:
    """Read a photograph as RGB uint8, at most `size` pixels wide; None if it cannot be read."""
    try:
        image = read_photograph(path)
    except UnreadableError:
        return None
    if image.shape[1] > size:
        height = max(1, round(image.shape[0] * size / image.shape[1]))
        image = cv2.resize(image, (size, height), interpolation=cv2.INTER_AREA)
    return image


def _spoil_file(
    source: Path, target: Path, seed: int, number: int, size: int, severities: dict[str, float]
) -> dict[str, float] | None:
    """Spoil one file; None when it shows no field of view."""
    image = read_reduced(source, size)
    field = None if image is None else find_fov(image)
    if field is None:
        return None
    spoilt, _ = spoil(image, field.mask(), _STUDY, seed, number, severities)
    write_jpeg(target, spoilt)
    return {
        "width": image.shape[1],
        "height": image.shape[0],
        "fov_x": float(field.center[0]),
        "fov_y": float(field.center[1]),
        "fov_radius": float(field.radius),
    }
