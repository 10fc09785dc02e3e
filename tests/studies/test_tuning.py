"""Candidates on validation images, against scikit-learn: backbones, weights of the details; flips by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss

from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation
from riqa.learn.flips import AT_RANDOM, strength_text
from riqa.results import find, tidy
from riqa.studies import tuning
from tests.studies.answers import drawn

CLASSES = ["p_overall_0", "p_overall_1", "p_overall_2"]
WEIGHTS = {0.3: 0.5, 1.0: 0.9}  # weight -> how often it is right


def macro_f1(rows):
    return f1_score(rows["overall"], rows[CLASSES].to_numpy().argmax(1), average="macro")


@pytest.fixture
def of_backbones(fake_predictions):
    right = {"train": {"small": 0.75, "large": 0.9}, "val": {"small": 0.75, "large": 0.1}}
    return pd.concat(
        [fake_predictions(seeds=(3,), right=of).assign(split=split) for split, of in right.items()],
        ignore_index=True,
    )


@pytest.fixture
def of_weights(fake_predictions):
    """Two seeds and two weights, asked about their own set and about one with judged details."""
    frames = []
    for weight, right in WEIGHTS.items():
        both = fake_predictions(right={"multi_task": right}), drawn(right, n=40).assign(dataset="judged")
        frames += [one.assign(trained_on="fake", split="val", lambda_details=weight) for one in both]
    return pd.concat(frames, ignore_index=True)


def test_costs_are_counted_row_by_row():
    cost = pd.DataFrame({"backbone": ["small", "large"], "parameters": [1_234_567, 20_000_000]})
    table = tuning.costs(cost.assign(flop=[1e8, 9e8], epochs=[9, 1], spent=[1.0, 1.2]), "fake")
    assert len(table) == 2 * len(tuning.COSTS)
    for metric, value in {"parameters": 20_000_000, "gflop": 0.9, "epochs": 1, "spent": 1.2}.items():
        row = find(table, dataset="fake", model="large", metric=metric, method="count")
        assert row["value"] == pytest.approx(value)


def test_scores_and_losses_of_backbones_are_those_of_scikit_learn(of_backbones):
    table = tuning.backbones(of_backbones, n_resamples=500)
    for (model, split), own in of_backbones.groupby(["model", "split"]):
        keys = {"dataset": "fake", "model": model, "group": split}
        score = find(table, metric="macro_f1", **keys)
        assert score["value"] == pytest.approx(macro_f1(own))
        assert score["low"] < score["value"] < score["high"]
        assert (score["n"], score["seeds"]) == (60, (3,))
        loss = find(table, metric="cross_entropy", method="mean", **keys)
        expected = log_loss(own["overall"].astype(int), own[CLASSES].to_numpy(), labels=[0, 1, 2])
        assert loss["value"] == pytest.approx(expected)


def test_images_without_a_grade_have_no_part_in_the_loss(of_backbones):
    ungraded = of_backbones["image_id"].isin(of_backbones["image_id"].unique()[:3])
    with_gaps = of_backbones.assign(overall=of_backbones["overall"].where(~ungraded))
    tables = [tuning.backbones(rows, n_resamples=50) for rows in (with_gaps, of_backbones[~ungraded])]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["n"].eq(57).all()


def test_the_others_are_compared_with_the_best_in_validation(of_backbones):
    (row,) = tuning.behind_the_best(of_backbones, n_resamples=500).to_dict("records")
    assert (row["model"], row["rival"], row["dataset"], row["group"]) == ("large", "small", "fake", "val")
    of = of_backbones[of_backbones["split"] == "val"].groupby("model")
    assert row["value"] == pytest.approx(macro_f1(of.get_group("large")) - macro_f1(of.get_group("small")))
    assert row["low"] < row["value"] < row["high"] < 0
    alone = tuning.behind_the_best(of_backbones[of_backbones["model"] == "small"])
    assert alone.empty  # behind nobody
    assert np.isin(["model", "rival", "value"], alone.columns).all()


def test_weights_are_scored_in_both_tasks_and_compared_with_the_chosen_one(of_weights):
    table = tuning.candidates(of_weights, n_resamples=300)
    assert set(table["trained_on"]) == {"fake"}
    for weight in WEIGHTS:
        own = of_weights[of_weights["lambda_details"] == weight]
        overall = [macro_f1(rows) for _, rows in own[own["dataset"] == "fake"].groupby("seed")]
        details = [
            np.mean([f1_score(rows[d], rows[f"p_{d}"] >= 0.5, average="macro") for d in DETAILS])
            for _, rows in own[own["dataset"] == "judged"].groupby("seed")
        ]
        keys = {"metric": "macro_f1", "group": f"validation, lambda {weight:g}"}
        row = find(table, dataset="fake", model="multi_task", **keys)
        assert row["value"] == pytest.approx(np.mean(overall))
        assert row["low"] < row["value"] < row["high"]
        assert (row["lambda_details"], row["n"], row["seeds"]) == (weight, 60, (0, 1))
        row = find(table, dataset="judged", model="multi_task@fake", target="details", **keys)
        assert (row["value"], row["n"]) == (pytest.approx(np.mean(details)), 40)
    by_weight = table[table["dataset"] == "fake"].set_index("lambda_details")["value"]
    (row,) = tuning.against_chosen(of_weights, {"fake": 1.0}, n_resamples=300).to_dict("records")
    assert row["lambda_details"] == 0.3
    assert row["value"] == pytest.approx(by_weight[0.3] - by_weight[1.0])
    assert row["low"] < row["value"] < row["high"] < 0


def test_a_weight_is_chosen_or_given():
    table = tuning.weights({"a": 0.3, "b": 1.0}, {"a"}, [0, 1])
    assert table["value"].tolist() == [0.3, 1.0]
    assert table["method"].tolist() == ["chosen", "given"]
    assert table["seeds"].tolist() == [(0, 1), ()]


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
    value, n = (table.set_index(["metric", "group"])[key] for key in ("value", "n"))
    assert len(value) == 8
    assert value["flipped", "contrast, inside"] == 0.1
    assert value["flipped_clear", "contrast, inside"] == 0.05
    assert value["flipped", "contrast, beyond"] == 0.2
    assert np.isnan(value["flipped_clear", "vertical_flip, inside"])
    assert value["flipped", f"{AT_RANDOM}, drawn"] == 0.1
    assert n["flipped_clear", "contrast, inside"] == 20
    pd.testing.assert_frame_equal(table, tidy(table))


def test_strengths_have_units():
    augmentation = Augmentation(max_rotation=15, max_colour_change=0.02)
    cases = {("rotation", -10): "−150°", ("brightness", 1): "+2 %", ("contrast", 10): "+20 %"}
    cases |= {("vertical_flip", 1): "", (AT_RANDOM, np.nan): ""}
    for case, text in cases.items():
        assert strength_text(*case, augmentation) == text
