import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar

from riqa.report.details_against_teacher import against_teacher, mcnemar_over_seeds, with_holm
from riqa.report.results import record
from tests.report.details_cases import answers, drawn

STUDENT = "multi_task-grades"


def test_the_difference_is_students_minus_teachers():
    both = pd.concat([drawn(0.8), drawn(0.2, model=STUDENT)])
    found = {item.name: item for item in against_teacher(both, STUDENT, n_resamples=200)}
    means = {
        model: np.mean(
            [f1_score(rows["contrast"], rows["p_contrast"] >= 0.5) for _, rows in of.groupby("seed")]
        )
        for model, of in both.groupby("model")
    }
    item = found[f"details.set.{STUDENT}-teacher.contrast.f1"]
    assert item.value == pytest.approx(means[STUDENT] - means["teacher"])
    narrow = found[f"{item.name}.margin"]
    assert item.low < narrow.low < item.value < narrow.high < item.high  # 90 % within 95 %
    assert found[f"{item.name}.p_value"].value < 0.05


def test_mcnemar_is_statsmodels_on_the_discordant_images():
    a = np.array([[True] * 9 + [False] * 2 + [True] * 20])
    b = np.array([[False] * 9 + [True] * 2 + [True] * 20])
    assert mcnemar_over_seeds(a, b) == pytest.approx(mcnemar([[20, 9], [2, 0]], exact=True).pvalue)


def test_several_seeds_are_combined_by_twice_the_median():
    a = np.array([[True] * 9 + [False] * 2, [True] * 11, [True] * 6 + [False] * 5])
    b = np.zeros((3, 11), dtype=bool)
    b[0, -2:], b[2, -5:] = True, True
    p_values = [mcnemar([[0, x], [y, 0]], exact=True).pvalue for x, y in ((9, 2), (11, 0), (6, 5))]
    assert mcnemar_over_seeds(a, b) == pytest.approx(min(1, 2 * np.median(p_values)))


def test_equal_answers_are_no_evidence():
    a = np.ones((2, 5), dtype=bool)
    assert mcnemar_over_seeds(a, a) == 1.0


def test_holm_by_hand():
    """0.01 * 3, 0.02 * 2, 0.04 * 1, each at least the one before; what was not tested does not count."""
    p_values = {"a": 0.02, "b": 0.01, "c": None, "d": 0.04}
    results = [record(f"{name}.f1.p_value", p) for name, p in p_values.items()] + [record("a.p_value", 0.5)]
    found = {item.name: item.value for item in with_holm(results, ".f1.p_value")}
    assert found.pop("c.f1.p_value_holm") is None
    assert found == pytest.approx(
        {"a.f1.p_value_holm": 0.04, "b.f1.p_value_holm": 0.03, "d.f1.p_value_holm": 0.04}
    )


def test_a_missing_class_is_not_tested():
    labels = [[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    probs = np.random.default_rng(0).random((4, 3))
    both = pd.concat([answers(labels, probs), answers(labels, probs, model=STUDENT)])
    found = {item.name: item for item in against_teacher(both, STUDENT, n_resamples=20)}
    missing = {name for name, item in found.items() if item.value is None}
    assert missing == {name for name in found if ".illumination." in name}
    assert found[f"details.set.{STUDENT}-teacher.clarity.mcnemar.p_value"].value == 1.0


def test_other_seeds_and_other_images_are_refused():
    teacher, student = drawn(0.5), drawn(0.5, model=STUDENT)
    with pytest.raises(ValueError, match="same seeds"):
        against_teacher(pd.concat([teacher, student[student["seed"] == 0]]), STUDENT)
    with pytest.raises(ValueError, match="same images"):
        against_teacher(pd.concat([teacher, student[student["image_id"] != "i000"]]), STUDENT)
