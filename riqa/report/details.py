"""Quality details: from predictions to results and to the table that a page shows (the paper's Table 4)."""

import numpy as np
import pandas as pd

from riqa.evaluate.stats import detail_intervals
from riqa.labels import DETAILS
from riqa.report.results import Result, interval_records
from riqa.report.seeds import METHOD, stack_seeds
from riqa.report.style import model_name

_STUDENT = "multi_task-"


def student_of(overall_set: str) -> str:
    """Return the name, in records, of the Student that was trained on an overall set."""
    return f"{_STUDENT}{overall_set}"


def reader_name(model: str) -> str:
    """Return what readers call a model of this chapter: "Student of phantom_grades", "Experts", "Teacher"."""
    if model.startswith(_STUDENT):
        return f"Student of {model.removeprefix(_STUDENT)}"
    return {"experts": "Experts"}.get(model, model_name(model))


def judged_answers(predictions: pd.DataFrame, detail: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the images whose detail is judged, its labels (N,) 0/1, and the probabilities (S, N)."""
    images, probs = stack_seeds(predictions, [f"p_{detail}"])
    known = images[detail].notna().to_numpy()
    images = images[known].reset_index(drop=True)
    return images, images[detail].to_numpy(dtype=int), probs[:, known, 0]


def detail_results(predictions: pd.DataFrame, n_resamples: int = 2_000) -> list[Result]:
    """Score one model's details on one dataset, with intervals over patients and seeds.

    Args:
        predictions: rows of `riqa.learn.predict.predict` with one value of `dataset` and of `model`.
        n_resamples: bootstrap replicates.

    Returns:
        Records ``details.<dataset>.<model>.<detail>.<f1|precision|recall>`` with *good* as the positive class
        (as in the paper's Table 4), and ``.macro_f1`` and ``.macro_f1_both_classes`` of all details.
    """
    (dataset,), (model,) = predictions["dataset"].unique(), predictions["model"].unique()
    images, probs = stack_seeds(predictions, [f"p_{detail}" for detail in DETAILS])
    intervals = detail_intervals(
        images[list(DETAILS)].to_numpy(),
        probs,
        groups=images["patient_id"].to_numpy(),
        n_resamples=n_resamples,
    )
    prefix, seeds = f"details.{dataset}.{model}", predictions["seed"].unique()
    return interval_records(prefix, intervals, n=len(images), seeds=seeds, method=METHOD)


def detail_table(results: list[Result]) -> pd.DataFrame:
    """Lay records of `detail_results` out as a table: a row a detail, F1, precision and recall as text.

    The last row is the mean F1 over details. Records of `auc_results` among them become a column too.
    """
    by_metric = {item.name.split(".", 3)[3]: item for item in results}
    metrics = {"F1": "f1", "precision": "precision", "recall": "recall"}
    metrics |= {"AUC": "auc"} if f"{DETAILS[0]}.auc" in by_metric else {}
    rows = {
        detail: {title: interval_text(by_metric[f"{detail}.{metric}"]) for title, metric in metrics.items()}
        for detail in DETAILS
    }
    rows["mean of the three"] = dict.fromkeys(metrics, "") | {"F1": interval_text(by_metric["macro_f1"])}
    return pd.DataFrame.from_dict(rows, orient="index")


def interval_text(item: Result, signed: bool = False) -> str:
    """Write a record as "0.812 [0.770, 0.851]"; "–" where this build has no such number."""
    if item.value is None:
        return "–"
    form = "+.3f" if signed else ".3f"
    value = format(item.value, form)
    return value if item.low is None else f"{value} [{item.low:{form}}, {item.high:{form}}]"
