"""Simulated experts and graders: from severities of defects to the labels that people would give.

An expert looks at one detail, perceives a severity, and calls the detail bad above the expert's own
threshold: threshold + bias + noise of the moment. Illumination is where experts differ most, as in the
paper's Table 5. A grader looks at the whole photograph and weighs every defect, artifacts included.

Severities are in [0, 1] by defect, arrays of one shape; defects left out count as 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import norm

from riqa.labels import DETAILS, class_names
from riqa.phantom.degrade import GROUPS

THRESHOLD = 0.45
"""Perceived severity above which an unbiased expert calls a detail bad."""

GRADE_THRESHOLDS = (0.42, 0.62)
"""Overall scores above which an unbiased grader leaves "good" and falls to "reject"; the first is a unit."""

WEIGHTS = {"illumination": 0.54, "clarity": 0.44, "contrast": 0.46, "artifact": 0.50}
"""How much a defect of each group weighs for graders. Those of the details and the second threshold are
fitted to the 160 photographs of EyeQ-D (`benchmarks/fit_phantom.py`), which says nothing of artifacts."""


@dataclass(frozen=True)
class Raters:
    """R people who judge the same I items: details, or "overall"."""

    bias: pd.DataFrame  # shifts of a person's threshold, positive is lenient; names in the index, items above
    noise: Sequence[float]  # standard deviation of the threshold from look to look, by item

    def rate(self, seen: np.ndarray, thresholds: Sequence[float], rng: np.random.Generator) -> np.ndarray:
        """Let everybody judge what they see of N images, (N, I), once: int (N, R, I), 0 the worst.

        `thresholds` are those of an unbiased person; each that is not exceeded makes an answer better by 1.
        """
        shape = len(seen), *self.bias.shape
        own = self.bias.to_numpy() + np.array(self.noise) * rng.standard_normal(shape)
        return sum((seen[:, None] <= threshold + own).astype(int) for threshold in thresholds)

    def table(
        self, image_ids: Sequence[str], scores: np.ndarray, judged: np.ndarray, session: int = 1
    ) -> pd.DataFrame:
        """Lay out int scores (N, R, I) of those who judged, bool (N, R), in rows; session 2 is blinded."""
        image, rater = np.nonzero(judged)
        names, items = self.bias.index.to_numpy(object), self.bias.columns.to_numpy(object)
        columns = {
            "image_id": np.repeat(np.asarray(image_ids, dtype=object)[image], len(items)),
            "rater": np.repeat(names[rater], len(items)),
            "item": np.tile(items, len(image)),
            "score": scores[image, rater].reshape(-1).astype("int64"),
        }
        return pd.DataFrame(columns).assign(session=session)


def _people(name: str, n: int, spread: Mapping[str, float], orders: Sequence[int], noise: Sequence) -> Raters:
    """Make `n` people whose biases are normal quantiles, mean 0, in a fixed order that differs by item."""
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    mixed = [np.random.default_rng(order).permutation(quantiles) for order in orders]
    bias = {item: sd * own for (item, sd), own in zip(spread.items(), mixed, strict=True)}
    return Raters(pd.DataFrame(bias, [f"{name}_{k + 1}" for k in range(n)]), noise)


_BIAS = {"illumination": 0.13, "clarity": 0.06, "contrast": 0.07}  # spread between experts

EXPERTS = _people("expert", 8, _BIAS, range(3), (0.21, 0.10, 0.11))
"""Those who annotate details, the same in every set (the paper has as many)."""

GRADERS = _people("grader", 3, {"overall": 0.018}, [11], (0.045,))
"""Those who grade overall quality; their median grade is the label."""


def perceived_severity(severities: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the severity of each detail, and of "artifact": the soft maximum (3-norm) of its defects."""
    none = np.zeros(np.shape(next(iter(severities.values()))))
    cubes = {
        group: sum((np.asarray(severities.get(name, 0.0), float) ** 3 for name in names), none)
        for group, names in GROUPS.items()
    }
    return {group: np.minimum(1.0, np.cbrt(total)) for group, total in cubes.items()}


def overall_score(severities: Mapping[str, np.ndarray], weights: Mapping[str, float] = WEIGHTS) -> np.ndarray:
    """Compute what graders perceive, 0 to about 1.2: a 2-norm over weighted severities of `GROUPS`."""
    perceived = perceived_severity(severities)
    return np.sqrt(sum((weight * perceived[group]) ** 2 for group, weight in weights.items()))


def grade_thresholds(n_classes: int) -> tuple[float, ...]:
    """Return the scores at which an unbiased grader of 2 or 3 classes, else ValueError, changes the grade."""
    three = len(class_names(n_classes)) == 3
    return GRADE_THRESHOLDS if three else (float(np.mean(GRADE_THRESHOLDS)),)


def true_grade(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Grade scores as a grader without bias and noise would: int, 0 the worst; on a threshold the better."""
    return sum((np.asarray(score) <= threshold).astype(int) for threshold in grade_thresholds(n_classes))


def expected_grade(score: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the mean of the graders' median grade over the noise of the moment, in [0, n_classes - 1].

    The median is at least k where two of the three grades are, and the graders' noise is independent.
    """
    total = np.zeros(np.shape(score))
    for threshold in grade_thresholds(n_classes):
        limits = threshold + GRADERS.bias["overall"].to_numpy()
        a, b, c = (norm.cdf((limit - np.asarray(score)) / GRADERS.noise[0]) for limit in limits)
        total = total + a * b + a * c + b * c - 2 * a * b * c
    return total


def draw_panels(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw who of the eight experts judges each photograph: bool (n, 8), 3, 5 or 7, so that none is a tie."""
    rank = rng.random((n, 8)).argsort(axis=1).argsort(axis=1)
    return rank < rng.choice([3, 5, 7], n)[:, None]


def majority(scores: np.ndarray, panels: np.ndarray) -> np.ndarray:
    """Return the majority int (N, 3) of scores int (N, R, 3), 1 good, 0 bad, on panels bool (N, R)."""
    good = (scores * panels[..., None]).sum(axis=1)
    return (2 * good > panels.sum(axis=1)[:, None]).astype(int)


def expert_labels(
    image_ids: Sequence[str], severities: Mapping, rng: np.random.Generator, n_repeat: int = 0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Return labels of N photographs' details by odd panels of experts, int (N, 3), 1 good, and the ratings.

    `n_repeat` photographs are rated again by their panels, blinded, as session 2, which labels ignore.
    """
    perceived, names = perceived_severity(severities), np.asarray(image_ids, dtype=object)
    seen = np.stack([perceived[detail] for detail in DETAILS], axis=1)
    panels = draw_panels(len(names), rng)
    scores = EXPERTS.rate(seen, [THRESHOLD], rng)
    tables = [EXPERTS.table(names, scores, panels)]
    if n_repeat:
        again = np.sort(rng.permutation(len(names))[:n_repeat])
        second = EXPERTS.rate(seen[again], [THRESHOLD], rng)
        tables.append(EXPERTS.table(names[again], second, panels[again], session=2))
    return majority(scores, panels), pd.concat(tables, ignore_index=True)
