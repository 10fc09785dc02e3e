"""The store: curated photographs as one memory-mapped array, with the manifest of its rows.

A store is a folder with

| file | holds |
|---|---|
| `images.npy` | uint8 (N, size, size, 3) RGB, black outside the field of view |
| `manifest.parquet` | the N rows, see `riqa.data.manifest.COLUMNS` |
| `fields.parquet` | the field of view found on each photograph, in its pixels |
| `set_aside.csv` | photographs that could not be used: image_id, path, reason |
| `ratings.parquet` | what single experts said of the N rows; only where that is known |
| `store.json` | size, versions, classes, counts, licence, findings, and the SHA-256 of the files above |

It grows in a sibling folder `<name>.partial` that is renamed when it is whole. Meanwhile `images.npy` has no
final header, and `journal.jsonl` holds the plan, then a line for each row of the manifest that is done. A
line follows its image: whenever a process is killed, the images that whole lines speak of are there.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset, describe, json_text, validate_manifest
from riqa.data.set_names import MADE
from riqa.errors import InputError
from riqa.files import KEPT, file_digest, lock, read_parquet, write_parquet, writing
from riqa.names import shown

_JOURNAL = "journal.jsonl"
_FILES = ("images.npy", "manifest.parquet", "fields.parquet", "set_aside.csv")
_RATINGS = "ratings.parquet"
_AGAIN = "delete the folder and curate again (riqa curate, or make book)"

Row = dict[str, Any]  # numbers of a field of view, or {"reason": why it was set aside}
Curated = tuple[np.ndarray | None, Row]
"""A curated image, uint8 (size, size, 3), with its field's numbers; or None with its reason."""


@dataclass(frozen=True)
class Plan:
    """What the images of a store follow from; what was begun by another plan is not gone on with."""

    size: int  # side of the images, pixels
    crop: int = 0  # version of the way from a file to its crop
    versions: dict[str, str] = field(default_factory=dict)  # of libraries that could change a pixel
    photographs: str = ""  # digest of their order, names and states on disk


@dataclass(frozen=True)
class Store:
    """Curated photographs.

    `meta` is what `store.json` holds: size, crop and versions of the `Plan`; n_images, n_set_aside, sha256;
    name, n_classes, class_names, citation, licence, findings and drawn, see `riqa.data.manifest.Dataset`.
    """

    images: np.ndarray  # (N, size, size, 3) uint8 RGB, memory-mapped and read-only
    manifest: pd.DataFrame  # the N rows in the order of `images`
    meta: dict
    root: Path
    ratings: pd.DataFrame | None = None  # what single experts said of these images, see `Dataset`


def write_store(
    dataset: Dataset, out: Path | str, plan: Plan, rows_from: Callable[[int], Generator[Curated]]
) -> Store:
    """Write a store row by row, so that memory holds one image however many there are.

    When this stops, by an error, Ctrl-C or a kill, the next call with the same plan goes on where it was, to
    the same bytes. `rows_from` makes the rows of the manifest from a given one on, in order; an older store
    in `out` is replaced at the end.

    Raises an InputError if the manifest breaks its contract, a split keeps no image (nothing is left behind
    then), `out` holds something that is not a store, it cannot be written, or another process writes it; a
    ValueError if `rows_from` gives too few or too many rows, or an image of another shape.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and ((out / "store.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out} exists and is not a store; give another folder or empty it")
    dataset = replace(dataset, manifest=validate_manifest(dataset.manifest, dataset.n_classes))
    folder = out.with_name(out.name + ".partial")
    with writing(folder, KEPT):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _JOURNAL).open("a+b") as journal:
            busy = "is being written by another process; wait until it ends, or give another folder"
            lock(journal, f"{folder} {busy}")
            (folder / "images.npy").touch()
            with (folder / "images.npy").open("r+b") as images:
                rows = _fill(images, journal, plan, folder, rows_from)
            if len(rows) != len(dataset.manifest):
                raise ValueError(f"{len(rows)} rows for {len(dataset.manifest)} images in the manifest")
            try:
                _write_tables(dataset, plan, rows, folder)
            except InputError:
                shutil.rmtree(folder)
                raise
            shutil.rmtree(out, ignore_errors=True)
            folder.rename(out)
            (out / _JOURNAL).unlink()  # last, because it is locked until here
    return open_store(out)


def _fill(images: BinaryIO, journal: BinaryIO, plan: Plan, folder: Path, rows_from: Callable) -> list[Row]:
    """Write the rows that a growing store lacks, and the final header of its images; return all rows."""
    rows = _resume(images, journal, plan, folder)
    shape = (plan.size, plan.size, 3)
    with closing(rows_from(len(rows))) as made:
        for image, numbers in made:
            if image is not None:
                if image.shape != shape or image.dtype != np.uint8:
                    raise ValueError(f"image must be uint8 {shape}, got {image.dtype} {image.shape}")
                images.write(image.tobytes())
                images.flush()
            _write_line(journal, numbers)
            rows.append(numbers)
    # NumPy pads the header so that the first axis can grow without moving the data.
    _write_header(images, plan.size, sum("reason" not in row for row in rows))
    return rows


def _resume(images: BinaryIO, journal: BinaryIO, plan: Plan, folder: Path) -> list[Row]:
    """Bring both files back to the last row that is whole, and return the rows up to there."""
    journal.seek(0)
    lines = journal.read().split(b"\n")[:-1]  # what follows the last line break is torn
    begun, wanted = _parse(lines[0]) if lines else None, asdict(plan)
    if begun is not None and begun != wanted:
        changed = ", ".join(name for name, value in wanted.items() if begun.get(name) != value)
        again = f"its {len(lines) - 1} photographs are curated anew"
        print(f"riqa: {shown(folder)} was begun with other settings ({changed}); {again}", file=sys.stderr)
    start, image_bytes = _write_header(images, plan.size, 0), plan.size**2 * 3
    n_there, n_kept, rows = (images.seek(0, os.SEEK_END) - start) // image_bytes, 0, []
    good = len(lines[0]) + 1 if begun == wanted else 0
    for line in lines[1:] if good else []:
        row = _parse(line)
        # After a power cut, unlike a kill, the journal may speak of images that never reached the disk.
        if row is None or n_kept + ("reason" not in row) > n_there:
            break
        rows.append(row)
        n_kept += "reason" not in row
        good += len(line) + 1
    journal.truncate(good)
    images.truncate(start + n_kept * image_bytes)
    images.seek(0, os.SEEK_END)
    if not good:
        _write_line(journal, wanted)
    return rows


def _parse(line: bytes) -> Row | None:
    """Return a line of the journal, or None if it is no JSON object."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _write_line(journal: BinaryIO, entry: Row) -> None:
    journal.write(json.dumps(entry).encode() + b"\n")
    journal.flush()


