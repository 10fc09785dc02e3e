"""What a reading says about the reasons: its questions find the laboratories' rows, and turned ones change sign."""

import re

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.publish.chapters import read_chapters
from riqa.results import tidy
from riqa.studies.claims import conclude, find, judge, rows_of, weigh
from tests.publish.toy import REPOSITORY

PARTS, SAID = paper.parts("mechanisms"), paper.claims("mechanisms")
NEW = [part for part in PARTS.index if part not in paper.parts().index]
MARGINS = {"margin": 0.1, "margin_overall": 0.01}
F1 = {"metric": "macro_f1", "method": "mrmc"}
FLIPPED = {"model": "flipped_by_camera"}
FLIPPED_LABELS = {
    "metric": "labels_wrong",
    "target": "clarity",
    "method": "count",
    "low": np.nan,
    "high": np.nan,
}
ROWS = {
    "content": F1 | dict(model="teacher_labels", rival="shuffled_labels"),
    "content_again": F1 | dict(model="equal_weights", rival="equal_weights_on_placebo"),
    "content_few": F1 | dict(model="student", rival="placebo", group="fewest"),
    "task": F1 | dict(model="shuffled_labels", rival="no_details"),
    "task_again": F1 | dict(model="equal_weights_on_placebo", rival="no_details"),
    "task_few": F1 | dict(model="placebo", rival="control", group="fewest"),
    "grows": F1 | dict(model="student", rival="control", group="fewest minus all"),
    "unrelated": F1 | dict(model="student", rival="placebo", group="greatest minus least"),
    "same_kind": dict(model="teacher", rival="experts", target="clarity", metric="error_consistency", method="together"),
    "teaches": F1 | dict(model="teacher_labels", rival="expert_labels"),
    "by_lot": F1 | dict(model="flipped_at_random", rival="true_labels", target="clarity"),
    "by_rule": F1 | FLIPPED | dict(rival="flipped_at_random", target="clarity"),
    "copied": FLIPPED | dict(rival="true_labels", target="clarity", metric="wrong", method="mrmc", group="planted flipped_by_camera"),
    "grades_suffer": F1 | FLIPPED | dict(rival="true_labels"),
    "own_errors": dict(model="multi_task", target="details", metric="phi_own", method="patients"),
    "repaired": dict(model="wrong_detail_repaired", rival="right_detail_repaired", metric="error_gone_beyond", method="mrmc"),
    "beside": dict(model="multi_task", rival="chance", metric="energy", method="pooled"),
    "as_number": F1 | dict(model="correlation", rival="cross_entropy"),
    "anatomy": F1 | dict(model="true_anatomy", rival="shuffled_anatomy"),
    "schemes": F1 | dict(model="shortest_mixture", rival="equal_weights"),
}  # fmt: skip
NOT = {  # a row of the same laboratory that must not be found
    "content": {"group": "corrected"}, "content_again": {"rival": "no_details"}, "content_few": {"group": "Teacher of all"},
    "task": {"group": "corrected"}, "task_again": {"model": "uncertainty_on_placebo"}, "task_few": {"group": "all graded"},
    "grows": {"rival": "placebo"}, "unrelated": {"model": "student@heavy_details"}, "same_kind": {"group": "clear"},
    "teaches": {"group": "corrected"}, "by_lot": {"target": "contrast"}, "by_rule": {"target": "contrast"},
    "copied": {"group": "not planted flipped_by_camera"}, "grades_suffer": {"target": "clarity"},
    "own_errors": {"metric": "phi_shared"}, "repaired": {"metric": "error_gone"}, "beside": {"rival": "shuffled"},
    "as_number": {"metric": "rank_correlation"}, "schemes": {"model": "weight_3"}, "anatomy": {"rival": "no_anatomy"},
}  # fmt: skip


def row(part, low=0.1, high=0.3, **more):
    keys = {"chapter": PARTS.loc[part, "chapter"], "dataset": "phantom_grades", "n": 100, "seeds": (0, 1)}
    one = {"value": (low + high) / 2, "low": low, "high": high} | keys | ROWS[part] | more
    return tidy(pd.DataFrame([one]))


