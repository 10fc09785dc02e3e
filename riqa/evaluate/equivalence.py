"""Equivalence and non-inferiority with a stated margin, because p > 0.05 is not equivalence.

Two one-sided tests at level alpha (Schuirmann, 1987, doi:10.1007/BF01068419) reject "the difference is as
large as the margin" on both sides exactly if the 1 - 2 alpha interval lies within the margins: at
alpha = 0.05 the 90 % interval. The interval here is that of the paired bootstrap.
"""

from dataclasses import dataclass

import numpy as np

from riqa.evaluate.stats import Interval, paired_bootstrap


@dataclass(frozen=True)
class MarginVerdict:
    """What the 1 - 2 alpha interval of a difference A minus B says about a margin."""

    difference: Interval  # its interval has coverage 1 - 2 alpha
    margin: float

    @property
    def equivalent(self) -> bool:
        """Whether A and B differ by less than the margin, in either direction."""
        return -self.margin < self.difference.low and self.difference.high < self.margin

    @property
    def non_inferior(self) -> bool:
        """Whether A is worse than B by less than the margin, if at all."""
        return self.difference.low > -self.margin

    @property
    def superior(self) -> bool:
        """Whether A is better than B, by however little."""
        return self.difference.low > 0

    @property
    def inferior(self) -> bool:
        """Whether A is worse than B, by however little."""
        return self.difference.high < 0


def margin_verdict(difference: Interval, margin: float) -> MarginVerdict:
    """Judge a difference by its 1 - 2 alpha interval.

    Args:
        difference: Interval of A minus B with coverage 1 - 2 alpha, whatever was compared.
        margin: Largest difference that would not matter, in the unit of the score; above 0.

    Raises:
        ValueError: If the margin is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, got {margin!r}")
    return MarginVerdict(difference, margin)


def equivalence(
    y_true: np.ndarray,
    pred_a: np.ndarray,
    pred_b: np.ndarray,
    *,
    margin: float,
    n_classes: int,
    metric: str = "macro_f1",
    alpha: float = 0.05,
    groups: np.ndarray | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> MarginVerdict:
    """Ask whether two models' scores differ by less than a margin, by the paired bootstrap.

    Args:
        y_true: (N,) codes 0..K-1, none missing.
        pred_a: (N,) predicted codes of model A, or (S, N) with one row per training seed.
        pred_b: Those of model B, of the same shape.
        margin: Largest difference that would not matter, chosen before looking; in (0, 1).
        n_classes: K, 2 or 3.
        metric: A key of `riqa.evaluate.metrics.overall_scores`.
        alpha: Level of each of the two one-sided tests, in (0, 0.5).
        groups: (N,) what is drawn as a whole, e.g. patient ids; None draws single images.
        n_resamples: Number of bootstrap replicates.
        seed: Seed of the draws.

    Raises:
        ValueError: As `paired_bootstrap`, or if the margin or alpha is out of range.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha!r}")
    difference = paired_bootstrap(
        y_true,
        pred_a,
        pred_b,
        n_classes=n_classes,
        metric=metric,
        groups=groups,
        n_resamples=n_resamples,
        confidence=1 - 2 * alpha,
        seed=seed,
    )
    return margin_verdict(difference, margin)
