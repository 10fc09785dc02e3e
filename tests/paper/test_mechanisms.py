"""What a reading says about the reasons: its questions find the laboratories' rows, and turned ones change sign."""

import re

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.publish.chapters import read_chapters
from riqa.results import tidy
from riqa.studies.claims import conclude, find, judge, read_out, rows_of, weigh
from tests.publish.toy import REPOSITORY

FILES = {of: (paper.parts(of), paper.claims(of)) for of in ("mechanisms", "neighbours")}
PARTS, SAID = FILES["mechanisms"]
PAPERS = set(paper.parts().index)
NEW = [(of, part) for of, (parts, _) in FILES.items() for part in parts.index if part not in PAPERS]
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
PLACES = {"model": "true_places", "rival": "shuffled_places", "method": "mrmc"}
CHANCE = {"model": "true_places", "rival": "", "metric": "chance", "value": 0.25}
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
    "taught_places": PLACES | dict(metric="energy"),
    "pretrained": dict(model="gentle_views@larger", rival="from_scratch@larger", target="details", metric="auc", method="mrmc"),
    "places_grade": F1 | PLACES, "places_maps": PLACES | dict(metric="energy"),
    "token": F1 | dict(model="task_token", rival="two_heads"),
    "token_details": F1 | dict(model="task_token", rival="two_heads", target="clarity"),
    "no_loss": F1 | dict(model="as_target", rival="no_details"), "as_good": F1 | dict(model="as_input", rival="as_target"),
    "links": F1 | dict(model="links_kept", rival="multi_task"),
    "agreeing": F1 | dict(model="agreeing_heads", rival="agreeing_elsewhere"),
    "unseen": F1 | dict(model="own_layers_mean", rival="no_names", group="unseen camera"),
    "habits": dict(model="own_layers_mean", rival="no_names", metric="accuracy", group="unseen beside it", method="mrmc"),
    "filled": F1 | dict(model="interpolated_labels", rival="sparse_labels", target="details"),
    "filled_grade": F1 | dict(model="interpolated_labels", rival="no_details"),
    "rater": dict(model="rater_known", rival="names_shuffled", target="details", metric="auc", group="by lot", method="mrmc"),
    "new_rater": dict(model="fitted_rater", rival="mean_rater", target="details", metric="votes_foretold", group="8 votes", method="mrmc"),
    "rounds": dict(model="thrice", rival="longer", target="details", metric="wrong", method="mrmc"),
    "hears_itself": dict(model="fixmatch", rival="experts_beside", target="details", metric="wrong", method="mrmc"),
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
    "taught_places": {"rival": "chance"}, "pretrained": {"metric": "macro_f1"}, "places_grade": {"target": "clarity"},
    "places_maps": {"rival": "turned_places"}, "token": {"rival": "no_details"}, "token_details": {"rival": "same_token"},
    "no_loss": {"rival": "target_placebo"}, "as_good": {"rival": "input_placebo"}, "links": {"rival": "links_elsewhere"},
    "agreeing": {"rival": "true_places"}, "unseen": {"rival": "own_layers_alone"}, "habits": {"group": "strict camera"},
    "filled": {"rival": "teacher_labels"}, "filled_grade": {"target": "details"}, "rater": {"group": "by camera minus by lot"},
    "new_rater": {"metric": "log_likelihood"}, "rounds": {"metric": "still_wrong"}, "hears_itself": {"rival": "once"},
}  # fmt: skip


NEEDS_TRUTH = {"own_errors", "beside"}  # whose way from noise to truth is a row of its own


def row(part, low=0.1, high=0.3, of="mechanisms", **more):
    keys = {
        "chapter": FILES[of][0].loc[part, "chapter"],
        "dataset": "phantom_grades",
        "n": 100,
        "seeds": (0, 1),
    }
    one = {"value": (low + high) / 2, "low": low, "high": high} | keys | ROWS[part] | more
    return tidy(pd.DataFrame([one]))


def found(*rows, of="mechanisms"):
    return find(pd.concat(rows, ignore_index=True), FILES[of][0], MARGINS)


@pytest.mark.parametrize(("of", "part"), NEW)
def test_a_query_finds_the_row_of_its_laboratory_and_no_other(of, part):
    marked = row(
        "by_lot", **FLIPPED_LABELS | {"model": "flipped_at_random"}
    )  # whose labels chapter 16 flipped
    others = [
        row(part, of=of, **NOT[part]),
        row(part, of=of, chapter="00_other"),
        marked,
        row("taught_places", **CHANCE),
    ]
    (one,) = found(row(part, of=of), *others, of=of).to_dict("records")
    sign = -1 if FILES[of][0].loc[part, "turned"] else 1
    assert one["part"] == part
    assert (one["value"], sorted([sign * one["low"], sign * one["high"]])) == (
        pytest.approx(sign * 0.2),
        [0.1, 0.3],
    )
    assert one["low"] < one["high"]
    assert one["margin"] > 0 or part in NEEDS_TRUTH


@pytest.mark.parametrize(("of", "part"), NEW)
def test_what_a_query_names_is_named_in_its_laboratory(of, part):
    """So that a renamed arm does not leave a question without an answer, which no build would notice."""
    asked, chapters = FILES[of][0].loc[part], read_chapters(REPOSITORY)
    chapter = chapters[asked["chapter"]]
    names = re.findall(r"(?:model|rival) (?:==|in) (\[[^]]*\]|\"[^\"]*\")", asked["query"])
    words = [word for name in names for word in re.findall(r'"(\w+)', name)]
    # An arm may be named in the file of its laboratory, and another way of asking it by what is added.
    source = chapter.notebook.read_text() + "".join(
        file.read_text() for file in (REPOSITORY / "riqa" / "studies").glob("*.py")
    )
    assert len(words) >= 1
    assert [word for word in words if word not in source and word.removesuffix("_mean") not in source] == []


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


def test_every_sentence_asks_known_questions():
    assert set(ROWS) == set(NOT) == {part for _, part in NEW}
    for parts, said in FILES.values():
        assert set().union(*said["parts"]) == set(parts.index)
        assert set(said["papers"]) - {""} <= set(paper.claims().index)
        told = said[["words", "speaks_for", "speaks_against", "settle", "parts"]]
        assert told.map(len).gt(0).all(axis=None)


def test_a_sentence_without_a_number_says_so_and_another_is_read_out():
    evidence = judge(found(row("content", p=0.01)))
    weighed = weigh(SAID, evidence)["verdict"]
    assert weighed["larger_teacher"] == "no number here"
    assert weighed["details_help"] == "supported in part"
    assert conclude(SAID.loc["larger_teacher"], evidence, PARTS).startswith("**Verdict: no number here**")
    said, new, verdict = read_out(SAID.loc["details_help"], evidence, PARTS, PAPERS)
    assert said.startswith("**Mechanism 1: details improve grading**")
    assert new["label"].tolist() == ["Student minus placebo: macro-F1, overall, phantom grades"]
    assert "[13](13_swap_the_labels.ipynb), [18](18_weigh_the_tasks.ipynb)" in verdict
    assert verdict.startswith("**Verdict: supported in part**")
    assert read_out(SAID.loc["details_help"], evidence, PARTS, {*PAPERS, "content"})[1].empty
    assert (
        rows_of(SAID, evidence).query("metric == 'verdict'")["group"].value_counts()["no number here"] == 11
    )
