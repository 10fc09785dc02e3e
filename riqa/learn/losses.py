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
    """Binary cross-entropy over the known details (paper, Eq. 1), from logits.

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


def multi_task_loss(
    logits: dict[str, Tensor],
    overall: Tensor,
    details: Tensor,
    lambda_overall: float,
    lambda_details: float,
    scales: tuple[float, float] = (1.0, 1.0),
) -> Tensor:
    """Weighted sum of the losses of both tasks (paper, Eq. 4).

    With ``lambda_overall = 0`` this is the Teacher's loss, with
    ``lambda_details = 0`` the single-task one; a task of weight 0 needs no head.
    The scales are 1 unless a batch has parts, see `part_scales`.
    """
    loss = torch.zeros((), device=overall.device)
    if lambda_overall:
        weight = lambda_overall * scales[0]
        loss = loss + weight * overall_loss(logits["overall"].float(), overall)
    if lambda_details:
        weight = lambda_details * scales[1]
        loss = loss + weight * details_loss(logits["details"].float(), details)
    return loss


def part_scales(overall: Tensor, details: Tensor, part: int, n_parts: int) -> tuple[float, float]:
    """Return the scales by which the mean of the losses of all parts is the loss of the whole batch.

    A loss is a mean over known entries, and some parts know more of them than others: their means weigh more.
    Of two parts that know 3 and 1 of a batch's 4 grades, one counts 3/2 and the other 1/2.

    Args:
        overall: (N,) targets of the whole batch, as for `overall_loss`.
        details: (N, 3) likewise, as for `details_loss`.
        part: Number of the part: every `n_parts`-th image of the batch, this one first.
        n_parts: How many parts there are.

    Returns:
        The scale of each loss, for `multi_task_loss`; 0 where the part knows nothing.
    """
    overall_scale, details_scale = (
        n_parts * known[part::n_parts].sum().item() / max(known.sum().item(), 1)
        for known in (overall != UNKNOWN_OVERALL, ~torch.isnan(details))
    )
    return overall_scale, details_scale
