"""Writing files so that none is ever half-written, and tables into folders of any name."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary sibling)` and rename the result to `path`.

    A reader sees the old file or the whole new one; after an error or an interrupt nothing is left behind.

    Args:
        path: Final file; its folder is made when missing.
        write: Function that writes one file to the path it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The real ending stays last, because many writers choose their format by it.
    temporary = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_parquet(table: "pd.DataFrame", path: Path) -> None:
    """Write a table without its index; pyarrow opens no file whose path is not UTF-8."""
    path.write_bytes(table.to_parquet(index=False))


def read_parquet(path: Path) -> "pd.DataFrame":
    """Read a table that `write_parquet`, or another program, wrote."""
    import pandas as pd

    return pd.read_parquet(BytesIO(path.read_bytes()))
