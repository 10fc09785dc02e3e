"""Writing files so that none is ever half-written, and whoever may read others may read them."""

import os
from collections.abc import Callable
from pathlib import Path


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
