"""Simulated experts and graders: from severities of defects to the labels that people would give.

An expert looks at one detail, perceives a severity, and calls the detail bad above the expert's own
threshold: threshold + bias + noise of the moment. Illumination is where experts differ most, as in the
paper's Table 5. A grader looks at the whole photograph and weighs every defect, artifacts included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS

THRESHOLD = 0.45
"""Perceived severity above which an unbiased expert calls a detail bad."""

GRADE_THRESHOLDS = (0.42, 0.62)
"""Overall scores above which an unbiased grader leaves "good" and falls to "reject"; the first is a unit."""

WEIGHTS = {"illumination": 0.54, "clarity": 0.44, "contrast": 0.46, "artifact": 0.50}
"""How much a defect of each group weighs for graders. Those of the details and the second threshold are
fitted to the 160 photographs of EyeQ-D (`benchmarks/fit_phantom.py`), which says nothing of artifacts."""

PANEL_SIZES = (3, 5, 7)
"""Odd panels, so that a majority always exists."""

_BIAS = {"illumination": 0.13, "clarity": 0.06, "contrast": 0.07}  # spread between experts
_NOISE = {"illumination": 0.21, "clarity": 0.10, "contrast": 0.11}  # spread of one expert between looks
_GRADER_BIAS, _GRADER_NOISE = 0.018, 0.045


@dataclass(frozen=True)
class Rater:
    """A person who rates photographs.

    Attributes:
        name: Name in the ratings table.
        bias: Shift of the person's thresholds, one per item; positive is lenient.
        noise: Standard deviation of the threshold from look to look, one per item.
    """

    name: str
    bias: Mapping[str, float]
    noise: Mapping[str, float]


def _spread(n: int, shuffle: int) -> np.ndarray:
    """Return `n` normal quantiles (mean 0) in a fixed, mixed order."""
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    return quantiles[np.random.default_rng(shuffle).permutation(n)]


def experts(n: int = 8) -> tuple[Rater, ...]:
    """Return the experts who annotate details, the same in every set.

    Args:
        n: Number of experts (the paper has eight ophthalmologists).
    """
    biases = {detail: _BIAS[detail] * _spread(n, k) for k, detail in enumerate(DETAILS)}
    return tuple(
        Rater(f"expert_{i + 1}", {detail: float(biases[detail][i]) for detail in DETAILS}, _NOISE)
        for i in range(n)
    )


def graders(n: int = 3) -> tuple[Rater, ...]:
    """Return the graders of overall quality; an odd number, as the median grade is the label."""
    bias = _GRADER_BIAS * _spread(n, 11)
    return tuple(
        Rater(f"grader_{i + 1}", {"overall": float(bias[i])}, {"overall": _GRADER_NOISE}) for i in range(n)
    )


def perceived_severity(severities: Mapping[str, np.ndarray], detail: str) -> np.ndarray:
    """Compute the severity of a detail: a soft maximum (3-norm) over its defects, at most 1.

    Args:
        severities: At least one array (N,) in [0, 1] by defect; missing defects count as 0.
        detail: One of `riqa.labels.DETAILS`, or "artifact".

    Returns:
        Array (N,) in [0, 1].

    Raises:
        ValueError: For an unknown detail.
    """
    names = [name for name, group in DEFECTS.items() if group == detail]
    if not names:
        raise ValueError(f"detail must be one of {(*DETAILS, 'artifact')}, got {detail!r}")
    shape = np.shape(next(iter(severities.values())))
    cubes = sum(
        (np.asarray(severities[name], float) ** 3 for name in names if name in severities), np.zeros(shape)
    )
    return np.minimum(1.0, np.cbrt(cubes))


def overall_score(severities: Mapping[str, np.ndarray], weights: Mapping[str, float] = WEIGHTS) -> np.ndarray:
    """Compute what graders perceive: a 2-norm over the weighted severities of the details and artifacts.

    Args:
        severities: Arrays (N,) in [0, 1] by defect.
        weights: Of the three details and "artifact", at least 0.

    Returns:
        Array (N,), 0 for a flawless photograph, up to about 1.2.
    """
    parts = [weight * perceived_severity(severities, group) for group, weight in weights.items()]
    return np.sqrt(sum(part**2 for part in parts))


def rate_details(perceived: np.ndarray, raters: Sequence[Rater], rng: np.random.Generator) -> np.ndarray:
    """Let every expert judge every photograph once.

    Args:
        perceived: (N, 3) perceived severities in the order of `DETAILS`.
        raters: R experts with a bias and a noise for each detail.
        rng: Noise of the moment.

    Returns:
        int (N, R, 3): 1 good, 0 bad.
    """
    bias = np.array([[rater.bias[detail] for detail in DETAILS] for rater in raters])
    noise = np.array([[rater.noise[detail] for detail in DETAILS] for rater in raters])
    limits = THRESHOLD + bias + noise * rng.standard_normal((len(perceived), *bias.shape))
    return (perceived[:, None, :] <= limits).astype(int)


def grade_thresholds(n_classes: int) -> tuple[float, ...]:
    """Return the overall scores at which an unbiased grader changes the grade, from good downwards.

    Raises:
        ValueError: If `n_classes` is neither 2 nor 3.
    """
    if n_classes not in (2, 3):
        raise ValueError(f"n_classes must be 2 or 3, got {n_classes}")
    return GRADE_THRESHOLDS if n_classes == 3 else (float(np.mean(GRADE_THRESHOLDS)),)


def rate_overall(
    score: np.ndarray,
    raters: Sequence[Rater],
    n_classes: int,
    rng: np.random.Generator,
    thresholds: Sequence[float] | None = None,
) -> np.ndarray:
    """Let every grader grade every photograph once.

    Args:
        score: (N,) overall scores.
        raters: R graders.
        n_classes: 3 (reject, usable, good) or 2 (bad, good).
        rng: Noise of the moment.
        thresholds: Of an unbiased grader; None takes `grade_thresholds`.

    Returns:
        int (N, R): the codes of `riqa.labels`, 0 the worst.

    Raises:
        ValueError: If `n_classes` is neither 2 nor 3.
    """
    thresholds = grade_thresholds(n_classes) if thresholds is None else thresholds
    bias = np.array([rater.bias["overall"] for rater in raters])
    noise = np.array([rater.noise["overall"] for rater in raters])
    seen = np.asarray(score)[:, None] - bias - noise * rng.standard_normal((len(score), len(raters)))
    return sum((seen <= threshold).astype(int) for threshold in thresholds)


def draw_panels(n: int, n_raters: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the panel of each photograph: an odd number of experts.

    Args:
        n: Number of photographs.
        n_raters: Number of experts to draw from.
        rng: Random generator.

    Returns:
        bool (n, n_raters) with 3, 5 or 7 True per row (as far as `n_raters` allows).

    Raises:
        ValueError: With fewer than 3 experts.
    """
    sizes = [size for size in PANEL_SIZES if size <= n_raters]
    if not sizes:
        raise ValueError(f"a panel needs at least 3 experts, got {n_raters}")
    rank = rng.random((n, n_raters)).argsort(axis=1).argsort(axis=1)
    return rank < rng.choice(sizes, n)[:, None]


