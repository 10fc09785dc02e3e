import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.report.details import detail_results, reader_name, student_of
from riqa.report.details_against_teacher import against_teacher, with_holm
from riqa.report.details_table4 import score_details, table_4, verdict_table
from tests.report.details_cases import answers, drawn


def by_name(results):
    return {item.name: item for item in results}


def test_good_alone_is_scored_as_in_the_chapters_before():
    """Chapters 02 and 05 write the same names; the numbers must be the same."""
    predictions = drawn(0.4)
    scored = by_name(score_details(predictions))
    for item in detail_results(predictions):
        assert scored[item.name] == item


def test_both_classes_are_scikit_learns():
    predictions = drawn(0.4)
    scored = by_name(score_details(predictions, n_resamples=50))
    for detail in DETAILS:
        pairs = [(rows[detail], rows[f"p_{detail}"] >= 0.5) for _, rows in predictions.groupby("seed")]
        both = np.mean([f1_score(*pair, average="macro") for pair in pairs])
        bad = np.mean([f1_score(*pair, pos_label=0) for pair in pairs])
        assert scored[f"details.set.teacher.{detail}.macro_f1_both_classes"].value == pytest.approx(both)
        assert scored[f"details.set.teacher.{detail}.f1.bad"].value == pytest.approx(bad)


def test_always_good_is_what_answering_good_every_time_gets():
    labels = np.repeat([[1, 1, 0]], 7, axis=0)
    labels[:3, 0] = 0  # four of seven good
    always = by_name(score_details(answers(labels, np.ones((7, 3))), n_resamples=10))
    for detail in ("illumination", "clarity"):
        prefix = f"details.set.teacher.{detail}"
        assert always[f"{prefix}.always_good_f1"].value == pytest.approx(always[f"{prefix}.f1"].value)
    assert always["details.set.teacher.illumination.always_good_f1"].value == pytest.approx(8 / 11)
    assert always["details.set.teacher.contrast.always_good_f1"].value == 0


def test_a_missing_class_has_no_score_of_both_and_says_why():
    labels = np.array([[1, 1, np.nan]] * 4 + [[0, 1, np.nan]] * 4)
    scored = by_name(score_details(answers(labels, np.full((8, 3), 0.6)), n_resamples=10))
    assert scored["details.set.teacher.illumination.accuracy"].value == 0.5
    for detail in ("clarity", "contrast"):
        item = scored[f"details.set.teacher.{detail}.macro_f1_both_classes"]
        assert item.value is None
        assert item.method == "only one class occurs"
    assert scored["details.set.teacher.contrast.always_good_f1"].value is None


def test_the_paper_stands_beside_its_own_model():
    results = by_name(score_details(drawn(0.5), n_resamples=10))
    table = table_4(results, {"set": "mshf"}, {"teacher": "Teacher-A"})
    row = table.set_index(["detail", "metric"]).loc[("clarity", "recall")]
    assert row["paper"] == 0.725
    assert row["ours"] == results["details.set.teacher.clarity.recall"].value
    assert row["difference"] == pytest.approx(row["ours"] - 0.725)
    assert table.loc[table["metric"] == "macro_f1_both_classes", "paper"].isna().all()


@pytest.mark.parametrize(
    ("skill", "margin", "finding"),
    [(0.0, 0.05, "differs"), (0.9, 0.05, "equivalent"), (0.8, 1e-6, "equivalent"), (0.45, 0.001, "open")],
)
def test_what_the_tests_can_carry(skill, margin, finding):
    student = student_of("grades")
    teacher = drawn(0.9 if skill != 0.45 else 0.47)
    both = pd.concat([teacher, drawn(skill, model=student)])
    results = against_teacher(both, student, n_resamples=400)
    results += with_holm(results, ".f1.p_value") + with_holm(results, ".mcnemar.p_value")
    table = verdict_table(by_name(results), {"set": "eyeq_d"}, {student: "MT-DeepDRiD"}, margin)
    assert set(table["finding"]) == {finding}
    assert table["starred"].tolist() == [True, False, True]  # Table 4: illumination and contrast on EyeQ-D


def test_readers_see_no_minus_in_a_students_name():
    assert reader_name(student_of("phantom_grades")) == "Student of phantom_grades"
    assert reader_name("teacher") == "Teacher"
