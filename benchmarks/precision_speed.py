"""Which precision trains a network faster on this processor, and which one `precision: auto` takes.

Networks with and without depthwise convolutions, the same step in float32 and in bfloat16, in turns, on one
core. Run: python benchmarks/precision_speed.py
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results import interleave, tabulate
from riqa.labels import DETAILS
from riqa.learn.device import keep_freed_memory, resolve_precision
from riqa.learn.model import QualityNet

NETWORKS = {"resnet10": 64, "resnet18": 128, "efficientnet_lite0": 160}
"""Backbones of the profiles, and the side of their images in pixels."""

CPU = torch.device("cpu")


def trainer(backbone: str, side: int, precision: str, batch_size: int, steps: int):
    """Return a function that trains a network for some steps and returns images per second."""
    model = QualityNet(backbone, n_overall=3, n_details=len(DETAILS), image_size=side)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = torch.rand(batch_size, 3, side, side).contiguous(memory_format=torch.channels_last)

    def rate() -> float:
        begun = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(images)
            loss = sum(scores.float().square().mean() for scores in logits.values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return steps * batch_size / (time.perf_counter() - begun)

    return rate


def compared(backbone: str, side: int, batch_size: int, steps: int, rounds: int) -> dict[str, str]:
    """Return a network's row of the table."""
    contestants = {p: trainer(backbone, side, p, batch_size, steps) for p in ("float32", "bfloat16")}
    rates = interleave(contestants, rounds)
    ratio = rates["bfloat16"] / rates["float32"]
    return {
        "network": f"{backbone}, {side} pixels",
        **{f"{name}, images/s": f"{np.median(values):.1f}" for name, values in rates.items()},
        "bfloat16 / float32": f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})",
        "auto takes": resolve_precision("auto", QualityNet(backbone, 3, len(DETAILS), image_size=side), CPU),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=16, help="images per step")
    parser.add_argument("--steps", type=int, default=2, help="steps a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, one to warm up not counted")
    parser.add_argument("--out", type=Path, default=Path("_build/bench"), help="folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    sizes = (options.batch_size, options.steps, options.rounds)
    table = pd.DataFrame([compared(backbone, side, *sizes) for backbone, side in NETWORKS.items()])
    conditions = f"training step on one core, batches of {options.batch_size}, channels last"
    tabulate(options.out / "precision_speed.json", conditions, table)


if __name__ == "__main__":
    main()
