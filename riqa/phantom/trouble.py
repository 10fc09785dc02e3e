"""How often things go wrong: random severities of the defects, free or given the overall grade.

A photograph's troubles come together: a restless patient with a cataract and a small pupil spoils everything
at once. So all groups of defects share a latent difficulty (a Gaussian copula with one factor): with a
loading l, the trouble of a group is l * difficulty + sqrt(1 - l**2) * something of its own, both standard
normal. The photographs with the most trouble are affected, and the more trouble, the higher the severity.

`LOADINGS`, `SHAPES` and the chances of "grades" are fitted, with the graders' weights and thresholds, to the
160 photographs of EyeQ-D, whose details eight experts judged (`benchmarks/fit_phantom.py`).
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr

from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.raters import GRADERS, grade_thresholds, overall_score

TROUBLE: dict[str, dict[str, float]] = {
    "details": {"illumination": 0.45, "clarity": 0.62, "contrast": 0.58, "artifact": 0.35},
    "grades": {"illumination": 0.86, "clarity": 0.43, "contrast": 0.59, "artifact": 0.30},
}
"""How often a photograph has a defect of each group, in sets for details and in those with overall grades."""

LOADINGS = {"illumination": 0.62, "clarity": 0.91, "contrast": 0.96, "artifact": 0.30}
"""How much of each group's trouble is the photograph's difficulty, in [0, 1]."""

SHAPES = {"illumination": 0.56, "clarity": 1.0, "contrast": 1.0, "artifact": 1.0}
"""Exponents of severity: with 1 all severities of an affected group are equally frequent, with less the high
ones are more so."""

# What an eye's views share: its media and pupil, the flash's level, refraction, dirt on the lens.
_SHARED = ("haze", "flat_gamma", "pupil_crescent", "vignette", "under_exposure", "halo", "defocus", "dust")


def draw_severities(
    n: int, chances: Mapping, rng: np.random.Generator, loadings: Mapping = LOADINGS,
    shapes: Mapping = SHAPES, normal: Callable[[int], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Draw the severities of every defect for `n` photographs: (n,) in [0, 1] by defect, most entries 0.

    `chances`, in (0, 1], `loadings`, in [0, 1], and `shapes`, above 0, are by group, see above. What draws n
    standard normal numbers is `normal`. It may draw several rows of them, (captures, n), and so are the
    severities then: from row to row changes how severe defects are, and not which ones a photograph can have.
    """
    normal = normal or rng.standard_normal
    difficulty = normal(n)
    severities = {}
    for group, chance in chances.items():
        own = normal(n)
        trouble = ndtr(loadings[group] * difficulty + np.sqrt(1 - loadings[group] ** 2) * own)
        beyond = (trouble - (1 - chance)) / chance  # uniform in (0, 1) where affected, not above 0 elsewhere
        strength = 0.03 + 0.97 * np.maximum(beyond, 0) ** shapes[group]
        order = rng.random((n, len(GROUPS[group]))).argsort(axis=1)
        second = strength * rng.uniform(0.1, 1.0, n) * (rng.random(n) < 0.25)  # a quarter has two defects
        for k, name in enumerate(GROUPS[group]):
            drawn = np.where(order[:, 0] == k, strength, np.where(order[:, 1] == k, second, 0.0))
            severities[name] = np.where(beyond > 0, drawn, 0.0)
    return severities


def sample_by_grade(
    grades: np.ndarray, n_classes: int, rng: np.random.Generator, views: int = 1
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw severities until the graders' median is the grade that was asked for (rejection sampling).

    Severities, graders and their noise are as without the condition; only the prevalence of grades is set.
    `grades`, int (N,), are those of eyes with `views` photographs each: the graders judge an eye by the mean
    score of its views, which share `_SHARED`. Returns severities by defect (N * views,), and the graders'
    scores int (N, 3).
    """
    kept = {name: np.zeros((len(grades), views)) for name in DEFECTS}
    given, waiting = np.zeros((len(grades), 3), int), np.arange(len(grades))
    while waiting.size:
        drawn = draw_severities(waiting.size * views, TROUBLE["grades"], rng)
        drawn = {name: severity.reshape(-1, views) for name, severity in drawn.items()}
        for name in _SHARED:
            jitter = rng.uniform(0.85, 1.15, drawn[name].shape)
            drawn[name] = np.clip(drawn[name][:, :1] * (jitter if views > 1 else 1.0), 0, 1)
        score = overall_score(drawn).mean(axis=1)
        ratings = GRADERS.rate(score[:, None], grade_thresholds(n_classes), rng)[..., 0]
        hit = np.median(ratings, axis=1).astype(int) == grades[waiting]
        for name in DEFECTS:
            kept[name][waiting[hit]] = drawn[name][hit]
        given[waiting[hit]] = ratings[hit]
        waiting = waiting[~hit]
    return {name: severity.reshape(-1) for name, severity in kept.items()}, given
