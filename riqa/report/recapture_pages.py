"""Tables and sentences about recapture as a page shows them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.pairs import holm
from riqa.report.details import interval_text
from riqa.report.figures import p_text
from riqa.report.recapture import OUTCOMES, POLICIES, RIVALS
from riqa.report.results import Result
from riqa.report.tables import page_table

_SMALL = 'class="dataframe" style="margin-bottom: 1.5em; font-size: 0.8em"'  # fits the page's column


def policies_for_page(results: Mapping[str, Result], dataset: str, caption: str) -> Styler:
    """Show `riqa.report.recapture.policy_results`: a row a policy, a column an outcome."""
    rows = []
    for policy, words in POLICIES.items():
        cells = {"what is repaired": words}
        cells["details"] = _number(results[f"recapture.{dataset}.{policy}.repairs"].value, ".2f")
        for metric, title in OUTCOMES.items():
            cells[title] = _cell(results, f"recapture.{dataset}.{policy}.{metric}")
        rows.append(cells)
    shown = page_table(pd.DataFrame(rows), caption, index=False)
    return shown.set_table_attributes(_SMALL)


def rivals_for_page(results: Mapping[str, Result], dataset: str, caption: str) -> Styler:
    """Show the Student's advice minus that of each rival, with p-values after Holm's correction."""
    names = {
        (rival, metric): f"recapture.{dataset}.student-{rival}.{metric}"
        for rival in RIVALS
        for metric in OUTCOMES
        if f"recapture.{dataset}.student-{rival}.{metric}" in results
    }
    p_values = {key: results[f"{name}.p_value"].value for key, name in names.items()}
    known = [key for key, value in p_values.items() if value is not None]
    corrected = dict(zip(known, holm([p_values[key] for key in known]), strict=True)) if known else {}
    rows = []
    for rival in RIVALS:
        cells = {"Student's worst detail against": POLICIES[rival]}
        for metric, title in OUTCOMES.items():
            if (rival, metric) not in names:
                continue
            p = corrected.get((rival, metric))
            after = "" if p is None else f"<br>{p_text(p)}"
            cells[title] = _cell(results, names[rival, metric], "+.3f") + after
        rows.append(cells)
    shown = page_table(pd.DataFrame(rows), caption, index=False)
    return shown.set_table_attributes(_SMALL)


def groups_for_page(
    results: Mapping[str, Result],
    dataset: str,
    metric: str,
    groups: Iterable[str],
    caption: str,
) -> Styler:
    """Show `riqa.report.recapture.group_results`: a row a group of photographs.

    Args:
        results: name -> record.
        dataset: name of the set.
        metric: key of `riqa.report.recapture.OUTCOMES`.
        groups: names of the groups, in the order of the rows.
        caption: the table's caption.
    """
    columns = {
        "student": "Student's advice",
        "random_other": "another detail",
        "student-random_other": "difference",
        "oracle": "best detail",
        "all": "all three",
    }
    rows = []
    for group in groups:
        word = group.replace(" ", "_")
        share = results[f"recapture.{dataset}.asked.share.{word}"]
        cells = {"photographs": group, "share": _number(share.value, ".0%")}
        for who, title in columns.items():
            form = "+.2f" if "-" in who else ".2f"
            cells[title] = _cell(results, f"recapture.{dataset}.{who}.{metric}.{word}", form)
        cells["images"] = str(results[f"recapture.{dataset}.student.{metric}.{word}"].n)
        rows.append(cells)
    shown = page_table(pd.DataFrame(rows), caption, index=False)
    return shown.set_table_attributes(_SMALL)


def advice_sentence(results: Mapping[str, Result], dataset: str, rival: str, metric: str) -> str:
    """Say what the comparison of the Student's advice with a rival's shows, and no more than that."""
    item = results[f"recapture.{dataset}.student-{rival}.{metric}"]
    own, other = (results[f"recapture.{dataset}.{who}.{metric}"] for who in ("student", rival))
    if item.value is None:
        return (
            f"There is no photograph on which the Student's advice can be compared with *{POLICIES[rival]}*."
        )
    text = (
        f"Following the Student: {OUTCOMES[metric]} on {100 * own.value:.0f} % of the photographs; "
        f"*{POLICIES[rival]}*: on {100 * other.value:.0f} %. "
        f"The difference is {interval_text(item, signed=True)}, "
    )
    if item.low <= 0 <= item.high:
        return text + "and its interval includes zero: this build cannot tell the two apart."
    return text + ("in favour of the Student." if item.value > 0 else "against the Student.")


def _cell(results: Mapping[str, Result], name: str, form: str = ".3f") -> str:
    item = results.get(name)
    if item is None or item.value is None:
        return "–"
    ends = "" if item.low == item.high else f"<br>{item.low:{form}} – {item.high:{form}}"
    return f"{item.value:{form}}{ends}"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None or np.isnan(value) else format(value, form)
