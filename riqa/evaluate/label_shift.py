"""Label shift: the classes come in other shares than in training, and each class looks as it did.

Then a probability that was right for the training photographs is wrong for new ones by a known factor: the
new share of its class over the old one (Saerens, Latinne and Decaestecker 2002,
doi:10.1162/089976602753284446). The new shares are found without a label, by expectation maximisation.
"""

import numpy as np


def corrected(probs: np.ndarray, trained_on: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Correct probabilities (N, K), rows summing to 1, from the shares (K,) of training to other shares."""
    weighted = probs * (np.asarray(shares) / np.asarray(trained_on))
    total = weighted.sum(axis=1, keepdims=True)
    return np.divide(weighted, total, out=np.full_like(weighted, 1 / weighted.shape[1]), where=total > 0)


def class_shares(probs: np.ndarray, trained_on: np.ndarray) -> np.ndarray:
    """Estimate the shares of classes among photographs from a model's probabilities alone.

    Each step corrects the probabilities (N, K), rows summing to 1, to the shares so far, and takes their
    means as the next shares; the likelihood of the answers never falls. The start are the shares (K,) of the
    training photographs, above 0, summing to 1; the end, that no share changes by more than 1e-9. What is not
    as said here is a ValueError.
    """
    probs, trained_on = np.asarray(probs, dtype=float), np.asarray(trained_on, dtype=float)
    if probs.ndim != 2 or len(probs) == 0 or trained_on.shape != probs.shape[1:]:
        raise ValueError(f"probs {probs.shape} must be (N, K) and trained_on {trained_on.shape} (K,)")
    for what, numbers in (("trained_on", trained_on[None]), ("probs", probs)):
        if not (numbers >= 0).all() or not np.allclose(numbers.sum(axis=1), 1, atol=1e-5):
            raise ValueError(f"{what} must be shares that sum to 1")
    if not (trained_on > 0).all():
        raise ValueError(f"every class must occur in training, got shares {trained_on}")
    shares = trained_on
    for _ in range(10_000):
        last, shares = shares, corrected(probs, trained_on, shares).mean(axis=0)
        if abs(shares - last).max() <= 1e-9:
            break
    return shares
