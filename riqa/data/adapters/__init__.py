"""The datasets that can be read, by name: one file each, which alone knows its publisher's code and traps."""

from pathlib import Path

from riqa.data.adapters.deepdrid import read_deepdrid
from riqa.data.adapters.eyeq import read_eyeq, read_eyeq_d
from riqa.data.adapters.fives import read_fives
from riqa.data.adapters.mshf import read_mshf
from riqa.data.adapters.table import read_table
from riqa.data.catalogue import to_dataset
from riqa.data.manifest import Dataset
from riqa.data.set_names import PUBLISHED, TABLE
from riqa.data.walk import as_on_disk
from riqa.errors import InputError

NAMES = (*PUBLISHED, TABLE)
_READERS = dict(
    zip(NAMES, (read_eyeq, read_eyeq_d, read_mshf, read_deepdrid, read_fives, read_table), strict=True)
)


def read_catalogue(name: str, root: Path | str, seed: int = 0) -> Dataset:
    """Read the labels of one of `NAMES` and find which of its images are there, see `riqa.data.catalogue`.

    `root` is its folder, in its publisher's layout; `seed` draws the splits of sets without published ones.
    Raises an InputError if no dataset has that name, or its folder or a label file is missing, not readable
    or not understood, a label lies outside its code, or an image is named twice or not as published.
    """
    if name not in _READERS:
        raise InputError(f"there is no dataset named {name!r}; there are {', '.join(NAMES)}")
    try:
        return _READERS[name](as_on_disk(Path(root)), seed=seed)
    except PermissionError as error:
        raise InputError(f"{error.filename}: no permission to read it; ask its owner") from None


def load(name: str, root: Path | str, *, seed: int = 0, strict: bool = False) -> Dataset:
    """Load the images of a dataset that are there; see `read_catalogue` and `to_dataset`."""
    return to_dataset(read_catalogue(name, root, seed), strict)
