"""Schemes that weigh two tasks while they are learned (`TrainingConfig.weighting`), and notes of them.

The loss of a step is the sum over tasks of w_t lambda_t L_t, and schemes differ in w_t. Some ask for the Gram
matrix of the tasks' gradients: their inner products (2, 2) at the layers that both share. A scheme sees the
batch of one process only: several that train together cannot use one.

TorchJD, an extra that its schemes import, has many rules from Gram matrix to weights. Of two rules we keep
our own: for two tasks a few lines do what TorchJD asks a solver for at every step (`ConflictAverse`, `Nash`).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module

import torch
from torch import Tensor, nn

from riqa.errors import InputError
from riqa.learn.tasks import WeightedSum


def gram_of(losses: Iterable[Tensor], shared: Iterable[Tensor]) -> Tensor:
    """Return the inner products (K, K) of the gradients of K losses at the shared parameters."""
    pulls = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses]
    rows = torch.stack([torch.cat([part.flatten() for part in pull]) for pull in pulls])
    return rows @ rows.T


class EqualWeights(nn.Module):
    """Weights of 1, the paper's sum (Eq. 4), with notes. The other schemes are made from it.

    It knows each task's fixed weight, above 0, in the order of the losses, and what all tasks pull at.
    """

    every = 8  # steps from one Gram matrix, which costs a backward pass per task, to the next

    def __init__(self, lambdas: Mapping[str, float], shared: Iterable[Tensor]):
        super().__init__()
        self.lambdas, self.shared = dict(lambdas), tuple(shared)
        self.register_buffer("now", torch.ones(len(self.lambdas)))  # weights
        self.register_buffer("before", torch.full((len(self.lambdas),), torch.nan))  # losses to compare with
        self.noted: list[Tensor] = []  # by step of this epoch: weights, losses, cosine of the gradients

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Join losses; take note of them in training, not in validation, which asks for no gradient."""
        own = torch.stack([self.lambdas[name] * loss for name, loss in losses.items()])
        learning, gram, cosine = torch.is_grad_enabled(), None, torch.tensor([torch.nan])
        if learning and len(own) == 2 and len(self.noted) % self.every == 0:
            gram = gram_of(own, self.shared).cpu()
            cosine = gram[:1, 1] / gram.diagonal().prod().sqrt()
            gram = None if cosine.isnan() else gram  # a batch that knows nothing of a task
        weights = self.weights(own.detach().cpu(), gram)
        if learning:
            self.noted.append(torch.cat([weights.detach(), own.detach().cpu(), cosine]))
        return (weights.to(own.device) * own).sum()

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Return the weights (K,) of a step from its losses (K,) and, where it is known, its Gram matrix."""
        return self.now

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean weights, its mean cosine of gradients, and how often that was negative."""
        noted, self.noted = torch.stack(self.noted), []
        cosines = noted[:, -1][~noted[:, -1].isnan()]
        told = {"cosine": cosines.mean().item(), "opposed": (cosines < 0).float().mean().item()}
        return {f"weight_{name}": noted[:, k].mean().item() for k, name in enumerate(self.lambdas)} | told


class Uncertainty(EqualWeights):
    """Weights that are learned beside the network (Kendall et al. 2018)."""

    def __init__(self, lambdas: Mapping[str, float], shared: Iterable[Tensor]):
        super().__init__(lambdas, shared)
        self.log_variance = nn.Parameter(torch.zeros(len(self.lambdas)))

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Return 1 over the variances."""
        return torch.exp(-self.log_variance)

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Add what large variances cost."""
        return super().forward(losses) + self.log_variance.sum() / 2


class DynamicAverage(EqualWeights):
    """More weight for a task whose loss falls more slowly (Liu et al. 2019)."""

    def end_epoch(self) -> dict[str, float]:
        """Compare the epoch's mean losses with those of the epoch before, if there is one."""
        mean = torch.stack(self.noted)[:, len(self.now) : -1].mean(0)
        rate = (mean / self.before).nan_to_num(1.0, posinf=1.0)
        self.before, self.now = mean, len(rate) * torch.softmax(rate / 2, dim=0)
        return super().end_epoch()


