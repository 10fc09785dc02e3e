"""A Teacher's level, set by shares alone: no image has a label, but the share of every bag is known.

A bag is an overall class. What is known of it is the share of its images that experts call bad in a detail
(nine numbers for three classes and three details), not which images these are. An answer is a logit z of
*good*; it says bad below 0. Learning from label proportions is that of Quadrianto et al. 2009
(Journal of Machine Learning Research 10), here with the Teacher's own answers as features.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def fit_intercepts(logits: np.ndarray, overall: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Choose for each detail one number to add to all its logits.

    Of all cuts between two images, the one whose shares by class are nearest to those known: the smallest sum
    of squared distances, every class counting alike. The search is exact.

    Args:
        logits: (N, D) of good.
        overall: (N,) classes 0..K-1, each with an image.
        shares: (K, D) of bad in [0, 1].

    Returns:
        (D,) intercepts, half way between the two images.
    """
    n_classes = len(shares)
    bags = overall[:, None] == np.arange(n_classes)
    intercepts = []
    for z, known in zip(logits.T, shares.T, strict=True):
        order = np.argsort(z, kind="stable")
        below = np.vstack([np.zeros(n_classes), bags[order].cumsum(axis=0)]) / bags.sum(axis=0)  # (N + 1, K)
        edges = np.concatenate([[z[order[0]] - 1], z[order], [z[order[-1]] + 1]])
        possible = np.diff(edges) > 0  # images with the same answer stay together
        distance = np.where(possible, ((below - known) ** 2).sum(axis=1), np.inf)
        best = int(distance.argmin())
        intercepts.append(-(edges[best] + edges[best + 1]) / 2)
    return np.array(intercepts)


def fit_class_intercepts(logits: np.ndarray, overall: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Choose an intercept for each class and detail, (K, D): within a class the known share is met."""
    return np.stack(
        [
            fit_intercepts(
                logits[overall == code], np.zeros((overall == code).sum(), int), shares[code, None]
            )
            for code in range(len(shares))
        ]
    )


def proportion_loss(logits: Tensor, overall: Tensor, shares: Tensor) -> Tensor:
    """Compute cross-entropy between the known share of every bag and its mean probability of bad.

    Args:
        logits: (N, D) of good.
        overall: (N,) classes 0..K-1, each with an image.
        shares: (K, D) of bad in [0, 1].

    Returns:
        Scalar mean over bags and details; least where every mean probability is the share.
    """
    bags = functional.one_hot(overall, len(shares)).to(logits.dtype)  # (N, K)
    p_bad = torch.sigmoid(-logits)
    means = (bags.T @ p_bad) / bags.sum(dim=0)[:, None]  # (K, D)
    return functional.binary_cross_entropy(means.clamp(1e-6, 1 - 1e-6), shares)


def fit_proportions(
    logits: np.ndarray,
    overall: np.ndarray,
    shares: np.ndarray,
    *,
    pull: float = 0.003,
    sharpness: float = 4.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Learn a new layer on top of the Teacher's answers from the known shares: z' = z A + b.

    Args:
        logits: (N, D) of good.
        overall: (N,) classes 0..K-1, each with an image.
        shares: (K, D) of bad in [0, 1].
        pull: Weight of the squared distance of A from the identity, above 0. Nine numbers do not determine
            twelve; what they leave open stays the Teacher's.
        sharpness: By how much logits are multiplied within the loss, above 0, so that the mean probability
            comes near the share that is *called* bad.

    Returns:
        A (D, D) and b (D,).
    """
    z, classes = torch.from_numpy(logits).double(), torch.from_numpy(np.asarray(overall, dtype=np.int64))
    known = torch.tensor(np.asarray(shares), dtype=torch.float64)
    identity = torch.eye(z.shape[1], dtype=torch.float64)
    matrix = identity.clone().requires_grad_()
    bias = torch.from_numpy(fit_intercepts(logits, overall, shares)).double().requires_grad_()
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = proportion_loss(sharpness * (z @ matrix + bias), classes, known)
        loss = loss + pull * ((matrix - identity) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return matrix.detach().numpy(), bias.detach().numpy()
