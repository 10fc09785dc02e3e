"""Peak memory of curating as many photographs as EyeQ has, summed over all processes: at most 1 GB.

Fifty small phantoms stand under 28,792 names, assigned to splits as EyeQ's. A process of its own curates
them with two workers, while this one adds up the proportional set size (memory shared by processes counted
once) of it and all its descendants, five times a second. Run: python benchmarks/curate_memory.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

from riqa.data.manifest import Dataset, save_dataset
from riqa.files import write_json
from riqa.phantom.study import phantom_grades

SPLITS = {"train": 11_289, "val": 1_254, "test": 16_249}  # EyeQ's images, a tenth of train held out
LIMIT = 1000  # MB
CURATE = """
import sys
from pathlib import Path
from riqa.data.curate import curate
from riqa.data.manifest import Dataset
from riqa.files import read_parquet
root = Path(sys.argv[1])
many = Dataset("many", root, read_parquet(root / "manifest.parquet"), 3, "drawn", "MIT")
curate(many, sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"""


def make_many(folder: Path, n: int) -> Dataset:
    """Draw fifty phantoms and give them `n` names, by hard links, in splits of EyeQ's proportions."""
    drawn = phantom_grades(folder / "drawn", n_train=40, n_test=10, seed=0, size=192)
    root = folder / "photographs"
    (root / "images").mkdir(parents=True)
    frame = pd.concat([drawn.manifest] * (n // len(drawn.manifest) + 1), ignore_index=True).head(n)
    for k, path in enumerate(frame["path"]):
        os.link(drawn.root / path, root / "images" / f"{k:05d}.jpg")
    names = pd.Series([f"{k:05d}" for k in range(n)])
    splits = [split for split, count in SPLITS.items() for _ in range(count)]
    frame = frame.assign(
        image_id=names,
        path="images/" + names + ".jpg",
        patient_id=names,
        split=[splits[k * len(splits) // n] for k in range(n)],
        dataset="many",
    )
    many = Dataset("many", root, frame, drawn.n_classes, drawn.citation, drawn.licence)
    save_dataset(many)
    return many


def memory(process: psutil.Process) -> float:
    """Return the proportional set size of a process and all its descendants, MB."""
    total = 0
    for member in (process, *process.children(recursive=True)):
        try:
            total += member.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=sum(SPLITS.values()), help="photographs")
    parser.add_argument("--size", type=int, default=64, help="side of the curated images, pixels")
    parser.add_argument("--workers", type=int, default=2, help="processes that curate")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        many = make_many(Path(folder), given.images)
        arguments = [many.root, Path(folder) / "store", given.size, given.workers]
        began, peak = time.perf_counter(), 0.0
        curation = subprocess.Popen([sys.executable, "-c", CURATE, *map(str, arguments)])
        watched = psutil.Process(curation.pid)
        while curation.poll() is None:
            try:
                peak = max(peak, memory(watched))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.2)
        if curation.wait() != 0:
            sys.exit("curation failed")
        seconds = time.perf_counter() - began
        store = json.loads((Path(folder) / "store" / "store.json").read_text(encoding="utf-8"))
    measured = {
        "images": given.images,
        "set_aside": store["n_set_aside"],
        "size": given.size,
        "workers": given.workers,
        "peak_mb": round(peak, 1),
        "images_per_second": round(given.images / seconds, 1),
    }
    write_json(Path("_build/bench/curate_memory.json"), measured)
    print(
        f"{given.images:,} images of {given.size} px, {given.workers} workers: peak {peak:.0f} MB, "
        f"{measured['images_per_second']} images/s, {store['n_set_aside']} set aside"
    )
    if peak > LIMIT:
        sys.exit(f"more than {LIMIT} MB")


if __name__ == "__main__":
    main()
