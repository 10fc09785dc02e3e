import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.results import find
from riqa.studies import mistakes
from tests.studies.answers import answers, value

LABELS = [[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]]
PATTERNS = ["nothing bad", "only clarity bad", "only illumination bad", "only contrast bad", "several bad"]
GOOD = pd.DataFrame(LABELS, columns=list(DETAILS))


def with_patterns(predictions):
    return predictions.assign(pattern=mistakes.patterns(predictions))


def test_errors_are_counted_by_source_and_unknown_labels_left_out():
    labels = np.array(LABELS, dtype=float)
    labels[5, 1] = np.nan
    always_good = answers(labels, np.full((2, 6, 3), 0.9)).assign(source=[*"aaabb", ""] * 2)
    found = mistakes.error_rates(always_good, n_resamples=50)
    keys = {"dataset": "set", "model": "teacher", "target": "clarity", "metric": "error"}
    a, b = (find(found, **keys, group=source) for source in "ab")
    assert (a["n"], a["value"]) == (3, pytest.approx(1 / 3))
    assert (b["n"], b["value"]) == (2, pytest.approx(1 / 2))
    assert set(found.loc[found["target"] == "contrast", "group"]) == {"a", "b", "unknown"}
    assert (found["low"] <= found["value"]).all()


def test_patterns_by_hand():
    assert mistakes.patterns(GOOD).tolist() == [*PATTERNS, "nothing bad"]
    unknown = GOOD.astype(float)
    unknown.loc[0, "contrast"] = np.nan
    assert mistakes.patterns(unknown)[0] == ""


def test_artifacts_count_only_where_nothing_else_is_bad():
    artifact = pd.Series([0.45, 0.9, 0.9, 0.9, 0.9, 0.46])  # 0.45 is still good
    found = mistakes.patterns(GOOD, artifact)
    assert found.tolist() == [*PATTERNS, "artifact only"]


def test_the_confusion_of_details_by_hand():
    """The first seed is right everywhere, the second calls contrast bad wherever clarity is."""
    confused = np.array(LABELS, dtype=float)
    confused[confused[:, 1] == 0, 2] = 0
    found = mistakes.called_bad(with_patterns(answers(LABELS, [LABELS, confused])))
    keys = {"model": "teacher", "metric": "called_bad", "method": "images"}
    clarity = [value(found, **keys, group="only clarity bad", target=d) for d in (*DETAILS, "any")]
    assert clarity == [0, 1, 0.5, 1]
    assert value(found, **keys, group="nothing bad", target="any") == 0
    assert value(found, **keys, group="several bad", target="contrast") == 0.5
    in_order = [pattern for pattern in mistakes.PATTERNS if pattern in PATTERNS]
    assert found["group"].unique().tolist() == in_order
    row = find(found, dataset="set", **keys, group="nothing bad", target="any")
    assert (row["n"], row["seeds"]) == (2, (0, 1))


def test_images_without_a_pattern_are_left_out():
    predictions = with_patterns(answers(LABELS, np.zeros((6, 3))))
    predictions.loc[1, "pattern"] = ""
    assert "only clarity bad" not in set(mistakes.called_bad(predictions)["group"])
    assert mistakes.called_bad(predictions.assign(pattern="")).empty


def test_rejected_without_a_reason_by_hand():
    """Not good with all details good: i000 and i005; i001 has a reason; the others are called good."""
    p_overall = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], *[[0.1, 0.2, 0.7]] * 3, [0.2, 0.5, 0.3]])
    predictions = with_patterns(answers(LABELS, LABELS, p_overall=p_overall))
    found = mistakes.without_reason(predictions, n_resamples=50)
    shares = {(row.metric, row.group): row.value for row in found.itertuples()}
    assert shares["not_good", "all"] == 0.5
    assert shares["unexplained", "all"] == pytest.approx(2 / 6)
    assert shares["unexplained", "nothing bad"] == 1
    assert (shares["not_good", "only clarity bad"], shares["unexplained", "only clarity bad"]) == (1, 0)


def test_two_classes_are_read_from_the_columns_that_are_there():
    p_overall = np.column_stack([np.full(6, 0.8), np.full(6, 0.2), np.full(6, np.nan)])
    predictions = answers(LABELS, np.ones((6, 3)), p_overall=p_overall).assign(pattern="")
    found = mistakes.without_reason(predictions, n_resamples=20)
    assert found[["group", "value"]].to_numpy().tolist() == [["all", 1], ["all", 1]]
