"""Observer agreement on a page: the tables of `riqa.report.observers` as text, and what follows from them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from riqa.evaluate.pairs import holm
from riqa.labels import DETAILS
from riqa.report.observers import TOGETHER
from riqa.report.published import expert_and_teacher
from riqa.report.tables import page_table

COEFFICIENT_NAMES = {
    "share_good": "called good",
    "agreement": "raw agreement",
    "cohen_kappa": "Cohen's κ, pairs: mean (least – most)",
    "fleiss_kappa": "Fleiss' κ",
    "krippendorff_alpha": "Krippendorff's α",
    "gwet_ac1": "Gwet's AC1",
}
_TABLE_5_METRICS = {"f1": "F1", "precision": "Pr", "recall": "Re"}


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """Return a number as text; a missing one as a dash."""
    return "–" if value is None or np.isnan(value) else f"{value:{sign}.{digits}f}"


def agreement_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show `agreement_frame`: a row a coefficient, a column a detail, value over interval."""
    cells = frame.assign(cell=[_over_interval(r.value, r.low, r.high) for r in frame.itertuples()])
    wide = cells.pivot(index="coefficient", columns="item", values="cell")
    return page_table(
        wide.loc[list(COEFFICIENT_NAMES), list(DETAILS)].rename(index=COEFFICIENT_NAMES), caption
    )


def intra_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show `intra_frame`: a row a rater, for each detail agreement, kappa and AC1 of the two sessions."""
    names = {"agreement": "same", "kappa": "κ", "ac1": "AC1"}
    rows: dict[str, dict[str, str]] = {}
    for line in frame.itertuples():
        cells = rows.setdefault(line.rater, {"images": str(line.n)})
        cells[f"{line.item}: {names[line.coefficient]}"] = number(line.value, 2)
    order = ["images"] + [f"{item}: {name}" for item in DETAILS for name in names.values()]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=order).fillna("–")
    return page_table(table.sort_index(), caption)


def table_5_for_page(frame: pd.DataFrame, rater: str, caption: str) -> Styler:
    """Show Table 5 for one rater: paper and ours, rater and Teacher, F1, precision and recall a detail.

    A star marks the higher of two numbers of ours whose paired difference has a p-value below 0.05 after
    Holm's correction over the nine differences of the table; in the rows of the paper, its own stars.
    """
    ours = frame[(frame["rater"] == rater) & frame["metric"].isin(list(_TABLE_5_METRICS))]
    tests = ours[ours["judge"] == "teacher-rater"]
    tests = tests.assign(significant=holm(tests["p_value"].to_numpy()) < 0.05).set_index(["item", "metric"])
    rows: dict[str, dict[tuple[str, str], str]] = {}
    for line in expert_and_teacher().itertuples():
        text = number(line.value) + "*" * line.significant
        rows.setdefault(f"paper: {line.method}", {})[line.detail, _TABLE_5_METRICS[line.metric]] = text
    names = {"rater": f"ours: {rater}", "teacher": "ours: Teacher"}
    for line in ours[ours["judge"] != "teacher-rater"].itertuples():
        test = tests.loc[(line.item, line.metric)]
        higher = (test["value"] > 0) == (line.judge == "teacher")
        text = number(line.value) + "*" * bool(test["significant"] and higher)
        rows.setdefault(names[line.judge], {})[line.item, _TABLE_5_METRICS[line.metric]] = text
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = table[[(item, metric) for item in DETAILS for metric in _TABLE_5_METRICS.values()]]
    table.columns = [f"{item} {metric}" for item, metric in table.columns]
    return page_table(table.T, caption)


def every_rater_for_page(frame: pd.DataFrame, metric: str, caption: str) -> Styler:
    """Show, for every rater and detail: the rater's score, the Teacher's on the same images, images, ties."""
    rows = {}
    chosen = frame[frame["metric"] == metric].set_index(["rater", "item", "judge"])
    for rater in frame["rater"].unique():
        cells = {}
        for item in DETAILS:
            by, of_teacher = (chosen.loc[(rater, item, judge)] for judge in ("rater", "teacher"))
            small = f"<br><small>{by['n']} images, {by['n_tied']} ties</small>"
            cells[f"{item}: rater / Teacher"] = (
                f"{number(by['value'])} / {number(of_teacher['value'])}{small}"
            )
        rows[rater] = cells
    return page_table(pd.DataFrame.from_dict(rows, orient="index"), caption)


def non_inferiority_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show `non_inferiority_frame`: a row a detail and rule for ties."""
    rows = [
        {
            "detail": r.item.replace("_", " "),
            "ties": r.ties.replace("_", " ").replace("leave out", "left out"),
            "Teacher minus average rater": number(r.value, sign="+"),
            "lower bound": number(r.low, sign="+"),
            "upper bound": number(r.high, sign="+"),
            "verdict": r.verdict + (", equivalent" if r.equivalent else ""),
        }
        for r in frame.itertuples()
    ]
    return page_table(pd.DataFrame(rows), caption, index=False)


def non_inferiority_sentence(frame: pd.DataFrame, item: str, confidence: float) -> str:
    """Say what the test of one item (a detail, or `TOGETHER`) shows, with ties left out, and no more."""
    (row,) = frame[(frame["item"] == item) & (frame["ties"] == "leave_out")].itertuples()
    what = "The three details together" if item == TOGETHER else item.capitalize()
    if np.isnan(row.value):
        return f"**{what}**: no image has a majority of other raters, so nothing can be said."
    sure = f"with {100 * confidence:g} % confidence"
    found = f"the Teacher's agreement minus an average rater's is {row.value:+.3f}"
    if row.verdict == "non-inferior":
        text = (
            f"{sure} it is above {row.low:+.3f}, which rules out a loss of {row.margin:g}: **non-inferior**."
        )
    elif row.verdict == "inferior":
        text = f"{sure} it is below {row.high:+.3f}, a loss of more than {row.margin:g}: **inferior**."
    else:
        text = (
            f"its one-sided bounds are {row.low:+.3f} and {row.high:+.3f}, with {-row.margin:g} between "
            "them: **undecided**, which is not the same as alike."
        )
    return f"**{what}**: {found}; {text}"


def consent_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show `consent_frame`: error rates of the Teacher on unanimous and on contested images."""
    rows = [
        {
            "detail": r.item,
            "raters are": r.consent,
            "images": r.n,
            "Teacher's error rate": _over_interval(r.value, r.low, r.high, " "),
            "share of its errors": "–" if np.isnan(r.share_of_errors) else f"{r.share_of_errors:.0%}",
        }
        for r in frame.itertuples()
    ]
    return page_table(pd.DataFrame(rows), caption, index=False)


def undefined(frame: pd.DataFrame, names: Sequence[str] = ("kappa", "cohen_kappa", "fleiss_kappa")) -> int:
    """Count the coefficients of a table that do not exist because all answers are alike."""
    return int(frame.loc[frame["coefficient"].isin(names), "value"].isna().sum())


def _over_interval(value: float, low: float, high: float, between: str = "<br>") -> str:
    if np.isnan(low) or np.isnan(value):
        return number(value)
    return f"{value:.3f}{between}<small>({low:.3f} – {high:.3f})</small>"
