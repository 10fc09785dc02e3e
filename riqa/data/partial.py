"""A store that grows: images on disk and a journal beside them, so that a killed curation goes on.

The folder holds `images.npy`, without its final header, and `journal.jsonl`: first the plan, then a line for
each row of the manifest that is done. A line is appended after its image, so whatever moment a process is
killed at, the images that whole lines speak of are there.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from riqa.files import KEPT, lock, writing
from riqa.names import shown

JOURNAL = "journal.jsonl"
Row = dict[str, Any]  # numbers of a field of view, or {"reason": ...}


@dataclass(frozen=True)
class Plan:
    """What the images of a store follow from; what was begun by another plan is not gone on with.

    Attributes:
        size: Side of the images, pixels.
        crop: Version of the way from a file to its crop.
        versions: Libraries whose change could change a pixel, and their versions.
        photographs: Digest of the photographs: their order, names and states on disk.
    """

    size: int
    crop: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    photographs: str = ""


class Partial:
    """The open files of a growing store; see `open_partial`.

    Attributes:
        rows: For each row that is done its numbers, or `{"reason": why it was set aside}`.
    """

    def __init__(self, images: BinaryIO, journal: BinaryIO, plan: Plan, rows: list[Row]) -> None:
        self.rows = rows
        self._images, self._journal, self._size = images, journal, plan.size

    def append(self, image: np.ndarray | None, numbers: Row) -> None:
        """Add the next row: an image, uint8 (size, size, 3), with its numbers; or None with its reason.

        Raises:
            ValueError: If the image has another shape or type.
        """
        size = self._size
        if image is not None:
            if image.shape != (size, size, 3) or image.dtype != np.uint8:
                raise ValueError(f"image must be uint8 ({size}, {size}, 3), got {image.dtype} {image.shape}")
            self._images.write(image.tobytes())
            self._images.flush()
        _write_line(self._journal, numbers)
        self.rows.append(numbers)

    def finish_images(self) -> None:
        """Write the final header of `images.npy`."""
        start = _write_header(self._images, self._size, 0)
        # NumPy pads the header so that the first axis can grow without moving the data.
        if _write_header(self._images, self._size, sum(map(_is_kept, self.rows))) != start:
            raise AssertionError("the header of an .npy file changed its length")
        self._images.flush()


@contextmanager
def open_partial(folder: Path, plan: Plan) -> Iterator[Partial]:
    """Resume the growing store in a folder, or begin one, locked against other processes.

    Raises:
        InputError: If another process writes it, or the folder cannot be written.
    """
    with writing(folder, KEPT):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / JOURNAL).open("a+b") as journal:
            lock(
                journal,
                f"{folder} is being written by another process; wait until it ends, or give another folder",
            )
            (folder / "images.npy").touch()
            with (folder / "images.npy").open("r+b") as images:
                yield Partial(images, journal, plan, _resume(images, journal, plan, folder))


def _resume(images: BinaryIO, journal: BinaryIO, plan: Plan, folder: Path) -> list[Row]:
    """Bring both files back to the last row that is whole, and return the rows up to there."""
    journal.seek(0)
    lines = journal.read().split(b"\n")[:-1]  # what follows the last line break is torn
    begun = _parse(lines[0]) if lines else None
    if begun is not None and begun != asdict(plan):
        changed = ", ".join(name for name, value in asdict(plan).items() if begun.get(name) != value)
        print(
            f"riqa: {shown(folder)} was begun with other settings ({changed}); "
            f"its {len(lines) - 1} photographs are curated anew",
            file=sys.stderr,
        )
    start, image_bytes = _write_header(images, plan.size, 0), plan.size**2 * 3
    n_there, n_kept, rows = (images.seek(0, os.SEEK_END) - start) // image_bytes, 0, []
    good = len(lines[0]) + 1 if begun == asdict(plan) else 0
    for line in lines[1:] if good else []:
        row = _parse(line)
        # After a power cut, unlike a kill, the journal may speak of images that never reached the disk.
        if row is None or n_kept + _is_kept(row) > n_there:
            break
        rows.append(row)
        n_kept += _is_kept(row)
        good += len(line) + 1
    journal.truncate(good)
    images.truncate(start + n_kept * image_bytes)
    images.seek(0, os.SEEK_END)
    if not good:
        _write_line(journal, asdict(plan))
    return rows


def _parse(line: bytes) -> Row | None:
    """Return a line of the journal, or None if it is no JSON object."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _write_line(journal: BinaryIO, entry: Row) -> None:
    """Append a line to the journal."""
    journal.write(json.dumps(entry).encode() + b"\n")
    journal.flush()


def _is_kept(row: Row) -> bool:
    """Tell whether the row of a journal has an image, and was not set aside."""
    return "reason" not in row


def _write_header(images: BinaryIO, size: int, n_images: int) -> int:
    """Write the header of a uint8 .npy file and return the position after it."""
    images.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (n_images, size, size, 3)}
    np.lib.format.write_array_header_1_0(images, header)
    return images.tell()
