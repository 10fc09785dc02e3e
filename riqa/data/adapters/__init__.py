"""The datasets that can be read, by name: one file each, which alone knows its publisher's code and traps."""

from pathlib import Path

from riqa.data.catalogue import Catalogue, to_dataset
from riqa.data.manifest import Dataset
from riqa.data.set_names import PUBLISHED, TABLE
from riqa.data.walk import as_on_disk
from riqa.errors import InputError

NAMES = (*PUBLISHED, TABLE)


def read_catalogue(name: str, root: Path | str, seed: int = 0) -> Catalogue:
    """Read the labels of a dataset and find which of its images are there.

    Args:
        name: One of `NAMES`.
        root: The dataset's folder, in its publisher's layout.
        seed: Seed of the splits that are drawn here, in sets without a published one.

    Raises:
        InputError: If no dataset has that name, or its folder or a label file is missing, not readable or not
            understood, a label lies outside its code, or an image is named twice or not as published.
    """
    match name:
        case "eyeq":
            from riqa.data.adapters.eyeq import read_eyeq as read
        case "eyeq_d":
            from riqa.data.adapters.eyeq import read_eyeq_d as read
        case "mshf":
            from riqa.data.adapters.mshf import read_mshf as read
        case "deepdrid":
            from riqa.data.adapters.deepdrid import read_deepdrid as read
        case "fives":
            from riqa.data.adapters.fives import read_fives as read
        case "table":
            from riqa.data.adapters.table import read_table as read
        case _:
            raise InputError(f"there is no dataset named {name!r}; there are {', '.join(NAMES)}")
    try:
        return read(as_on_disk(Path(root)), seed=seed)
    except PermissionError as error:
        raise InputError(f"{error.filename}: no permission to read it; ask its owner") from None


def load(name: str, root: Path | str, *, seed: int = 0, strict: bool = False) -> Dataset:
    """Load the images of a dataset that are there; see `read_catalogue` and `to_dataset`."""
    return to_dataset(read_catalogue(name, root, seed), strict)
