import numpy as np
import pandas as pd
import pytest
import torch

from riqa.evaluate.recapture import raised
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet
from riqa.learn.predict import PROBABILITIES, predict_images
from riqa.phantom.grades import true_grade
from riqa.phantom.repair import repaired_scores
from riqa.report.recapture import (
    POLICIES,
    achieved,
    advice_results,
    answers_after_repairs,
    confused_advice,
    group_results,
    most_frequent,
    own_grades,
    policy_results,
)
from tests.report.recapture_cases import advice, teachers, truth

KNOBS = {"n_resamples": 200, "confidence": 0.95}


@pytest.fixture(scope="module")
def up():
    return raised(true_grade(repaired_scores(truth()), 3))


def values(results):
    return {item.name: item.value for item in results}


def test_the_true_outcomes_of_the_cases_are_as_meant(up):
    grades = true_grade(repaired_scores(truth()), 3)
    assert grades[:, 0].tolist() == [1, 0, 1, 2]
    assert up[:, [1, 2, 4, 7]].tolist() == [[0, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_advice_is_asked_for_where_the_student_is_not_content():
    given = advice()
    assert given.images["image_id"].tolist() == ["a", "b", "c", "d"]
    assert given.asked.tolist() == [[True, True, True, False], [True, False, True, True]]
    assert given.seeds == (0, 1)


def test_everybody_s_advice():
    given = advice()
    assert given.worst[given.asked].tolist() == [1, 0, 2, 0, 0, 0]
    assert given.named[given.asked].tolist() == [True, True, False, True, True, True]
    codes = {name: policy.argmax(axis=-1).tolist() for name, policy in given.policies.items()}
    assert codes["teacher"] == [[2] * 4, [4] * 4]
    assert codes["frequent"] == [[4] * 4, [1] * 4]
    assert codes["oracle"][0][:2] == [2, 1] == codes["oracle"][1][:2]
    assert codes["flagged"] == [[2, 3, 0, 0], [3, 0, 1, 1]]
    assert codes["all"] == [[7] * 4] * 2
    assert given.policies["random_other"][0, 0].tolist() == [0, 0.5, 0, 0, 0.5, 0, 0, 0]
    assert given.policies["random_spoilt"][0].tolist() == [
        [0, 0.5, 0.5, 0, 0, 0, 0, 0],
        [0, 0.5, 0.5, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert set(given.policies) == set(POLICIES)
    assert all(np.allclose(policy.sum(axis=-1), 1) for policy in given.policies.values())


def test_without_truth_nobody_knows_the_best_or_the_spoilt():
    given = advice(known=False)
    assert set(POLICIES) - set(given.policies) == {"oracle", "random_spoilt"}


def test_the_most_frequent_detail_is_counted_on_training_images_of_each_seed():
    assert most_frequent(teachers()) == {0: "contrast", 1: "illumination"}


def test_the_advice_is_described_in_shares():
    found = values(advice_results("set", advice(), **KNOBS))
    assert found == pytest.approx(
        {
            "recapture.set.asked": 6 / 8,
            "recapture.set.asked.worst.illumination": 4 / 6,
            "recapture.set.asked.worst.clarity": 1 / 6,
            "recapture.set.asked.worst.contrast": 1 / 6,
            "recapture.set.asked.named": 5 / 6,
            "recapture.set.asked.same_as_teacher": 1 / 6,
        }
    )


def test_policies_by_hand(up):
    """Advice given: a, b, c by Student 0 and a, c, d by Student 1."""
    results = policy_results("set", advice(), {"true_raised": up}, **KNOBS)
    found = values(results)
    expected = {
        "student": 2 / 6,  # a and b of Student 0
        "teacher": 2 / 6,  # clarity on a and b
        "frequent": 0,  # contrast; illumination on a, c, d
        "random_other": (0 + 0.5 + 0 + 0.5) / 6,  # a: neither of 2; b: clarity of 2; Student 1's a: clarity
        "random_spoilt": (0.5 + 1 + 0.5) / 6,
        "oracle": 3 / 6,
        "flagged": 3 / 6,
        "all": 3 / 6,
    }
    for policy, share in expected.items():
        assert found[f"recapture.set.{policy}.true_raised"] == pytest.approx(share), policy
    assert found["recapture.set.flagged.repairs"] == pytest.approx((1 + 2 + 0 + 2 + 1 + 1) / 6)
    assert found["recapture.set.random_spoilt.repairs"] == pytest.approx(3 / 6)
    assert found["recapture.set.student-random_other.true_raised"] == pytest.approx(1 / 6)
    assert found["recapture.set.student-teacher.true_raised"] == 0
    assert 0 < found["recapture.set.student-random_other.true_raised.p_value"] <= 1
    assert {item.n for item in results} == {4}
    assert {item.seeds for item in results} == {(0, 1)}


def test_what_was_not_shown_does_not_count(up):
    shown = up.copy()
    shown[1:] = np.nan
    results = policy_results("set", advice(), {"model_raised": shown}, **KNOBS)
    item = next(item for item in results if item.name == "recapture.set.student.model_raised")
    assert (item.value, item.n) == (0.5, 1)  # a: Student 0 right, Student 1 wrong


def test_groups_by_hand(up):
    groups = {"first seed": np.array([[True], [False]]), "flawless": np.array([False, False, False, True])}
    found = values(group_results("set", advice(), up, "true_raised", groups, **KNOBS))
    assert found["recapture.set.asked.share.first_seed"] == pytest.approx(0.5)
    assert found["recapture.set.asked.share.flawless"] == pytest.approx(1 / 6)
    assert found["recapture.set.student.true_raised.first_seed"] == pytest.approx(2 / 3)
    assert found["recapture.set.random_other.true_raised.first_seed"] == pytest.approx(0.5 / 3)
    assert found["recapture.set.student-random_other.true_raised.first_seed"] == pytest.approx(0.5)
    assert found["recapture.set.all.true_raised.flawless"] == 0


def test_an_empty_group_has_no_value(up):
    found = values(group_results("set", advice(), up, "true_raised", {"none": np.full(4, False)}, **KNOBS))
    assert found["recapture.set.asked.share.none"] == 0
    assert found["recapture.set.student.true_raised.none"] is None


@pytest.mark.parametrize("knob", [{"n_resamples": 50}, {"confidence": 0.5}])
def test_every_knob_is_alive(up, knob):
    two = [policy_results("set", advice(), {"true_raised": up}, **KNOBS | more) for more in ({}, knob)]
    assert two[0] != two[1]


def test_advice_against_the_best_by_hand(up):
    table = confused_advice(advice(), up[:, [1, 2, 4]].any(axis=1))  # a and b
    assert table.loc["clarity"].tolist() == ["50%", "50%", "0%", "2"]  # a: clarity, and illumination
    assert table.loc["illumination"].tolist() == ["100%", "0%", "0%", "1"]  # b
    assert table.loc["contrast"].tolist() == ["–", "–", "–", "0"]


def test_outcomes_are_followed_where_advice_is_asked_for(up):
    np.testing.assert_array_equal(achieved(advice(), "student", up), [[1, 1, 0, np.nan], [0, np.nan, 0, 0]])


def test_answers_and_grades_go_to_the_right_photograph_and_repair():
    torch.manual_seed(0)
    net = QualityNet("resnet10", 3, 3, image_size=32).eval()
    rng = np.random.default_rng(0)
    images = {n: rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8) for n in (5, 2)}
    answers = answers_after_repairs(net, images)
    one = predict_images(net, images[2][3:4]).iloc[0]
    assert answers.loc[(2, 3)].to_numpy() == pytest.approx(one.to_numpy(), abs=1e-5)
    assert list(answers.columns) == list(PROBABILITIES)
    said = pd.DataFrame(0.0, index=answers.index, columns=answers.columns)
    said.loc[(5, 6), "p_overall_2"] = said.loc[(2, 1), "p_overall_1"] = 1
    grades = own_grades([said, said], 7, 3)
    assert grades.shape == (2, 7, 8)
    assert (grades[0, 5, 6], grades[0, 2, 1], grades[0, 2, 0]) == (2, 1, 0)
    assert np.isnan(grades[:, [0, 1, 3, 4, 6]]).all()
    assert not np.isnan(grades[:, [2, 5]]).any()


def test_probabilities_of_images_are_those_of_the_network(monkeypatch):
    monkeypatch.setattr("riqa.learn.inference.resolve_precision", lambda *_: "float32")
    torch.manual_seed(1)
    net = QualityNet("resnet10", 2, 3, image_size=32).eval()
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = net(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
    found = predict_images(net, images)
    assert found["p_overall_2"].isna().all()
    assert found["p_overall_1"].to_numpy() == pytest.approx(
        logits["overall"].softmax(1)[:, 1].numpy(), abs=1e-5
    )
    details = found[[f"p_{detail}" for detail in DETAILS]].to_numpy()
    assert details == pytest.approx(logits["details"].sigmoid().numpy(), abs=1e-5)
