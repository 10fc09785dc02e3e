"""Simulated experts and graders: from severities of defects to the labels that people would give.

An expert looks at one detail, perceives a severity, and calls the detail bad above the expert's own
threshold: threshold + bias + noise of the moment. Illumination is where experts differ most, as in the
paper's Table 5. A grader looks at the whole photograph and weighs every defect, artifacts included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import norm

from riqa.labels import DETAILS
from riqa.phantom.degrade import GROUPS

THRESHOLD = 0.45
"""Perceived severity above which an unbiased expert calls a detail bad."""

GRADE_THRESHOLDS = (0.42, 0.62)
"""Overall scores above which an unbiased grader leaves "good" and falls to "reject"; the first is a unit."""

WEIGHTS = {"illumination": 0.54, "clarity": 0.44, "contrast": 0.46, "artifact": 0.50}
"""How much a defect of each group weighs for graders. Those of the details and the second threshold are
fitted to the 160 photographs of EyeQ-D (`benchmarks/fit_phantom.py`), which says nothing of artifacts."""

_BIAS = {"illumination": 0.13, "clarity": 0.06, "contrast": 0.07}  # spread between experts
_NOISE = {"illumination": 0.21, "clarity": 0.10, "contrast": 0.11}  # spread of one expert between looks


@dataclass(frozen=True)
class Rater:
    """A person who rates photographs. Items are details, or "overall"."""

    name: str
    bias: Mapping[str, float]  # shift of the person's threshold by item; positive is lenient
    noise: Mapping[str, float]  # standard deviation of the threshold from look to look, by item


def _spread(n: int, shuffle: int) -> list[float]:
    """Return `n` normal quantiles (mean 0) in a fixed, mixed order."""
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    return quantiles[np.random.default_rng(shuffle).permutation(n)].tolist()


def experts() -> list[Rater]:
    """Return the eight experts who annotate details, the same in every set (the paper has as many)."""
    bias = {detail: [_BIAS[detail] * x for x in _spread(8, k)] for k, detail in enumerate(DETAILS)}
    return [Rater(f"expert_{i + 1}", {d: bias[d][i] for d in DETAILS}, _NOISE) for i in range(8)]


def graders() -> list[Rater]:
    """Return the three graders of overall quality; their median grade is the label."""
    biases = [0.018 * x for x in _spread(3, 11)]
    return [Rater(f"grader_{i}", {"overall": b}, {"overall": 0.045}) for i, b in enumerate(biases, 1)]


def perceived_severity(severities: Mapping[str, np.ndarray], detail: str) -> np.ndarray:
    """Compute the severity of a detail, or of "artifact": the soft maximum (3-norm) of its defects.

    `severities` holds at least one array (N,) in [0, 1] by defect; missing defects count as 0. Returns (N,)
    of at most 1; ValueError for an unknown detail.
    """
    if detail not in GROUPS:
        raise ValueError(f"detail must be one of {tuple(GROUPS)}, got {detail!r}")
    cubes = np.zeros(np.shape(next(iter(severities.values()))))
    for name in GROUPS[detail]:
        cubes = cubes + np.asarray(severities.get(name, 0.0), float) ** 3
    return np.minimum(1.0, np.cbrt(cubes))


def overall_score(severities: Mapping[str, np.ndarray], weights: Mapping[str, float] = WEIGHTS) -> np.ndarray:
    """Compute what graders perceive: a 2-norm over the weighted severities of the details and artifacts.

    Severities are arrays (N,) in [0, 1] by defect. Returns (N,): 0 if flawless, up to about 1.2.
    """
    return np.sqrt(sum((weights[group] * perceived_severity(severities, group)) ** 2 for group in weights))


def grade_thresholds(n_classes: int) -> tuple[float, ...]:
    """Return the overall scores at which an unbiased grader changes the grade, from good downwards.

    ValueError if `n_classes` is neither 2 nor 3.
    """
    if n_classes not in (2, 3):
        raise ValueError(f"n_classes must be 2 or 3, got {n_classes}")
    return GRADE_THRESHOLDS if n_classes == 3 else (float(np.mean(GRADE_THRESHOLDS)),)


def true_grade(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Grade overall scores as a grader without bias and without noise would: int, 0 the worst, same shape.

    A score on a threshold has the better grade.
    """
    return sum((np.asarray(score) <= threshold).astype(int) for threshold in grade_thresholds(n_classes))


