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

All is written into a sibling folder that is then renamed: a store is there whole or not at all. What was
stopped half-way goes on from there, see `riqa.data.partial`.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.findings import to_json
from riqa.data.manifest import Dataset, validate_manifest
from riqa.data.partial import JOURNAL, Plan, Row, open_partial
from riqa.data.set_names import MADE
from riqa.errors import InputError
from riqa.files import read_parquet, write_parquet
from riqa.labels import class_names
from riqa.names import shown

_FILES = ("images.npy", "manifest.parquet", "fields.parquet", "set_aside.csv")
_RATINGS = "ratings.parquet"
_AGAIN = "delete the folder and curate again (riqa curate, or make book)"


@dataclass(frozen=True)
class Store:
    """Curated photographs.

    Attributes:
        images: (N, size, size, 3) uint8 RGB, memory-mapped and read-only.
        manifest: The N rows in the order of `images`.
        meta: What `store.json` holds: name, n_classes, class_names, size, crop (version of the way from a
            file to its crop), versions (of the libraries on that way), n_images, n_set_aside, citation,
            licence, findings, drawn (see `riqa.data.manifest.Dataset`) and sha256.
        root: The store's folder.
        ratings: What single experts said of these images, or None, see `riqa.data.manifest.Dataset`.
    """

    images: np.ndarray
    manifest: pd.DataFrame
    meta: dict
    root: Path
    ratings: pd.DataFrame | None = None


def write_store(
    dataset: Dataset,
    out: Path | str,
    plan: Plan,
    rows_from: Callable[[int], Generator[tuple[np.ndarray | None, Row]]],
) -> Store:
    """Write a store row by row, so that memory holds one image however many there are.

    What is done lies in the sibling `<out>.partial`. When this stops, by an error, Ctrl-C or a kill, the next
    call with the same plan goes on there; the bytes of the store are those of one that was not disturbed.

    Args:
        dataset: The photographs.
        out: Folder of the store; an older store there is replaced at the end.
        plan: What the rows follow from.
        rows_from: Makes the rows of the manifest from a given one on, in order: the curated image, uint8
            (size, size, 3), with its field of view's numbers; or None with `{"reason": ...}`, why it was
            set aside.

    Raises:
        InputError: If the manifest breaks its contract, a split keeps no image (nothing is left behind then),
            `out` holds something that is not a store, or it cannot be written.
        ValueError: If `rows_from` gives too few or too many rows, or an image of another shape.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and ((out / "store.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out} exists and is not a store; give another folder or empty it")
    manifest = validate_manifest(dataset.manifest, dataset.n_classes)
    folder = out.with_name(out.name + ".partial")
    with open_partial(folder, plan) as partial:
        with closing(rows_from(len(partial.rows))) as rows:
            for image, numbers in rows:
                partial.append(image, numbers)
        if len(partial.rows) != len(manifest):
            raise ValueError(f"{len(partial.rows)} rows for {len(manifest)} images in the manifest")
        partial.finish_images()
        try:
            _write_tables(dataset, manifest, plan, partial.rows, folder)
        except InputError:
            shutil.rmtree(folder)
            raise
        shutil.rmtree(out, ignore_errors=True)
        folder.rename(out)
        (out / JOURNAL).unlink()  # last, because it is locked until here
    return open_store(out)


def open_store(root: Path | str) -> Store:
    """Open a store, after checking that it is whole.

    Raises:
        InputError: Naming the file that is missing, cut short or changed.
    """
    root = Path(root)
    if not (root / "store.json").is_file():
        raise InputError(
            f"{root / 'store.json'} does not exist; run riqa curate, or chapter 01_curate_images (make book)"
        )
    try:
        meta = json.loads((root / "store.json").read_text(encoding="utf-8"))
        digests, n_images, size = meta["sha256"], meta["n_images"], meta["size"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{root / 'store.json'} cannot be read; {_AGAIN}") from None
    # Older stores did not say it; but no set of another kind can have these names.
    meta.setdefault("drawn", meta.get("name") in MADE)
    rated = _RATINGS in digests
    for name in (*_FILES, *([_RATINGS] if rated else [])):
        path = root / name
        if not path.is_file():
            raise InputError(f"{path} is missing; {_AGAIN}")
        if _digest(path) != digests.get(name):
            raise InputError(f"{path} was cut short or changed since it was written; {_AGAIN}")
    images = np.load(root / "images.npy", mmap_mode="r")
    manifest = validate_manifest(read_parquet(root / "manifest.parquet"), meta["n_classes"])
    if images.shape != (n_images, size, size, 3) or len(manifest) != n_images:
        raise InputError(f"{root}: {images.shape} images for {len(manifest)} rows of the manifest; {_AGAIN}")
    return Store(images, manifest, meta, root, read_parquet(root / _RATINGS) if rated else None)


def _write_tables(
    dataset: Dataset, manifest: pd.DataFrame, plan: Plan, rows: list[Row], folder: Path
) -> None:
    """Write manifest, fields, report of images set aside, experts' ratings and, last, store.json."""
    table = pd.DataFrame(rows, index=manifest.index)
    reasons = table["reason"] if "reason" in table else pd.Series(np.nan, index=manifest.index)
    kept = reasons.isna()
    aside = manifest.loc[~kept, ["image_id", "path"]].map(shown).assign(reason=reasons[~kept])
    for split in manifest["split"].unique():
        if not (kept & (manifest["split"] == split)).any():
            first = aside.loc[manifest.index[manifest["split"] == split][0]]
            raise InputError(
                f"dataset {dataset.name}: no image of split {split} can be used; the first, "
                f"{dataset.root / first['path']}: {first['reason']}; restore the image files"
            )
    fields = table[kept].drop(columns="reason", errors="ignore").astype("float64")
    fields.insert(0, "image_id", manifest.loc[kept, "image_id"])
    write_parquet(manifest[kept].reset_index(drop=True), folder / "manifest.parquet")
    write_parquet(fields.reset_index(drop=True), folder / "fields.parquet")
    aside.to_csv(folder / "set_aside.csv", index=False)
    files = list(_FILES)
    (folder / _RATINGS).unlink(missing_ok=True)  # of an earlier attempt, when there were ratings
    if dataset.ratings is not None:
        of_kept = dataset.ratings["image_id"].isin(manifest.loc[kept, "image_id"])
        write_parquet(dataset.ratings[of_kept].reset_index(drop=True), folder / _RATINGS)
        files.append(_RATINGS)
    meta = {
        "name": dataset.name,
        "n_classes": dataset.n_classes,
        "class_names": list(class_names(dataset.n_classes)) if dataset.n_classes else None,
        "size": plan.size,
        "crop": plan.crop,
        "versions": plan.versions,
        "n_images": int(kept.sum()),
        "n_set_aside": int((~kept).sum()),
        "citation": dataset.citation,
        "licence": dataset.licence,
        "findings": to_json(dataset.findings),
        "drawn": dataset.drawn,
        "sha256": {name: _digest(folder / name) for name in files},
    }
    text = json.dumps(meta, indent=1, ensure_ascii=False) + "\n"
    (folder / "store.json").write_text(text, encoding="utf-8")


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
