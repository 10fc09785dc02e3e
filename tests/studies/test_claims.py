"""Rules and verdicts, on evidence whose answer is plain by hand."""

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.publish.chapters import read_chapters
from riqa.results import tidy
from riqa.studies.claims import (
    VERDICTS,
    answers,
    conclude,
    find,
    judge,
    kind_of_data,
    laid_out,
    rows_of,
    signs,
    verdict,
    weigh,
)
from riqa.studies.recapture import RIVALS
from tests.publish.toy import REPOSITORY

MARGINS = {"margin": 0.1, "margin_overall": 0.01}
PARTS, CLAIMS = paper.parts(), paper.claims()

STUDENT, CONTROL = {"model": "multi_task"}, {"rival": "single_task_control"}
MAPS = STUDENT | CONTROL | dict(dataset="phantom_eyes", method="mrmc")
ROWS = {
    "informed": dict(dataset="phantom_details", model="multi_task@phantom_grades", target="clarity", metric="macro_f1"),
    "raters": dict(dataset="mshf", model="teacher", rival="experts", target="clarity", metric="agreement", method="non_inferiority"),
    "matches": dict(dataset="eyeq_d", model="multi_task@eyeq", rival="teacher", target="contrast", metric="macro_f1", method="mrmc_equivalence"),
    "overall": STUDENT | CONTROL | dict(dataset="eyeq", metric="macro_f1", method="mrmc"),
    "maps_place": MAPS | dict(metric="energy"),
    "maps_deletion": MAPS | dict(metric="deletion_gain"),
    "maps_insertion": MAPS | dict(metric="insertion_gain"),
    "maps_repair": MAPS | dict(metric="repair_gain"),
    "features": STUDENT | CONTROL | dict(dataset="eyeq_d", target="illumination", metric="purity", method="mrmc"),
    "advice": STUDENT | dict(dataset="phantom_grades", rival="another_detail", metric="true_class_raised", method="mrmc"),
    "released": dict(dataset="eyeq_d", metric="count", group="test", method="count"),
}  # fmt: skip
NOT = {
    "informed": {"target": "details"}, "raters": {"target": "details"}, "matches": {"metric": "f1", "group": "good"},
    "overall": {"method": "bootstrap"}, "maps_place": {"rival": "shuffled"}, "maps_deletion": {"rival": ""},
    "maps_insertion": {"metric": "insertion"}, "maps_repair": {"metric": "repair_truth"},
    "features": {"target": "overall"}, "advice": {"rival": "best_detail"}, "released": {"group": "train"},
}  # fmt: skip
REACH = {  # what a part's margin is a share of: rows that say where noise and truth lie
    "maps_place": [dict(rival="", metric="chance", value=0.3)],
    "maps_deletion": [dict(rival="", metric="noise", value=0.4)],
    "maps_insertion": [dict(rival="", metric="noise", value=0.4)],
    "maps_repair": [dict(rival="noise", metric="repair_truth", value=0.02)],
    "features": [dict(rival="", method="shuffled", value=0.6)],
    "advice": [dict(rival="", model=who, value=v) for who, v in (("another_detail", 0.2), ("best_detail", 0.7))],
}  # fmt: skip


def row(part, low=0.1, high=0.3, **more):
    keys = ROWS[part] | {"chapter": PARTS.loc[part, "chapter"], "n": 100, "seeds": (0, 1)} | more
    return tidy(pd.DataFrame([{"value": (low + high) / 2, "low": low, "high": high} | keys]))


def found(*rows, **margins):
    return find(pd.concat(rows, ignore_index=True), PARTS, MARGINS | margins)


