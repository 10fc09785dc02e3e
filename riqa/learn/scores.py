"""Scores on validation images, by which `riqa.learn.train` chooses the epoch."""

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor

from riqa.errors import InputError
from riqa.learn.losses import UNKNOWN_OVERALL


def overall_macro_f1(logits: Tensor, overall: Tensor) -> float:
    """Compute macro-F1 over all classes of the head, of images whose grade is known."""
    known = overall != UNKNOWN_OVERALL
    classes = list(range(logits.shape[1]))
    predicted = logits[known].argmax(1)
    return float(f1_score(overall[known], predicted, labels=classes, average="macro", zero_division=0))


def details_macro_f1(logits: Tensor, details: Tensor) -> float:
    """Average the two-class macro-F1 over details; soft targets count as the nearer class.

    A detail without any known target is left out.

    Raises:
        InputError: If no detail of any image is known.
    """
    if torch.isnan(details).all():
        raise InputError(
            "no image of the validation split has a detail label; the best epoch cannot be chosen"
        )
    scores = []
    for detail_logits, target in zip(logits.T, details.T, strict=True):
        known = ~torch.isnan(target)
        if not known.any():
            continue
        truth, predicted = target[known] > 0.5, detail_logits[known] > 0
        scores.append(f1_score(truth, predicted, labels=[False, True], average="macro", zero_division=0))
    return float(np.mean(scores))
