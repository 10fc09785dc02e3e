"""Tables as parquet files, in folders of any name."""

from io import BytesIO
from pathlib import Path

import pandas as pd


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index; pyarrow opens no file whose path is not UTF-8."""
    path.write_bytes(table.to_parquet(index=False))


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table that `write_parquet`, or another program, wrote."""
    return pd.read_parquet(BytesIO(path.read_bytes()))
