import numpy as np
import pytest

from riqa.evaluate.recapture import raised
from riqa.phantom.grades import true_grade
from riqa.phantom.repair import repaired_scores
from riqa.report.recapture import group_results, policy_results
from riqa.report.recapture_pages import advice_sentence, groups_for_page, policies_for_page, rivals_for_page
from riqa.report.results import record
from tests.report.recapture_cases import advice, truth

KNOBS = {"n_resamples": 200, "confidence": 0.95}


@pytest.fixture(scope="module")
def results():
    up = raised(true_grade(repaired_scores(truth()), 3))
    found = policy_results("set", advice(), {"true_raised": up}, **KNOBS)
    groups = {"the first": np.array([[True], [False]])}
    found += group_results("set", advice(), up, "true_raised", groups, **KNOBS)
    return {item.name: item for item in found}


def test_a_row_a_policy_with_shares_and_repairs(results):
    table = policies_for_page(results, "set", "caption").data
    assert len(table) == 8
    row = table.set_index("what is repaired").loc["all three"]
    assert row["details"] == "3.00"
    assert row["true class raised"].startswith("0.500<br>")
    assert row["Student's class raised"] == "–"  # nobody was shown anything


def test_p_values_are_corrected_for_the_table(results):
    table = rivals_for_page(results, "set", "caption").data
    assert len(table) == 4
    raw = results["recapture.set.student-frequent.true_raised.p_value"].value
    smallest = min(item.value for name, item in results.items() if name.endswith(".true_raised.p_value"))
    assert raw == smallest
    cell = table.set_index("Student's worst detail against").loc["always the most frequent one"]
    assert cell["true class raised"].endswith(f"p = {min(1, 4 * raw):.3f}")


def test_a_row_a_group(results):
    table = groups_for_page(results, "set", "true_raised", ["the first"], "caption").data
    row = table.iloc[0]
    assert row["share"] == "50%"
    assert row["Student's advice"].startswith("0.67")
    assert row["difference"].startswith("+0.50")
    assert row["images"] == "3"


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.1, 0.3), "in favour of the Student"),
        ((-0.3, -0.1), "against the Student"),
        ((-0.1, 0.3), "cannot tell"),
    ],
)
def test_a_sentence_says_what_the_interval_says(ends, words):
    low, high = ends
    items = [
        record("recapture.set.student.true_raised", 0.5),
        record("recapture.set.random_other.true_raised", 0.4),
        record("recapture.set.student-random_other.true_raised", (low + high) / 2, low=low, high=high),
    ]
    text = advice_sentence({item.name: item for item in items}, "set", "random_other", "true_raised")
    assert words in text
    assert "50 %" in text
    assert "40 %" in text


def test_without_any_photograph_the_sentence_says_so():
    names = ("student", "random_other", "student-random_other")
    items = [record(f"recapture.set.{name}.true_raised", None) for name in names]
    text = advice_sentence({item.name: item for item in items}, "set", "random_other", "true_raised")
    assert text.startswith("There is no photograph")
