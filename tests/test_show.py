import numpy as np
import pandas as pd
import pytest

from riqa import show
from riqa.evaluate.interval import Interval
from riqa.results import rows


def difference(low, high, p=None):
    found = Interval((low + high) / 2, low, high, p)
    keys = {"model": "multi_task", "rival": "single_task_control", "confidence": 0.95}
    return rows({("macro_f1", "all"): found}, dataset="eyeq", n=1200, **keys)


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
def test_a_sentence_says_what_the_interval_shows(low, high, said):
    assert show.say(difference(low, high).iloc[0]).endswith(said)


def test_cells_hold_number_interval_and_p_value():
    assert show.cell(difference(-0.01, 0.03, 0.0004).iloc[0]) == (
        "+0.010<br><small>−0.010 to +0.030</small><br><small>p &lt; 0.001</small>"
    )
    assert show.cell(rows({("auc", "all"): 0.5}).iloc[0]) == "0.500"
    assert show.p_text(0.25) == "0.250"
    assert show.number(difference(-0.01, 0.03, 0.0004).iloc[0], "p") == "p < 0.001"


def test_a_table_keeps_the_order_of_its_rows():
    numbers = pd.concat(
        [rows({("macro_f1", "all"): v}, dataset=d, model=m) for v, (d, m) in enumerate(
            [("z", "teacher"), ("z", "multi_task"), ("a", "teacher"), ("a", "multi_task")])], ignore_index=True
    )  # fmt: skip
    wide = show.wide(numbers, ["set", "score"], "model")
    assert [set_ for set_, _ in wide.index] == ["z", "a"]
    assert list(wide) == ["teacher", "multi_task"]
    assert wide.loc[("a", "macro-F1"), "teacher"] == "2.000"
    by_set = show.wide(numbers[:3], ["set"], "model")
    assert by_set.index.tolist() == ["z", "a"]
    assert by_set.loc["a"].tolist() == ["2.000", "–"]


def test_a_styled_table_has_names_a_dash_and_the_same_bytes_each_time():
    frame = pd.DataFrame({"macro_f1": [0.5, np.nan], "gain": [-0.25, 0.1]}, index=["multi_task", "eyeq"])
    page = show.table(frame, "Two numbers", gain="+.2f").to_html()
    for text in ("macro-F1", "multi-task", "EyeQ", "0.500", "–", "−0.25", "+0.10", "Two numbers"):
        assert text in page
    assert page == show.table(frame, "Two numbers", gain="+.2f").to_html()


def test_the_source_of_a_number():
    told = show.source(show.names(difference(0.01, 0.05).assign(chapter="06_x")).iloc[0])
    assert told.startswith(
        "multi-task minus control, macro-F1, EyeQ, 95\N{NO-BREAK SPACE}% interval +0.010 to +0.050"
    )
    assert told.endswith("1,200 images; chapter 06_x")