# A family of one: Holm's p-value is p.
@pytest.mark.parametrize(
    ("part", "low", "high", "more", "expected"),
    [
        # A gain needs an interval above zero and its corrected p-value.
        ("overall", 0.001, 0.03, {}, "for"),
        ("overall", 0.001, 0.03, {"p": 0.049}, "for"),
        ("overall", 0.001, 0.03, {"p": 0.051}, "undecided"),  # above zero alone, but one of many
        ("overall", 0.000, 0.03, {}, "undecided"),  # zero is not excluded
        ("overall", -0.02, 0.03, {"p": 0.001}, "undecided"),
        ("overall", -0.03, 0.009, {}, "too small"),  # a gain of the margin is excluded, but no loss is shown
        ("overall", -0.03, 0.010, {}, "undecided"),  # it is not: the end lies on it
        ("overall", -0.03, -0.02, {}, "against"),
        ("overall", 0.001, 0.009, {}, "for"),  # small, but there
        ("overall", 0.001, 0.009, {"p": 0.2}, "too small"),  # not there after correction, and too small
        # No loss needs an interval above minus the margin.
        ("raters", -0.04, 0.02, {}, "for"),
        ("raters", -0.05, 0.02, {}, "undecided"),
        ("raters", -0.30, 0.02, {}, "undecided"),
        ("raters", -0.30, -0.05, {}, "undecided"),
        ("raters", -0.30, -0.06, {}, "against"),
        ("raters", 0.10, 0.20, {}, "for"),
        ("raters", -0.03, -0.01, {}, "for"),  # a loss for sure, and one too small to matter
        # Few images decide nothing.
        ("overall", 0.02, 0.03, {"p": 0.03, "n": 19}, "undecided"),
        ("overall", 0.02, 0.03, {"p": 0.03, "n": None}, "for"),
        ("raters", 0.02, 0.03, {"n": 19}, "undecided"),
        # A count must reach what the paper states.
        ("released", np.nan, np.nan, {"value": 160}, "for"),
        ("released", np.nan, np.nan, {"value": 159}, "undecided"),
    ],
)
def test_each_rule_at_its_limits(part, low, high, more, expected):
    assert judge(found(row(part, low, high, **more)))["finding"].tolist() == [expected]


@pytest.mark.parametrize(("level", "expected"), [({}, "for"), ({"alpha": 0.01}, "undecided")])
def test_level_and_limit_are_alive(level, expected):
    evidence = found(row("overall", 0.02, 0.03, p=0.03, n=19))
    assert judge(evidence, least_images=19, **level)["finding"].tolist() == [expected]


def test_margins_are_checked_and_reach_the_parts():
    with pytest.raises(ValueError, match="above 0"):
        find(row("overall"), PARTS, MARGINS | {"margin": 0})
    ends = [row(part, **end) for part, several in REACH.items() for end in several]
    wide = found(*map(row, ROWS), *ends, margin=0.2, margin_overall=0.02).set_index("part")["margin"]
    ways = {"informed": 0.5, "raters": 0.5, "matches": 0.5, "released": 1, "maps_place": 0.7, "maps_deletion": 0.4,
            "maps_insertion": 0.6, "maps_repair": 0.02, "features": 0.4, "advice": 0.5}  # fmt: skip
    expected = {part: 0.2 * way for part, way in ways.items()} | {"overall": 0.02}
    assert wide.to_dict() == pytest.approx(expected)


def test_a_margin_is_missing_where_noise_or_truth_is_not_measured_or_no_map_could_do_well():
    assert found(row("maps_repair"))["margin"].isna().all()
    hopeless = row("maps_repair", **REACH["maps_repair"][0] | {"value": -0.01})
    assert found(row("maps_repair"), hopeless)["margin"].isna().all()
    rows = row("maps_repair", -0.2, -0.1), row("maps_repair", -0.1, 0.1, rival="single_task")
    evidence = judge(found(*rows))
    assert evidence["finding"].tolist() == ["against", "undecided"]  # without a margin nothing is too small


@pytest.mark.parametrize("part", list(ROWS))
def test_a_query_finds_the_row_of_its_chapter_and_no_other(part):
    assert PARTS.loc[part, "chapter"] in read_chapters(REPOSITORY)
    (one,) = found(row(part), row(part, **NOT[part]), row(part, chapter="00_other")).to_dict("records")
    assert one["part"] == part
    reference = {"informed": 0.5, "released": 160}.get(part, 0)
    assert (one["value"], one["low"]) == pytest.approx((0.2 - reference, 0.1 - reference))
    assert found(row(part, value=np.nan)).empty


def test_labels_are_for_readers_and_a_row_without_interval_is_no_evidence():
    (label,) = found(row("matches"))["label"]
    assert label == "EyeQ-D, contrast, multi-task (EyeQ)"
    one_seed, two_networks = (
        row("overall", low=np.nan, high=np.nan, value=0.1),
        row("overall", method="bootstrap"),
    )
    assert found(one_seed, two_networks).empty


