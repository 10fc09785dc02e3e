"""A processor that nobody has: every sum of products comes out a little otherwise, as other kernels have it.

Loaded by ``pytest -p tests.other_rounding``. Processors add the products of a convolution or a matrix product
in orders of their own, and results differ in their last places. Here every such result is multiplied by a
factor within four units of the last place of 1. It depends on a number's place and on how many numbers there
are, and on nothing else: the same call gives the same bits, a batch of another size gives others. After some
steps of training that is as far from this machine's own numbers as those of any other machine. Processes that
tests start round as ever.
"""

from functools import lru_cache

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

SEVERAL = 8  # products; sums of fewer, as of a turn by a matrix, may be exact on every processor
SUMS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")
UNITS = 4


class OtherRounding(TorchDispatchMode):
    """Round the sums of products otherwise."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        name = function.overloadpacket.__name__
        if name in SUMS and _products(name, arguments) >= SEVERAL:
            for sums in found if isinstance(found, tuple) else (found,):
                if sums is not None and sums.device.type == "cpu":
                    sums.mul_(_factors(sums.numel()).view(sums.shape))
        return found


def _products(name, arguments):
    """Return how many products each sum has."""
    if name.startswith("convolution"):
        return arguments[2 if name.endswith("backward") else 1][0].numel()
    return arguments[-2].shape[-1]


@lru_cache(maxsize=64)
def _factors(n):
    """Return n factors that are spread evenly over their range and without a pattern (Weyl's sequence)."""
    spread = torch.remainder((torch.arange(n, dtype=torch.float64) + n) * (5**0.5 - 1) / 2, 1)
    return (1 + (2 * spread - 1) * UNITS * torch.finfo(torch.float32).eps).float()


@pytest.fixture(autouse=True)
def _other_rounding():
    with OtherRounding():
        yield
