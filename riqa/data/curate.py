"""Curate a dataset: read every photograph, find its field of view, crop to it, keep the result in a store."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from riqa.data.fov import FieldOfView, crop_to_fov, find_fov
from riqa.data.manifest import Dataset
from riqa.data.read import UnreadableError, read_photograph
from riqa.data.store import Store, write_store

NO_FIELD = "no field of view found"
_CHUNK = 32  # photographs that a process curates at a time


def curate(dataset: Dataset, out: Path | str, size: int, workers: int = 1) -> Store:
    """Curate every photograph of a dataset into a store.

    Photographs that cannot be read or show no field of view are set aside with a reason in `set_aside.csv`.

    Args:
        dataset: Photographs and their manifest.
        out: Folder of the store; an older store there is replaced when the new one is whole.
        size: Side of the curated images, pixels.
        workers: Processes side by side; the bytes do not depend on it.

    Raises:
        InputError: If a split keeps no image.
        ValueError: If `size` or `workers` is not positive.
    """
    if size < 1 or workers < 1:
        raise ValueError(f"size and workers must be at least 1, got size={size}, workers={workers}")
    paths = [dataset.root / path for path in dataset.manifest["path"]]
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if workers == 1:
        curated = (_curate_chunk(chunk, size) for chunk in chunks)
    else:
        # A generator with few chunks ahead: memory holds those, and not the whole dataset.
        parallel = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1)
        curated = parallel(delayed(_curate_chunk)(chunk, size) for chunk in chunks)
    rows = tqdm(_flatten(curated), total=len(paths), desc=f"curate {dataset.name}", unit="image")
    return write_store(dataset, out, size, rows)


def curate_photograph(path: Path, size: int) -> tuple[np.ndarray | None, dict]:
    """Curate one photograph.

    Returns:
        uint8 (size, size, 3) and the numbers of its field of view (see `field_numbers`); or None and
        `{"reason": ...}`.
    """
    try:
        image = read_photograph(path)
    except UnreadableError as error:
        return None, {"reason": str(error)}
    fov = find_fov(image)
    if fov is None:
        return None, {"reason": NO_FIELD}
    return crop_to_fov(image, fov, size), field_numbers(fov)


def field_numbers(fov: FieldOfView) -> dict[str, float]:
    """Return a field of view as a flat row: height, width, x, y, radius, left, top, right, bottom, score."""
    names = ("height", "width", "x", "y", "radius", "left", "top", "right", "bottom", "score")
    return dict(zip(names, (*fov.shape, *fov.center, fov.radius, *fov.box, fov.score), strict=True))


def _curate_chunk(paths: list[Path], size: int) -> list[tuple[np.ndarray | None, dict]]:
    """Curate some photographs in this process, on one thread."""
    cv2.setNumThreads(1)
    return [curate_photograph(path, size) for path in paths]


def _flatten(chunks) -> Iterator[tuple[np.ndarray | None, dict]]:
    """Yield the rows of chunks one by one."""
    for chunk in chunks:
        yield from chunk