def test_holm_is_over_all_p_values_of_all_parts():
    """By hand: 0.01 x 3 = 0.03; then 0.02 x 2 = 0.04; then 0.6. A claim of no loss has no p-value."""
    rows = [row("overall", p=0.01, rival="single_task"), row("overall", p=0.6), row("advice", p=0.02)]
    evidence = judge(found(*rows, row("raters", p=0.001)))
    holm = dict(zip(zip(evidence["part"], evidence["rival"], strict=True), evidence["holm"], strict=True))
    assert holm["overall", "single_task"] == pytest.approx(0.03)
    assert holm["overall", "single_task_control"] == pytest.approx(0.6)
    assert holm["advice", "another_detail"] == pytest.approx(0.04)
    assert np.isnan(holm["raters", "experts"])


def test_rows_that_belong_together_are_one_answer_and_must_be_complete():
    """Beating the single-task model alone does not support hypothesis 2: the control must be beaten, too."""
    outcomes = {
        "both": [1, 1],
        "one_open": [1, 0],
        "one_small": [1, 2],
        "one_against": [2, -1],
        "one_missing": [1],
    }
    ends = {1: (0.1, 0.3), 0: (-0.1, 0.3), 2: (-0.1, 0.005), -1: (-0.3, -0.1)}
    rows = [
        row("overall", *ends[outcome], dataset=dataset, rival=rival)
        for dataset, pair in outcomes.items()
        for outcome, rival in zip(pair, ["single_task", "single_task_control"], strict=False)
    ]
    joined = answers(judge(found(*rows)))
    assert joined["finding"].tolist() == ["for", "undecided", "too small", "against", "undecided"]


def test_advice_must_beat_every_rival_and_maps_the_control():
    beaten = [row("advice", rival=rival) for rival in RIVALS]
    assert answers(judge(found(*beaten)))["finding"].tolist() == ["for"]
    assert answers(judge(found(*beaten[:3])))["finding"].tolist() == ["undecided"]
    lost = row("advice", -0.2, -0.1, rival="teacher")
    assert answers(judge(found(*beaten[:3], lost)))["finding"].tolist() == ["against"]
    for part in ("maps_place", "maps_deletion", "maps_insertion", "maps_repair"):
        pair = [row(part, rival="single_task"), row(part)]
        assert answers(judge(found(*pair)))["finding"].tolist() == ["for"]
        assert answers(judge(found(pair[0])))["finding"].tolist() == ["undecided"]


def test_one_detail_below_its_floor_makes_the_claim_mixed():
    """F1 of both classes: 0.6 to 0.8 is knowledge, 0.45 is worse than not looking."""
    rows = [row("informed", 0.6, 0.8, target=detail) for detail in ("illumination", "contrast")]
    assert weigh(CLAIMS, judge(found(*rows))).loc["contribution_1", "verdict"] == "supported"
    rows.append(row("informed", 0.3, 0.6))  # 0.45, and the interval does not matter
    assert weigh(CLAIMS, judge(found(*rows))).loc["contribution_1", "verdict"] == "mixed"


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (["for", "for"], "supported"),
        (["for", "undecided"], "supported in part"),
        (["undecided"], "undecided"),
        (["for", "against", "undecided"], "mixed"),
        (["for", "too small"], "mixed"),
        (["too small", "undecided"], "gain excluded in part"),
        (["too small", "too small"], "gain excluded"),
        (["against", "too small"], "contradicted in part"),
        (["against", "undecided"], "contradicted in part"),
        (["against", "against"], "contradicted"),
        ([], "no number here"),
    ],
)
def test_every_verdict(findings, expected):
    assert expected in VERDICTS
    assert verdict(findings) == expected


def test_a_part_without_a_number_is_an_open_question_unless_all_are():
    weighed = weigh(CLAIMS, judge(found(row("maps_place"), row("maps_place", rival="single_task"))))
    assert weighed.loc["hypothesis_3", "verdict"] == "supported in part"
    assert weighed.loc["hypothesis_3", ["for", "against", "undecided"]].tolist() == [1, 0, 0]
    assert weighed.loc["hypothesis_1", "verdict"] == "no number here"
    nothing = judge(found(row("overall", chapter="00_other")))
    assert set(weigh(CLAIMS, nothing)["verdict"]) == {"no number here"}


