import math

import pytest

from riqa.report.overall import overall_results
from riqa.report.results import record
from riqa.report.tables import metric_name, paper_for_page, scores_for_page, table_beside_paper, verdict

MODELS = ("single_task", "single_task_control", "multi_task")


def fake_table(n_classes, fake_predictions):
    predictions = fake_predictions(n_classes=n_classes)
    results = [
        item for _, rows in predictions.groupby("model") for item in overall_results(rows, n_resamples=50)
    ]
    return table_beside_paper({item.name: item for item in results}, "fake", MODELS, n_classes), results


def test_ours_stands_beside_the_papers_number(fake_predictions):
    table, results = fake_table(3, fake_predictions)
    cell = table[(table["model"] == "multi_task") & (table["metric"] == "f1.usable")].iloc[0]
    ours = next(item for item in results if item.name == "overall.fake.multi_task.f1.usable")
    assert (cell["ours"], cell["low"], cell["high"]) == (ours.value, ours.low, ours.high)
    assert (cell["paper"], cell["paper_set"]) == (0.804, "eyeq")
    assert cell["difference"] == pytest.approx(ours.value - 0.804)
    assert (cell["n"], cell["seeds"]) == (60, 2)
    assert table[table["model"] == "single_task_control"]["paper"].isna().all()
    assert len(table) == 3 * 7


def test_the_binary_set_stands_beside_deepdrid(fake_predictions):
    table, _ = fake_table(2, fake_predictions)
    cell = table[(table["model"] == "single_task") & (table["metric"] == "f1")].iloc[0]
    assert (cell["paper"], cell["paper_set"]) == (0.763, "deepdrid")
    assert math.isnan(
        table[(table["model"] == "single_task") & (table["metric"] == "macro_f1")]["paper"].iloc[0]
    )


def test_pages_show_values_intervals_and_captions_and_keep_their_bytes(fake_predictions):
    table, _ = fake_table(3, fake_predictions)
    html = scores_for_page(table, "Scores").to_html()
    first = table.iloc[0]
    assert f"{first['ours']:.3f}<br><small>{first['low']:.3f}" in html
    assert "<caption>Scores</caption>" in html
    assert html.index(">Single-task<") < html.index(">Multi-task<")
    assert html.index("macro-F1") < html.index("F1 (reject)")
    beside = paper_for_page(table, "Beside").to_html()
    assert "paper, EyeQ" in beside
    assert "Single-task control" not in beside
    assert f"{table[table['model'] == 'multi_task']['difference'].iloc[0]:+.3f}" in beside
    assert scores_for_page(table, "Scores").to_html() == html


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (
            0.02,
            0.01,
            0.03,
            "Multi-task is better than Single-task by 0.020 in macro-F1 (90 % interval +0.010 to +0.030).",
        ),
        (-0.02, -0.03, -0.01, "Single-task is better than Multi-task by 0.020 in macro-F1"),
        (0.02, -0.01, 0.05, "includes zero: this build cannot tell the two apart."),
        (0.02, 0.0, 0.05, "includes zero"),
    ],
)
def test_the_verdict_says_what_the_interval_says(value, low, high, expected):
    result = record("overall.fake.multi_task-single_task.macro_f1", value, low=low, high=high)
    assert expected in verdict(result, "macro_f1", 0.9)


def test_metrics_have_names_for_readers():
    assert metric_name("f1.usable") == "F1 (usable)"
    assert metric_name("macro_f1") == "macro-F1"
