import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.results import find
from riqa.studies import details, severity
from tests.studies.answers import answers


@pytest.fixture
def severities(tmp_path):
    rng = np.random.default_rng(1)
    truth = pd.DataFrame({"image_id": [f"i{k:03d}" for k in range(60)]})
    for group in (*DETAILS, "artifact"):
        truth[f"perceived_{group}"] = rng.random(60)
    truth.loc[0, "perceived_clarity"] = THRESHOLD  # exactly at the threshold: good
    truth.sample(frac=1, random_state=0).to_parquet(tmp_path / "truth.parquet")
    return severity.read_severities({"set": tmp_path / "truth.parquet", "real": tmp_path / "none.parquet"})


def told(severities, labels, probs):
    return answers(labels, probs).merge(severities, on=["dataset", "image_id"])


def test_real_sets_have_no_severities(severities, tmp_path):
    assert set(severities["dataset"]) == {"set"}
    assert severity.read_severities({"real": tmp_path / "none.parquet"}).empty


def test_truth_is_the_unbiased_experts_whatever_the_order_of_rows(severities):
    rows = told(severities, np.full((60, 3), np.nan), np.full((2, 60, 3), 0.5)).sample(frac=1, random_state=3)
    for row in severity.planted_labels(rows).itertuples():
        assert row.clarity == (row.severity_clarity <= 0.45)
    silent = severity.planted_labels(rows.assign(p_clarity=np.nan))
    assert silent["clarity"].isna().all()
    assert silent["contrast"].notna().all()


def test_against_the_truth_experts_err_and_the_truth_does_not(severities):
    columns = [f"severity_{detail}" for detail in DETAILS]
    good = (severities.sort_values("image_id")[columns] <= THRESHOLD).to_numpy(dtype=float)
    labels = good.copy()
    labels[:6] = 1 - labels[:6]
    rows = told(severities, labels, np.stack([good, good]))
    experts = severity.planted_labels(severity.experts(rows))
    assert len(experts) == 60
    found = details.both_classes(experts, n_resamples=20)
    right = find(found, dataset="set", model="experts", target="clarity", metric="accuracy")
    assert right["value"] == pytest.approx(0.9)
    assert (details.scores(severity.planted_labels(rows), n_resamples=20)["value"] == 1).all()


def test_images_that_experts_left_out_are_no_answers_of_theirs():
    rows = severity.experts(answers([[1, 0, 1], [1, np.nan, 0]], np.zeros((3, 2, 3))))
    assert rows["image_id"].tolist() == ["i000"]
    assert rows[["p_illumination", "p_clarity", "p_contrast"]].to_numpy().tolist() == [[1, 0, 1]]


def test_a_lenient_models_threshold_is_higher(severities):
    rng = np.random.default_rng(4)
    columns = [f"severity_{detail}" for detail in DETAILS]
    seen = severities.sort_values("image_id")[columns].to_numpy() + rng.normal(0, 0.1, (2, 60, 3))
    for limit in (0.45, 0.65):
        found = severity.curves(told(severities, np.ones((60, 3)), (seen <= limit).astype(float)))
        keys = {"dataset": "set", "model": "teacher", "target": "clarity", "method": "psychometric"}
        row = find(found, **keys, metric="severity_threshold")
        assert row["value"] == pytest.approx(limit, abs=0.07)
        assert row["low"] < row["value"] < row["high"]
        assert find(found, **keys, metric="severity_width")["value"] > 0


def test_no_curve_has_no_row(severities):
    assert severity.curves(told(severities, np.ones((60, 3)), np.ones((60, 3)))).empty
