"""Small drawn photographs and manifests for the tests of this folder."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from riqa.data.findings import Finding
from riqa.data.manifest import COLUMNS, Dataset


def disc(height=120, width=160, center=None, radius=50.0, level=150.0, margin=0.0, noise=0.0, seed=0):
    """Return a textured disc on a margin, uint8 (H, W, 3), and its mask."""
    rng = np.random.default_rng(seed)
    x, y = center or ((width - 1) / 2, (height - 1) / 2)
    ys, xs = np.mgrid[:height, :width]
    mask = (xs - x) ** 2 + (ys - y) ** 2 <= radius**2
    image = np.full((height, width, 3), margin) + np.abs(rng.normal(0, noise, (height, width, 3)))
    retina = level * np.array([1.0, 0.6, 0.4]) * (1 + 0.1 * rng.standard_normal((height, width, 1)))
    image[mask] = retina[mask]
    return image.clip(0, 255).astype(np.uint8), mask


def manifest(n=12, splits=("train", "val", "test"), **columns):
    """Return a valid manifest of `n` images, one per patient, assigned to splits in turn."""
    frame = pd.DataFrame({name: ["x"] * n for name in COLUMNS})
    frame["image_id"] = [f"i{k}" for k in range(n)]
    frame["patient_id"] = [f"p{k}" for k in range(n)]
    frame["path"] = [f"images/i{k}.png" for k in range(n)]
    frame["eye"] = "left"
    frame["split"] = [splits[k % len(splits)] for k in range(n)]
    frame["overall"] = [float(k % 3) for k in range(n)]
    for name in ("illumination", "clarity", "contrast"):
        frame[name] = np.nan
    return frame.assign(**columns)


def dataset(root: Path, n=12, **columns) -> Dataset:
    """Write `n` discs of different brightness to `root/images` and return the dataset."""
    frame = manifest(n, **columns)
    (root / "images").mkdir(parents=True)
    for k, path in enumerate(frame["path"]):
        image, _ = disc(60, 80, radius=25, level=80 + 10 * k, seed=k)
        Image.fromarray(image).save(root / path)
    return Dataset("x", root, frame, 3, "nobody", "none", (Finding("a-finding", "info", "a finding"),))


def contents(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a folder."""
    return {path.name: path.read_bytes() for path in root.iterdir()}