def test_rows_hold_answers_verdicts_and_holms_p_values():
    evidence = judge(found(row("overall", p=0.01, rival="single_task"), row("overall", p=0.02, seeds=(2,))))
    table = rows_of(CLAIMS, evidence)
    own = table[table["target"] == "hypothesis_2"]
    numbers = own.set_index(["metric", "group"])["value"].to_dict()
    none = {("answers", finding): 0 for finding in ("too small", "against", "undecided")}
    assert numbers == {("answers", "for"): 1, ("verdict", "supported"): 1} | none
    assert set(own["seeds"]) == {(0, 1, 2)}
    assert table.loc[table["method"] == "holm", "value"].tolist() == [0.02, 0.02]


def test_four_contributions_and_three_hypotheses_of_known_parts():
    assert set(CLAIMS.index) == {f"contribution_{n}" for n in "1234"} | {f"hypothesis_{n}" for n in "123"}
    assert set(CLAIMS["parts"].explode()) == set(PARTS.index) == set(ROWS)
    assert CLAIMS["words"].str.len().gt(0).all()
    assert CLAIMS["where"].str.startswith("Section 1").all()


def test_the_papers_numbers_are_those_of_its_tables():
    f1 = paper.numbers("Table 2").query("model != '' and metric in ['macro_f1', 'f1']")
    f1 = f1.set_index(["paper_set", "model"])["paper"]
    for key, title in (("eyeq", "macro-F1 on EyeQ"), ("deepdrid", "F1 on DeepDRiD")):
        ours, rival = f1[key, "multi_task"], f1[key, "single_task"]
        printed = f"{title} {ours:.3f} against {rival:.3f} ({ours - rival:+.3f})"
        assert printed in CLAIMS.loc["hypothesis_2", "paper"]
    table_5 = paper.numbers("Table 5").query("metric == 'f1'").set_index(["printed_as", "target"])["paper"]
    for detail in ("illumination", "clarity", "contrast"):
        both = [table_5[judge_, detail] for judge_ in ("Teacher-A", "Ophthalmologist")]
        assert "{:.3f} against {:.3f} ({})".format(*both, detail) in CLAIMS.loc["hypothesis_1", "paper"]
    students = paper.numbers("Table 4").query("metric == 'f1' and model == 'multi_task'")
    same = (students["significant"] == "").sum()
    assert f"{same} of {len(students)} F1 values" in CLAIMS.loc["contribution_2", "paper"]


def test_a_conclusion_tells_each_part_and_how_far_an_open_one_reaches():
    claim = pd.Series({"parts": ["overall", "advice", "released"]}, name="c")
    rows = [row("advice", rival=rival) for rival in RIVALS]
    rows += [row("overall", -0.02, 0.031), row("overall", -0.02, 0.04, dataset="deepdrid")]
    assert conclude(claim, judge(found(*rows)), PARTS).split("\n") == [
        f"**Verdict: supported in part** ({VERDICTS['supported in part']}).",
        "",
        f"- *{PARTS.loc['overall', 'title']}*: 2 undecided; where it is open, the interval reaches up to +0.040.",
        f"- *{PARTS.loc['advice', 'title']}*: 1 for.",
        f"- *{PARTS.loc['released', 'title']}*: this build has no such number.",
    ]


def test_evidence_is_laid_out_with_what_cannot_be_said_left_open():
    rows = [row("matches", -0.02, 0.04), row("matches", -0.2, 0.04, n=12, dataset="mshf")]
    shown, caption = laid_out(judge(found(*rows)))
    assert shown.to_numpy().tolist() == [
        ["+0.010<br><small>−0.020 to +0.040</small>", "−0.050", "100", "–", "for"],
        ["−0.080<br><small>−0.200 to +0.040</small>", "−0.050", "12", "–", "undecided (few images)"],
    ]
    assert caption.startswith(f"{PARTS.loc['matches', 'title']}. Two one-sided tests")
    shown, caption = laid_out(judge(found(row("maps_repair", p=0.0004))))
    assert shown["margin"].tolist() == ["–"]
    assert shown["p, Holm"].tolist() == ["&lt; 0.001"]
    assert "(100 images)" in caption
    counted, _ = laid_out(judge(found(row("released", low=np.nan, high=np.nan, value=160, n=None))))
    assert counted.to_numpy().tolist() == [["+0", "–", "–", "–", "for"]]


def test_a_page_says_whether_its_evidence_is_drawn_or_real():
    drawn, real = row("maps_place"), row("overall")
    assert kind_of_data(found(drawn)).startswith("All evidence of this build comes from {term}`phantoms")
    assert kind_of_data(found(real)) == "All evidence of this build comes from real photographs."
    assert kind_of_data(found(drawn, real)).startswith("Some evidence")
    assert kind_of_data(found(row("overall", chapter="00_other"))) == "This build has no evidence at all."


