"""How fast a network is trained: by this project's loop, its bare step, and the loop that is common.

All train a ResNet-18 on the same photographs with the same batch size, on one thread. In each round every
contestant works through one epoch, and the rounds begin with another one each.

- bare: forward, backward and step, again and again on one batch that is already in memory.
- ours: an epoch of `riqa.learn.train.train` from a store, with augmentation, records and the validation of a
  tenth as many images.
- files: a DataLoader over JPEG files that are decoded by Pillow in every epoch and augmented by torchvision's
  RandAugment, in float32; once from files of 256 pixels and once from files of a camera's resolution.

Run: make bench-train
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet18

from benchmarks.fov_speed import phantom_files
from riqa.data.fov import read_and_crop
from riqa.learn.config import TrainingConfig
from riqa.learn.device import resolve_precision
from riqa.learn.examples import Examples
from riqa.learn.memory import keep_freed_memory
from riqa.learn.model import IMAGENET_MEAN, IMAGENET_STD, QualityNet
from riqa.learn.train import train
from riqa.publish.provenance import hardware, versions

CPU = torch.device("cpu")
TARGETS = {"bare": 0.85, "files of 256 px": 3.0, "files of a camera": 6.0}
"""Least images/s of this project's loop, as a multiple of each other one's."""


def examples(files: list[Path], n: int, side: int) -> Examples:
    """Curate the files, and show them under n names with random grades."""
    crops = np.stack([read_and_crop(path, side)[0] for path in files])
    grades = torch.from_numpy(np.random.default_rng(0).integers(0, 3, n))
    return Examples(crops, np.arange(n) % len(crops), grades, torch.full((n, 3), float("nan")))


def ours(training: Examples, validation: Examples, config: TrainingConfig) -> float:
    """Return the images/s of one epoch."""
    rates = []
    model = QualityNet("resnet18", n_overall=3, n_details=0, image_size=training.images.shape[1])
    train(model, training, validation, config, on_epoch=lambda record, rate: rates.append(rate))
    return rates[0]


def bare(training: Examples, config: TrainingConfig) -> float:
    """Return the images/s of the step alone, on a constant batch, in the precision that `ours` takes."""
    model = QualityNet("resnet18", n_overall=3, n_details=0).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate, momentum=config.momentum)
    index = torch.arange(config.batch_size)
    images, grades = training.batch(index, CPU), training.overall[index]
    steps = len(training) // config.batch_size
    start = time.perf_counter()
    for _ in range(steps):
        bfloat16 = resolve_precision(config.precision, CPU) == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(images)["overall"]
        loss = functional.cross_entropy(logits.float(), grades)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return steps * config.batch_size / (time.perf_counter() - start)


class Files(Dataset):
    """Photographs that are read again whenever they are asked for."""

    def __init__(self, paths: list[Path], n: int, side: int):
        self.paths = [paths[k % len(paths)] for k in range(n)]
        self.prepare = transforms.Compose(
            [
                transforms.Resize((side, side)),
                transforms.RandAugment(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, k: int) -> tuple[torch.Tensor, int]:
        return self.prepare(Image.open(self.paths[k]).convert("RGB")), k % 3


def from_files(paths: list[Path], n: int, side: int, config: TrainingConfig) -> float:
    """Return the images/s of one epoch of the plain loop, validation left out in its favour."""
    model = resnet18(num_classes=3).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate, momentum=config.momentum)
    loader = DataLoader(Files(paths, n, side), config.batch_size, shuffle=True, drop_last=True)
    start = time.perf_counter()
    for images, grades in loader:
        loss = functional.cross_entropy(model(images), grades)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(loader) * config.batch_size / (time.perf_counter() - start)


def interleave(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, np.ndarray]:
    """Return each contestant's images/s in every round; a round to warm up is left out."""
    names, rates = list(contestants), {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            rates[name].append(contestants[name]())
    return {name: np.array(values[1:]) for name, values in rates.items()}


def compare(rates: dict[str, np.ndarray]) -> list[dict]:
    """Return a row a contestant: both rates, and median and range of their ratio over the rounds."""
    rows = []
    for name in rates.keys() - {"ours"}:
        ratio = rates["ours"] / rates[name]
        row = {
            "peer_name": name,
            "ours": float(np.median(rates["ours"])),
            "peer": float(np.median(rates[name])),
            "unit": "images/s",
            "ratio": {
                "median": float(np.median(ratio)),
                "low": float(ratio.min()),
                "high": float(ratio.max()),
            },
            "target": TARGETS[name],
        }
        rows.append(row | {"met": row["ratio"]["median"] >= row["target"]})
    return sorted(rows, key=lambda row: row["target"])


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=128, help="of the images, pixels")
    parser.add_argument("--images", type=int, default=160, help="in an epoch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--out", type=Path, default=Path("_build/bench/train_speed.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    photographs = options.out.parent / "training_photographs"
    small, large = (
        phantom_files(photographs / "256", 20, 256),
        phantom_files(photographs / "camera", 6, 2600),
    )
    training, validation = (examples(small, n, options.side) for n in (options.images, options.images // 10))
    config = TrainingConfig(epochs=1, lambda_details=0.0, precision=options.precision)
    precision = resolve_precision(config.precision, CPU)
    print(f"ResNet-18 at {options.side} pixels, batches of {config.batch_size}, {precision}, one thread")
    rates = interleave(
        {
            "ours": lambda: ours(training, validation, config),
            "bare": lambda: bare(training, config),
            "files of 256 px": lambda: from_files(small, options.images, options.side, config),
            "files of a camera": lambda: from_files(large, options.images, options.side, config),
        },
        options.rounds,
    )
    rows = compare(rates)
    print(f"{'against':20} {'ours':>10} {'theirs':>10} {'ratio':>7} {'range':>15} {'target':>7}  images/s")
    for row in rows:
        ratio, verdict = row["ratio"], "met" if row["met"] else "MISSED"
        print(
            f"{row['peer_name']:20} {row['ours']:10.1f} {row['peer']:10.1f} {ratio['median']:7.2f}"
            f" {ratio['low']:6.2f} to {ratio['high']:5.2f} {row['target']:7.2f}  {verdict}"
        )
    measured = {"hardware": hardware(), "versions": versions(), "precision": precision, "side": options.side}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(measured | {"comparisons": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
