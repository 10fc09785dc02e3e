import pandas as pd

from riqa.report.latent_pages import (
    difference_rows,
    difference_sentences,
    label_name,
    latent_name,
    neighbours_for_page,
    over_interval,
    spaces_for_page,
    structure_for_page,
)

NOWRAP = '<span style="white-space: nowrap">'


def row(model, label, measure, value, low, high, chance=0.5, p=0.2):
    return {"model": model, "label": label, "measure": measure, "value": value, "low": low, "high": high,
            "chance": chance, "chance_low": chance - 0.1, "chance_high": chance + 0.1, "p_value": p,
            "above_chance": (value - chance) / (1 - chance)}  # fmt: skip


FRAME = pd.DataFrame(
    [
        row("teacher", "overall", "purity", 0.6, 0.5, 0.7),
        row("multi_task", "overall", "purity", 0.8, 0.7, 0.9, p=0.0004),
        row("multi_task", "overall", "silhouette", 0.3, -0.1, 0.5, chance=0.0),
        row("multi_task", "overall", "map_purity", 0.9, 0.8, 1.0),
        row("multi_task", "predicted_clarity", "purity", 0.95, 0.9, 1.0, chance=0.7),
    ]
)


def test_names():
    assert label_name("predicted_clarity") == "clarity, predicted"
    assert label_name("clarity") == "clarity"
    assert latent_name("multi_task-single_task_control") == "Student minus Control"
    assert latent_name("single_task") == "Single-task"
    assert over_interval(0.123, -1, 1, "+.1f") == f"+0.1<br>{NOWRAP}-1.0 – +1.0</span>"


def test_a_column_a_model_and_a_dash_where_one_was_not_measured():
    html = structure_for_page(FRAME, "purity", "Purity").to_html()
    assert html.index(">chance<") < html.index(">Teacher<") < html.index(">Student<")
    assert f"0.80<br>{NOWRAP}0.70 – 0.90</span>" in html
    assert f"0.50<br>{NOWRAP}0.40 – 0.60</span>" in html
    assert "0.30" not in html
    assert html.count(">–<") == 1  # the Teacher's prediction of clarity


def test_features_and_map_of_one_model_side_by_side():
    html = spaces_for_page(FRAME[FRAME["model"] == "multi_task"], "Student").to_html()
    heads = [
        ">purity, chance<",
        ">purity, features<",
        ">above chance<",
        ">p<",
        ">purity, map<",
        ">silhouette, features<",
    ]
    places = [html.index(head) for head in heads]
    assert places == sorted(places)
    assert ">0.60<" in html  # from 0.5, 0.8 is six tenths of the way to 1
    assert "&lt; 0.001" in html or "< 0.001" in html
    assert f"0.30<br>{NOWRAP}-0.10 – 0.50</span>" in html


DIFFERENCES = pd.DataFrame(
    [
        ("multi_task-teacher", "overall", "purity", 0.1, 0.05, 0.2),
        ("multi_task-teacher", "clarity", "purity", -0.1, -0.2, 0.1),
        ("multi_task-single_task", "overall", "purity", 0.0, -0.1, 0.1),
        ("multi_task-single_task", "clarity", "silhouette", 0.3, 0.2, 0.4),
    ],
    columns=["model", "label", "measure", "value", "low", "high"],
)


def test_a_figure_has_its_rows_by_label():
    rows = difference_rows(DIFFERENCES, "purity")
    assert rows["head"].tolist() == ["overall", "overall", "clarity"]
    assert rows["label"].tolist() == [
        "Student minus Teacher",
        "Student minus Single-task",
        "Student minus Teacher",
    ]
    assert rows["value"].tolist() == [0.1, 0.0, -0.1]


def test_sentences_name_what_excludes_zero():
    assert difference_sentences(DIFFERENCES, "purity") == [
        "**Student minus Teacher**: of 2 labels, the interval excludes zero on "
        "overall (+0.10, +0.05 to +0.20).",
        "**Student minus Single-task**: of 1 labels, the interval excludes zero on none.",
    ]


def test_neighbours_in_per_cent():
    html = neighbours_for_page(pd.DataFrame({"good": [0.25, float("nan")]}, ["a", "b"]), "N").to_html()
    assert ">25%<" in html
    assert ">–<" in html