def expected_grade(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the mean of the graders' median grade over the noise of the moment, without drawing any.

    The median is at least k where two of the three grades are, and the graders' noise is independent. Returns
    float, of the shape of `score`, in [0, n_classes - 1].
    """
    bias, noise = _habits(graders(), ["overall"])
    total = np.zeros(np.shape(score))
    for threshold in grade_thresholds(n_classes):
        chance = norm.cdf((threshold + bias[:, 0] - np.asarray(score)[..., None]) / noise[:, 0])
        a, b, c = np.moveaxis(chance, -1, 0)
        total = total + a * b + a * c + b * c - 2 * a * b * c
    return total


def _habits(raters: Sequence[Rater], items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the raters' biases and noises, (R, I) each."""
    bias = np.array([[rater.bias[item] for item in items] for rater in raters])
    return bias, np.array([[rater.noise[item] for item in items] for rater in raters])


def rate_details(perceived: np.ndarray, raters: Sequence[Rater], rng: np.random.Generator) -> np.ndarray:
    """Let R raters judge severities (N, 3), in the order of `DETAILS`, once: int (N, R, 3), 1 good, 0 bad."""
    bias, noise = _habits(raters, DETAILS)
    limits = THRESHOLD + bias + noise * rng.standard_normal((len(perceived), *bias.shape))
    return (perceived[:, None, :] <= limits).astype(int)


def rate_overall(
    score: np.ndarray, raters: Sequence[Rater], thresholds: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Let R raters grade overall scores (N,) once: int (N, R), 0 the worst.

    `thresholds` are those of an unbiased grader, see `grade_thresholds`.
    """
    bias, noise = _habits(raters, ["overall"])
    seen = score[:, None] - bias[:, 0] - noise[:, 0] * rng.standard_normal((len(score), len(raters)))
    return sum((seen <= threshold).astype(int) for threshold in thresholds)


def draw_panels(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw who of the eight experts judges each photograph: bool (n, 8) with 3, 5 or 7 True per row.

    Panels are odd, so that a majority always exists.
    """
    rank = rng.random((n, 8)).argsort(axis=1).argsort(axis=1)
    return rank < rng.choice([3, 5, 7], n)[:, None]


def majority(scores: np.ndarray, panels: np.ndarray) -> np.ndarray:
    """Return the majority int (N, 3) of scores int (N, R, 3), 1 good, 0 bad, on panels bool (N, R)."""
    good = (scores * panels[..., None]).sum(axis=1)
    return (2 * good > panels.sum(axis=1)[:, None]).astype(int)


def ratings_table(
    image_ids: Sequence[str],
    scores: np.ndarray,
    items: Sequence[str],
    raters: Sequence[Rater],
    seen: np.ndarray,
    session: int = 1,
) -> pd.DataFrame:
    """Write scores int (N, R, I) of N images by R raters on I items (details or "overall") in long form.

    `seen`, bool (N, R), tells who saw what; session 2 is the blinded second one. The columns are `image_id`,
    `rater`, `item`, `score` and `session`.
    """
    image, rater = np.nonzero(seen)
    columns = {
        "image_id": np.repeat(np.asarray(image_ids, dtype=object)[image], len(items)),
        "rater": np.repeat(np.array([r.name for r in raters], dtype=object)[rater], len(items)),
        "item": np.tile(np.array(items, dtype=object), len(image)),
        "score": scores[image, rater].reshape(-1).astype("int64"),
    }
    return pd.DataFrame(columns).assign(session=session)


def expert_labels(
    image_ids: Sequence[str], severities: Mapping, rng: np.random.Generator, n_repeat: int = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Label the details of N photographs by the majority of odd panels of the eight experts.

    `severities` are arrays (N,) in [0, 1] by defect. `n_repeat` photographs are rated again by their panels,
    blinded, as session 2, which labels ignore. Returns labels int (N, 3), 1 good, 0 bad, and the ratings.
    """
    raters, names = experts(), np.asarray(image_ids, dtype=object)
    perceived = np.stack([perceived_severity(severities, detail) for detail in DETAILS], axis=1)
    panels = draw_panels(len(names), rng)
    scores = rate_details(perceived, raters, rng)
    tables = [ratings_table(names, scores, DETAILS, raters, panels)]
    if n_repeat:
        again = np.sort(rng.permutation(len(names))[:n_repeat])
        second = rate_details(perceived[again], raters, rng)
        tables.append(ratings_table(names[again], second, DETAILS, raters, panels[again], session=2))
    return majority(scores, panels), pd.concat(tables, ignore_index=True)
