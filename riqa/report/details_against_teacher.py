"""Students tested against the Teacher on the same images: paired bootstrap, McNemar, Holm over the table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from riqa.evaluate.pairs import holm, mcnemar_test
from riqa.evaluate.stats import paired_bootstrap
from riqa.labels import DETAILS
from riqa.report.details import judged_answers
from riqa.report.results import Result, record
from riqa.report.seeds import METHOD

_COMPARED = {"f1": "f1.good", "macro_f1_both_classes": "macro_f1"}  # name in records -> metric


def against_teacher(
    predictions: pd.DataFrame, student: str, *, n_resamples: int = 2_000, confidence: float = 0.95
) -> list[Result]:
    """Test a Student against the Teacher on the same images, detail by detail: Student minus Teacher.

    Args:
        predictions: rows of one dataset with the models `student` and ``teacher``, the same seeds and images.
        student: the Student's name, see `riqa.report.details.student_of`.
        n_resamples: bootstrap replicates.
        confidence: coverage of the intervals, in (0, 1).

    Returns:
        With the prefix ``details.<dataset>.<student>-teacher.<detail>.``: ``f1`` and
        ``macro_f1_both_classes``, differences by the paired bootstrap over patients and seeds, each with
        ``.p_value`` and with ``.margin``, the same difference with the 90 % interval that decides on
        equivalence (`riqa.evaluate.equivalence`); and ``mcnemar.p_value``, see `mcnemar_over_seeds`. All
        without value unless both classes occur.

    Raises:
        ValueError: If the two have not the same seeds and images.
    """
    (dataset,) = predictions["dataset"].unique()
    of_student, of_teacher = (predictions[predictions["model"] == name] for name in (student, "teacher"))
    seeds = sorted(of_student["seed"].unique())
    if seeds != sorted(of_teacher["seed"].unique()):
        raise ValueError(f"{student} and teacher must have predicted with the same seeds")
    results = []
    for detail in DETAILS:
        prefix = f"details.{dataset}.{student}-teacher.{detail}"
        images, truth, probs = judged_answers(of_student, detail)
        images_of_teacher, _, probs_of_teacher = judged_answers(of_teacher, detail)
        if len(images) and not images["image_id"].equals(images_of_teacher["image_id"]):
            raise ValueError(f"{student} and teacher must have predicted the same images")
        pair = (probs >= 0.5).astype(int), (probs_of_teacher >= 0.5).astype(int)
        shared = {"n": len(images), "seeds": seeds}
        if len(np.unique(truth)) < 2:
            names = [f"{name}{end}" for name in _COMPARED for end in ("", ".p_value", ".margin")] + [
                "mcnemar.p_value"
            ]
            why = "only one class occurs" if len(images) else "the Student is silent about it"
            results += [record(f"{prefix}.{name}", None, method=why, **shared) for name in names]
            continue
        draw = {"groups": images["patient_id"].to_numpy(), "n_resamples": n_resamples}
        for name, metric in _COMPARED.items():
            for end, coverage in (("", confidence), (".margin", 0.9)):
                found = paired_bootstrap(
                    truth, *pair, n_classes=2, metric=metric, confidence=coverage, **draw
                )
                ends = {"low": found.low, "high": found.high, "method": f"paired; {METHOD}; {coverage:g}"}
                results.append(record(f"{prefix}.{name}{end}", found.value, **ends, **shared))
            method = "two-sided, from the same replicates"
            results.append(record(f"{prefix}.{name}.p_value", found.p_value, method=method, **shared))
        p = mcnemar_over_seeds(*(answers == truth for answers in pair))
        method = "exact, a test a seed; twice the median p" if len(seeds) > 1 else "exact"
        results.append(record(f"{prefix}.mcnemar.p_value", p, method=method, **shared))
    return results


def mcnemar_over_seeds(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Test whether two models are equally often right, by McNemar's exact test on discordant images.

    The test knows one pair of models and takes images as independent, patients or not. With several seeds
    there is one test a seed; twice their median p-value, at most 1, is valid however they depend on each
    other (Meinshausen et al. 2009, doi:10.1198/jasa.2009.tm08647).

    Args:
        right_a: (S, N) whether model A was right.
        right_b: (S, N) likewise of model B.

    Returns:
        A two-sided p-value.
    """
    pairs = zip(right_a, right_b, strict=True)
    p_values = [mcnemar_test(a, b, method="exact").p_value for a, b in pairs]
    return float(min(1.0, (2 if len(p_values) > 1 else 1) * np.median(p_values)))


def with_holm(results: Sequence[Result], ending: str) -> list[Result]:
    """Correct the p-values of a whole table for being many, by Holm's step-down method.

    Args:
        results: records; those whose names end in `ending` are the family.
        ending: for example ``".f1.p_value"``.

    Returns:
        A record ``<name>_holm`` for each of the family, without value where there was no test.
    """
    family = [item for item in results if item.name.endswith(ending)]
    p_values = np.array([np.nan if item.value is None else item.value for item in family])
    method = f"Holm over {np.count_nonzero(~np.isnan(p_values))} tests"
    return [
        record(f"{item.name}_holm", p, n=item.n, seeds=item.seeds, method=method)
        for item, p in zip(family, holm(p_values), strict=True)
    ]
