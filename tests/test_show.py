"""How results are shown: names, cells, tables and sentences."""

import numpy as np
import pandas as pd
import pytest

from riqa import show
from riqa.evaluate.interval import Interval
from riqa.results import rows


def difference(low, high, p=None):
    found = Interval((low + high) / 2, low, high, p)
    keys = {"model": "multi_task", "rival": "single_task_control", "confidence": 0.95}
    return rows({("macro_f1", "all"): found}, dataset="eyeq", n=1200, **keys).assign(chapter="06_x")


def test_names():
    names = {"eyeq": "EyeQ", "multi_task@my_set": "multi-task (my set)", "phantom_grades": "phantom grades"}
    for key, name in (names | {"": ""}).items():
        assert show.name(key) == name


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.05, "Multi-task is better than control by 0.030 in macro-F1 (95\N{NO-BREAK SPACE}% interval +0.010 to +0.050)."),
        (-0.05, -0.01, "Multi-task is worse than control by 0.030 in macro-F1 (95\N{NO-BREAK SPACE}% interval −0.050 to −0.010)."),
        (-0.01, 0.03, "interval −0.010 to +0.030 includes zero: this build cannot tell the two apart."),
        (0.0, 0.02, "includes zero: this build cannot tell the two apart."),
        (0.0, 0.0, "have the same macro-F1 in every draw (95\N{NO-BREAK SPACE}% interval +0.000 to +0.000)."),
    ],
)  # fmt: skip
def test_a_sentence_says_what_the_interval_shows_and_the_source_where_it_comes_from(low, high, said):
    row = show.names(difference(low, high)).iloc[0]
    assert show.say(row).endswith(said)
    ends = f"{low:+.3f} to {high:+.3f}".replace("-", "−")
    told = show.source(row)
    assert told.startswith(f"multi-task minus control, macro-F1, EyeQ, 95\N{NO-BREAK SPACE}% interval {ends}")
    assert told.endswith("1,200 images; chapter 06_x")


def test_one_network_of_each_says_nothing_about_methods():
    row = difference(-0.01, 0.03).iloc[0].copy()
    row[["low", "high"]] = np.nan
    said = "Multi-task minus control is +0.010 in macro-F1: one network of each says nothing about methods."
    assert show.say(row) == said
    assert show.number(row, "{low:+.3f} to {high:+.3f}") == "–"
    assert show.number(row) == "+0.010"


def test_cells_hold_number_interval_and_p_value():
    row = difference(-0.01, 0.03, 0.0004).iloc[0]
    assert show.cell(row) == "+0.010<br><small>−0.010 to +0.030</small><br><small>p &lt; 0.001</small>"
    corrected = pd.concat([row, pd.Series({"holm": 0.04})])
    assert show.p_cell(corrected) == "&lt; 0.001<br><small>Holm = 0.040</small>"
    assert show.cell(rows({("auc", "all"): 0.5}).iloc[0]) == "0.500"
    assert (show.p_text(0.25), show.number(row, "p")) == ("0.250", "p < 0.001")


def test_a_table_keeps_the_order_of_its_rows():
    asked = [("z", "teacher"), ("z", "multi_task"), ("a", "teacher"), ("a", "multi_task")]
    numbers = {(dataset, model, "macro_f1"): value for value, (dataset, model) in enumerate(asked)}
    numbers = rows(numbers, ("dataset", "model", "metric"))
    wide = show.wide(numbers, ["set", "score"], "model")
    assert [key for key, _ in wide.index] == ["z", "a"]
    assert list(wide) == ["teacher", "multi_task"]
    assert wide.loc[("a", "macro-F1"), "teacher"] == "2.000"
    assert show.wide(numbers[:3], ["set"], "model").loc["a"].tolist() == ["2.000", "–"]


def test_a_styled_table_has_names_a_dash_and_the_same_bytes_each_time():
    frame = pd.DataFrame({"macro_f1": [0.5, np.nan], "gain": [-0.25, 0.1]}, index=["multi_task", "eyeq"])
    page = show.table(frame, "Two numbers", gain="+.2f").to_html()
    for text in ("macro-F1", "multi-task", "EyeQ", "0.500", "–", "−0.25", "+0.10", "Two numbers"):
        assert text in page
    assert page == show.table(frame, "Two numbers", gain="+.2f").to_html()
