import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.report.details_errors import (
    ARTIFACT_ONLY,
    artifact_table,
    called_bad,
    called_bad_results,
    defect_patterns,
    error_rates,
    error_results,
    rejected_without_reason,
    worst_mistakes,
)
from tests.report.details_cases import answers

LABELS = [[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]]
IDS = [f"i{k:03d}" for k in range(6)]


def good():
    return pd.DataFrame(LABELS, columns=list(DETAILS), index=IDS)


def test_errors_are_counted_by_source_and_unknown_labels_left_out():
    labels = np.array(LABELS, dtype=float)
    labels[5, 1] = np.nan
    always_good = answers(labels, np.full((2, 6, 3), 0.9))
    rates = error_rates(always_good, pd.Series(list("aaabbb"), index=IDS), n_resamples=50)
    clarity = rates[rates["detail"] == "clarity"].set_index("source")
    assert clarity["n"].to_dict() == {"a": 3, "b": 2}
    assert clarity["value"].to_dict() == pytest.approx({"a": 1 / 3, "b": 1 / 2})
    assert (rates["low"] <= rates["value"]).all()
    names = [item.name for item in error_results(always_good, rates.assign(source="Site A"))]
    assert names[0] == "details.set.teacher.illumination.error.Site_A"


def test_patterns_by_hand():
    assert defect_patterns(good()).tolist() == [
        "nothing bad", "only clarity bad", "only illumination bad",
        "only contrast bad", "several bad", "nothing bad",
    ]  # fmt: skip


def test_artifacts_count_only_where_nothing_else_is_bad():
    artifact = pd.Series([0.45, 0.9, 0.9, 0.9, 0.9, 0.46], index=IDS).sample(frac=1, random_state=1)
    patterns = defect_patterns(good(), artifact)
    assert patterns["i000"] == "nothing bad"  # 0.45 is still good
    assert patterns["i005"] == ARTIFACT_ONLY
    assert (patterns == ARTIFACT_ONLY).sum() == 1


def test_the_confusion_of_details_by_hand():
    """The first seed is right everywhere, the second calls contrast bad wherever clarity is."""
    right = np.array(LABELS, dtype=float)
    confused = right.copy()
    confused[right[:, 1] == 0, 2] = 0
    predictions = answers(LABELS, [right, confused])
    table = called_bad(predictions, defect_patterns(good()))
    assert list(table.index) == [
        "nothing bad", "only illumination bad", "only clarity bad", "only contrast bad", "several bad",
    ]  # fmt: skip
    assert table["n"].tolist() == [2, 1, 1, 1, 1]
    assert table.loc["only clarity bad", list(DETAILS)].tolist() == [0, 1, 0.5]
    assert table.loc["nothing bad", "any"] == 0
    assert table.loc["several bad", list(DETAILS)].tolist() == [1, 1, 0.5]
    found = {item.name: item for item in called_bad_results(predictions, table)}
    item = found["details.set.teacher.contrast.called_bad.only_clarity_bad"]
    assert (item.value, item.n, item.seeds) == (0.5, 1, (0, 1))


def test_images_without_a_pattern_are_left_out():
    table = called_bad(answers(LABELS, np.zeros((6, 3))), defect_patterns(good()).drop("i001"))
    assert table["n"].sum() == 5
    assert "only clarity bad" not in table.index


def test_rejected_without_a_reason_by_hand():
    """Not good with all details good: i000 and i005; i001 has a reason; the others are called good."""
    p_overall = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], *[[0.1, 0.2, 0.7]] * 3, [0.2, 0.5, 0.3]])
    predictions = answers(LABELS, np.array(LABELS, dtype=float), p_overall=p_overall)
    found = rejected_without_reason(predictions, defect_patterns(good()), n_resamples=50)
    assert found.loc["all images", ["n", "not_good", "unexplained"]].tolist() == pytest.approx(
        [6, 0.5, 2 / 6]
    )
    assert found.loc["nothing bad", "unexplained"] == 1
    assert found.loc["only clarity bad", ["not_good", "unexplained"]].tolist() == [1, 0]
    assert list(rejected_without_reason(predictions, n_resamples=20).index) == ["all images"]


def test_two_classes_are_read_from_the_columns_that_are_there():
    p_overall = np.column_stack([np.full(6, 0.8), np.full(6, 0.2), np.full(6, np.nan)])
    predictions = answers(LABELS, np.ones((6, 3)), p_overall=p_overall)
    found = rejected_without_reason(predictions, n_resamples=20)
    assert found.loc["all images", ["not_good", "unexplained"]].tolist() == [1, 1]


def test_the_worst_mistakes_are_the_surest_ones():
    probs = np.full((6, 3), 0.9)
    probs[:, 1] = [0.2, 0.7, 0.9, 0.95, 0.98, 0.4]
    found = worst_mistakes(answers(LABELS, probs), "clarity", count=3)
    assert found["image_id"].tolist() == ["i004", "i000", "i001"]
    assert found["label"].tolist() == [0, 1, 0]
    assert worst_mistakes(answers(LABELS, LABELS), "clarity").empty


def test_artifacts_are_compared_with_nothing_at_all():
    patterns = pd.Series(["nothing bad", ARTIFACT_ONLY, "only clarity bad"], index=IDS[:3])
    called = called_bad(answers(LABELS, LABELS), patterns)
    table = artifact_table(called)
    assert list(table.index) == ["nothing bad", ARTIFACT_ONLY]
    assert table.loc[ARTIFACT_ONLY].tolist() == ["0%", "100%", "0%", "100%", 1]


def test_a_blank_source_has_a_name_in_records():
    rates = error_rates(answers(LABELS, LABELS), pd.Series("", index=IDS), n_resamples=5)
    names = {item.name.rsplit(".", 1)[1] for item in error_results(answers(LABELS, LABELS), rates)}
    assert names == {"unknown"}
