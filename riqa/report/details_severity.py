"""Phantoms know how bad a detail is: their true severities, for chapters that are not yet rebuilt."""

from pathlib import Path

import pandas as pd

from riqa.labels import DETAILS

GROUPS = (*DETAILS, "artifact")


def read_severities(truth_file: Path) -> pd.DataFrame | None:
    """Read a phantom's true severities; None if the set has no such file, as real sets have none.

    Args:
        truth_file: the set's ``truth.parquet``.

    Returns:
        Index image_id, columns `GROUPS`, each in [0, 1]: how strongly each detail is spoilt, before any noise
        of experts.
    """
    if not truth_file.is_file():
        return None
    truth = pd.read_parquet(truth_file).set_index("image_id")
    return truth[[f"perceived_{group}" for group in GROUPS]].set_axis(list(GROUPS), axis=1)
