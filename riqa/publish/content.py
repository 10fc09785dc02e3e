"""Generated files: whole writes, writes only when something changed, and digests."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from riqa.files import atomic_write


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a whole file, atomically; text is encoded as UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    atomic_write(path, lambda partial: partial.write_bytes(data))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically; NaN is refused because JSON has none.

    Raises:
        ValueError: If the value holds NaN or an infinity.
    """
    write_whole(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_if_changed(path: Path, content: bytes | str) -> bool:
    """Write a file only when its bytes differ, so that its modification time means something.

    Returns:
        Whether the file was written.
    """
    wanted = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == wanted:
        return False
    write_whole(path, wanted)
    return True


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote; None when it is missing or was cut short."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_digests(folder: Path, skip: Iterable[str] = ()) -> dict[str, str]:
    """Digest every file below a folder.

    Args:
        folder: The folder; a missing one has no files.
        skip: Relative paths to leave out.

    Returns:
        SHA-256 by relative path (with ``/``), in sorted order.
    """
    left_out = set(skip)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {name: file_digest(folder / name) for name in names if name not in left_out}


def listing_digest(folder: Path) -> str:
    """Digest a folder's listing (names, sizes, modification times) without reading the files.

    It shows changes in a large data folder: 100,000 files take about a second. Links are followed, into each
    folder once.
    """
    lines, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(folders)
        seen.add(real)
        for name in sorted(names):
            path = os.path.join(place, name)
            try:
                status = os.stat(path)
                state = f"{status.st_size}\t{status.st_mtime_ns}"
            except OSError:  # a link that leads nowhere
                state = "missing"
            lines.append(f"{os.path.relpath(path, folder)}\t{state}")
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()
