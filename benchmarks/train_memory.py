"""How much memory a training takes beyond the mapped file, on a store of EyeQ's size: at most 2 GB.

A store of 28,792 random images is written once, 4.3 GB at 224 pixels. Processes of their own, one after the
other, do with it all that one training of the book does (`riqa.learn.runs.execute`): open and check the
store, train a ResNet-18 with both heads, learn what is unlike the training images, write the model and apply
it to the validation images. Meanwhile this process adds up what theirs has in memory, ten times a second: all
resident pages but those of the file `images.npy`, which the system takes back whenever it needs them.

An epoch of all images takes too long on a processor. So the splits hold a few hundred, spread evenly over the
whole file, and the others are marked as test images. That is enough to reach the height of memory: from the
first step on, arrays of the same sizes come again and again. Linux only.

Run: make bench-memory
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import compare, report
from riqa.data.fields import field_numbers
from riqa.data.fov import FieldOfView
from riqa.data.manifest import Dataset
from riqa.data.store import Plan, Row, write_store
from riqa.labels import DETAILS

N_EYEQ = 28_792
LIMIT_MB = 2000.0
BATCH_SIZE = 32


def random_dataset(n: int, n_train: int, n_val: int) -> Dataset:
    """Return n photographs without files: n_train and n_val of them, spread evenly, to train and validate."""
    draw = np.random.default_rng(0)
    spread = np.linspace(0, n - 1, n_train + n_val).round().astype(int)
    validated = np.linspace(0, len(spread) - 1, n_val).round().astype(int)
    split = np.full(n, "test", dtype=object)
    split[spread] = "train"
    split[spread[validated]] = "val"
    names = [f"{k:05}" for k in range(n)]
    same = {"dataset": "random", "eye": "left", "view": "macula", "source": "random"}
    frame = pd.DataFrame({"image_id": names, "path": names, "patient_id": names, **same, "split": split})
    frame["overall"] = draw.integers(0, 3, n).astype(float)
    frame[list(DETAILS)] = draw.integers(0, 2, (n, len(DETAILS))).astype(float)
    return Dataset("random", Path(), frame, 3, "random numbers", "none")


def random_images(n: int, side: int) -> Iterator[tuple[np.ndarray, Row]]:
    """Yield n images of random numbers, whose field of view is all of them."""
    draw = np.random.default_rng(0)
    field = FieldOfView((side, side), (side / 2, side / 2), side / 2, (0, 0, side, side), 1.0)
    for _ in range(n):
        yield draw.integers(0, 256, (side, side, 3), dtype=np.uint8), field_numbers(field)


def resident_beyond(pid: int, name: str) -> float:
    """Return what a process has in memory, MB, without the pages of files of that name; 0 after its end."""
    total, counts = 0, True
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    for line in lines:
        if line.startswith("Rss:"):
            total += counts * int(line.split()[1])
        elif not line[0].isupper():  # the line that begins a mapping: addresses, rights, ..., file
            counts = not line.endswith(f"/{name}")
    return total * 1024 / 1e6


def train_once(store: Path, models: Path) -> None:
    """Do what a training of the book does, for one epoch."""
    from riqa.learn.config import TrainingConfig
    from riqa.learn.runs import TrainingRun, execute

    config = TrainingConfig(epochs=1, batch_size=BATCH_SIZE)
    applied = ((store, ("val",)),)
    execute(TrainingRun("multi_task", "random", store, 3, 3, config, models, "resnet18", predict_on=applied))


def peak_of_training(store: Path) -> float:
    """Return the most memory, MB, that a training in a process of its own has beyond the mapped images."""
    with tempfile.TemporaryDirectory() as models:
        command = [sys.executable, __file__, "--work", str(store), models]
        process, peak = subprocess.Popen(command), 0.0
        while process.poll() is None:
            peak = max(peak, resident_beyond(process.pid, "images.npy"))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit("the training failed; its own message stands above")
    return peak


def main() -> None:
    """Write the store, measure, print the table, write the results, delete the store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=N_EYEQ, help="in the store")
    parser.add_argument("--side", type=int, default=224, help="of the images, pixels")
    parser.add_argument("--train", type=int, default=480, help="images that are trained on")
    parser.add_argument("--val", type=int, default=64, help="images that are validated on")
    parser.add_argument("--rounds", type=int, default=3, help="trainings")
    parser.add_argument("--keep", action="store_true", help="do not delete the store, for the next time")
    parser.add_argument("--out", type=Path, default=Path("_build/bench/train_memory.json"))
    parser.add_argument("--work", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        train_once(*options.work)
        return
    n, side = options.images, options.side
    store = options.out.parent / f"random_store_{n}_{side}_{options.train}_{options.val}"
    if not (store / "store.json").is_file():
        print(f"writing {n:,} images of {side} pixels, {n * side**2 * 3 / 1e9:.1f} GB, to {store}")
        dataset = random_dataset(n, options.train, options.val)
        write_store(dataset, store, Plan(side), lambda start: random_images(n - start, side))
    conditions = (
        f"ResNet-18 with both heads at {side} pixels in batches of {BATCH_SIZE}; a store of {n:,} images, "
        f"{options.train} of them trained on for an epoch and {options.val} validated on; resident memory "
        f"without the {n * side**2 * 3 / 1e9:.1f} GB of the mapped file"
    )
    print(conditions)
    try:
        peaks = np.array([peak_of_training(store) for _ in range(options.rounds)])
    finally:
        if not options.keep:
            shutil.rmtree(store)
    limit = "the limit of 2 GB"
    values = {"ours": peaks, limit: np.full(len(peaks), LIMIT_MB)}
    report(options.out, conditions, compare(values, {limit: 1.0}, "peak memory of a training", "MB", False))


if __name__ == "__main__":
    main()
