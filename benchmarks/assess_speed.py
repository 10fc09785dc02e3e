"""How fast a folder of photographs is assessed: by `riqa assess`, by its bare parts, and by QuickQual's way.

In each round every contestant works through the folder, and the rounds begin with another one each. Clock
time, on all cores that this process may use, model and photographs in the system's cache.

- ours: the command, from its arguments to its last line of JSON: it loads the model, lists the files, reads
  them at a reduced scale, finds and crops the field of view, applies the network, decides whether to
  abstain, and puts its advice into words.
- bare: the same files decoded at the least scale that has the model's pixels, by as many threads, and the
  same network applied to as many batches of the same size, one that is already in memory. Nothing is cropped,
  nor said.
- QuickQual (Engelmann et al., 2023): Pillow decodes the whole file and resizes it to 512 pixels, a
  DenseNet-121 computes 1024 features, a support vector machine turns them into probabilities; a photograph
  at a time, as in its published example. The removal of black borders that comes before is left out in its
  favour. Neither weights nor support vectors are its own: they decide what comes out, not how long it takes.

Run: make bench-assess
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
import typer
from PIL import Image
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC
from torchvision.models import densenet121
from torchvision.transforms.functional import normalize, to_tensor

from benchmarks.photographs import camera_files, source
from benchmarks.results import compare, interleave, report
from riqa.cli_assess import assess
from riqa.data.fov import read_and_crop
from riqa.data.read import read_photograph
from riqa.learn.config import TrainingConfig
from riqa.learn.device import resolve_precision
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet, load_model, save_model
from riqa.learn.novelty import fit_novelty, save_novelty
from riqa.learn.train import train

CPU = torch.device("cpu")
TARGETS = {"bare decoding and inference": 0.8, "QuickQual": 8.0}
"""Least images/s of `riqa assess`, as a multiple of each other one's."""

QUICKQUAL_SIDE = 512


def trained_model(stem: Path, files: list[Path], side: int) -> Path:
    """Train a ResNet-18 with both heads for one epoch on the files' crops, with random labels; write it."""
    crops = np.stack([read_and_crop(path, side)[0] for path in files])
    draw, n = np.random.default_rng(0), 32
    overall, details = draw.integers(0, 3, n), draw.integers(0, 2, (n, 3))
    targets = {"overall": torch.from_numpy(overall), "details": torch.from_numpy(details).float()}
    examples = Examples(crops, np.arange(n) % len(crops), targets)
    model = QualityNet("resnet18", n_overall=3, n_details=3, image_size=side)
    train(model, examples, examples, TrainingConfig(epochs=1))
    save_novelty(fit_novelty(model, examples, examples), stem)
    save_model(model, stem)
    return stem


def linked(files: list[Path], folder: Path, n: int) -> list[Path]:
    """Put n links to the files, in turn, into a new folder; return them."""
    folder.mkdir()
    links = [folder / f"{k:05}{files[k % len(files)].suffix}" for k in range(n)]
    for k, link in enumerate(links):
        link.symlink_to(files[k % len(files)].resolve())
    return links


def ours(stem: Path, folder: Path, n: int, threads: int, batch_size: int) -> float:
    """Return the images/s of the command; end this program unless it answers for every photograph."""
    printed, said = io.StringIO(), io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        try:
            assess(stem, [folder], as_json=True, threads=threads, batch_size=batch_size, quantile=0.99)
        except typer.Exit as done:
            code = done.exit_code
    seconds = time.perf_counter() - start
    if code or printed.getvalue().count("\n") != n:
        raise SystemExit(f"riqa assess ended with {code}:\n{said.getvalue()}")
    return n / seconds


@torch.inference_mode()
def bare(model: QualityNet, files: list[Path], threads: int, batch_size: int) -> float:
    """Return the images/s of decoding and the forward pass, in the precision that the command takes."""
    side = model.architecture["image_size"]
    batch = torch.rand(batch_size, 3, side, side).to(memory_format=torch.channels_last)
    bfloat16 = resolve_precision("auto", model, CPU) == "bfloat16"
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool, torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        decoded = pool.map(partial(read_photograph, min_side=side), files)
        for k, _ in enumerate(decoded, start=1):
            if k % batch_size == 0:
                model(batch)
    return len(files) / (time.perf_counter() - start)


@torch.inference_mode()
def quickqual(network: torch.nn.Module, svm: CalibratedClassifierCV, files: list[Path]) -> float:
    """Return the images/s of QuickQual's pipeline."""
    start = time.perf_counter()
    for path in files:
        image = Image.open(path).convert("RGB").resize((QUICKQUAL_SIDE, QUICKQUAL_SIDE))
        pixels = normalize(to_tensor(image), [0.5] * 3, [0.5] * 3)
        svm.predict_proba(network(pixels[None]).numpy())
    return len(files) / (time.perf_counter() - start)


def quickqual_parts() -> tuple[torch.nn.Module, CalibratedClassifierCV]:
    """Return a DenseNet-121 without its classifier, and a support vector machine on 1024 random features."""
    network = densenet121(weights=None).eval()
    network.classifier = torch.nn.Identity()
    draw = np.random.default_rng(0)
    features, grades = draw.normal(size=(600, 1024)).astype(np.float32), draw.integers(0, 3, 600)
    return network, CalibratedClassifierCV(SVC(), ensemble=False).fit(features, grades)


def contestants(
    stem: Path, folder: Path, files: list[Path], threads: int, batch_size: int
) -> dict[str, Callable[[], float]]:
    """Return what each contestant does in a round."""
    model, _ = load_model(stem)
    parts = quickqual_parts()
    few = files[: max(len(files) // 8, 1)]  # it takes about as long for these as the others for all
    return {
        "ours": lambda: ours(stem, folder, len(files), threads, batch_size),
        "bare decoding and inference": lambda: bare(model, files, threads, batch_size),
        "QuickQual": lambda: quickqual(*parts, few),
    }


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="stem of a trained model; default: one trained here")
    parser.add_argument("--side", type=int, default=224, help="of that model's images, pixels")
    parser.add_argument("--images", type=int, default=96, help="in the folder")
    parser.add_argument("--batch-size", type=int, default=32, help="divides the number of images")
    parser.add_argument("--threads", type=int, default=2, help="that read photographs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("_build/bench/assess_speed.json"))
    options = parser.parse_args()
    if options.images % options.batch_size:
        parser.error(f"--images {options.images} is no multiple of --batch-size {options.batch_size}")
    taken = camera_files(options.out.parent / "photographs")
    with tempfile.TemporaryDirectory() as folder:
        stem = options.model or trained_model(Path(folder) / "model", taken, options.side)
        files = linked(taken, Path(folder) / "photographs", options.images)
        model, _ = load_model(stem)
        architecture = model.architecture
        conditions = (
            f"{architecture['backbone']} at {architecture['image_size']} pixels in batches of "
            f"{options.batch_size}, {resolve_precision('auto', model, CPU)}; a folder of {options.images} "
            f"{source()} of a camera's size ({len(taken)} different ones), "
            f"{options.threads} threads that read, {torch.get_num_threads()} that compute"
        )
        print(conditions)
        doing = contestants(stem, files[0].parent, files, options.threads, options.batch_size)
        rates = interleave(doing, options.rounds)
    rows = compare(rates, TARGETS, "assessing a folder", "images/s", more_is_better=True)
    report(options.out, conditions, rows)


if __name__ == "__main__":
    main()
