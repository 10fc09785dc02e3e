"""Writing files: none is ever half-written, no folder has two writers, and a refusal is one line."""

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from riqa.errors import InputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)
KEPT = "what is done is kept: "
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without locks answer


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary sibling)` and rename the result to `path`.

    A reader sees the old file or the whole new one; after an error or an interrupt nothing is left behind.
    The file has the mode that the umask gives; some writers, such as safetensors, would
    let its owner alone read.

    Args:
        path: Final file; its folder is made when missing.
        write: Function that writes one file to the path it is given.
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


@contextmanager
def writing(folder: Path, kept: str = "") -> Iterator[None]:
    """Turn the refusal of a file system to write into a folder into one line.

    Args:
        folder: The folder.
        kept: What becomes of what is done, for the message, such as `KEPT`.

    Raises:
        InputError: If there is no room, no permission, or a file in the way.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (*_NO_ROOM, *_FORBIDDEN, *_NO_PLACE):
            raise
        where = Path(os.fsdecode(error.filename or folder))  # the folder, one above it, or what lies in it
        if not (where.is_relative_to(folder) or folder.is_relative_to(where)):
            raise
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); {kept}make room or give another folder, and run "
            "it again"
        ) from None


def lock(stream: IO, busy: str) -> None:
    """Lock an open file for this process alone; the lock ends with the process, however that ends.

    Raises:
        InputError: `busy`, if another process has locked it.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(busy) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        print(f"riqa: {stream.name} cannot be locked; let no second process write there", file=sys.stderr)


@contextmanager
def only_writer(folder: Path, kept: str = "") -> Iterator[None]:
    """Make a folder, unless it is there, and be the only one who writes into it meanwhile; see `writing`.

    Raises:
        InputError: If another process writes there, or it cannot be written.
    """
    with writing(folder, kept):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as stream:
            busy = f"{folder} is being written by another process; wait until it ends, or give another folder"
            lock(stream, busy)
            if not os.fstat(stream.fileno()).st_nlink:  # the other has just ended, and a third may have come
                raise InputError(busy)
            try:
                yield
            finally:
                (folder / ".lock").unlink(missing_ok=True)
