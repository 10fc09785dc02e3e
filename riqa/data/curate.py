"""Curate a dataset: read every photograph, find its field of view, crop to it, keep the result in a store."""

import hashlib
from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

from riqa.data.fields import field_numbers
from riqa.data.fov import read_and_crop
from riqa.data.manifest import Dataset
from riqa.data.read import UnreadableError
from riqa.data.store import Curated, Plan, Store, write_store
from riqa.errors import InputError
from riqa.names import to_path
from riqa.terminal import progress_bar
from riqa.workers import WorkerKilledError, call_in_workers

CROP_VERSION = 4  # raise it whenever the same photograph gives other pixels or numbers than before


def curate(dataset: Dataset, out: Path | str, size: int, workers: int = 1) -> Store:
    """Curate every photograph of a dataset into a store of images of `size` pixels a side.

    Photographs that cannot be read or show no field of view are set aside with a reason in `set_aside.csv`.
    A curation that was stopped or killed resumes where it was when it is called again, unless a photograph,
    the size, or a library has changed since. The bytes do not depend on the number of `workers`, processes
    side by side. An older store in `out` is replaced, and errors raised, as by `write_store`; an InputError
    also if a worker was killed, and a ValueError if `size` or `workers` is not positive.
    """
    if size < 1 or workers < 1:
        raise ValueError(f"size and workers must be at least 1, got size={size}, workers={workers}")
    versions = {"numpy": np.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}
    plan = Plan(size, CROP_VERSION, versions, _digest(dataset))
    jobs = [(dataset.root / to_path(path), size) for path in dataset.manifest["path"]]
    rows_from = partial(each_image, curate_photograph, jobs, workers, f"curate {dataset.name}")
    try:
        return write_store(dataset, out, plan, rows_from)
    except WorkerKilledError as error:
        raise InputError(f"dataset {dataset.name}: {error}; what is done is kept") from None


def curate_photograph(path: Path, size: int) -> Curated:
    """Curate one photograph: its crop and field of view (see `field_numbers`), or why there is none."""
    try:
        image, fov = read_and_crop(path, size)
    except UnreadableError as error:  # no field of view is one of the kinds
        return None, {"reason": str(error)}
    except Exception as error:
        error.add_note(f"while curating {path}")
        raise
    return image, field_numbers(fov)


def _digest(dataset: Dataset) -> str:
    """Return a digest of the photographs: order, names, and each file's size and time of change."""
    digest = hashlib.sha256()
    for image_id, path in zip(dataset.manifest["image_id"], dataset.manifest["path"], strict=True):
        try:
            facts = (dataset.root / to_path(path)).stat()
            state = f"{facts.st_size} {facts.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(f"{image_id}\n{path}\n{state}\n".encode())
    return digest.hexdigest()


def each_image(
    function: Callable, jobs: Sequence[tuple], workers: int, title: str, start: int = 0
) -> Generator[Any]:
    """Call a module's `function(*job)` for every job from `start` on; yield the results in their order.

    ValueError if `workers`, processes side by side, are below 1; WorkerKilledError if one was killed.
    """
    alone, rest = partial(_on_one_thread, function), jobs[start:]
    made = starmap(alone, rest) if workers == 1 else call_in_workers(alone, rest, workers)
    yield from progress_bar(made, total=len(jobs), initial=start, desc=title, unit="image")


def _on_one_thread(function: Callable, *job: object) -> object:
    """Call a function; OpenCV would start threads in every process."""
    cv2.setNumThreads(1)
    return function(*job)
