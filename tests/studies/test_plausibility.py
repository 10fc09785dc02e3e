"""What arithmetic says about printed scores, against hand cases and matrices that surely exist."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa import paper
from riqa.evaluate.metrics import scores_from_counts
from riqa.studies import plausibility as p

SHARES = (3220, 4558, 8471)
NAMES = ("macro_f1", "precision", "recall", "accuracy")

matrices = st.lists(st.integers(0, 50), min_size=9, max_size=9).map(
    lambda cells: np.reshape(cells, (3, 3)) + np.eye(3, dtype=int)
)


def test_range_of_macro_f1_by_hand():
    # precisions 1, 1, 0.5 and recalls 1, 1, 0.5 sum to 2.5 each. Opposite corners: F1 of (1, 1), (1, 0.5),
    # (0.5, 1) are 1, 2/3, 2/3; the same corner: 1, 1, 0.5.
    low, high = p.macro_f1_range(2.5 / 3, 2.5 / 3)
    assert low == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert high == pytest.approx(2.5 / 3)


def test_range_of_accuracy_by_hand():
    # recalls sum to 2: the class that is missed is the largest, or the smallest
    assert p.accuracy_range(2 / 3, [0.2, 0.3, 0.5]) == pytest.approx((0.5, 0.8))


@settings(max_examples=150)
@given(matrices)
def test_no_matrix_that_exists_is_called_impossible(counts):
    scores = {name: float(scores_from_counts(counts)[name]) for name in NAMES}
    low, high = p.macro_f1_range(scores["precision"], scores["recall"])
    assert low - 1e-9 <= scores["macro_f1"] <= high + 1e-9
    low, high = p.accuracy_range(scores["recall"], counts.sum(axis=1))
    assert low - 1e-9 <= scores["accuracy"] <= high + 1e-9


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_a_matrix_with_scores_of_a_real_one_is_found(seed):
    rows = np.random.default_rng(seed).dirichlet((1, 1, 1), size=3) * 0.3 + 0.7 * np.eye(3)
    scores = scores_from_counts(np.array(SHARES)[:, None] * rows)
    printed = {name: round(float(scores[name]), 3) for name in NAMES}
    found, missed = p.nearest_confusion(printed, SHARES, n_starts=8)
    assert missed < p.TOLERANCE
    again = scores_from_counts(np.array(SHARES)[:, None] * found)
    for name, value in printed.items():
        assert again[name] == pytest.approx(value, abs=p.TOLERANCE)
    np.testing.assert_allclose(found.sum(axis=1), 1)


@settings(max_examples=20)
@given(st.integers(0, 12), st.integers(0, 9))
def test_binary_matrices_hold_the_one_that_was_printed(hits, false):
    counts = np.array([[hits, 12 - hits], [false, 9 - false]])
    scores = scores_from_counts(counts)
    printed = {name: float(scores[name]) for name in ("f1", "precision", "recall", "accuracy")}
    assert counts.tolist() in p.binary_confusions(printed, 12, 9).tolist()


def test_remarks_on_table_2():
    found = p.literature(paper.numbers()).set_index("method")
    eyeq = found[found["set"] == "eyeq"]
    assert len(found) == 20
    assert eyeq["verdict"].eq("impossible").sum() == 1
    raj = eyeq.loc["Raj et al. 2020"]
    assert raj["verdict"] == "impossible"
    assert "macro-F1 of 0.902 to" in raj["remark"]
    assert "accuracy of 0.952 to" in raj["remark"]
    doubtful = eyeq.index[eyeq["verdict"] == "doubtful"]
    assert set(doubtful) == {"Fu et al. 2019", "König et al. 2024", "Guo et al. 2024"}
    assert "Table 3 average to 0.861" in eyeq.loc["Fu et al. 2019", "remark"]
    assert "definition" in eyeq.loc["Guo et al. 2024", "remark"]
    own = found[found["set"] == "deepdrid"]["remark"]
    assert own["MT-DeepDRiD"].startswith("fits only 186 of 220 bad images found, 72 of 180")
    assert own["ST-DeepDRiD"].startswith("fits only 172 of 220 bad images found, 59 of 180")


@pytest.mark.parametrize(
    ("method", "metric", "value", "verdict"),
    [("Raj et al. 2020", "recall", 0.870, "possible"), ("MT-DeepDRiD", "precision", 0.821, "impossible")],
)
def test_one_number_decides_what_is_possible(method, metric, value, verdict):
    table = paper.numbers("Table 2", "Table 3")
    one = (table["printed_as"] == method) & (table["metric"] == metric)
    found = p.literature(table.assign(paper=table["paper"].mask(one, value))).set_index("method")
    assert found.loc[method, "verdict"] == verdict


def test_the_matrices_of_table_2_give_its_recalls():
    matrices = p.binary_matrices()
    assert list(matrices) == [("deepdrid", model) for model in ("QuickQual", "single_task", "multi_task")]
    student = matrices["deepdrid", "multi_task"]
    np.testing.assert_allclose(student, [[186 / 220, 34 / 220], [72 / 180, 108 / 180]])
    assert abs(matrices["deepdrid", "single_task"].loc["bad", "bad"] - 0.782) < 0.0005


def test_scores_stand_beside_the_remarks_as_printed():
    table = p.literature(paper.numbers())
    assert table["F1"].tolist()[:3] == [0.699, 0.748, 0.855]
    assert table["F1"].tolist()[-3:] == [0.742, 0.763, 0.778]
    assert np.isnan(table["accuracy"][0])
