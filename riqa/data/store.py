"""The store: curated photographs as one memory-mapped array, with the manifest of its rows.

A store is a folder with

| file | holds |
|---|---|
| `images.npy` | uint8 (N, size, size, 3) RGB, black outside the field of view |
| `manifest.parquet` | the N rows, see `riqa.data.manifest.COLUMNS` |
| `fields.parquet` | the field of view found on each photograph, in its pixels |
| `set_aside.csv` | photographs that could not be used: image_id, path, reason |
| `store.json` | size, classes, counts, licence, and the SHA-256 of the files above |

All is written into a sibling folder that is then renamed: a store is there whole or not at all.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.manifest import Dataset, validate_manifest
from riqa.errors import InputError
from riqa.labels import class_names

_FILES = ("images.npy", "manifest.parquet", "fields.parquet", "set_aside.csv")
_AGAIN = "delete the folder and run make book again"


@dataclass(frozen=True)
class Store:
    """Curated photographs.

    Attributes:
        images: (N, size, size, 3) uint8 RGB, memory-mapped and read-only.
        manifest: The N rows in the order of `images`.
        meta: What `store.json` holds: name, n_classes, class_names, size, n_images, n_set_aside, citation,
            licence, findings and sha256.
        root: The store's folder.
    """

    images: np.ndarray
    manifest: pd.DataFrame
    meta: dict
    root: Path


def write_store(
    dataset: Dataset,
    out: Path | str,
    size: int,
    rows: Iterable[tuple[np.ndarray | None, dict]],
) -> Store:
    """Write a store row by row, so that memory holds one image however many there are.

    Args:
        dataset: The photographs.
        out: Folder of the store; an older store there is replaced at the end.
        size: Side of the images, pixels.
        rows: For each row of the manifest, in order, the curated image uint8 (size, size, 3) with its field
            of view's numbers; or None with `{"reason": why it was set aside}`.

    Raises:
        InputError: If a split of the dataset keeps no image, or `out` holds something that is not a store.
        ValueError: If `rows` has another length than the manifest, or an image another shape.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and ((out / "store.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out} exists and is not a store; give another folder or empty it")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        outcomes = _write_images(partial / "images.npy", size, rows)
        _write_tables(dataset, partial, size, outcomes)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_store(out)


def open_store(root: Path | str) -> Store:
    """Open a store, after checking that it is whole.

    Raises:
        InputError: Naming the file that is missing, cut short or changed.
    """
    root = Path(root)
    if not (root / "store.json").is_file():
        raise InputError(
            f"{root / 'store.json'} does not exist; run chapter 01_curate_images (make book) first"
        )
    try:
        meta = json.loads((root / "store.json").read_text(encoding="utf-8"))
        digests, n_images, size = meta["sha256"], meta["n_images"], meta["size"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{root / 'store.json'} cannot be read; {_AGAIN}") from None
    for name in _FILES:
        path = root / name
        if not path.is_file():
            raise InputError(f"{path} is missing; {_AGAIN}")
        if _digest(path) != digests.get(name):
            raise InputError(f"{path} was cut short or changed since it was written; {_AGAIN}")
    images = np.load(root / "images.npy", mmap_mode="r")
    manifest = validate_manifest(pd.read_parquet(root / "manifest.parquet"), meta["n_classes"])
    if images.shape != (n_images, size, size, 3) or len(manifest) != n_images:
        raise InputError(f"{root}: {images.shape} images for {len(manifest)} rows of the manifest; {_AGAIN}")
    return Store(images, manifest, meta, root)


def _write_images(path: Path, size: int, rows: Iterable[tuple[np.ndarray | None, dict]]) -> list[dict]:
    """Append images to an .npy file whose header is filled in at the end, and return every row's numbers."""
    outcomes, kept = [], 0
    with path.open("wb") as file:
        start = _write_header(file, (0, size, size, 3))
        for image, numbers in rows:
            outcomes.append(numbers)
            if image is None:
                continue
            if image.shape != (size, size, 3) or image.dtype != np.uint8:
                raise ValueError(f"image must be uint8 ({size}, {size}, 3), got {image.dtype} {image.shape}")
            file.write(image.tobytes())
            kept += 1
        file.seek(0)
        # NumPy pads the header so that the first axis can grow without moving the data.
        if _write_header(file, (kept, size, size, 3)) != start:
            raise AssertionError("the header of an .npy file changed its length")
    return outcomes


def _write_header(file, shape: tuple[int, ...]) -> int:
    """Write the header of a uint8 .npy file and return the position after it."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _write_tables(dataset: Dataset, partial: Path, size: int, outcomes: list[dict]) -> None:
    """Write manifest, fields, report of images set aside and, last, store.json."""
    manifest = validate_manifest(dataset.manifest, dataset.n_classes)
    if len(outcomes) != len(manifest):
        raise ValueError(f"{len(outcomes)} rows for {len(manifest)} images in the manifest")
    table = pd.DataFrame(outcomes, index=manifest.index)
    reasons = table["reason"] if "reason" in table else pd.Series(np.nan, index=manifest.index)
    kept = reasons.isna()
    aside = manifest.loc[~kept, ["image_id", "path"]].assign(reason=reasons[~kept])
    for split in manifest["split"].unique():
        if not (kept & (manifest["split"] == split)).any():
            first = aside.loc[manifest.index[manifest["split"] == split][0]]
            raise InputError(
                f"dataset {dataset.name}: no image of split {split} can be used; the first, "
                f"{dataset.root / first['path']}: {first['reason']}; restore the image files"
            )
    fields = table[kept].drop(columns="reason", errors="ignore").astype("float64")
    fields.insert(0, "image_id", manifest.loc[kept, "image_id"])
    manifest[kept].reset_index(drop=True).to_parquet(partial / "manifest.parquet", index=False)
    fields.reset_index(drop=True).to_parquet(partial / "fields.parquet", index=False)
    aside.to_csv(partial / "set_aside.csv", index=False)
    meta = {
        "name": dataset.name,
        "n_classes": dataset.n_classes,
        "class_names": list(class_names(dataset.n_classes)) if dataset.n_classes else None,
        "size": size,
        "n_images": int(kept.sum()),
        "n_set_aside": int((~kept).sum()),
        "citation": dataset.citation,
        "licence": dataset.licence,
        "findings": list(dataset.findings),
        "sha256": {name: _digest(partial / name) for name in _FILES},
    }
    text = json.dumps(meta, indent=1, ensure_ascii=False) + "\n"
    (partial / "store.json").write_text(text, encoding="utf-8")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
