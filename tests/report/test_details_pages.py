import re

import numpy as np
import pandas as pd
import pytest

from riqa.report.details_pages import (
    statements_for_page,
    table_4_for_page,
    truth_for_page,
    verdict_sentences,
    verdicts_for_page,
)
from riqa.report.details_table4 import score_details, table_4
from riqa.report.results import record
from tests.report.details_cases import answers, drawn


def cells(styler):
    html = re.sub(r"<br>", " ", styler.to_html())
    return [
        re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", html, re.DOTALL)
    ]


def verdicts(**columns):
    rows = {"dataset": "set", "model": "multi_task-grades", "detail": "clarity", "value": 0.01, "low": -0.02}
    rows |= {"high": 0.04, "p_value": 0.3, "p_holm": 0.9, "mcnemar_p": 0.0002, "mcnemar_holm": np.nan}
    rows |= {"both_classes": -0.01, "starred": [False, True, False], "finding": "open"}
    return pd.DataFrame(rows | columns)


def test_the_papers_number_stands_beside_ours():
    predictions = drawn(0.5, model="multi_task-grades")
    results = {item.name: item for item in score_details(predictions, n_resamples=20)}
    table = table_4(results, {"set": "mshf"}, {"multi_task-grades": "MT-EyeQ"})
    found = cells(table_4_for_page(table, results, "set"))
    start = found.index("contrast")
    ours = results["details.set.multi_task-grades.contrast.f1"]
    assert found[start + 1] == "0.840*"
    assert found[start + 2] == f"{ours.value:.3f} {ours.low:.3f} – {ours.high:.3f}"
    assert found[start + 3] == f"{ours.value - 0.840:+.3f}"
    assert "set beside the paper's MSHF" in table_4_for_page(table, results, "set").to_html()


def test_what_is_not_there_is_a_dash():
    predictions = answers([[1, 1, np.nan]] * 4, np.full((4, 3), 0.9))
    results = {item.name: item for item in score_details(predictions, n_resamples=20)}
    table = table_4(results, {"set": "eyeq_d"}, {"teacher": "Teacher-A"})
    found = cells(table_4_for_page(table, results, "set"))
    start = found.index("contrast")
    assert found[start + 1 : start + 4] == ["0.881", "–", "–"]
    assert found[-1] == "–"


def test_p_values_are_words_for_readers():
    found = cells(verdicts_for_page(verdicts(), "Tests"))
    start = found.index("+0.010 -0.020 – +0.040")
    tests = [cell.replace("&lt;", "<") for cell in found[start + 1 : start + 8]]
    assert tests == ["0.300", "0.900", "< 0.001", "–", "-0.010", "", "open"]


@pytest.mark.parametrize(
    ("findings", "counts"),
    [(["differs", "differs, equivalent", "open"], (2, 1, 0, 1)), (["equivalent"] * 3, (0, 3, 0, 0)),
     (["not inferior", "open", "open"], (0, 0, 1, 2))],
)  # fmt: skip
def test_sentences_count_the_findings(findings, counts):
    sentences = verdict_sentences(verdicts(finding=findings), 0.05)
    assert [int(sentence.split()[0]) for sentence in sentences[:4]] == list(counts)
    assert all("of 3 comparisons" in sentence for sentence in sentences[:4])
    assert sentences[4].startswith("The paper marks 1 of the 3")
    assert len(sentences) == 5


def test_what_could_not_be_tested_is_counted_apart():
    sentences = verdict_sentences(verdicts(finding=["open", "no test", "open"]), 0.05)
    assert sentences[3].startswith("2 of 2")
    assert sentences[-1].startswith("1 more")


def test_experts_have_no_score_against_themselves():
    names = [f"details.set.{model}.{detail}" for model in ("experts", "teacher")
             for detail in ("illumination", "clarity", "contrast")]  # fmt: skip
    results = [record(f"{name}.planted_macro_f1_both_classes", 0.9) for name in names]
    results += [record(f"{name}.macro_f1_both_classes", 0.8) for name in names if "teacher" in name]
    found = cells(truth_for_page({item.name: item for item in results}, "set", ["experts", "teacher"]))
    assert found[4:8] == ["Experts", "illumination", "", "0.900"]
    assert found[-4:] == ["Teacher", "contrast", "0.800", "0.900"]


def test_statements_say_in_how_many_seeds_they_hold():
    statements = pd.DataFrame(
        [("one", "a", 3, 2.0), ("two", "b", 0, np.nan)],
        columns=["statement", "measured as", "seeds", "holds_in"],
    )
    found = cells(statements_for_page(statements, "Statements"))
    assert found[3:] == ["one", "a", "2 of 3 seeds", "two", "b", "no such set or class here"]
