"""Details: stacking seeds, scores with intervals, coverage, and agreement with planted truth."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.report.details import auc_results, detail_results, detail_table
from riqa.report.pseudo import coverage_table, planted_truth_auc, prevalence_results
from riqa.report.seeds import stack_seeds

P = [f"p_{detail}" for detail in DETAILS]


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    n = 60
    frames = []
    truth = (rng.random((n, 3)) < 0.6).astype(float)
    truth[0, 1] = np.nan
    overall = rng.integers(3, size=n).astype(float)
    for seed in (0, 1):
        frame = pd.DataFrame({"image_id": [f"i{k:02d}" for k in range(n)], "eye": "left"})
        frame["patient_id"] = [f"p{k // 2}" for k in range(n)]
        frame[["dataset", "split", "model", "seed"]] = ["set", "test", "teacher", seed]
        frame["overall"] = overall
        frame[list(DETAILS)] = truth
        frame[P] = np.clip(np.nan_to_num(truth, nan=0.5) * 0.4 + rng.random((n, 3)) * 0.6, 0, 1)
        frames.append(frame.sample(frac=1, random_state=seed))  # another order in each seed
    return pd.concat(frames, ignore_index=True)


def test_seeds_are_stacked_image_by_image(predictions):
    images, probs = stack_seeds(predictions, P)
    assert probs.shape == (2, 60, 3)
    assert images["image_id"].is_monotonic_increasing
    one = predictions[(predictions["seed"] == 1) & (predictions["image_id"] == "i07")]
    assert probs[1, 7].tolist() == one[P].iloc[0].tolist()


def test_seeds_with_other_images_are_refused(predictions):
    with pytest.raises(ValueError, match="same images"):
        stack_seeds(predictions.iloc[1:], P)


def test_scores_are_means_over_seeds_of_scikit_learns(predictions):
    by_name = {item.name: item for item in detail_results(predictions, n_resamples=200)}
    for detail in DETAILS:
        expected = []
        for _, rows in predictions.groupby("seed"):
            known = rows[rows[detail].notna()]
            expected.append(f1_score(known[detail], known[f"p_{detail}"] >= 0.5))
        found = by_name[f"details.set.teacher.{detail}.f1"]
        assert found.value == pytest.approx(np.mean(expected))
        assert found.low <= found.value <= found.high
        assert found.seeds == (0, 1)
        assert found.n == 60
    mean = np.mean([by_name[f"details.set.teacher.{detail}.f1"].value for detail in DETAILS])
    assert by_name["details.set.teacher.macro_f1"].value == pytest.approx(mean)


def test_the_table_shows_the_records(predictions):
    results = detail_results(predictions, n_resamples=50)
    table = detail_table(results)
    assert list(table.index) == [*DETAILS, "mean of the three"]
    first = next(item for item in results if item.name.endswith("illumination.f1"))
    assert table.loc["illumination", "F1"] == f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"


def test_ranking_is_the_mean_over_seeds_of_scikit_learns_auc(predictions):
    by_name = {item.name: item for item in auc_results(predictions, n_resamples=200)}
    for detail in DETAILS:
        known = predictions[predictions[detail].notna()]
        expected = [roc_auc_score(rows[detail], rows[f"p_{detail}"]) for _, rows in known.groupby("seed")]
        found = by_name[f"details.set.teacher.{detail}.auc"]
        assert found.value == pytest.approx(np.mean(expected))
        assert found.low <= found.value <= found.high
        assert (found.n, found.seeds) == (59 if detail == "clarity" else 60, (0, 1))


def test_ranking_by_hand_and_without_both_classes():
    frame = pd.DataFrame({"image_id": list("abcd"), "patient_id": list("abcd"), "eye": "left"})
    frame[["dataset", "split", "model", "seed"]] = ["set", "test", "teacher", 0]
    frame["overall"] = np.nan  # as in FIVES
    frame[list(DETAILS)] = [[1.0, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]
    frame[P] = [[0.9, 0.9, 0.9], [0.1, 0.4, 0.8], [0.5, 0.6, 0.2], [0.5, 0.1, 0.1]]
    found = auc_results(frame, n_resamples=100)
    # Clarity: of four pairs of a sharp and a blurred image one (0.4, 0.6) is the wrong way round. Contrast is
    # as if its code had been read backwards. All images have good illumination.
    assert [item.value for item in found] == [None, pytest.approx(3 / 4), pytest.approx(0.0)]
    assert found[0].method == "only one class occurs"
    results = detail_results(frame, n_resamples=50)
    table = detail_table(results + found)
    assert table.loc["illumination", "AUC"] == "–"
    assert table.loc["contrast", "AUC"].startswith("0.000 [")
    assert list(detail_table(results)) == ["F1", "precision", "recall"]


def test_coverage_by_hand():
    frame = pd.DataFrame([[0.9, 0.6, 0.2], [0.4, 0.95, 0.5]], columns=P)
    frame[list(DETAILS)] = [[1.0, 0.0, 0.0], [1.0, 1.0, np.nan]]
    table = coverage_table(frame, (0.5, 0.7, 0.99))
    assert table["coverage"].tolist() == pytest.approx([1.0, 3 / 5, 0.0])
    # At 0.5 illumination is right once in two, clarity once in two, contrast once in one.
    assert table.iloc[0, 1:].tolist() == [0.5, 0.5, 1.0]
    assert table.iloc[1, 1:].tolist() == [1.0, 1.0, 1.0]
    assert table.iloc[2, 1:].isna().all()


def test_planted_truth_against_scikit_learn(predictions, tmp_path):
    rng = np.random.default_rng(0)
    truth = pd.DataFrame({"image_id": [f"i{k:02d}" for k in range(60)]})
    for detail in DETAILS:
        truth[f"perceived_{detail}"] = rng.random(60)
    truth.to_parquet(tmp_path / "truth.parquet")
    merged = predictions.merge(truth, on="image_id")
    found = planted_truth_auc(predictions, tmp_path / "truth.parquet")
    for detail in DETAILS:
        areas = [
            roc_auc_score(rows[f"perceived_{detail}"] <= THRESHOLD, rows[f"p_{detail}"])
            for _, rows in merged.groupby("seed")
        ]
        assert found[detail] == pytest.approx(np.mean(areas))


def test_prevalence_counts_images_not_rows(predictions):
    results = {item.name: item for item in prevalence_results(predictions, 3)}
    rows = predictions[predictions["overall"] == 2]
    found = results["pseudo_labels.set.good.clarity.share_good"]
    assert found.value == pytest.approx((rows["p_clarity"] >= 0.5).mean())
    assert found.n == len(rows) // 2