def _write_header(images: BinaryIO, size: int, n_images: int) -> int:
    """Write the header of a uint8 .npy file and return the position after it."""
    images.seek(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (n_images, size, size, 3)}
    np.lib.format.write_array_header_1_0(images, header)
    return images.tell()


def _write_tables(dataset: Dataset, plan: Plan, rows: list[Row], folder: Path) -> None:
    """Write manifest, fields, report of images set aside, experts' ratings and, last, store.json."""
    manifest, fields = dataset.manifest, pd.DataFrame([{"reason": None} | row for row in rows])
    reasons = fields.pop("reason")
    kept = reasons.isna()
    aside = manifest.loc[~kept, ["image_id", "path"]].map(shown).assign(reason=reasons[~kept])
    for split, own in manifest.groupby("split", sort=False):
        if not kept[own.index].any():
            first = aside.loc[own.index[0]]
            text = f"dataset {dataset.name}: no image of split {split} can be used; the first, "
            text += f"{dataset.root / first['path']}: {first['reason']}; restore the image files"
            raise InputError(text)
    fields = fields.astype("float64")
    fields.insert(0, "image_id", manifest["image_id"])
    aside.to_csv(folder / "set_aside.csv", index=False)
    tables = {"manifest.parquet": manifest[kept], "fields.parquet": fields[kept]}
    (folder / _RATINGS).unlink(missing_ok=True)  # of an earlier attempt, when there were ratings
    if (ratings := dataset.ratings) is not None:
        tables[_RATINGS] = ratings[ratings["image_id"].isin(manifest.loc[kept, "image_id"])]
    for name, table in tables.items():
        write_parquet(table.reset_index(drop=True), folder / name)
    meta = dict.fromkeys(("name", "n_classes", "class_names"))  # what stands first in the file
    meta |= {"size": plan.size, "crop": plan.crop, "versions": plan.versions}
    meta |= {"n_images": int(kept.sum()), "n_set_aside": int((~kept).sum())} | describe(dataset)
    meta["sha256"] = {name: file_digest(folder / name) for name in (*_FILES, *tables.keys() & {_RATINGS})}
    (folder / "store.json").write_text(json_text(meta), encoding="utf-8")


def open_store(root: Path | str) -> Store:
    """Open a store; raise an InputError that names the file that is missing, cut short or changed."""
    root = Path(root)
    told = root / "store.json"
    if not told.is_file():
        raise InputError(f"{told} does not exist; run riqa curate, or chapter 01_curate_images (make book)")
    try:
        meta = json.loads(told.read_text(encoding="utf-8"))
        digests, n_images, size = meta["sha256"], meta["n_images"], meta["size"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{told} cannot be read; {_AGAIN}") from None
    # Older stores did not say it; but no set of another kind can have these names.
    meta.setdefault("drawn", meta.get("name") in MADE)
    for name in (*_FILES, *digests.keys() & {_RATINGS}):
        if not (root / name).is_file():
            raise InputError(f"{root / name} is missing; {_AGAIN}")
        if file_digest(root / name) != digests.get(name):
            raise InputError(f"{root / name} was cut short or changed since it was written; {_AGAIN}")
    images = np.load(root / "images.npy", mmap_mode="r")
    manifest = validate_manifest(read_parquet(root / "manifest.parquet"), meta["n_classes"])
    if images.shape != (n_images, size, size, 3) or len(manifest) != n_images:
        raise InputError(f"{root}: {images.shape} images for {len(manifest)} rows of the manifest; {_AGAIN}")
    return Store(images, manifest, meta, root, read_parquet(root / _RATINGS) if _RATINGS in digests else None)
