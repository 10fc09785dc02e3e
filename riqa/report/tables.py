"""Tables for pages: results laid out for a reader, numbers beside the paper's."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.labels import class_names
from riqa.report.published import PAPER_SET, SET_NAMES, paper_value
from riqa.report.results import Result
from riqa.report.style import model_name

METRIC_NAMES = {
    "macro_f1": "macro-F1",
    "f1": "F1 (bad)",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
}


def metric_name(metric: str) -> str:
    """Return a metric's name for readers: `f1.usable` becomes "F1 (usable)"."""
    return METRIC_NAMES.get(metric, f"F1 ({metric.removeprefix('f1.')})")


def table_beside_paper(
    results: Mapping[str, Result], dataset: str, models: Iterable[str], n_classes: int
) -> pd.DataFrame:
    """Lay out the scores of several models on one set, ours beside the paper's.

    Args:
        results: name -> record, with the records of `riqa.report.overall.overall_results`.
        dataset: name of the set.
        models: names of models, in the order of the rows.
        n_classes: 2 or 3, which also says which of the paper's sets stands beside.

    Returns:
        A row a model and metric: dataset, model, metric, n, seeds (how many), ours, low, high, paper_set,
        paper, difference (ours minus the paper's). What the paper does not print is NaN.
    """
    metrics = ["macro_f1", *(["f1"] if n_classes == 2 else []), "precision", "recall", "accuracy"]
    metrics += [f"f1.{name}" for name in class_names(n_classes)] if n_classes == 3 else ["f1.good"]
    rows = []
    for model in models:
        for metric in metrics:
            ours = results[f"overall.{dataset}.{model}.{metric}"]
            paper = paper_value(n_classes, model, metric)
            rows.append(
                {
                    "dataset": dataset,
                    "model": model,
                    "metric": metric,
                    "n": ours.n,
                    "seeds": len(ours.seeds),
                    "ours": ours.value,
                    "low": ours.low,
                    "high": ours.high,
                    "paper_set": PAPER_SET[n_classes],
                    "paper": np.nan if paper is None else paper,
                    "difference": np.nan if paper is None else ours.value - paper,
                }
            )
    return pd.DataFrame(rows)


def scores_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show one set of `table_beside_paper`: a row a metric, a column a model, value over interval."""
    cells = table.assign(
        cell=[f"{r.ours:.3f}<br><small>{r.low:.3f} – {r.high:.3f}</small>" for r in table.itertuples()]
    )
    wide = cells.pivot(index="metric", columns="model", values="cell")
    wide = wide.loc[list(dict.fromkeys(table["metric"])), list(dict.fromkeys(table["model"]))]
    return page_table(wide.rename(index=metric_name, columns=model_name), caption)


def paper_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show the rows of `table_beside_paper` for which the paper prints a number: paper, ours, difference."""
    rows = table[table["paper"].notna()]
    paper = SET_NAMES[rows["paper_set"].iloc[0]]
    return page_table(
        pd.DataFrame(
            {
                "model": rows["model"].map(model_name),
                "metric": rows["metric"].map(metric_name),
                f"paper, {paper}": rows["paper"].map("{:.3f}".format),
                "ours": [
                    f"{r.ours:.3f} <small>({r.low:.3f} – {r.high:.3f})</small>" for r in rows.itertuples()
                ],
                "difference": rows["difference"].map("{:+.3f}".format),
            }
        ),
        caption,
        index=False,
    )


def verdict(result: Result, metric: str, confidence: float) -> str:
    """Say in a sentence what a paired difference shows, and no more than that.

    Args:
        result: record of `riqa.report.comparison.compare_models`, name ``overall.<dataset>.<a>-<b>....``.
        metric: key of `METRIC_NAMES`, or ``f1.<class>``.
        confidence: coverage of the record's interval, in (0, 1).
    """
    a, b = (model_name(model) for model in result.name.split(".")[2].split("-"))
    interval = f"{100 * confidence:g} % interval {result.low:+.3f} to {result.high:+.3f}"
    if result.low <= 0 <= result.high:
        return (
            f"{a} against {b}: the difference in {metric_name(metric)} is {result.value:+.3f}, "
            f"and its {interval} includes zero: this build cannot tell the two apart."
        )
    better, worse = (a, b) if result.value > 0 else (b, a)
    return (
        f"{better} is better than {worse} by {abs(result.value):.3f} in {metric_name(metric)} ({interval})."
    )


def page_table(frame: pd.DataFrame, caption: str, index: bool = True) -> Styler:
    """Style a table of ready text; an identity from the caption keeps the page's bytes from run to run."""
    frame = frame.rename_axis(index=None, columns=None).reset_index(drop=not index)
    frame = frame.set_index("index").rename_axis(index=None) if index else frame
    styler = Styler(frame, uuid=re.sub(r"\W+", "-", caption.lower()), cell_ids=False, caption=caption)
    styler = styler if index else styler.hide(axis="index")
    return styler.set_table_attributes('class="dataframe" style="margin-bottom: 1.5em"')
