"""Does augmentation keep the label? Count the answers of a Teacher that a transformation changes.

A Student sees a transformed image with the Teacher's answer to the image as it was. If the Teacher itself
would answer otherwise after the transformation, the Student may be taught something untrue
(paper, Section 3.2: transformations must not "alter label semantics"). A mirrored photograph is the
yardstick: no pixel of it has changed, so answers that flip there show how unsteady the Teacher is.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from riqa.learn.augment import TRANSFORMS, Augmentation, apply_one, augment
from riqa.learn.examples import Examples
from riqa.learn.inference import images_at_a_time
from riqa.learn.model import QualityNet

AT_RANDOM = "as in training"
"""Name of the row in which images are transformed as `riqa.learn.augment.augment` does it."""


def strengths_of(name: str, beyond: float) -> tuple[float, ...]:
    """Return the strengths at which a transformation is looked at, in units of its interval.

    They are the ends of the interval, -1 and 1, and two strengths beyond it; a flip has only one.
    """
    return (1.0,) if name.endswith("flip") else (-beyond, -1.0, 1.0, beyond)


def strength_text(name: str, strength: float, augmentation: Augmentation) -> str:
    """Write a strength in the units of its transformation: "+15°", "−2 %"; a flip has none."""
    if name == "rotation":
        return f"{strength * augmentation.max_rotation:+.3g}°".replace("-", "−")
    if name in ("brightness", "contrast", "saturation"):
        return f"{100 * strength * augmentation.max_colour_change:+.3g} %".replace("-", "−")
    return ""


@torch.inference_mode()
def flip_table(
    teacher: QualityNet,
    examples: Examples,
    augmentation: Augmentation,
    *,
    beyond: float = 10.0,
    margin: float = 0.1,
    seed: int = 0,
) -> pd.DataFrame:
    """Count by transformation and strength how many of a Teacher's answers flip.

    Args:
        teacher: Network with a details head.
        examples: Images to ask about; never test images, as this decides how to train.
        augmentation: The intervals to look at.
        beyond: How far beyond their ends to look as well, in units of the intervals.
        margin: Answers with a probability less than this away from 1/2 count among all answers but not among
            the clear ones.
        seed: Seed of the transformations drawn at random.

    Returns:
        One row per transformation and strength, last the one as in training: transformation, strength (units
        of the interval, NaN for the last), flipped (share of all answers), to_bad (share that went from good
        to bad; about half of `flipped` if answers only waver), flipped_clear (share of the clear ones, NaN if
        there is none), largest (largest distance from 1/2 at which an answer flipped, 0 if none did), n
        (answers), n_clear.
    """
    teacher.eval()
    before = _answers(teacher, examples, lambda images: images)
    clear = np.abs(before - 0.5) >= margin
    rows = []
    for name, strength, transform in _all(augmentation, beyond, seed):
        after = _answers(teacher, examples, transform)
        flipped = (before >= 0.5) != (after >= 0.5)
        rows.append(
            {
                "transformation": name,
                "strength": strength,
                "flipped": flipped.mean(),
                "to_bad": (flipped & (before >= 0.5)).mean(),
                "flipped_clear": flipped[clear].mean() if clear.any() else np.nan,
                "largest": np.abs(before - 0.5)[flipped].max(initial=0.0),
                "n": flipped.size,
                "n_clear": int(clear.sum()),
            }
        )
    return pd.DataFrame(rows)


def _all(augmentation: Augmentation, beyond: float, seed: int) -> Iterator[tuple]:
    """Yield name, strength and function of every transformation to look at."""
    for name in TRANSFORMS:
        for strength in strengths_of(name, beyond):
            yield name, strength, lambda x, n=name, s=strength: apply_one(x, n, s, augmentation)
    generator = torch.Generator().manual_seed(seed)
    yield AT_RANDOM, np.nan, lambda x: augment(x, augmentation, generator)


def _answers(teacher: QualityNet, examples: Examples, transform) -> np.ndarray:
    """Return the probabilities of good (N, 3) for transformed images."""
    device = next(teacher.parameters()).device
    batch_size = images_at_a_time(examples.images.shape[1], device)
    parts: list[Tensor] = []
    for index in torch.arange(len(examples)).split(batch_size):
        images = transform(examples.batch(index, device))
        parts.append(torch.sigmoid(teacher(images)["details"].double()).cpu())
    return torch.cat(parts).numpy()
