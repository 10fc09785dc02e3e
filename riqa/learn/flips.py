"""Does augmentation keep the label? Count the answers of a Teacher that a transformation changes.

Transformations must not "alter label semantics" (paper, Section 3.2), as a Student sees a transformed image
with the Teacher's answer to the image as it was. Mirrored photographs show how unsteady it is by itself.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.learn.augment import TRANSFORMS, Augmentation, apply_one, augment
from riqa.learn.examples import Examples
from riqa.learn.model import QualityNet
from riqa.learn.predict import in_batches

AT_RANDOM = "as in training"  # the row in which `riqa.learn.augment.augment` transforms images


def strengths_of(name: str, beyond: float) -> tuple[float, ...]:
    """Return the strengths to look at: the ends of the interval and two beyond them; a flip has only one."""
    return (1.0,) if name.endswith("flip") else (-beyond, -1.0, 1.0, beyond)


def strength_text(name: str, strength: float, augmentation: Augmentation) -> str:
    """Write a strength in the units of its transformation: "+15°", "−2 %"; a flip has none."""
    if name == "rotation":
        return f"{strength * augmentation.max_rotation:+.3g}°".replace("-", "−")
    if name in ("brightness", "contrast", "saturation"):
        return f"{100 * strength * augmentation.max_colour_change:+.3g} %".replace("-", "−")
    return ""


def flip_table(
    teacher: QualityNet,
    examples: Examples,
    augmentation: Augmentation,
    *,
    beyond: float = 10.0,
    margin: float = 0.1,
) -> pd.DataFrame:
    """Count by transformation and strength how many of a Teacher's answers flip, never on test images.

    Strengths go to `beyond` times the ends of the intervals; answers with a probability less than `margin`
    away from 1/2 are not clear.

    Returns:
        One row per transformation and strength, last the one as in training: transformation, strength
        (units of the interval, NaN for the last), flipped (share of all answers), to_bad (share from good
        to bad), flipped_clear (share of the clear ones, NaN if there is none), largest (largest distance
        from 1/2 at which an answer flipped, 0 if none did), n (answers), n_clear.
    """

    def answers(transform: Callable[[Tensor], Tensor]) -> np.ndarray:
        found = in_batches(teacher, lambda images: teacher(transform(images)), examples, "float32")
        return torch.sigmoid(found["details"].double()).numpy()

    before = answers(lambda images: images)
    away, clear = np.abs(before - 0.5), np.abs(before - 0.5) >= margin

    def row(name: str, strength: float, transform: Callable[[Tensor], Tensor]) -> dict:
        flipped = (before >= 0.5) != (answers(transform) >= 0.5)
        return {
            "transformation": name,
            "strength": strength,
            "flipped": flipped.mean(),
            "to_bad": (flipped & (before >= 0.5)).mean(),
            "flipped_clear": flipped[clear].mean() if clear.any() else np.nan,
            "largest": away[flipped].max(initial=0.0),
            "n": flipped.size,
            "n_clear": int(clear.sum()),
        }

    rows = []
    for name in TRANSFORMS:
        for strength in strengths_of(name, beyond):
            how = {"name": name, "strength": strength, "augmentation": augmentation}
            rows.append(row(name, strength, partial(apply_one, **how)))
    generator = torch.Generator().manual_seed(0)
    rows.append(row(AT_RANDOM, np.nan, lambda images: augment(images, augmentation, generator)))
    return pd.DataFrame(rows)
