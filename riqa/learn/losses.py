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
    scale_overall: float = 1.0,
    scale_details: float = 1.0,
) -> Tensor:
    """Weighted sum of both tasks (paper, Eq. 4): lambda_overall * L_overall + lambda_details * L_details.

    With ``lambda_overall = 0`` this is the Teacher's loss, with ``lambda_details = 0`` the single-task one;
    a task of weight 0 needs no head. The scales are 1 but for a part of a batch, see `part_scales`.
    """
    loss = torch.zeros((), device=overall.device)
    if lambda_overall:
        loss = loss + lambda_overall * scale_overall * overall_loss(logits["overall"].float(), overall)
    if lambda_details:
        loss = loss + lambda_details * scale_details * details_loss(logits["details"].float(), details)
    return loss


def part_scales(overall: Tensor, details: Tensor, part: int, n_parts: int) -> dict[str, float]:
    """Return the scales by which the mean of the losses of all parts is the loss of the whole batch.

    A loss is a mean over known entries, and some parts know more of them than others: their means weigh more.
    Of two parts that know 3 and 1 of a batch's 4 grades, one counts 3/2 and the other 1/2.

    Args:
        overall: (N,) targets of the whole batch, as for `overall_loss`.
        details: (N, 3) likewise, as for `details_loss`.
        part: number of the part: every `n_parts`-th image of the batch, this one first.
        n_parts: how many parts there are.

    Returns:
        scale_overall and scale_details, for `multi_task_loss`; 0 where the part knows nothing.
    """
    known = {"scale_overall": overall != UNKNOWN_OVERALL, "scale_details": ~torch.isnan(details)}
    return {
        scale: n_parts * entries[part::n_parts].sum().item() / max(entries.sum().item(), 1)
        for scale, entries in known.items()
    }
