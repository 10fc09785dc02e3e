"""The claims as data: complete, with numbers of the paper, and patterns that meet real record names."""

import pytest

from riqa.publish.chapters import read_chapters
from riqa.report.claims import find, verdict, weigh
from riqa.report.claims_paper import claims, parts
from riqa.report.results import record
from tests.publish.toy import REPOSITORY

PARTS = {part.key: part for part in parts(0.01, 0.05)}

NAMES = {
    "informed": "details.phantom_details.multi_task-phantom_grades.macro_f1_both_classes",
    "raters": "observers.mshf.non_inferiority.clarity",
    "matches": "details.eyeq_d.multi_task-eyeq-teacher.contrast.f1.margin",
    "overall": "overall.eyeq.multi_task-single_task_control.macro_f1",
    "maps_place": "explanations.phantom_eyes.multi_task-single_task.overall.any.energy_gain",
    "maps_answer": "explanations.eyeq.multi_task-single_task.deletion_gain",
    "features": "latent.eyeq_d.multi_task-single_task_control.illumination.purity",
    "advice": "recapture.phantom_grades.student-random_other.true_raised",
    "released": "curation.eyeq_d.test.count",
}
NOT = {
    "informed": "details.phantom_details.teacher.macro_f1_both_classes",
    "matches": "details.eyeq_d.multi_task-eyeq-teacher.contrast.f1",
    "advice": "recapture.phantom_grades.student-random_other.true_raised.no_detail_would_do",
    "maps_answer": "explanations.eyeq.multi_task.deletion_gain",
    "maps_place": "explanations.phantom_eyes.multi_task-shuffled.overall.any.energy_gain",
    "overall": "overall.eyeq.single_task_control-single_task.macro_f1",
}


def test_four_contributions_and_three_hypotheses_of_known_parts():
    keys = [claim.key for claim in claims()]
    assert sorted(keys) == [f"contribution_{n}" for n in "1234"] + [f"hypothesis_{n}" for n in "123"]
    assert {key for claim in claims() for key in claim.parts} == set(PARTS)
    assert all(claim.words and claim.settle and claim.where.startswith("Section 1") for claim in claims())


@pytest.mark.parametrize("key", list(PARTS))
def test_patterns_meet_the_names_that_chapters_write(key):
    assert PARTS[key].chapter in read_chapters(REPOSITORY)
    (item,) = find(PARTS[key], {NAMES[key]: record(NAMES[key], 0.2, low=0.1, high=0.3, n=50)})
    assert item.name == NAMES[key]
    if key in NOT:
        assert find(PARTS[key], {NOT[key]: record(NOT[key], 0.2, low=0.1, high=0.3)}) == []


def test_a_build_without_records_gives_no_verdict_and_no_error():
    found = weigh(PARTS.values(), {})
    assert {verdict(claim.parts, found) for claim in claims()} == {"no number here"}


def test_beating_the_single_task_model_alone_does_not_support_hypothesis_2():
    both = [
        "overall.eyeq.multi_task-single_task.macro_f1",
        "overall.eyeq.multi_task-single_task_control.macro_f1",
    ]
    records = {name: record(name, 0.02, low=0.01, high=0.03, n=500) for name in both}
    assert verdict(["overall"], weigh(PARTS.values(), {PARTS["overall"].chapter: records})) == "supported"
    del records[both[1]]
    assert verdict(["overall"], weigh(PARTS.values(), {PARTS["overall"].chapter: records})) == "undecided"


def test_margins_reach_the_parts():
    other = {part.key: part.margin for part in parts(0.02, 0.1)}
    assert other["overall"] == 0.02
    assert {other[key] for key in PARTS if key not in ("overall", "released")} == {0.1}


def test_the_papers_numbers_are_those_of_its_tables():
    by_key = {claim.key: claim.paper for claim in claims()}
    assert by_key["hypothesis_2"].startswith(
        "macro-F1 on EyeQ 0.875 against 0.863 (+0.012); F1 on DeepDRiD 0.778"
    )
    assert "0.708 against 0.707 (illumination), 0.930 against 0.934 (clarity)" in by_key["hypothesis_1"]
    assert "7 of 12 F1 values" in by_key["contribution_2"]
    assert by_key["contribution_4"].startswith("160 images")
