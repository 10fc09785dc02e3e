"""The one masked objective that Teacher, single-task model and student share."""

import torch
from torch import Tensor
from torch.nn import functional

UNKNOWN_OVERALL = -1


def overall_loss(logits: Tensor, overall: Tensor) -> Tensor:
    """Cross-entropy over the images whose overall grade is known (paper, Eq. 3).

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
    """Binary cross-entropy over the known details (paper, Eq. 1), from logits for numerical safety.

    Args:
        logits: (N, 3) scores of *good* for illumination, clarity, contrast.
        details: (N, 3) targets: 1 good, 0 bad, anything between for soft pseudo-labels, NaN where unknown.

    Returns:
        Scalar mean over known entries, 0 when none is known.
    """
    known = ~torch.isnan(details)
    if not known.any():
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits[known], details[known])


def multi_task_loss(
    logits: dict[str, Tensor],
    overall: Tensor,
    details: Tensor,
    *,
    lambda_overall: float,
    lambda_details: float,
) -> Tensor:
    """Weighted sum of both tasks (paper, Eq. 4): lambda_overall * L_overall + lambda_details * L_details.

    With ``lambda_overall = 0`` this is the Teacher's loss, with ``lambda_details = 0`` the single-task one;
    a task of weight 0 needs no head.
    """
    loss = torch.zeros((), device=overall.device)
    if lambda_overall:
        loss = loss + lambda_overall * overall_loss(logits["overall"].float(), overall)
    if lambda_details:
        loss = loss + lambda_details * details_loss(logits["details"].float(), details)
    return loss
