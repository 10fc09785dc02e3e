import numpy as np
import pytest
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from riqa.evaluate.equivalence import margin_verdict
from riqa.evaluate.stats import Interval
from riqa.report import significance as s

PAIRS = (("multi_task", "single_task"), ("multi_task", "single_task_control"))


def test_each_test_on_its_own_pairs(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.7, "single_task_control": 0.75, "multi_task": 0.8})
    found = s.paired_tests(predictions, PAIRS[:1], n_resamples=200).set_index("test")
    wide = {model: rows.sort_values(["seed", "image_id"]) for model, rows in predictions.groupby("model")}
    values = {}
    for model, rows in wide.items():
        probs = rows[[f"p_overall_{k}" for k in range(3)]].to_numpy()
        true = probs[np.arange(len(rows)), rows["overall"].astype(int)]
        values[model] = true.reshape(2, -1).mean(axis=0)
    expected = wilcoxon(values["multi_task"], values["single_task"]).pvalue
    assert found.loc["wilcoxon", "p_value"] == pytest.approx(expected)
    assert found.loc["wilcoxon_greater", "p_value"] == pytest.approx(expected / 2)
    assert list(found.index) == list(s.TESTS)
    by_seed = s.mcnemar_by_seed(predictions, *PAIRS[0])
    assert by_seed.shape == (2,)
    assert found.loc["mcnemar", "p_value"] == by_seed[0] != by_seed[1]
    other = s.paired_tests(predictions, PAIRS[:1], wilcoxon_on="seed_score", n_resamples=200)
    assert other.set_index("test").loc["wilcoxon", ["p_value", "n"]].tolist() == [0.5, 2]


def test_holm_counts_the_comparisons_of_one_test(fake_predictions):
    tests = s.with_holm(s.paired_tests(fake_predictions(), PAIRS, n_resamples=100))
    for _, rows in tests.groupby("test"):
        expected = multipletests(rows["p_value"], method="holm")[1]
        np.testing.assert_allclose(rows["p_holm"], expected)
    records = {item.name: item.value for item in s.records_of_tests(tests)}
    assert len(records) == 2 * len(tests) == 16
    assert records["tests.fake.multi_task-single_task.bootstrap.p_holm"] == tests["p_holm"][0]
    page = s.tests_for_page(tests, "Tests").to_html()
    assert "fake: Multi-task minus Single-task control" in page
    assert page.count("Holm 0") + page.count("Holm &lt; 0.001") == 8
    assert "0.000" not in page


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-0.01, 0.01, "equivalent within 0.02 (90"),
        (0.005, 0.015, "equivalent within 0.02, although one is better"),
        (-0.01, 0.05, "is not worse than Single-task by 0.02 or more; whether it is better by as much"),
        (0.01, 0.05, "by 0.02 or more, and it is better"),
        (-0.05, 0.05, "neither equivalence nor non-inferiority"),
        (-0.05, -0.03, "Multi-task is worse than Single-task by 0.02 or more"),
    ],
)
def test_sentences_say_what_the_margin_says(low, high, says):
    verdict = margin_verdict(Interval((low + high) / 2, low, high), 0.02)
    assert says in s.margin_text(verdict, "multi_task", "single_task")


def test_margins_are_recorded(fake_predictions):
    verdict = s.margin_of(fake_predictions(), *PAIRS[0], margin=0.02, n_resamples=300)
    found = {item.name: item for item in s.margin_records(verdict, "fake", *PAIRS[0])}
    assert found["equivalence.fake.multi_task-single_task.equivalent"].value == 0
    assert found["equivalence.fake.multi_task-single_task.non_inferior"].value == 1
    assert found["equivalence.fake.multi_task-single_task.macro_f1"].low > 0


def test_power_by_size(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.7, "multi_task": 0.8})
    curves, records = s.power_of(predictions, *PAIRS[0], sizes=(160, 640), n_studies=500)
    found = {item.name.removeprefix("power.fake.multi_task-single_task."): item.value for item in records}
    assert list(found) == ["160.detectable", "160.as_found", "640.detectable", "640.as_found"]
    assert found["640.detectable"] == pytest.approx(found["160.detectable"] / 2, rel=0.25)
    assert found["640.as_found"] > found["160.as_found"]
    swapped = s.power_of(predictions, *PAIRS[0][::-1], sizes=(160,), n_studies=500)[1][1]
    assert swapped.value == pytest.approx(found["160.as_found"], abs=0.05)
    assert set(curves["n_images"]) == {160, 640}
