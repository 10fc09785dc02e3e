"""What training costs in floating-point operations, and how many epochs an amount of them buys.

Operations, and not seconds: they are the same on every machine. Counted are the multiplications and additions
of convolutions, matrix products and attention, two for each product that is added up, forwards and backwards,
by torch's own counter. Normalisation and activations, a small part, are not.
"""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from riqa.learn.model import QualityNet


def flop_per_image(network: nn.Module, side: int) -> float:
    """Count the floating-point operations of one training step, for each of its images.

    Args:
        network: From images (N, 3, side, side) to logits, or to a dict of logits by task. On torch's ``meta``
            device nothing is computed, and the network is left as it was.
        side: Of the images, pixels.

    Returns:
        Operations forwards and backwards, without the step of the optimiser.
    """
    device = next(network.parameters()).device
    images = torch.zeros(2, 3, side, side, device=device)
    with FlopCounterMode(display=False) as counter:
        logits = network(images)
        tasks = logits.values() if isinstance(logits, dict) else (logits,)
        sum(task.sum() for task in tasks).backward()
    return counter.get_total_flops() / len(images)


def network_size(backbone: str, n_overall: int, side: int) -> tuple[int, float]:
    """Return the number of parameters of a network of one task, and `flop_per_image`, without computing it.

    Args:
        backbone: See `riqa.learn.backbones.build_backbone`.
        n_overall: Number of overall-quality classes.
        side: Of the images, pixels.

    Raises:
        InputError: For an unknown backbone, or one that cannot take images of this size.
    """
    # Built with real numbers, which some networks read while they are built; counted without any.
    with torch.random.fork_rng(devices=[]):
        network = QualityNet(backbone, n_overall, 0, image_size=side).train().to("meta")
    return sum(weight.numel() for weight in network.parameters()), flop_per_image(network, side)


def epochs_for(budget: float, flop: float) -> int:
    """Return how many whole epochs a budget buys, at least 1, which may then cost more than the budget.

    Args:
        budget: Operations for each training image, in all epochs together.
        flop: Operations for each training image, in one epoch.
    """
    # The factor: a budget of whole epochs buys them, however it is rounded.
    return max(int(budget / flop * (1 + 1e-9)), 1)
