"""From file and folder names to crops that a model can judge: find the files, read ahead of the network."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from riqa.data.fov import NoFieldError, read_and_crop
from riqa.data.read import UnreadableError
from riqa.data.walk import SUFFIXES, PassedOver, as_on_disk, walk_images
from riqa.errors import InputError
from riqa.workers import work_ahead


@dataclass(frozen=True)
class Photograph:
    """A file that was read.

    Attributes:
        path: The file, as it was named.
        crop: uint8 (size, size, 3) RGB, as curation crops; None without a field of view.
        reason: Why there is no crop; None where there is one.
    """

    path: Path
    crop: np.ndarray | None
    reason: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, or a folder without images or that cannot be entered, and why."""

    path: Path
    reason: str


def find_images(
    given: Sequence[Path], passed: PassedOver | None = None
) -> tuple[list[Path], list[Unreadable]]:
    """List the files named, and the images in the folders named and below them.

    Args:
        given: Files, taken whatever their ending, and folders, of which images count (`riqa.data.walk`).
        passed: Gets what was passed over.

    Returns:
        Each file once, in the order given, a folder's sorted by path; and the folders without images, or that
        cannot be entered.

    Raises:
        InputError: If there is no file at all.
    """
    passed = PassedOver() if passed is None else passed
    mixed = len({path.is_absolute() for path in given}) > 1  # a file may be named in both ways
    found: dict[Path, Path] = {}
    empty = []
    for path in map(as_on_disk, given):
        inside = [path]
        if os.path.isdir(path):
            known = len(passed.barred)
            inside = [Path(name) for name in walk_images(path, path.as_posix(), passed)]
            barred = [Unreadable(Path(name), why) for name, why in list(passed.barred.items())[known:]]
            empty += barred if inside or barred else [Unreadable(path, "no image in this folder")]
        for file in inside:
            found.setdefault(file.absolute() if mixed else file, file)
    if not found:
        named = ", ".join(map(str, given)) or "nothing"
        why = [f"{name}: {reason}" for name, reason in passed.barred.items()]
        why += [f"passed over: {passed}"] if str(passed) else []
        raise InputError(
            f"no image in {named}; name photographs ({' '.join(SUFFIXES)} and others), or folders of them"
            + "".join(f"; {reason}" for reason in why)
        )
    return list(found.values()), empty


def read_ahead(
    paths: Sequence[Path], size: int, *, threads: int = 2, ahead: int = 64
) -> Iterator[Photograph | Unreadable]:
    """Read and crop files in threads, ahead of their use.

    Decoding and resizing run outside of Python's lock, so that they go on while a network computes.

    Args:
        paths: The files.
        size: Side of the crops, pixels.
        threads: Files read side by side.
        ahead: Most files that are read, or being read, and not yet taken; memory holds no more.

    Yields:
        The result of each file, in the order of `paths`.

    Raises:
        ValueError: If `threads` or `ahead` is below 1.
    """
    yield from work_ahead(partial(_read, size=size), paths, threads=threads, ahead=ahead)


def _read(path: Path, size: int) -> Photograph | Unreadable:
    try:
        return Photograph(path, read_and_crop(path, size)[0])
    except NoFieldError as error:
        return Photograph(path, None, str(error))
    except UnreadableError as error:
        return Unreadable(path, str(error))
