"""How fast a network is trained: by this project's loop, its bare step, and the loop that is common.

All train a ResNet-18 on the same photographs with the same batch size: on one thread, as trainings that run
side by side do, or with all cores, as one that has the machine to itself. In each round every contestant
works through one epoch, and the rounds begin with another one each.

- bare: forward, backward and step, again and again on one batch that is already in memory.
- bare, compiled: the same by torch.compile, where there is a C++ compiler; the compiling is timed apart.
- ours: an epoch of `riqa.learn.train.train` from a store, with augmentation, records and the validation of a
  tenth as many images.
- files: a DataLoader over JPEG files that are decoded by Pillow in every epoch and augmented by torchvision's
  RandAugment, in float32; once from files of 256 pixels and once from files of a camera's resolution. With
  all cores also by a loader with one process per core, beside the one that trains.

Run: make bench-train
"""

import argparse
import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet18

from benchmarks.photographs import phantom_files
from benchmarks.results import compare, interleave, report
from riqa.data.fov import read_and_crop
from riqa.learn.config import TrainingConfig
from riqa.learn.device import keep_freed_memory, resolve_precision
from riqa.learn.examples import Examples, to_images
from riqa.learn.model import IMAGENET_MEAN, IMAGENET_STD, QualityNet
from riqa.learn.train import train
from riqa.publish.provenance import hardware

CPU = torch.device("cpu")
TARGETS = {"bare": 0.85, "bare, compiled": 0.85, "files of 256 px": 3.0, "files of a camera": 6.0}
"""Least images/s of this project's loop, as a multiple of each other one's."""
LOADED_APART = ", loaded by processes"


def examples(files: list[Path], n: int, side: int) -> Examples:
    """Curate the files, and show them under n names with random grades."""
    crops = np.stack([read_and_crop(path, side)[0] for path in files])
    grades = torch.from_numpy(np.random.default_rng(0).integers(0, 3, n))
    targets = {"overall": grades, "details": torch.full((n, 3), float("nan"))}
    return Examples(crops, np.arange(n) % len(crops), targets)


def ours(training: Examples, validation: Examples, config: TrainingConfig) -> float:
    """Return the images/s of one epoch."""
    rates = []
    model = QualityNet("resnet18", n_overall=3, n_details=0, image_size=training.images.shape[1])
    train(model, training, validation, config, on_epoch=lambda record, rate: rates.append(rate))
    return rates[0]


def network(side: int) -> QualityNet:
    """Return the network of both bare contestants."""
    model = QualityNet("resnet18", n_overall=3, n_details=0, image_size=side)
    return model.to(memory_format=torch.channels_last).train()


def bare(model: torch.nn.Module, training: Examples, config: TrainingConfig) -> float:
    """Return the images/s of the step alone, on a constant batch, in the precision that `ours` takes."""
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate, momentum=config.momentum)
    index = torch.arange(config.batch_size)
    images, grades = to_images(training.pixels(index, CPU), CPU), training.targets["overall"][index]
    steps = len(training) // config.batch_size
    start = time.perf_counter()
    bfloat16 = resolve_precision(config.precision, model, CPU) == "bfloat16"
    for _ in range(steps):
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


def from_files(paths: list[Path], n: int, side: int, config: TrainingConfig, loaders: int = 0) -> float:
    """Return the images/s of one epoch of the plain loop, validation left out in its favour."""
    model = resnet18(num_classes=3).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=config.learning_rate, momentum=config.momentum)
    loader = DataLoader(
        Files(paths, n, side), config.batch_size, shuffle=True, drop_last=True, num_workers=loaders
    )
    batches = iter(loader)  # the start of the loader's processes is left out, in its favour
    start = time.perf_counter()
    for images, grades in batches:
        loss = functional.cross_entropy(model(images), grades)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(loader) * config.batch_size / (time.perf_counter() - start)


def compiled(training: Examples, config: TrainingConfig) -> tuple[torch.nn.Module, float]:
    """Return the network compiled, and the seconds until it had done its first step."""
    model = torch.compile(network(training.images.shape[1]))
    start = time.perf_counter()
    bare(model, training.at(torch.arange(config.batch_size)), config)
    return model, time.perf_counter() - start


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=128, help="of the images, pixels")
    parser.add_argument("--images", type=int, default=160, help="in an epoch")
    parser.add_argument("--all-cores", action="store_true", help="not one thread only")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--out", type=Path, help="by default in _build/bench")
    options = parser.parse_args()
    threads = hardware()["cores"] if options.all_cores else 1
    torch.set_num_threads(threads)
    out = options.out or Path("_build/bench") / f"train_speed{'_all_cores' if options.all_cores else ''}.json"
    keep_freed_memory()
    photographs = out.parent / "training_photographs"
    small, large = (
        phantom_files(photographs / "256", 20, 256),
        phantom_files(photographs / "camera", 6, 2600),
    )
    training, validation = (examples(small, n, options.side) for n in (options.images, options.images // 10))
    config = TrainingConfig(epochs=1, lambda_details=0.0, precision=options.precision)
    precision = resolve_precision(config.precision, network(options.side), CPU)
    conditions = (
        f"ResNet-18 at {options.side} pixels, epochs of {options.images} phantoms in batches of "
        f"{config.batch_size}, {threads} thread{'s' * (threads > 1)}; {precision}, but float32 from files"
    )
    contestants = {
        "ours": lambda: ours(training, validation, config),
        "bare": lambda: bare(network(options.side), training, config),
        "files of 256 px": lambda: from_files(small, options.images, options.side, config),
        "files of a camera": lambda: from_files(large, options.images, options.side, config),
    }
    targets = dict(TARGETS)
    if options.all_cores:
        for name, files in {"files of 256 px": small, "files of a camera": large}.items():
            contestants[name + LOADED_APART] = partial(
                from_files, files, options.images, options.side, config, loaders=threads
            )
            targets[name + LOADED_APART] = TARGETS[name]
    if shutil.which("c++"):
        model, seconds = compiled(training, config)
        contestants["bare, compiled"] = lambda: bare(model, training, config)
        conditions += f"; compiling took {seconds:.0f} s"
    print(conditions)
    rates = interleave(contestants, options.rounds)
    rows = compare(rates, targets, "an epoch of training", "images/s", more_is_better=True)
    report(out, conditions, rows)


if __name__ == "__main__":
    main()
