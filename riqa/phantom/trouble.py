"""How often things go wrong: random severities of the defects, free or given the overall grade.

A photograph's troubles come together: a restless patient with a cataract and a small pupil spoils everything
at once. So all groups of defects share a latent difficulty (a Gaussian copula with one factor): with a
loading l, the trouble of a group is l * difficulty + sqrt(1 - l**2) * something of its own, both standard
normal. The photographs with the most trouble are affected, and the more trouble, the higher the severity.

`LOADINGS`, `SHAPES` and the chances of "grades" are fitted, with the graders' weights and thresholds, to the
160 photographs of EyeQ-D, whose details eight experts judged (`benchmarks/fit_phantom.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtr

from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import Rater, overall_score, rate_overall

TROUBLE: dict[str, dict[str, float]] = {
    "details": {"illumination": 0.45, "clarity": 0.62, "contrast": 0.58, "artifact": 0.35},
    "grades": {"illumination": 0.86, "clarity": 0.43, "contrast": 0.59, "artifact": 0.30},
    "eyes": {"illumination": 0.86, "clarity": 0.43, "contrast": 0.59, "artifact": 0.30},
}
"""For each kind of set, how often an image has a defect of each group."""

LOADINGS = {"illumination": 0.62, "clarity": 0.91, "contrast": 0.96, "artifact": 0.30}
"""How much of each group's trouble is the photograph's difficulty, in [0, 1]."""

SHAPES = {"illumination": 0.56, "clarity": 1.0, "contrast": 1.0, "artifact": 1.0}
"""Exponents of severity: with 1 all severities of an affected group are equally frequent, with less the high
ones are more so."""

_OF_THE_EYE = (
    "haze",
    "flat_gamma",
    "pupil_crescent",
    "vignette",
    "under_exposure",
    "halo",
    "defocus",
    "dust",
)
_SECOND = 0.25  # chance that an affected group shows a second defect


def draw_severities(
    n: int,
    chances: Mapping[str, float],
    rng: np.random.Generator,
    loadings: Mapping[str, float] = LOADINGS,
    shapes: Mapping[str, float] = SHAPES,
) -> dict[str, np.ndarray]:
    """Draw the severities of every defect for `n` photographs.

    Args:
        n: Number of photographs.
        chances: Chance in (0, 1] that a group (the three details, "artifact") is affected.
        rng: Random generator.
        loadings: Of each group on the difficulty, in [0, 1].
        shapes: Exponent of each group's severity, above 0.

    Returns:
        Array (n,) in [0, 1] by defect; most entries are 0.
    """
    difficulty = rng.standard_normal(n)
    severities = {name: np.zeros(n) for name in DEFECTS}
    for group, chance in chances.items():
        names = [name for name, owner in DEFECTS.items() if owner == group]
        own = rng.standard_normal(n)
        trouble = ndtr(loadings[group] * difficulty + np.sqrt(1 - loadings[group] ** 2) * own)
        beyond = (trouble - (1 - chance)) / chance  # uniform in (0, 1) where affected, not above 0 elsewhere
        strength = 0.03 + 0.97 * np.maximum(beyond, 0) ** shapes[group]
        order = rng.random((n, len(names))).argsort(axis=1)
        second = strength * rng.uniform(0.1, 1.0, n) * (rng.random(n) < _SECOND)
        for k, name in enumerate(names):
            drawn = np.where(order[:, 0] == k, strength, np.where(order[:, 1] == k, second, 0.0))
            severities[name] = np.where(beyond > 0, drawn, 0.0)
    return severities


def sample_by_grade(
    grades: np.ndarray,
    chances: Mapping[str, float],
    raters: Sequence[Rater],
    rng: np.random.Generator,
    n_classes: int | None = None,
    views: int = 1,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Draw severities until the graders' median is the grade that was asked for (rejection sampling).

    Severities, graders and their noise are as without the condition; only the prevalence of grades is set.

    Args:
        grades: int (N,), the grade wanted for each eye.
        chances: As in `draw_severities`.
        raters: An odd number of graders.
        rng: Random generator.
        n_classes: 2 or 3; None takes it from `grades`.
        views: Photographs per eye. The graders judge the eye by the mean score of its views, which share what
            stays from shot to shot: media, pupil, refraction, the flash's level, dirt on the lens.

    Returns:
        Severities by defect (N * views,), overall score of each photograph (N * views,), grade (N * views,)
        and the graders' scores int (N, R).
    """
    n_classes = int(np.max(grades)) + 1 if n_classes is None else n_classes
    n = len(grades)
    kept = {name: np.zeros((n, views)) for name in DEFECTS}
    scores, given = np.zeros((n, views)), np.zeros((n, len(raters)), int)
    waiting = np.arange(n)
    while waiting.size:
        drawn = {
            k: v.reshape(-1, views) for k, v in draw_severities(waiting.size * views, chances, rng).items()
        }
        for name in _OF_THE_EYE:
            jitter = rng.uniform(0.85, 1.15, drawn[name].shape)
            drawn[name] = np.clip(drawn[name][:, :1] * (jitter if views > 1 else 1.0), 0, 1)
        score = overall_score(drawn)
        ratings = rate_overall(score.mean(axis=1), raters, n_classes, rng)
        hit = np.median(ratings, axis=1).astype(int) == grades[waiting]
        done = waiting[hit]
        for name in DEFECTS:
            kept[name][done] = drawn[name][hit]
        scores[done], given[done] = score[hit], ratings[hit]
        waiting = waiting[~hit]
    flat = {name: values.reshape(-1) for name, values in kept.items()}
    return flat, scores.reshape(-1), np.repeat(grades, views), given
