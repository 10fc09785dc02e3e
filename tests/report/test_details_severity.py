import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.report.details import detail_results
from riqa.report.details_severity import (
    as_predictions,
    fit_psychometric,
    planted_labels,
    read_severities,
    score_against_severity,
    severity_curves,
    severity_results,
    severity_table,
)
from riqa.report.details_table4 import score_details
from tests.report.details_cases import answers


@pytest.fixture
def severities(tmp_path):
    rng = np.random.default_rng(1)
    truth = pd.DataFrame({"image_id": [f"i{k:03d}" for k in range(60)]})
    for group in (*DETAILS, "artifact"):
        truth[f"perceived_{group}"] = rng.random(60)
    truth.loc[0, "perceived_clarity"] = THRESHOLD  # exactly at the threshold: good
    truth.sample(frac=1, random_state=0).to_parquet(tmp_path / "truth.parquet")
    return read_severities(tmp_path / "truth.parquet")


def test_a_real_set_has_no_severities(tmp_path):
    assert read_severities(tmp_path / "truth.parquet") is None


def test_truth_is_the_unbiased_experts_whatever_the_order_of_rows(severities):
    predictions = answers(np.full((60, 3), np.nan), np.full((2, 60, 3), 0.5)).sample(frac=1, random_state=3)
    labelled = planted_labels(predictions, severities)
    for row in labelled.itertuples():
        assert row.clarity == (severities.loc[row.image_id, "clarity"] <= 0.45)
    assert labelled.loc[labelled["image_id"] == "i000", "clarity"].eq(1).all()


def test_against_the_truth_experts_err_and_the_truth_does_not(severities):
    good = (severities.sort_index()[list(DETAILS)] <= THRESHOLD).to_numpy(dtype=float)
    experts = good.copy()
    experts[:6] = 1 - experts[:6]
    rows = as_predictions(answers(experts, np.full((2, 60, 3), 0.5)))
    assert len(rows) == 60
    found = {item.name: item for item in score_against_severity(rows, severities, score_details)}
    assert found["details.set.experts.clarity.planted_accuracy"].value == pytest.approx(0.9)
    assert found["details.set.experts.planted_macro_f1"].value < 1
    assert "details.set.experts.contrast.planted_f1.bad" in found
    perfect = score_against_severity(answers(experts, good), severities, detail_results)
    assert {item.value for item in perfect} == {1.0}


def test_images_that_experts_left_out_are_no_answers_of_theirs():
    labels = [[1, 0, 1], [1, np.nan, 0]]
    rows = as_predictions(answers(labels, np.zeros((3, 2, 3))))
    assert rows["image_id"].tolist() == ["i000"]
    assert rows[["p_illumination", "p_clarity", "p_contrast"]].to_numpy().tolist() == [[1, 0, 1]]


def test_the_curve_that_made_the_answers_is_found():
    rng = np.random.default_rng(0)
    severity = rng.random(4_000)
    bad = rng.random(4_000) < 1 / (1 + np.exp(-12 * (severity - 0.45)))
    curve = fit_psychometric(severity, bad, np.arange(4_000))
    assert curve.threshold == pytest.approx(0.45, abs=0.02)
    assert curve.low < 0.45 < curve.high
    assert curve.high - curve.low < 0.05
    assert curve.width == pytest.approx(2 * np.log(3) / 12, rel=0.1)
    assert curve.chance_of_bad(curve.threshold + curve.width / 2) == pytest.approx(0.75)


def test_copies_of_a_patient_are_no_evidence():
    rng = np.random.default_rng(0)
    severity = rng.random(300)
    bad = rng.random(300) < 1 / (1 + np.exp(-12 * (severity - 0.45)))
    once = fit_psychometric(severity, bad, np.arange(300))
    copied = fit_psychometric(np.tile(severity, 4), np.tile(bad, 4), np.tile(np.arange(300), 4))
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.02)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(20),
        np.ones(20),
        np.linspace(0, 1, 20) > 0.45,
        np.linspace(0, 1, 20) < 0.45,
        np.arange(20) % 2 * (np.arange(20) < 10),
    ],
    ids=["never", "always", "separated", "reversed", "falling"],
)
def test_where_there_is_no_curve_there_is_none(bad):
    assert fit_psychometric(np.linspace(0, 1, 20), bad, np.arange(20)) is None


def test_a_lenient_models_threshold_is_higher(severities):
    rng = np.random.default_rng(4)
    shift = severities.sort_index()[list(DETAILS)].to_numpy() + rng.normal(0, 0.1, (2, 60, 3))
    thresholds = []
    for limit in (0.45, 0.65):
        rows = answers(np.ones((60, 3)), (shift <= limit).astype(float))
        curves = severity_curves(rows, severities)
        results = {item.name: item for item in severity_results(rows, curves)}
        thresholds.append(results["details.set.teacher.clarity.severity_threshold"])
    assert thresholds[0].value == pytest.approx(0.45, abs=0.07)
    assert thresholds[1].value == pytest.approx(0.65, abs=0.07)
    assert thresholds[0].low < thresholds[0].value < thresholds[0].high


def test_no_curve_is_recorded_as_missing(severities):
    rows = answers(np.ones((60, 3)), np.ones((60, 3)))
    results = severity_results(rows, severity_curves(rows, severities))
    assert {item.value for item in results} == {None}
    assert len(results) == 6


def test_the_table_shows_threshold_and_width(severities):
    rng = np.random.default_rng(4)
    seen = severities.sort_index()[list(DETAILS)].to_numpy() + rng.normal(0, 0.1, (2, 60, 3))
    rows = answers(np.ones((60, 3)), (seen <= 0.45).astype(float))
    results = severity_results(rows, severity_curves(rows, severities))
    table = severity_table(results)
    assert table["detail"].tolist() == list(DETAILS)
    assert (
        table.loc[0, "threshold"] == f"{results[0].value:.3f} [{results[0].low:.3f}, {results[0].high:.3f}]"
    )
    assert table.loc[0, "width"] == f"{results[1].value:.3f}"
