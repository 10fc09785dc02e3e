"""Schemes that weigh tasks while they are learned (`TrainingConfig.weighting`), and notes of what they did.

The loss of a step is the sum over tasks of w_t lambda_t L_t, and schemes differ in w_t. Each notes, epoch by
epoch, its weights, and in which directions the tasks pull at the layers that they share. A scheme sees the
batch of one process only: several that train together cannot use one.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from riqa.learn.tasks import WeightedSum, Weighting

TEMPERATURE = 2.0
"""Of the dynamic average, as in Liu et al. 2019; at higher ones weights are more alike."""


def inner_products(losses: Sequence[Tensor], shared: Sequence[Tensor]) -> Tensor:
    """Return the inner products (K, K) of the gradients of K losses at the shared parameters."""
    pulls = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses]
    products = [sum((a * b).sum() for a, b in zip(p, q, strict=True)) for p in pulls for q in pulls]
    return torch.stack(products).view(len(losses), len(losses))


def surgery_weights(products: Tensor) -> Tensor:
    """Return the weights (K,) of K gradients in what gradient surgery makes of them.

    Each gradient, in turn, loses its part along every other that it opposes. What
    remains of it is a sum of all gradients, whose weights are a row of `kept`, so
    inner products (K, K) suffice. With K > 2 the others are taken in order (Yu et
    al. 2020: in random order).
    """
    kept = torch.eye(len(products), dtype=products.dtype, device=products.device)
    for i, own in enumerate(kept):
        for j, other in enumerate(products):
            against = own @ other
            if j != i and against < 0:
                own[j] -= against / other[j]
    return kept.sum(0)


class EqualWeights(nn.Module):
    """Weights of 1: the paper's sum (Eq. 4). Every other scheme is made from this one.

    Args:
        lambdas: Task -> its fixed weight, above 0, in the order of the losses.
        shared: The parameters that all tasks pull at.
    """

    every = 8  # steps from one look at the gradients, which costs a backward pass per task, to the next

    def __init__(self, lambdas: Mapping[str, float], shared: Iterable[Tensor]):
        super().__init__()
        self.lambdas, self.shared = dict(lambdas), tuple(shared)
        self.noted: list[dict[str, Tensor]] = []  # of the steps of this epoch

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Join losses; take note of them in training, not in validation, which asks for no gradient."""
        own, products = [self.lambdas[name] * loss for name, loss in losses.items()], None
        learning = torch.is_grad_enabled()
        if learning and len(own) > 1 and len(self.noted) % self.every == 0:
            products = inner_products(own, self.shared)
        weights = self.weights(products)
        if learning:
            step = {"losses": torch.stack(own), "weights": weights, "cosine": cosine(products)}
            self.noted.append({name: value.detach().cpu() for name, value in step.items()})
        return self.joined(own, weights)

    def weights(self, products: Tensor | None) -> Tensor:
        """Return the weights (K,) of a step; inner products are those of the gradients, where looked at."""
        return torch.ones(len(self.lambdas))

    def joined(self, losses: Sequence[Tensor], weights: Tensor) -> Tensor:
        """Return what is minimised."""
        return sum(weight * loss for weight, loss in zip(weights, losses, strict=True))

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean weights, its mean cosine of gradients, and how often that was negative."""
        steps, self.noted = self.noted, []
        means = torch.stack([step["weights"] for step in steps]).mean(0).tolist()
        told = {f"weight_{name}": mean for name, mean in zip(self.lambdas, means, strict=True)}
        cosines = torch.stack([step["cosine"] for step in steps])
        cosines = cosines[~cosines.isnan()]
        opposed = (cosines < 0).float().mean().item()  # NaN if no gradient was looked at
        return told | {"cosine": cosines.mean().item(), "opposed": opposed}


class Uncertainty(EqualWeights):
    """Weights that are learned beside the network (Kendall et al. 2018)."""

    def __init__(self, lambdas: Mapping[str, float], shared: Iterable[Tensor]):
        super().__init__(lambdas, shared)
        self.log_variance = nn.Parameter(torch.zeros(len(self.lambdas)))

    def weights(self, products: Tensor | None) -> Tensor:
        """Return 1 over the variances."""
        return torch.exp(-self.log_variance)

    def joined(self, losses: Sequence[Tensor], weights: Tensor) -> Tensor:
        """Return the weighted sum, and what large variances cost."""
        return super().joined(losses, weights) + self.log_variance.sum() / 2


class DynamicAverage(EqualWeights):
    """More weight for a task whose loss falls more slowly (Liu et al. 2019)."""

    def __init__(self, lambdas: Mapping[str, float], shared: Iterable[Tensor]):
        super().__init__(lambdas, shared)
        self.register_buffer("means", torch.full((2, len(self.lambdas)), torch.nan))

    def weights(self, products: Tensor | None) -> Tensor:
        """Compare the mean losses of the last two epochs; before there are two, all weights are 1."""
        rate = (self.means[1] / self.means[0]).nan_to_num(1.0, posinf=1.0)
        return len(rate) * torch.softmax(rate / TEMPERATURE, dim=0)

    def end_epoch(self) -> dict[str, float]:
        """Keep the mean losses of the epoch."""
        mean = torch.stack([step["losses"] for step in self.noted]).mean(0)
        self.means = torch.stack([self.means[1], mean])
        return super().end_epoch()


class Surgery(EqualWeights):
    """Weights with which the shared layers get the gradient of PCGrad (Yu et al. 2020, Algorithm 1)."""

    every = 1

    def weights(self, products: Tensor | None) -> Tensor:
        """Return weights by the gradients of this step; 1 in validation."""
        return super().weights(None) if products is None else surgery_weights(products)


def cosine(products: Tensor | None) -> Tensor:
    """Return the mean cosine of the angles between gradients, from inner products (K, K); NaN if none."""
    if products is None:
        return torch.tensor(torch.nan)
    norms = products.diagonal().sqrt()
    pairs = torch.triu_indices(*products.shape, offset=1)
    return (products / norms.outer(norms))[pairs[0], pairs[1]].mean()


SCHEMES = {
    "equal_weights": EqualWeights,
    "uncertainty": Uncertainty,
    "dynamic_average": DynamicAverage,
    "gradient_surgery": Surgery,
}


def weighting_of(name: str, lambdas: Mapping[str, float], shared: Iterable[Tensor]) -> Weighting:
    """Return the weighting that `TrainingConfig.weighting` names; arguments as of `EqualWeights`."""
    return WeightedSum(lambdas) if name == "fixed" else SCHEMES[name](lambdas, shared)
