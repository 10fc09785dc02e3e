"""Advice on four photographs by two Students and two Teachers, small enough to work out by hand.

Severities are chosen so that the true classes (thresholds 0.42 and 0.62 on the score) are easy: clarity
weighs 0.44, illumination 0.54, artifacts 0.5. So a scores 0.443, b 0.656, c 0.45; b without one of its two
defects 0.44 or 0.486.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from riqa.evaluate.recapture import raised
from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.raters import true_grade
from riqa.phantom.repair import repaired_scores
from riqa.results import find
from riqa.studies.recapture import (
    RIVALS,
    Advice,
    choose_scenes,
    choose_set,
    compared,
    describe_scenes,
    described,
    give_advice,
    in_groups,
)
from tests.publish.toy import REPOSITORY

CLASSES = ("reject", "usable", "good")
BOOTSTRAP = {"n_resamples": 200, "confidence": 0.95}
IDS, PATIENTS = ("a", "b", "c", "d"), ("p1", "p1", "p2", "p3")

# a: blurred and a little dark, b: blurred and dark, c: nothing but dust, d: flawless
SEVERITIES = {"defocus": [1, 1, 0, 0], "vignette": [0.1, 0.9, 0, 0], "dust": [0, 0, 0.9, 0]}

# p(good) of illumination, clarity, contrast, and of overall reject, usable, good
STUDENTS = {
    0: [
        ((0.8, 0.1, 0.9), (0.1, 0.8, 0.1)),  # a: usable, clarity named
        ((0.2, 0.3, 0.9), (0.9, 0.1, 0.0)),  # b: reject, illumination named, clarity bad too
        ((0.9, 0.8, 0.7), (0.1, 0.6, 0.3)),  # c: usable, contrast lowest but not named
        ((0.9, 0.9, 0.9), (0.0, 0.1, 0.9)),  # d: good, nobody asks
    ],
    1: [
        ((0.3, 0.4, 0.9), (0.6, 0.3, 0.1)),  # a: reject, illumination named
        ((0.9, 0.8, 0.95), (0.0, 0.1, 0.9)),  # b: good
        ((0.4, 0.8, 0.7), (0.6, 0.3, 0.1)),  # c: reject, illumination named
        ((0.45, 0.9, 0.9), (0.0, 0.6, 0.4)),  # d: usable, illumination named: a false alarm
    ],
}
TEACHERS = {0: (0.9, 0.2, 0.8), 1: (0.6, 0.7, 0.1)}  # the same for every photograph
TRAINING = {0: [(0.9, 0.9, 0.4)], 1: [(0.1, 0.9, 0.2), (0.1, 0.9, 0.9), (0.9, 0.1, 0.9)]}


def of_details(probs):
    return {f"p_{detail}": p for detail, p in zip(DETAILS, probs, strict=True)}


def truth() -> pd.DataFrame:
    table = pd.DataFrame(0.0, index=pd.Index(IDS, name="image_id"), columns=list(DEFECTS))
    return table.assign(**{name: np.array(values, dtype=float) for name, values in SEVERITIES.items()})


def given(known: bool = True) -> Advice:
    rows = []
    for seed, answers in STUDENTS.items():
        for image_id, patient, (details, overall) in zip(IDS, PATIENTS, answers, strict=True):
            row = {"image_id": image_id, "patient_id": patient, "seed": seed, "called": np.argmax(overall)}
            row |= {f"p_overall_{k}": p for k, p in enumerate(overall)} | of_details(details)
            rows.append(row | {"dataset": "set", "model": "multi_task"} | dict.fromkeys(DETAILS, np.nan))
    students = pd.DataFrame(rows).iloc[[3, 1, 7, 0, 2, 6, 4, 5]]  # in no particular order
    teachers = []
    for seed, probs in TEACHERS.items():
        shared = {"seed": seed, "split": "test"} | of_details(probs)
        teachers += [{"image_id": one} | shared for one in IDS]
        for k, own in enumerate(TRAINING[seed]):
            teachers.append({"image_id": f"t{k}", "seed": seed, "split": "train"} | of_details(own))
    return give_advice(students, pd.DataFrame(teachers), truth() if known else None)


@pytest.fixture(scope="module")
def grades():
    return true_grade(repaired_scores(truth()), 3)


def value(table, **keys):
    method = "mrmc" if keys.get("rival") else "pooled"
    return find(table, method=method, dataset="set", **keys)["value"]


def test_the_true_outcomes_of_the_cases_are_as_meant(grades):
    assert grades[:, 0].tolist() == [1, 0, 1, 2]
    up = raised(grades)[:, [1, 2, 4, 7]]
    assert up.tolist() == [[0, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_everybody_s_advice():
    advice = given()
    assert (advice.dataset, advice.student, advice.seeds) == ("set", "multi_task", (0, 1))
    assert advice.images["image_id"].tolist() == ["a", "b", "c", "d"]
    assert advice.asked.tolist() == [[True, True, True, False], [True, False, True, True]]
    assert advice.worst[advice.asked].tolist() == [1, 0, 2, 0, 0, 0]
    assert advice.named[advice.asked].tolist() == [True, True, False, True, True, True]
    codes = {who: policy.argmax(axis=-1).tolist() for who, policy in advice.policies.items()}
    assert codes["teacher"] == [[2] * 4, [4] * 4]
    assert codes["frequent_detail"] == [[4] * 4, [1] * 4]  # counted on each Teacher's training images
    assert codes["best_detail"][0][:2] == [2, 1] == codes["best_detail"][1][:2]
    assert codes["all_called_bad"] == [[2, 3, 0, 0], [3, 0, 1, 1]]
    assert codes["all_details"] == [[7] * 4] * 2
    assert advice.policies["another_detail"][0, 0].tolist() == [0, 0.5, 0, 0, 0.5, 0, 0, 0]
    one_of_two, nothing = [0, 0.5, 0.5, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]
    assert advice.policies["spoilt_detail"][0].tolist() == [one_of_two, one_of_two, nothing, nothing]
    assert all(np.allclose(policy.sum(axis=-1), 1) for policy in advice.policies.values())


def test_without_truth_nobody_knows_the_best_or_the_spoilt():
    assert set(given().policies) - set(given(known=False).policies) == {"best_detail", "spoilt_detail"}


def test_the_advice_is_described_in_shares():
    found = described(given(), **BOOTSTRAP)
    assert found["model"].eq("multi_task").all()
    shares = {(row["metric"], row["target"]): row["value"] for _, row in found.iterrows()}
    assert shares == pytest.approx(
        {
            ("advice_asked", "overall"): 6 / 8,
            ("fault_named", "overall"): 5 / 6,
            ("same_as_teacher", "overall"): 1 / 6,
            ("worst_detail", "illumination"): 4 / 6,
            ("worst_detail", "clarity"): 1 / 6,
            ("worst_detail", "contrast"): 1 / 6,
        }
    )


def test_policies_by_hand(grades):
    """Advice given: a, b, c by Student 0 and a, c, d by Student 1."""
    repairs = np.array([bin(code).count("1") for code in range(8)], dtype=float)
    found = compared(given(), {"up": raised(grades), "repairs": repairs}, **BOOTSTRAP)
    expected = {
        "multi_task": 2 / 6,  # a and b of Student 0
        "teacher": 2 / 6,  # clarity on a and b
        "frequent_detail": 0,  # contrast; illumination on a, c, d
        "another_detail": (0 + 0.5 + 0 + 0.5) / 6,  # a: neither of 2; b: clarity of 2; Student 1's a: clarity
        "spoilt_detail": (0.5 + 1 + 0.5) / 6,
        "best_detail": 3 / 6,
        "all_called_bad": 3 / 6,
        "all_details": 3 / 6,
    }
    for who, share in expected.items():
        assert value(found, model=who, metric="up") == pytest.approx(share), who
    repaired = (1 + 2 + 0 + 2 + 1 + 1) / 6
    assert value(found, model="all_called_bad", metric="repairs") == pytest.approx(repaired)
    assert value(found, model="spoilt_detail", metric="repairs") == pytest.approx(3 / 6)
    assert found["p"].isna().all()
    assert set(found["n"]) == {4}
    assert set(found["seeds"]) == {(0, 1)}


def test_rivals_by_hand_and_every_knob_is_alive(grades):
    outcomes = {"up": raised(grades)}
    found = compared(given(), outcomes, ["another_detail", "teacher"], **BOOTSTRAP)
    lead = find(found, method="mrmc", dataset="set", model="multi_task", rival="another_detail", metric="up")
    assert lead["value"] == pytest.approx(1 / 6)
    assert 0 < lead["p"] <= 1
    same = find(found, method="mrmc", dataset="set", model="multi_task", rival="teacher", metric="up")
    assert same["value"] == 0
    other = compared(given(), outcomes, ["another_detail", "teacher"], **BOOTSTRAP | {"confidence": 0.5})
    assert not found.equals(other)
    plain = compared(given(), outcomes, **BOOTSTRAP)
    for more in ({"n_resamples": 50}, {"confidence": 0.5}):
        assert not plain.equals(compared(given(), outcomes, **BOOTSTRAP | more))


def test_every_rival_has_a_row_of_its_own_for_the_claim_that_advice_beats_them_all(grades):
    found = compared(given(), {"true_class_raised": raised(grades)}, RIVALS, **BOOTSTRAP)
    assert found["rival"].tolist() == ["another_detail", "spoilt_detail", "frequent_detail", "teacher"]
    assert found["value"].tolist() == pytest.approx([1 / 6, 0, 2 / 6, 0])
    assert found[["low", "high", "p"]].notna().all(axis=None)
    keys = found[["dataset", "model", "target", "metric", "group", "method"]].drop_duplicates()
    assert keys.iloc[0].tolist() == ["set", "multi_task", "overall", "true_class_raised", "all", "mrmc"]
    assert len(keys) == 1


def test_what_was_not_shown_does_not_count(grades):
    shown = raised(grades)
    shown[1:] = np.nan
    found = compared(given(), {"own": shown}, **BOOTSTRAP)
    row = find(found, method="pooled", dataset="set", model="multi_task", metric="own")
    assert (row["value"], row["n"]) == (0.5, 1)  # a: Student 0 right, Student 1 wrong


def test_groups_by_hand(grades):
    groups = {"first seed": np.array([[True], [False]]), "flawless": np.array([False, False, False, True])}
    groups["none"] = np.full(4, False)
    found = in_groups(given(), "up", raised(grades), groups, **BOOTSTRAP)
    own = {"model": "multi_task", "metric": "up"}
    assert value(found, model="multi_task", metric="share", group="first seed") == pytest.approx(0.5)
    assert value(found, model="multi_task", metric="share", group="flawless") == pytest.approx(1 / 6)
    assert value(found, **own, group="first seed") == pytest.approx(2 / 3)
    assert value(found, model="another_detail", metric="up", group="first seed") == pytest.approx(0.5 / 3)
    assert value(found, **own, rival="another_detail", group="first seed") == pytest.approx(0.5)
    assert value(found, model="all_details", metric="up", group="flawless") == 0
    nobody = found[found["group"] == "none"]  # nothing but the share, which is 0
    assert nobody[["metric", "value"]].to_numpy().tolist() == [["share", 0.0]]


def test_scenes_are_chosen_by_their_rules(grades):
    """The first Student asks for a, b and c; following it raises a and b, and c has nothing but dust."""
    own = np.stack([grades, grades]).astype(float)
    chosen = choose_scenes(given(), [0, 1, 2, 3], grades, own, 3)
    assert chosen == {"illumination": 1, "clarity": 0, "no word for it": 2}
    assert choose_scenes(given(), [2], grades, own, 3) == {"no word for it": 2}
    assert choose_scenes(given(), [], grades, own, 3) == {}
    blind = np.zeros_like(own)  # what the Student does not notice is no success; b comes first in this order
    expected = {"no word for it": 2, "not noticed": 1}
    assert choose_scenes(given(), [1, 0, 2], grades, blind, 3) == expected
    assert choose_scenes(given(known=False), [0, 1, 2]) == {"illumination": 1, "clarity": 0}


def test_the_wrong_detail_and_the_false_alarm(grades):
    both = given()
    second = replace(both, asked=both.asked[1:], worst=both.worst[1:], named=both.named[1:])
    chosen = choose_scenes(second, [3, 2, 1, 0], grades, grades[None].astype(float), 3)
    assert chosen == {"wrong detail": 0, "no word for it": 2, "false alarm": 3}


def test_scenes_say_what_is_called_and_what_is_true_before_and_after(grades):
    """Student 0 on b (reject; illumination named, whose repair leaves usable) and a (usable; clarity)."""
    chosen, advice = {"illumination": 1, "clarity": 0}, given()
    probs = pd.DataFrame([STUDENTS[0][1][1], STUDENTS[0][0][1]], columns=[f"p_overall_{k}" for k in range(3)])
    after = pd.DataFrame([(0.1, 0.65, 0.25), (0.0, 0.1, 0.9)], columns=probs.columns)
    found = describe_scenes(chosen, advice, {"before": probs, "taken again": after}, CLASSES, grades)
    assert found.to_dict("list") == {
        "scene": ["illumination", "clarity"],
        "Student": ["reject (0.90)", "usable (0.80)"],
        "truth": ["reject", "usable"],
        "repaired": ["illumination", "clarity"],
        "Student then": ["usable (0.65)", "good (0.90)"],
        "truth then": ["usable", "good"],
    }
    unknown = describe_scenes(chosen, advice, {"before": probs}, CLASSES)
    assert unknown.columns.tolist() == ["scene", "Student"]
    assert describe_scenes({}, advice, {"before": probs[:0], "taken again": probs[:0]}, CLASSES, grades).empty


def test_advice_is_judged_where_the_truth_is_on_file(tmp_path):
    n_classes = {"binary": 2, "graded": 3, "also_graded": 3}
    assert choose_set(n_classes, tmp_path, "judged") == ("graded", "graded", None)
    for studied in ("judged", "graded"):  # the Student's own set is preferred, once its truth is there
        (tmp_path / studied).mkdir()
        truth().reset_index().to_parquet(tmp_path / studied / "truth.parquet")
        *sets, known = choose_set(n_classes, tmp_path, "judged")
        assert sets == ["graded", studied]
        pd.testing.assert_frame_equal(known, truth())


def test_the_page_has_no_words_for_scenes_where_there_is_none():
    """Where a miniature's Student rejects nothing; whether it does hangs on rounding, so no build shows it for sure."""
    cells = json.loads((REPOSITORY / "notebooks" / "11_guide_recapture.ipynb").read_text())["cells"]
    (source,) = (
        "".join(cell["source"]) for cell in cells if 'told = zip(scenes["scene"]' in "".join(cell["source"])
    )
    said = []
    for rows in ({"scene": [], "advice": []}, {"scene": ["it worked"], "advice": ["more light"]}):
        exec(source, {"scenes": pd.DataFrame(rows), "Markdown": said.append})
    assert said == ["", "- *it worked*: “more light”."]