SIGNS, ABSENT = paper.claims("signatures"), paper.parts("signatures")
GAP = dict(
    dataset="phantom_details", model="teacher", target="details", metric="accuracy", group="test minus train"
)
DROP = STUDENT | CONTROL | dict(dataset="phantom_eyes", metric="macro_f1", method="mrmc_equivalence")
HARM = dict(
    dataset="phantom_eyes", model="teacher_labels", rival="shuffled_labels", metric="macro_f1", method="mrmc"
)


def signed(*ends, margins=MARGINS):
    """State signs from (part, keys, low, high)."""
    told = [
        tidy(pd.DataFrame([{"value": (low + high) / 2, "low": low, "high": high, "n": 100}])).assign(
            chapter=ABSENT.loc[part, "chapter"], **keys
        )
        for part, keys, low, high in ends
    ]
    every = dict.fromkeys(ABSENT["margin"], 0.5) | margins
    return signs(SIGNS, judge(find(pd.concat(told, ignore_index=True), ABSENT, every)))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.20, -0.06, "seen"),  # a tenth of the way from 0.5 to 1 is 0.05
        (-0.20, -0.04, "not decided"),
        (-0.04, 0.20, "not seen"),
        (-0.06, 0.20, "not decided"),
    ],
)
def test_a_failure_is_seen_where_its_absence_is_excluded(low, high, expected):
    found = signed(("no_gap", GAP, low, high))
    assert found.loc["teacher_overfits", "sign"] == expected
    assert set(found["sign"].drop("teacher_overfits")) == {"no number here"}


def test_one_answer_is_enough_to_see_a_failure_and_all_are_needed_to_exclude_it():
    fine, open_, lost = (-0.005, 0.02), (-0.03, 0.02), (-0.05, -0.02)
    cases = [
        ((fine, fine), "not seen"), ((fine, open_), "not decided"), ((fine, lost), "seen"), ((open_, lost), "seen"),
    ]  # fmt: skip
    for (drop, harm), expected in cases:
        found = signed(("no_drop", DROP, *drop), ("no_harm", HARM, *harm)).loc["interference"]
        assert found["sign"] == expected
    assert (
        signed(("no_drop", DROP, *fine)).loc["interference", "sign"] == "not decided"
    )  # the other is missing
    assert signed(("no_drop", DROP, *lost)).loc["interference", "sign"] == "seen"


def test_a_gain_that_is_too_small_is_a_failure():
    """The deletion of what a map marks must tell more than noise: 0.1 of a way of 0.4."""
    keys = STUDENT | dict(dataset="phantom_eyes", rival="noise", metric="deletion_gain", method="pooled")
    way = STUDENT | dict(dataset="phantom_eyes", rival="", metric="noise", method="pooled")
    place = STUDENT | dict(dataset="phantom_eyes", rival="chance", metric="energy", method="pooled")
    for high, expected in ((0.03, "seen"), (0.05, "not decided")):
        rows = (
            ("maps_used", keys, -0.01, high),
            ("maps_used", way, 0.4, 0.4),
            ("maps_in_place", place, 0.1, 0.2),
        )
        assert signed(*rows).loc["empty_maps", "sign"] == expected


def test_the_evidence_shown_is_what_speaks_most_for_the_failure():
    eyes, grades = DROP | {"dataset": "phantom_eyes"}, DROP | {"dataset": "phantom_grades"}
    found = signed(("no_drop", eyes, -0.05, 0.02), ("no_drop", grades, -0.05, -0.02)).loc["interference"]
    assert (found["label"], found["low"], found["margin"]) == ("phantom grades", -0.05, 0.01)
    assert (found["against"], found["undecided"], found["for"]) == (1, 1, 0)


def test_signatures_ask_known_chapters_by_known_rules_and_each_part_serves_one():
    assert set(ABSENT["rule"]) <= {"better", "above_floor", "no_worse"}
    assert sorted(SIGNS["parts"].explode()) == sorted(ABSENT.index)
    assert SIGNS[["title", "words", "settle"]].map(len).gt(0).all(axis=None)
    assert set(ABSENT["chapter"]) <= set(read_chapters(REPOSITORY))
