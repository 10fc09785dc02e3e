"""Writing files: none is ever half-written, no folder has two writers, and a refusal is one line."""

import errno
import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from riqa.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_REFUSALS = (
    *(errno.ENOSPC, errno.EDQUOT),  # no room
    *(errno.EACCES, errno.EPERM, errno.EROFS),  # forbidden
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),  # no place
)
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without locks answer
KEPT = "what is done is kept: "


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary sibling)` and rename the result to `path`, whose folder is made when missing.

    A reader sees the old file or the whole new one; after an error or an interrupt nothing is left behind.
    The mode is what the umask gives; some writers, such as safetensors, would let the owner alone read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The real ending stays last, because many writers choose their format by it.
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        if temporary.stat().st_mode != mode:
            temporary.chmod(mode)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a whole file, atomically; text as UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    atomic_write(path, lambda partial: partial.write_bytes(data))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically; NaN raises a ValueError, because JSON has none."""
    write_whole(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote; None when it is missing or was cut short."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def write_parquet(table: "pd.DataFrame", path: Path) -> None:
    """Write a table without its index; pyarrow opens no file whose path is not UTF-8."""
    path.write_bytes(table.to_parquet(index=False))


def read_parquet(path: Path) -> "pd.DataFrame":
    """Read a table that `write_parquet`, or another program, wrote."""
    import pandas as pd  # only now: a build with nothing to do needs no tables

    return pd.read_parquet(BytesIO(path.read_bytes()))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_digests(folder: Path, skip: str = "") -> dict[str, str]:
    """Return `file_digest` of every file but `skip` below a folder, if that is there, by relative path."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {name: file_digest(folder / name) for name in names if name != skip}


@contextmanager
def writing(folder: Path, kept: str = "") -> Iterator[None]:
    """Turn the refusal of a file system to write into a folder into one line, an InputError.

    `kept`, such as `KEPT`, says what becomes of what is done.
    """
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename or folder))  # the folder, one above it, or what lies in it
        related = where.is_relative_to(folder) or folder.is_relative_to(where)
        if error.errno not in _REFUSALS or not related:
            raise
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); {kept}make room or give another folder, and run "
            "it again"
        ) from None


def lock(stream: IO, busy: str) -> None:
    """Lock an open file for this process alone, until it ends, or raise InputError(busy) if another has."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(busy) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        print(f"riqa: {stream.name} cannot be locked; let no second process write there", file=sys.stderr)


@contextmanager
def only_writer(folder: Path, kept: str = "", busy: str = "") -> Iterator[None]:
    """Make a folder, unless it is there, and be its only writer, else raise InputError(busy)."""
    busy = busy or f"{folder} is being written by another process; wait until it ends, or give another folder"
    with writing(folder, kept):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as stream:
            lock(stream, busy)
            if not os.fstat(stream.fileno()).st_nlink:  # the other has just ended, and a third may have come
                raise InputError(busy)
            try:
                yield
            finally:
                (folder / ".lock").unlink(missing_ok=True)
