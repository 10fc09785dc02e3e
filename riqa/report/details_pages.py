"""Tables about details as a page shows them: paper, ours and difference side by side; tests in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.labels import DETAILS
from riqa.report.details import interval_text, reader_name
from riqa.report.figures import p_text
from riqa.report.published import SET_NAMES
from riqa.report.results import Result
from riqa.report.tables import page_table

_WIDE = 'class="dataframe" style="margin-bottom: 1.5em; font-size: 0.7em"'  # fits the page's column
_SHORT = {"f1": "F1", "precision": "Pr", "recall": "Re"}


def table_4_for_page(table: pd.DataFrame, results: Mapping[str, Result], dataset: str) -> Styler:
    """Show one set of `riqa.report.details_table4.table_4`: a row a model and detail, as the paper's Table 4.

    Args:
        table: of `table_4`.
        results: name -> record, with ``always_good_f1``.
        dataset: the set to show.

    Returns:
        For F1, precision and recall the paper's number (with its asterisk), ours over its interval, and the
        difference; then F1 over both classes, and the F1 of answering *good* every time.
    """
    own = table[table["dataset"] == dataset]
    rows = []
    for (model, detail), found in own.groupby(["model", "detail"], sort=False):
        by_metric, cells = found.set_index("metric"), {"model": reader_name(model), "detail": detail}
        for metric, short in _SHORT.items():
            one = by_metric.loc[metric]
            cells[f"{short} paper"] = _number(one["paper"]) + "*" * bool(one["starred"])
            cells[f"{short} ours"] = _over_interval(one)
            cells[f"{short} diff."] = _number(one["difference"], "+.3f")
        cells["F1 both classes"] = _over_interval(by_metric.loc["macro_f1_both_classes"])
        always = results[f"details.{dataset}.{model}.{detail}.always_good_f1"].value
        cells["F1 always good"] = _number(np.nan if always is None else always)
        rows.append(cells)
    paper = SET_NAMES[own["paper_set"].iloc[0]]
    shown = page_table(pd.DataFrame(rows), f"{dataset} beside the paper's {paper}", index=False)
    return shown.set_table_attributes(_WIDE)


def verdicts_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show `riqa.report.details_table4.verdict_table`: differences, p-values, findings."""
    shown = page_table(
        pd.DataFrame(
            {
                "set": table["dataset"],
                "model": table["model"].map(reader_name),
                "detail": table["detail"],
                "difference in F1": [_over_interval(row, "+.3f") for _, row in table.iterrows()],
                "bootstrap p": table["p_value"].map(_p),
                "after Holm": table["p_holm"].map(_p),
                "McNemar p": table["mcnemar_p"].map(_p),
                "after Holm ": table["mcnemar_holm"].map(_p),
                "both classes": [_number(value, "+.3f") for value in table["both_classes"]],
                "paper": np.where(table["starred"], "*", ""),
                "finding": table["finding"],
            }
        ),
        caption,
        index=False,
    )
    return shown.set_table_attributes(_WIDE)


def truth_for_page(results: Mapping[str, Result], dataset: str, models: list[str]) -> Styler:
    """Show F1 over both classes against the experts and against true severity, side by side.

    Args:
        results: name -> record, of `score_details` and `score_against_severity`.
        dataset: a phantom set.
        models: their names; ``experts`` have no score against themselves.
    """
    rows = []
    for model in models:
        for detail in DETAILS:
            prefix = f"details.{dataset}.{model}.{detail}"
            against_experts = results.get(f"{prefix}.macro_f1_both_classes")
            rows.append(
                {
                    "model": reader_name(model),
                    "detail": detail,
                    "against the experts": interval_text(against_experts) if against_experts else "",
                    "against true severity": interval_text(
                        results[f"{prefix}.planted_macro_f1_both_classes"]
                    ),
                }
            )
    return page_table(pd.DataFrame(rows), f"{dataset}: F1 over both classes", index=False)


def statements_for_page(statements: pd.DataFrame, caption: str) -> Styler:
    """Show `riqa.report.details_by_class.paper_statements`, "2 of 3 seeds" or "no such set here"."""
    holds = [
        "no such set or class here" if np.isnan(row.holds_in) else f"{row.holds_in:.0f} of {row.seeds} seeds"
        for row in statements.itertuples()
    ]
    shown = statements.rename(columns={"statement": "the paper's statement"}).drop(
        columns=["seeds", "holds_in"]
    )
    return page_table(shown.assign(**{"holds in": holds}), caption, index=False)


def verdict_sentences(table: pd.DataFrame, margin: float) -> list[str]:
    """Count the findings of `verdict_table` in sentences that are true whatever they are."""
    tested = table[table["finding"] != "no test"]
    n, word = len(tested), tested["finding"]
    starred = int(tested["starred"].sum())
    kinds = {
        "differ significantly from the Teacher after Holm's correction": word.str.contains("differs"),
        f"are shown to be equivalent to it within {margin:g}": word.str.contains("equivalent"),
        f"are shown to be less than {margin:g} worse, but not equivalent": word.str.contains("not inferior"),
        "stay open: neither a difference nor its absence is shown": word.eq("open"),
    }
    sentences = [f"{int(which.sum())} of {n} comparisons {text}." for text, which in kinds.items()]
    sentences.append(
        f"The paper marks {starred} of the {n} comparisons beside which these stand as significant."
    )
    if len(tested) < len(table):
        sentences.append(f"{len(table) - len(tested)} more have no test, because only one class occurs.")
    return sentences


def _number(value: float, form: str = ".3f") -> str:
    return "–" if np.isnan(value) else format(value, form)


def _p(value: float) -> str:
    return "–" if np.isnan(value) else p_text(value).removeprefix("p = ").removeprefix("p ")


def _over_interval(row: pd.Series, form: str = ".3f") -> str:
    value = row["ours"] if "ours" in row else row["value"]
    if np.isnan(value):
        return "–"
    return f"{value:{form}}<br><small>{row['low']:{form}} – {row['high']:{form}}</small>"
