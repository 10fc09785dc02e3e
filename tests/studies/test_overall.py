"""Scores of overall quality, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from riqa.results import find
from riqa.studies import overall
from riqa.studies.comparisons import differences
from tests.studies.answers import graded


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_means_over_seeds_of_what_is_graded(n_classes):
    predictions = graded(n_classes=n_classes)
    first = predictions["image_id"] == "p3-left-0"  # nobody has graded it
    predictions["overall"] = predictions["overall"].mask(first)
    found = overall.scores(predictions, n_resamples=100)
    of_one, average = (
        ("bad", {"average": "binary", "pos_label": 0}) if n_classes == 2 else ("all", {"average": "macro"})
    )
    known = predictions[~first].astype({"overall": int, "called": int})
    for model, rows in known.groupby("model"):
        own = found[found["model"] == model]
        runs = [(run["overall"], run["called"]) for _, run in rows.groupby("seed")]
        row = find(own, dataset="fake", model=model, metric="macro_f1")
        assert row["value"] == pytest.approx(np.mean([f1_score(*run, average="macro") for run in runs]))
        assert (row["n"], row["seeds"], row["confidence"]) == (59, (0, 1), 0.95)
        assert row["low"] < row["value"] < row["high"]
        recall = find(own, dataset="fake", model=model, metric="recall", group=of_one)["value"]
        expected = [recall_score(*run, **average) for run in runs]
        assert recall == pytest.approx(np.mean(expected))
        by_class = own[own["metric"] == "f1"]
        assert by_class["group"].tolist() == [["bad", "good"], ["reject", "usable", "good"]][n_classes - 2]
        assert row["value"] == pytest.approx(by_class["value"].mean())


def test_reject_against_good_leaves_usable_out():
    predictions = graded(right={"single_task": 0.6})
    ((_, row),) = overall.reject_against_good(predictions, n_resamples=200).iterrows()
    slow = [
        roc_auc_score(run["overall"] == 2, run["p_overall_2"] / (run["p_overall_0"] + run["p_overall_2"]))
        for _, run in predictions[predictions["overall"] != 1].groupby("seed")
    ]
    assert row["value"] == pytest.approx(np.mean(slow))
    assert row["n"] == (predictions["overall"] != 1).sum() / 2
    assert row["low"] < row["value"] < row["high"]


def test_an_eye_answers_with_the_mean_of_its_views():
    predictions = graded(n_classes=2, views=2, seeds=(0,), right={"multi_task": 0.7})
    eyes = overall.by_eye(predictions)
    views = predictions[predictions["image_id"].isin(["p0-left-0", "p0-left-1"])]
    eye = eyes[eyes["image_id"] == "p0-left-0"].iloc[0]
    assert eye["p_overall_1"] == pytest.approx(views["p_overall_1"].mean())
    assert eye["called"] == (views["p_overall_1"].mean() > 0.5)
    of_one_view = predictions["image_id"] == "p0-left-0"
    torn = predictions.assign(overall=predictions["overall"].mask(of_one_view, 1 - eye["overall"]))
    assert len(overall.by_eye(torn)) == len(eyes) - 1


def test_published_predictions_are_paired_only_on_the_same_images():
    ours, others = graded(), graded(seeds=(0,), dataset="eyeq_test", right={"quickqual": 0.8})
    both = overall.beside_published(ours, others)
    found = differences(both, [("multi_task", "quickqual")], n_resamples=50)
    assert found["seeds"].tolist() == [(0, 1)]
    some = ours[ours["image_id"] != "p3-left-0"]
    assert set(overall.beside_published(some, others)["image_id"]) == set(some["image_id"])
    assert overall.beside_published(ours, others[others["image_id"] != "p3-left-0"]) is None