def found(*rows):
    return find(pd.concat(rows, ignore_index=True), PARTS, MARGINS)


@pytest.mark.parametrize("part", NEW)
def test_a_query_finds_the_row_of_its_laboratory_and_no_other(part):
    marked = row(part, **FLIPPED_LABELS | {"model": "flipped_at_random"})  # whose labels chapter 16 flipped
    (one,) = found(row(part), row(part, **NOT[part]), row(part, chapter="00_other"), marked).to_dict(
        "records"
    )
    sign = -1 if PARTS.loc[part, "turned"] else 1
    assert one["part"] == part
    assert (one["value"], sorted([sign * one["low"], sign * one["high"]])) == (
        pytest.approx(sign * 0.2),
        [0.1, 0.3],
    )
    assert one["low"] < one["high"]


@pytest.mark.parametrize("part", NEW)
def test_what_a_query_names_is_named_in_its_laboratory(part):
    """So that a renamed arm does not leave a question without an answer, which no build would notice."""
    chapters = read_chapters(REPOSITORY)
    page = chapters[PARTS.loc[part, "chapter"]].notebook.read_text()
    names = re.findall(r"(?:model|rival) (?:==|in) (\[[^]]*\]|\"[^\"]*\")", PARTS.loc[part, "query"])
    words = [word for name in names for word in re.findall(r'"(\w+)"', name)]
    assert len(words) >= 1
    assert [word for word in words if word not in page] == []


# Where details explain the grade least the gain is 0.15 to 0.05 smaller: as foretold.
@pytest.mark.parametrize(
    ("part", "low", "high", "finding"),
    [
        ("unrelated", -0.15, -0.05, "for"), ("unrelated", 0.05, 0.15, "against"), ("unrelated", -0.005, 0.02, "too small"),
        ("unrelated", -0.02, 0.02, "undecided"), ("same_kind", -0.2, 0.05, "for"), ("same_kind", 0.15, 0.3, "against"),
        ("beside", 0.1, 0.3, "against"), ("beside", -0.3, -0.1, "for"), ("by_rule", -0.2, -0.1, "for"),
        ("grades_suffer", -0.005, 0.02, "too small"), ("teaches", -0.009, 0.03, "for"), ("teaches", -0.03, -0.02, "against"),
    ],
)  # fmt: skip
def test_a_turned_question_is_for_where_things_get_worse(part, low, high, finding):
    marked = row(part, **FLIPPED_LABELS | {"model": "flipped_at_random"})
    assert judge(found(row(part, low, high), marked))["finding"].tolist() == [finding]


def test_a_part_of_phi_is_measured_against_phi():
    phi = row("own_errors", metric="phi", method="linked", value=0.4)
    assert found(row("own_errors"), phi)["margin"].tolist() == [pytest.approx(0.04)]


def test_the_sentences_ask_known_questions_and_one_of_them_none():
    assert set().union(*SAID["parts"]) == set(PARTS.index)
    assert set(ROWS) == set(NOT) == set(NEW)
    assert set(SAID["papers"]) - {""} <= set(paper.claims().index)
    assert SAID[["words", "speaks_for", "speaks_against", "settle"]].map(len).gt(0).all(axis=None)
    untried = SAID.index[SAID["parts"].map(len) == 0].tolist()
    assert untried == ["larger_teacher"]
    evidence = judge(found(row("content", p=0.01)))
    weighed = weigh(SAID, evidence)["verdict"]
    assert set(weighed[untried]) == {"no number here"}
    assert weighed["details_help"] == "supported in part"
    assert conclude(SAID.loc["larger_teacher"], evidence, PARTS).startswith("**Verdict: no number here**")
    assert (
        rows_of(SAID, evidence).query("metric == 'verdict'")["group"].value_counts()["no number here"] == 11
    )
