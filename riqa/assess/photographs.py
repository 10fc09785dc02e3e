"""From what a technician names to crops that a model can judge: find the files, read ahead of the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from riqa.ahead import work_ahead
from riqa.data.fov import NoFieldError, read_and_crop
from riqa.data.images import SUFFIXES
from riqa.data.read import UnreadableError
from riqa.errors import InputError


@dataclass(frozen=True)
class Photograph:
    """A file that was read.

    Attributes:
        path: the file, as it was named.
        crop: uint8 (size, size, 3) RGB, as curation crops; None without a field of view.
        reason: why there is no crop; None where there is one.
    """

    path: Path
    crop: np.ndarray | None
    reason: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, or a folder without images, and why."""

    path: Path
    reason: str


def find_images(given: Sequence[Path]) -> tuple[list[Path], list[Unreadable]]:
    """List the files named, and the images in the folders named and below them.

    Args:
        given: files, taken whatever their ending, and folders, of which images count (`riqa.data.images`).

    Returns:
        Each file once, in the order given, a folder's sorted by path; and the folders without images.

    Raises:
        InputError: there is no file at all.
    """
    found: dict[Path, None] = {}
    empty = []
    for path in given:
        inside = [path]
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if _is_image(file)]
        if not inside:
            empty.append(Unreadable(path, "no image in this folder"))
        found |= dict.fromkeys(inside)
    if not found:
        named = ", ".join(map(str, given)) or "nothing"
        raise InputError(f"no image in {named}; name photographs ({' '.join(SUFFIXES)}), or folders of them")
    return list(found), empty


def read_ahead(
    paths: Sequence[Path], size: int, *, threads: int = 2, ahead: int = 64
) -> Iterator[Photograph | Unreadable]:
    """Read and crop files in threads, ahead of whoever uses them.

    Decoding and resizing run outside of Python's lock, so that they go on while a network computes.

    Args:
        paths: the files.
        size: side of the crops, pixels.
        threads: files read side by side.
        ahead: most files that are read, or being read, and not yet taken; memory holds no more.

    Yields:
        What came of each file, in the order of `paths`.

    Raises:
        ValueError: threads or ahead below 1.
    """
    yield from work_ahead(partial(_read, size=size), paths, threads=threads, ahead=ahead)


def _read(path: Path, size: int) -> Photograph | Unreadable:
    try:
        return Photograph(path, read_and_crop(path, size)[0])
    except NoFieldError as error:
        return Photograph(path, None, str(error))
    except UnreadableError as error:
        return Unreadable(path, str(error))


def _is_image(path: Path) -> bool:
    """Tell whether a path in a folder is an image by its ending; hidden files are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
