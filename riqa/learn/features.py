"""The shared representation: the features that all heads of a network read (Section 2.2)."""

import numpy as np

from riqa.data.store import Store
from riqa.learn.examples import examples_of
from riqa.learn.inference import in_batches
from riqa.learn.model import QualityNet


def shared_features(model: QualityNet, store: Store, split: str, precision: str = "auto") -> np.ndarray:
    """Compute h for the images of a split (paper, Eq. 2: every head is a linear function of it).

    Args:
        model: Any `QualityNet`.
        store: Curated images at the model's input size.
        split: Which split.
        precision: See `riqa.learn.train.TrainingConfig`; predictions are made with ``auto``.

    Returns:
        float32 (N, D), in the order of the split's rows in the store; D is the backbone's width.

    Raises:
        InputError: If the split holds no image.
    """
    examples = examples_of(store, split)
    found = in_batches(model, lambda images: {"h": model.features(images)}, examples, precision)
    return found["h"].numpy()