class GradientNorms(EqualWeights):
    """GradNorm: all pull alike, a task that lags harder (Chen et al. 2018)."""

    every = 1

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Move the weights a step towards the lengths that are wanted."""
        if gram is not None:
            first = torch.where(self.before.isnan(), losses, self.before)
            left, length = losses / first, gram.diagonal().sqrt()
            wanted = (self.now * length).mean() * (left / left.mean()) ** 1.5
            slope = length * torch.sign(self.now * length - wanted)
            moved = (self.now - 0.025 * slope).clamp(min=0.01)
            self.before, self.now = first, len(moved) * moved / moved.sum()
        return self.now


class ByTorchJD(EqualWeights):
    """Weights by a rule of TorchJD (Quinton and Rey 2024) that asks for the Gram matrix alone.

    The rule, a name in `torchjd.aggregation`, has no state. Its weights are multiplied by `scale`, 2 where
    they are shares, so that equal ones are 1. Between looks, one in `every` steps, they stay as they are. An
    InputError says what to install if TorchJD is not there.
    """

    def __init__(self, lambdas, shared, rule: str, scale: float = 1.0, every: int = 1):
        super().__init__(lambdas, shared)
        try:
            self.rule = getattr(import_module("torchjd.aggregation"), rule)()
        except ImportError as error:
            raise InputError(
                f"{rule} is a rule of TorchJD, which cannot be imported ({error}): pip install torchjd, or "
                'pip install -e ".[laboratories]" in the repository'
            ) from error
        self.scale, self.every = scale, every

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Ask the rule; one that looks at every step has weights of 1 where there is nothing to look at."""
        if gram is None:
            return self.now
        with torch.random.fork_rng(devices=[]):  # some draw an order of tasks; dropout must not notice
            found = self.scale * self.rule(gram)
        self.now = found if self.every > 1 else self.now
        return found


class ConflictAverse(EqualWeights):
    """CAGrad (Liu et al. 2021, Algorithm 1), twice its step: the mean is half a sum.

    TorchJD's solver finds the same to within the grid, but takes 80 times as long (6 ms, a seventh of a
    training step on phantoms), and answers 0, which ends all learning, where gradients are very short.
    """

    every = 4

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Try 101 mixtures of both gradients for the one that the mean lacks most."""
        if gram is not None:
            share = torch.linspace(0, 1, 101)
            mixed = torch.stack([share, 1 - share])
            length = (mixed * (gram @ mixed)).sum(0).clamp(min=1e-24).sqrt()
            reach = 0.5 * gram.mean().clamp(min=0).sqrt()
            best = (gram.mean(0) @ mixed + reach * length).argmin()
            self.now = 1 + 2 * reach / length[best] * mixed[:, best]
        return self.now


class Nash(EqualWeights):
    """Nash-MTL (Navon et al. 2022, Algorithm 1) for two tasks, without a solver.

    TorchJD finds the same, but takes 20 to 25 ms, half a training step on
    phantoms, and begins with its last answer, which no checkpoint holds.
    """

    every = 4

    def weights(self, losses: Tensor, gram: Tensor | None) -> Tensor:
        """Give the sum of both directions length 1: at most 7 times what it has."""
        if gram is not None:
            length = gram.diagonal().sqrt()
            cosine = gram[0, 1] / length.prod()
            self.now = 1 / (length * (2 + 2 * cosine).clamp(min=0.02).sqrt())
        return self.now


SCHEMES = {
    "fixed": lambda lambdas, shared: WeightedSum(lambdas),
    "equal_weights": EqualWeights,
    "uncertainty": Uncertainty,
    "dynamic_average": DynamicAverage,
    "gradient_norms": GradientNorms,
    "gradient_surgery": partial(ByTorchJD, rule="PCGradWeighting"),
    "conflict_averse": ConflictAverse,
    "nash": Nash,
    "shortest_mixture": partial(ByTorchJD, rule="MGDAWeighting", scale=2.0, every=4),
}
"""What `TrainingConfig.weighting` may name -> a function of fixed weights and shared parameters."""
