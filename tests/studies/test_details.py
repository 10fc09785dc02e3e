"""Scores of details, against scikit-learn and cases by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from riqa.labels import DETAILS
from riqa.studies import details
from tests.studies.answers import answers, drawn, value


def test_scores_are_means_over_seeds_of_scikit_learns():
    predictions = drawn(0.3)
    found = details.scores(predictions, n_resamples=100)
    of_both = details.both_classes(predictions, n_resamples=100)
    for detail in DETAILS:
        runs = [(run[detail], run[f"p_{detail}"] >= 0.5) for _, run in predictions.groupby("seed")]
        f1 = np.mean([f1_score(*run) for run in runs])
        bad = np.mean([f1_score(1 - y, ~p) for y, p in runs])
        keys = {"model": "teacher", "target": detail}
        assert value(found, **keys, metric="f1", group="good") == pytest.approx(f1)
        assert value(of_both, **keys, metric="f1", group="bad") == pytest.approx(bad)
        assert value(of_both, **keys, metric="macro_f1") == pytest.approx((f1 + bad) / 2)
        right = np.mean([accuracy_score(*run) for run in runs])
        assert value(of_both, **keys, metric="accuracy") == pytest.approx(right)
    three = found[(found["metric"] == "f1") & (found["target"] != "details")]["value"]
    mean = value(found, model="teacher", target="details", metric="macro_f1", group="good")
    assert mean == pytest.approx(three.mean())
    assert (found["low"] <= found["value"]).all()
    assert set(found["seeds"]) == {(0, 1)}


def test_always_good_is_scored_without_looking_and_one_class_is_not_scored():
    labels = [[1, 0, np.nan], [1, 1, np.nan], [1, 0, 1], [1, 0, 1]]
    predictions = answers(labels, np.zeros((2, 4, 3)))
    found = details.always_good(predictions)
    values = [value(found, model="always_good", target=d, metric="f1", group="good", method="count")
              for d in DETAILS]  # fmt: skip
    assert values == pytest.approx([1, f1_score([0, 1, 0, 0], [1, 1, 1, 1]), 1])
    assert found["n"].tolist() == [4, 4, 2]
    assert set(details.both_classes(predictions, n_resamples=20)["target"]) == {"clarity"}


def test_ranking_is_scikit_learns_auc_and_missing_without_both_classes():
    labels = [[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]
    probs = [[0.9, 0.9, 0.9], [0.1, 0.4, 0.8], [0.5, 0.6, 0.2], [0.5, 0.1, 0.1]]
    found = details.aucs(answers(labels, probs), n_resamples=50)
    # Clarity: one of four pairs (0.4, 0.6) is the wrong way round; contrast is read backwards.
    assert found["value"].tolist() == pytest.approx([np.nan, 3 / 4, 0], nan_ok=True)
    assert found["value"][1] == roc_auc_score([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])


def test_brier_and_calibration_error_by_hand():
    """Four answers of 0.9, three right; six of 0.2, two of them good; the model is silent about contrast."""
    truth, p = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0], [0.9] * 4 + [0.2] * 6
    predictions = answers(np.tile(truth, (3, 1)).T, np.tile(p, (3, 1)).T)
    predictions = predictions.assign(contrast=np.nan, p_contrast=np.nan)
    bins, found = details.calibrations(predictions, 10, n_resamples=50)
    assert set(found["target"]) == {"illumination", "clarity"}
    keys = {"model": "teacher", "target": "clarity"}
    ece = 0.4 * 0.15 + 0.6 * (1 / 3 - 0.2)
    assert value(found, **keys, metric="ece", method="bins") == pytest.approx(ece)
    brier = (3 * 0.1**2 + 0.9**2 + 2 * 0.8**2 + 4 * 0.2**2) / 10
    assert value(found, **keys, metric="brier") == pytest.approx(brier)
    assert value(found, **keys, metric="ece_floor", method="drawn") > 0
    own = bins[(bins["target"] == "clarity") & (bins["count"] > 0)]
    assert own["fraction_positive"].tolist() == pytest.approx([1 / 3, 3 / 4])
