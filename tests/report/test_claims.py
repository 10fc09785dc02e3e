"""Rules and verdicts, on evidence whose answer is plain by hand."""

from dataclasses import replace

import pytest

from riqa.report.claims import (
    VERDICTS,
    Claim,
    Evidence,
    Part,
    answers,
    claim_records,
    find,
    finding,
    verdict,
    weigh,
)
from riqa.report.results import record

BETTER = Part(
    "gain", "Gain", "06", "overall.{set}.multi_task-{rival}.macro_f1", "{set} {rival}", "better", 0.01
)
NO_WORSE = Part(
    "loss", "Loss", "08", "observers.{set}.non_inferiority.{detail}", "{detail}", "no_worse", 0.05
)
COUNT = Part("count", "Count", "01", "curation.eyeq_d.test.count", "read", "count", 1.0, reference=160)


def evidence(part, low, high, **more):
    value = None if low is None else (low + high) / 2
    return Evidence(
        part, "a.record", "label", more.pop("group", "alone"), value, low, high, more.pop("n", 100), **more
    )


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "said"),
    [
        (0.001, 0.03, None, "for"),
        (0.001, 0.03, 0.049, "for"),
        (0.001, 0.03, 0.051, "undecided"),  # above zero alone, but one of many
        (0.000, 0.03, None, "undecided"),  # zero is not excluded
        (-0.02, 0.03, 0.001, "undecided"),
        (-0.03, 0.009, None, "against"),  # a gain of the margin is excluded
        (-0.03, 0.010, None, "undecided"),  # it is not: the end lies on it
        (-0.03, -0.02, None, "against"),
        (0.001, 0.009, None, "for"),  # small, but there
        (0.001, 0.009, 0.2, "against"),  # not there after correction, and too small in any case
    ],
)
def test_a_gain_needs_an_interval_above_zero_and_its_corrected_p_value(low, high, p_holm, said):
    assert finding(evidence(BETTER, low, high, p_holm=p_holm)) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.04, 0.02, "for"),
        (-0.05, 0.02, "undecided"),
        (-0.30, 0.02, "undecided"),
        (-0.30, -0.05, "undecided"),
        (-0.30, -0.06, "against"),
        (0.10, 0.20, "for"),
        (-0.03, -0.01, "for"),  # a loss for sure, and one too small to matter
    ],
)
def test_no_loss_needs_an_interval_above_minus_the_margin(low, high, said):
    assert finding(evidence(NO_WORSE, low, high)) == said


def test_few_images_decide_nothing_and_level_and_limit_are_alive():
    plain = evidence(BETTER, 0.02, 0.03, p_holm=0.03, n=19)
    assert finding(plain) == "undecided"
    assert finding(plain, least_images=19) == "for"
    assert finding(plain, least_images=19, alpha=0.01) == "undecided"
    assert finding(replace(plain, n=None)) == "for"
    assert finding(evidence(NO_WORSE, 0.02, 0.03, n=19)) == "undecided"


@pytest.mark.parametrize(("count", "said"), [(160, "for"), (161, "for"), (159, "undecided")])
def test_a_count_must_reach_what_the_paper_states(count, said):
    records = {"curation.eyeq_d.test.count": record("curation.eyeq_d.test.count", count)}
    assert [item.finding for item in weigh([COUNT], {"01": records})["count"]] == [said]


def test_margin_and_rule_are_checked():
    with pytest.raises(ValueError, match="margin must be above 0, got 0"):
        replace(BETTER, margin=0)
    with pytest.raises(ValueError, match="got 'larger'"):
        replace(BETTER, rule="larger")


def test_records_are_found_by_name_and_those_without_a_number_are_no_evidence():
    records = [
        record("overall.a.multi_task-single_task.macro_f1", 0.1, low=0.0, high=0.2, n=30),
        record("overall.a.multi_task-single_task.macro_f1.p_value", 0.04),
        record("overall.b.multi_task-single_task_control.macro_f1", None),
        record("overall.c.multi_task-single_task.macro_f1", 0.1),  # no interval
        record("overall.a_by_eye.multi_task-single_task.macro_f1", 0.1, low=0.0, high=0.2),
        record("overall.a.single_task_control-single_task.macro_f1", 0.1, low=0.0, high=0.2),
        record("overall.a.multi_task-single_task.macro_f1.by_eye", 0.1, low=0.0, high=0.2),
    ]
    (item,) = find(BETTER, {r.name: r for r in records})
    assert (item.name, item.label, item.n) == (records[0].name, "a Single-task", 30)
    assert (item.value, item.low, item.high, item.p_value) == (0.1, 0.0, 0.2, 0.04)
    (item,) = find(replace(BETTER, reference=0.5), {records[0].name: records[0]})
    assert (item.value, item.low, item.high) == pytest.approx((-0.4, -0.5, -0.3))
    assert find(BETTER, {}) == []


