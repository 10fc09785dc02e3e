"""The paper's Table 4: scores of details beside the paper's, for both classes, and what tests can carry."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from riqa.evaluate.equivalence import margin_verdict
from riqa.evaluate.stats import Interval, bootstrap_interval
from riqa.labels import DETAILS
from riqa.report.details import detail_results, judged_answers
from riqa.report.published import quality_details
from riqa.report.results import Result, interval_records, record
from riqa.report.seeds import METHOD

METHOD_OF = {("teacher", None): "Teacher-A", ("multi_task", 3): "MT-EyeQ", ("multi_task", 2): "MT-DeepDRiD"}
"""Who stands beside whom: (model, overall classes of its training set) -> row of the paper's Table 4."""

_OF_BOTH = {"macro_f1": "macro_f1_both_classes", "f1.bad": "f1.bad", "accuracy": "accuracy"}


def score_details(predictions: pd.DataFrame, n_resamples: int = 2_000) -> list[Result]:
    """Score one model's details on one set, for *good* as in the paper and for both classes.

    Args:
        predictions: rows of `riqa.learn.predict.predict` with one value of `dataset` and of `model`.
        n_resamples: bootstrap replicates.

    Returns:
        The records of `riqa.report.details.detail_results`, and for each detail
        ``details.<dataset>.<model>.<detail>.`` ``macro_f1_both_classes``, ``f1.bad``, ``accuracy`` (all None
        unless both classes occur), and ``always_good_f1``, the F1 of answering *good* every time.
    """
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    seeds = sorted(predictions["seed"].unique())
    results = detail_results(predictions, n_resamples)
    for detail in DETAILS:
        prefix = f"details.{dataset}.{model}.{detail}"
        images, truth, probs = judged_answers(predictions, detail)
        if len(np.unique(truth)) == 2:
            found = bootstrap_interval(
                truth,
                (probs >= 0.5).astype(int),
                n_classes=2,
                groups=images["patient_id"].to_numpy(),
                n_resamples=n_resamples,
            )
            of_both = {ours: found[theirs] for theirs, ours in _OF_BOTH.items()}
            results += interval_records(prefix, of_both, n=len(images), seeds=seeds, method=METHOD)
        else:
            missing = "only one class occurs"
            results += [
                record(f"{prefix}.{name}", None, n=len(truth), method=missing) for name in _OF_BOTH.values()
            ]
        share = truth.mean() if len(truth) else np.nan
        results.append(record(f"{prefix}.always_good_f1", 2 * share / (1 + share), n=len(truth)))
    return results


def table_4(
    results: Mapping[str, Result], roles: Mapping[str, str], methods: Mapping[str, str]
) -> pd.DataFrame:
    """Lay scores of details out beside the paper's Table 4.

    Args:
        results: name -> record, of `score_details`.
        roles: our set -> the paper's set beside it ("mshf", "eyeq_d").
        methods: our model -> the paper's method beside it ("Teacher-A", "MT-EyeQ", "MT-DeepDRiD").

    Returns:
        A row a set, model, detail and metric: dataset, model, detail, metric (f1, precision, recall,
        macro_f1_both_classes), n, ours, low, high, paper_set, paper_method, paper (NaN where the paper has no
        number), difference (ours minus the paper's), starred (the paper's asterisk).
    """
    paper = quality_details().set_index(["dataset", "method", "detail", "metric"])
    rows = []
    for dataset, paper_set in roles.items():
        for model, method in methods.items():
            for detail in DETAILS:
                for metric in ("f1", "precision", "recall", "macro_f1_both_classes"):
                    ours = results[f"details.{dataset}.{model}.{detail}.{metric}"]
                    key = (paper_set, method, detail, metric)
                    value = float(paper.loc[key, "value"]) if key in paper.index else np.nan
                    numbers = [
                        np.nan if number is None else number for number in (ours.value, ours.low, ours.high)
                    ]
                    starred = bool(paper.loc[key, "significant"]) if key in paper.index else False
                    rows.append((dataset, model, detail, metric, ours.n, *numbers, paper_set, method, value,
                                 numbers[0] - value, starred))  # fmt: skip
    columns = ["dataset", "model", "detail", "metric", "n", "ours", "low", "high"]
    return pd.DataFrame(
        rows, columns=[*columns, "paper_set", "paper_method", "paper", "difference", "starred"]
    )


def verdict_table(
    results: Mapping[str, Result], roles: Mapping[str, str], students: Mapping[str, str], margin: float
) -> pd.DataFrame:
    """Lay the tests of `against_teacher` out, a row a set, Student and detail, and say what each can carry.

    Args:
        results: name -> record, `holm` of ``.f1.p_value`` and ``.mcnemar.p_value`` included.
        roles: our set -> the paper's set beside it.
        students: our Student -> the paper's method beside it.
        margin: loss of F1 that would be too small to matter, above 0.

    Returns:
        Columns dataset, model, detail, value, low, high (difference in F1), p_value, p_holm, mcnemar_p,
        mcnemar_holm, both_classes (difference in F1 over both classes), starred (the paper's asterisk), and
        finding: "differs" where Holm's p-value is below 0.05; "equivalent" where the 90 % interval lies
        within the margin, else "not inferior" where it ends above minus the margin; "open" where none of
        these holds, "no test" without both classes.
    """
    paper = quality_details()
    stars = set(map(tuple, paper.loc[paper["significant"], ["dataset", "method", "detail"]].to_numpy()))
    rows = []
    for dataset, paper_set in roles.items():
        for student, method in students.items():
            for detail in DETAILS:
                prefix = f"details.{dataset}.{student}-teacher.{detail}"
                f1, both = results[f"{prefix}.f1"], results[f"{prefix}.macro_f1_both_classes"]
                keys = ("f1.p_value", "f1.p_value_holm", "mcnemar.p_value", "mcnemar.p_value_holm")
                p, p_holm, mcnemar_p, mcnemar_holm = (results[f"{prefix}.{key}"].value for key in keys)
                words = ["differs"] * (p_holm is not None and p_holm < 0.05)
                if f1.value is not None:
                    within = results[f"{prefix}.f1.margin"]
                    found = margin_verdict(Interval(within.value, within.low, within.high), margin)
                    words += ["equivalent"] * found.equivalent
                    words += ["not inferior"] * (found.non_inferior and not found.equivalent)
                finding = "no test" if f1.value is None else ", ".join(words) or "open"
                starred = (paper_set, method, detail) in stars
                rows.append((dataset, student, detail, f1.value, f1.low, f1.high, p, p_holm, mcnemar_p,
                             mcnemar_holm, both.value, starred, finding))  # fmt: skip
    numbers = ["value", "low", "high", "p_value", "p_holm", "mcnemar_p", "mcnemar_holm", "both_classes"]
    table = pd.DataFrame(rows, columns=["dataset", "model", "detail", *numbers, "starred", "finding"])
    return table.astype(dict.fromkeys(numbers, float))