def majority(scores: np.ndarray, panels: np.ndarray) -> np.ndarray:
    """Return the majority of each panel.

    Args:
        scores: int (N, R, 3), 1 good, 0 bad.
        panels: bool (N, R) with an odd number of True per row.

    Returns:
        int (N, 3).
    """
    good = (scores * panels[..., None]).sum(axis=1)
    return (2 * good > panels.sum(axis=1)[:, None]).astype(int)


def ratings_table(
    image_ids: Sequence[str],
    scores: np.ndarray,
    items: Sequence[str],
    raters: Sequence[Rater],
    seen: np.ndarray | None = None,
    session: int = 1,
) -> pd.DataFrame:
    """Write scores in long form.

    Args:
        image_ids: N names.
        scores: int (N, R, I).
        items: I names, details or "overall".
        raters: R experts.
        seen: bool (N, R), which expert saw which photograph; None means all.
        session: 1, or 2 for the blinded second session.

    Returns:
        Table with `image_id`, `rater`, `item`, `score`, `session`.
    """
    seen = np.ones(scores.shape[:2], bool) if seen is None else seen
    image, rater = np.nonzero(seen)
    table = pd.DataFrame(
        {
            "image_id": np.repeat(np.asarray(image_ids, dtype=object)[image], len(items)),
            "rater": np.repeat(np.array([r.name for r in raters], dtype=object)[rater], len(items)),
            "item": np.tile(np.array(items, dtype=object), len(image)),
            "score": scores[image, rater].reshape(-1).astype("int64"),
        }
    )
    return table.assign(session=session)


def expert_labels(
    image_ids: Sequence[str],
    severities: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    n_repeat: int = 0,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Label the details of photographs by the majority of odd panels of the eight experts.

    Args:
        image_ids: N names.
        severities: Arrays (N,) in [0, 1] by defect.
        rng: Draws panels and the experts' noise.
        n_repeat: How many photographs their panels rate again, blinded, as session 2; labels ignore it.

    Returns:
        Labels int (N, 3), 1 good, 0 bad, and the ratings table.
    """
    raters = experts()
    names = np.asarray(image_ids, dtype=object)
    perceived = np.stack([perceived_severity(severities, detail) for detail in DETAILS], axis=1)
    panels = draw_panels(len(names), len(raters), rng)
    scores = rate_details(perceived, raters, rng)
    tables = [ratings_table(names, scores, DETAILS, raters, panels)]
    if n_repeat:
        again = np.sort(rng.permutation(len(names))[:n_repeat])
        second = rate_details(perceived[again], raters, rng)
        tables.append(ratings_table(names[again], second, DETAILS, raters, panels[again], session=2))
    return majority(scores, panels), pd.concat(tables, ignore_index=True)