def test_a_detail_is_one_of_three():
    names = [f"observers.s.non_inferiority.{what}" for what in ("clarity", "details_together")]
    found = find(NO_WORSE, {name: record(name, 0.0, low=-0.1, high=0.1) for name in names})
    assert [item.label for item in found] == ["clarity"]


def test_holm_is_over_all_p_values_of_all_parts():
    # Holm by hand: 0.01 x 3 = 0.03; then 0.02 x 2 = 0.04; then 0.6
    other = replace(BETTER, key="other", chapter="11", pattern="advice.{set}", label="{set}")
    gains = [
        ("overall.a.multi_task-single_task.macro_f1", 0.01),
        ("overall.a.multi_task-single_task_control.macro_f1", 0.6),
    ]
    chapters = {"06": {}, "11": {}}
    for name, p in gains:
        chapters["06"] |= {
            name: record(name, 0.1, low=0.05, high=0.2),
            f"{name}.p_value": record(f"{name}.p_value", p),
        }
    chapters["11"] |= {"advice.a": record("advice.a", 0.1, low=0.05, high=0.2)}
    chapters["11"] |= {"advice.a.p_value": record("advice.a.p_value", 0.02)}
    found = weigh([BETTER, other], chapters)
    assert [item.p_holm for item in found["gain"]] == pytest.approx([0.03, 0.6])
    assert [item.p_holm for item in found["other"]] == pytest.approx([0.04])
    assert [item.finding for item in found["gain"]] == ["for", "undecided"]
    assert weigh([BETTER, other], {}) == {"gain": [], "other": []}


def test_a_group_is_one_answer_and_must_be_complete():
    part = replace(BETTER, group_size=2)
    rows = {
        "both": ("for", "for"),
        "one open": ("for", "undecided"),
        "one against": ("for", "against"),
        "one missing": ("for",),
    }
    items = [evidence(part, 0.0, 0.1, group=g, finding=f) for g, found in rows.items() for f in found]
    assert answers(items) == {
        "both": "for",
        "one open": "undecided",
        "one against": "against",
        "one missing": "undecided",
    }


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (["for", "for"], ["for"], "supported"),
        (["for", "undecided"], ["for"], "supported in part"),
        (["for"], [], "supported in part"),  # a part without number is an open question
        (["undecided"], ["undecided"], "undecided"),
        (["undecided"], [], "undecided"),
        (["for", "against"], ["undecided"], "mixed"),
        (["for"], ["against"], "mixed"),
        (["against"], ["undecided"], "contradicted in part"),
        (["against"], [], "contradicted in part"),
        (["against"], ["against"], "contradicted"),
        ([], [], "no number here"),
    ],
)
def test_every_verdict(first, second, said):
    assert said in VERDICTS
    found = {
        key: [evidence(BETTER, 0.0, 0.1, group=f"{key}{i}", finding=f) for i, f in enumerate(part)]
        for key, part in (("one", first), ("two", second))
    }
    assert verdict(("one", "two"), found) == said


def test_records_say_how_many_answers_and_holms_p_values():
    claim = Claim("c", "Title", "words", "Section 1", "numbers", ("one",), "do this")
    found = {
        "one": [
            evidence(BETTER, 0.0, 0.1, group="x", finding="for", p_holm=0.03, seeds=(0, 2)),
            evidence(BETTER, 0.0, 0.1, group="y", finding="undecided", seeds=(1, 0)),
        ]
    }
    values = {item.name: item.value for item in claim_records([claim], found)}
    assert values == {
        "claims.c.for": 1,
        "claims.c.against": 0,
        "claims.c.undecided": 1,
        "claims.p_holm.a.record": 0.03,
    }
    first, *_, last = claim_records([claim], found)
    assert first.method == "answers; verdict: supported in part"
    assert (list(first.seeds), list(last.seeds)) == ([0, 1, 2], [0, 2])
