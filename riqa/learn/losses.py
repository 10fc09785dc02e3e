"""The losses of both tasks, each over what is known (paper, Eqs. 1 and 3); `riqa.learn.tasks` joins them."""

import torch
from torch import Tensor
from torch.nn import functional

UNKNOWN_OVERALL = -1


def overall_loss(logits: Tensor, overall: Tensor) -> Tensor:
    """Compute cross-entropy where the overall grade is known (paper, Eq. 3).

    Args:
        logits: (N, K) scores of the overall classes.
        overall: (N,) integer classes in [0, K), or -1 where unknown.

    Returns:
        Scalar mean over known images, 0 when none is known.
    """
    known = overall != UNKNOWN_OVERALL
    if not known.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[known], overall[known])


def details_loss(logits: Tensor, details: Tensor) -> Tensor:
    """Compute binary cross-entropy over the known details (paper, Eq. 1).

    Args:
        logits: (N, 3) scores of *good* for illumination, clarity, contrast.
        details: (N, 3) targets: 1 good, 0 bad, between for soft pseudo-labels,
            NaN where unknown.

    Returns:
        Scalar mean over known entries, 0 when none is known.
    """
    known = ~torch.isnan(details)
    if not known.any():
        return logits.sum() * 0
    logits, details = logits[known], details[known]
    return functional.binary_cross_entropy_with_logits(logits, details)
