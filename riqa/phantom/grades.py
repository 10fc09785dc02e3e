"""The true grade of a photograph: what graders say of it without their noise, or on average over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from riqa.phantom.raters import Rater, grade_thresholds


def true_grade(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Grade photographs as a grader without bias and without noise would.

    Args:
        score: (...) overall scores, see `riqa.phantom.raters.overall_score`.
        n_classes: 3 (reject, usable, good) or 2 (bad, good).

    Returns:
        int (...): the codes of `riqa.labels`, 0 the worst. A score on a threshold has the better grade.
    """
    return sum((np.asarray(score) <= threshold).astype(int) for threshold in grade_thresholds(n_classes))


def expected_grade(score: np.ndarray, n_classes: int, raters: Sequence[Rater]) -> np.ndarray:
    """Return the mean of three graders' median grade over the noise of the moment, without drawing any.

    The median is at least k where two of the three grades are, and the graders' noise is independent.

    Args:
        score: (...) overall scores.
        n_classes: 3 or 2.
        raters: Three graders.

    Returns:
        float (...) in [0, n_classes - 1]: 0 if surely of the worst grade.

    Raises:
        ValueError: If there are not three graders.
    """
    if len(raters) != 3:
        raise ValueError(f"raters must be three, got {len(raters)}")
    bias = np.array([rater.bias["overall"] for rater in raters])
    noise = np.array([rater.noise["overall"] for rater in raters])
    total = np.zeros(np.shape(score))
    for threshold in grade_thresholds(n_classes):
        a, b, c = np.moveaxis(norm.cdf((threshold + bias - np.asarray(score)[..., None]) / noise), -1, 0)
        total = total + a * b + a * c + b * c - 2 * a * b * c
    return total
