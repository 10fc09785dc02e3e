"""The paper's Tables 2 and 3 for a page: the literature as printed, remarks, and what can be recomputed."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.data import deepdrid
from riqa.labels import class_names
from riqa.report.plausibility import binary_confusions, remarks
from riqa.report.published import METHODS, SET_NAMES, overall_quality
from riqa.report.results import Result
from riqa.report.style import model_name
from riqa.report.tables import page_table


def literature() -> pd.DataFrame:
    """Return Table 2 as printed: set, method, f1, precision, recall, accuracy, and `remarks`' columns."""
    table = overall_quality()
    printed = table[table["source"] == "Table 2"].replace({"metric": {"macro_f1": "f1"}})
    wide = printed.pivot(index=["dataset", "method"], columns="metric", values="value").reset_index()
    found = remarks(table)
    columns = ["dataset", "method", "f1", "precision", "recall", "accuracy", "verdict", "remark"]
    return found.merge(wide, on=["dataset", "method"], validate="1:1")[columns]


def literature_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show the table of `literature`; what is not printed in the paper is a dash."""
    shown = table.assign(
        dataset=table["dataset"].map(SET_NAMES),
        remark=[f"<b>{row.verdict}</b>: {row.remark}" if row.verdict != "possible" else row.remark
                for row in table.itertuples()],
    )  # fmt: skip
    for column in ("f1", "precision", "recall", "accuracy"):
        shown[column] = [f"{value:.3f}" if value == value else "–" for value in table[column]]
    shown["remark"] = [f"<small>{text}</small>" for text in shown["remark"]]
    shown = shown.drop(columns="verdict").rename(columns={"dataset": "set", "f1": "F1"})
    return page_table(shown, caption, index=False)


def by_class_table(
    results: Mapping[str, Result], ours: Iterable[tuple[str, str]], published_set: str = ""
) -> pd.DataFrame:
    """Lay out F1 by class (the paper's Table 3): printed, recomputed from published predictions, and ours.

    Args:
        results: name -> record, with the records of `riqa.report.overall.overall_results`.
        ours: (dataset, model) of the rows of this build, three classes.
        published_set: the dataset's name in the records of the published models; "" for none.

    Returns:
        A row a method: method, source, then reject, usable, good and macro_f1 in [0, 1] (NaN: not printed).
    """
    keys = [*(f"f1.{name}" for name in class_names(3)), "macro_f1"]
    printed = overall_quality()
    printed = printed[printed["source"] == "Table 3"]
    order = printed["method"].unique()
    printed = printed.pivot(index="method", columns="metric", values="value").loc[order]
    rows = [
        (m, "printed", *v)
        for m, v in zip(printed.index, printed.reindex(columns=keys).to_numpy(), strict=True)
    ]
    for model, method in METHODS.items():
        if published_set and f"overall.{published_set}.{model}.macro_f1" in results:
            found = (results[f"overall.{published_set}.{model}.{key}"].value for key in keys)
            rows.append((method, "recomputed", *found))
    for dataset, model in ours:
        rows.append(
            (model_name(model), dataset, *(results[f"overall.{dataset}.{model}.{key}"].value for key in keys))
        )
    return pd.DataFrame(rows, columns=["method", "source", *class_names(3), "macro_f1"])


def by_class_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show the table of `by_class_table`, three digits as in the paper."""
    shown = table.rename(columns={"macro_f1": "macro-F1"})
    for column in (*class_names(3), "macro-F1"):
        shown[column] = [f"{value:.3f}" if value == value else "–" for value in shown[column]]
    return page_table(shown, caption, index=False)


def binary_matrices() -> dict[str, np.ndarray]:
    """Return the confusion matrices (2, 2), rows sum to 1, that Table 2's rows on DeepDRiD leave possible.

    Each row of Table 2 fits one matrix of 220 bad and 180 good test images only, so this is the lower half of
    the paper's Figure 3, worked out from its numbers; keys are riqa's names of models, else the method's.
    """
    counts, matrices = deepdrid.PUBLISHED["test"], {}
    printed = overall_quality().query("dataset == 'deepdrid'")
    for method, rows in printed.groupby(
        printed["model"].where(printed["model"] != "", printed["method"]), sort=False
    ):
        scores = dict(zip(rows["metric"], rows["value"], strict=True))
        (matrix,) = binary_confusions(scores, counts["bad"], counts["good"])
        matrices[method] = matrix / matrix.sum(axis=1, keepdims=True)
    return matrices
