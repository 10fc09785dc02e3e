"""Candidates on validation images, against scikit-learn: backbones, weights of the details; flips by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss

from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation
from riqa.learn.flips import AT_RANDOM, strength_text
from riqa.predictions import OVERALL
from riqa.results import find, tidy
from riqa.studies import tuning
from tests.studies.answers import drawn, graded

WEIGHTS = {0.3: 0.6, 1.0: 0.9}  # weight -> how often it is right


def macro_f1(rows):
    return f1_score(rows["overall"], rows[OVERALL].to_numpy().argmax(1), average="macro")


def detail_f1(rows):
    return np.mean([f1_score(rows[d], rows[f"p_{d}"] >= 0.5, average="macro") for d in DETAILS])


@pytest.fixture
def of_backbones():
    right = {"train": {"small": 0.7, "large": 0.98}, "val": {"small": 0.7, "large": 0.2}}
    return pd.concat(
        [graded(seeds=(3,), dataset="toy", right=own).assign(split=split) for split, own in right.items()]
    )


@pytest.fixture
def of_weights():
    """Two seeds and two weights, asked about their own set and about one with judged details."""
    own = [graded(dataset="toy", right={"multi_task": right}) for right in WEIGHTS.values()]
    judged = [drawn(right, n=40, model="multi_task").assign(dataset="judged") for right in WEIGHTS.values()]
    weighed = [
        pd.concat(both).assign(lambda_details=w)
        for w, both in zip(WEIGHTS, zip(own, judged, strict=True), strict=True)
    ]
    return pd.concat(weighed).assign(trained_on="toy")


def test_costs_are_counted_row_by_row():
    cost = pd.DataFrame({"backbone": ["small", "large"], "parameters": [1_234_567, 20_000_000]})
    table = tuning.costs(cost.assign(flop=[1e8, 9e8], epochs=[9, 1], spent=[1.0, 1.2]), "toy")
    assert len(table) == 2 * len(tuning.COSTS)
    for metric, value in {"parameters": 20_000_000, "gflop": 0.9, "epochs": 1, "spent": 1.2}.items():
        row = find(table, dataset="toy", model="large", metric=metric, method="count")
        assert row["value"] == pytest.approx(value)


def test_scores_and_losses_of_backbones_are_those_of_scikit_learn(of_backbones):
    ungraded = of_backbones["image_id"].isin(["p0-left-0", "p1-left-0", "p2-right-0"])
    gaps = of_backbones.assign(overall=of_backbones["overall"].where(~ungraded))
    table, narrow = (tuning.backbones(gaps, n_resamples=500, confidence=level) for level in (0.95, 0.5))
    for (model, split), own in of_backbones[~ungraded].groupby(["model", "split"]):
        keys = {"dataset": "toy", "model": model, "group": split}
        score = find(table, metric="macro_f1", **keys)
        assert score["value"] == pytest.approx(macro_f1(own))
        within = find(narrow, metric="macro_f1", **keys)
        assert score["low"] <= score["value"] <= score["high"]
        assert split == "train" or within["high"] - within["low"] < score["high"] - score["low"]
        assert (score["n"], score["seeds"]) == (57, (3,))
        loss = find(table, metric="cross_entropy", method="mean", **keys)
        expected = log_loss(own["overall"].astype(int), own[OVERALL].to_numpy(), labels=[0, 1, 2])
        assert loss["value"] == pytest.approx(expected)


def test_the_others_are_compared_with_the_best_in_validation(of_backbones):
    (row,) = tuning.behind_the_best(of_backbones, n_resamples=500).to_dict("records")
    assert (row["model"], row["rival"], row["dataset"], row["group"]) == ("large", "small", "toy", "val")
    of = of_backbones[of_backbones["split"] == "val"].groupby("model")
    assert row["value"] == pytest.approx(macro_f1(of.get_group("large")) - macro_f1(of.get_group("small")))
    assert row["low"] < row["value"] < row["high"] < 0
    alone = tuning.behind_the_best(of_backbones[of_backbones["model"] == "small"])
    assert alone.empty  # behind nobody
    assert np.isin(["model", "rival", "value"], alone.columns).all()


def test_weights_are_scored_in_both_tasks_and_compared_with_the_chosen_one(of_weights):
    table = tuning.candidates(of_weights, n_resamples=300)
    for (weight, dataset), own in of_weights.groupby(["lambda_details", "dataset"]):
        keys, n, score = {"model": "multi_task"}, 60, macro_f1
        if dataset == "judged":
            keys, n = {"model": "multi_task@toy", "target": "details"}, 40
            score = detail_f1
        row = find(table, dataset=dataset, metric="macro_f1", group=f"validation, lambda {weight:g}", **keys)
        assert row["value"] == pytest.approx(np.mean([score(run) for _, run in own.groupby("seed")]))
        assert row["low"] <= row["value"] <= row["high"]
        assert row[["n", "seeds", "trained_on", "lambda_details"]].tolist() == [n, (0, 1), "toy", weight]
    by_weight = table[table["dataset"] == "toy"].set_index("lambda_details")["value"]
    (row,) = tuning.against_chosen(of_weights, {"toy": 1.0}, n_resamples=300).to_dict("records")
    assert row["lambda_details"] == 0.3
    assert row["value"] == pytest.approx(by_weight[0.3] - by_weight[1.0])
    assert row["low"] < row["value"] < row["high"] < 0


def test_of_both_ends_of_an_interval_the_worse_counts():
    columns = ["transformation", "strength", "flipped", "flipped_clear", "n", "n_clear"]
    flips = [
        ("contrast", -10.0, 0.2, 0.1, 30, 20),
        ("contrast", -1.0, 0.0, 0.0, 30, 20),
        ("contrast", 1.0, 0.1, 0.05, 30, 20),
        ("vertical_flip", 1.0, 0.3, np.nan, 30, 0),
        (AT_RANDOM, np.nan, 0.1, 0.05, 30, 20),
    ]
    table = tuning.flips(pd.DataFrame(flips, columns=columns), "eyeq", 0)
    pd.testing.assert_frame_equal(table, tidy(table))
    told = table.set_index(["metric", "group"])[["value", "n"]].astype(float)
    assert told.loc["flipped"].T.to_dict("list") == {
        "contrast, beyond": [0.2, 30], "contrast, inside": [0.1, 30],
        "vertical_flip, inside": [0.3, 30], f"{AT_RANDOM}, drawn": [0.1, 30],
    }  # fmt: skip
    clear = told.loc["flipped_clear"]
    assert clear["value"].tolist() == pytest.approx([0.1, 0.05, np.nan, 0.05], nan_ok=True)
    assert clear.loc["contrast, inside", "n"] == 20


def test_strengths_have_units():
    augmentation = Augmentation(max_rotation=15, max_colour_change=0.02)
    cases = {("rotation", -10): "−150°", ("brightness", 1): "+2 %", ("contrast", 10): "+20 %"}
    cases |= {("vertical_flip", 1): "", (AT_RANDOM, np.nan): ""}
    for case, text in cases.items():
        assert strength_text(*case, augmentation) == text
