"""Candidates for the details weight in both tasks, against scikit-learn; flipped answers by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.learn.augment import Augmentation
from riqa.learn.flips import AT_RANDOM, strength_text
from riqa.results import find, tidy
from riqa.studies import weighting
from tests.studies.imaginary import CLASSES, graded, judged

RIGHT = {0.3: 0.6, 1.0: 0.9}  # weight -> how often it is right


@pytest.fixture
def predictions():
    """Two seeds and two weights, asked about their own set and about one with judged details."""
    rng = np.random.default_rng(0)
    frames = []
    for weight, right in RIGHT.items():
        for seed in (0, 1):
            keys = {"model": "multi_task", "trained_on": "toy", "seed": seed, "lambda_details": weight}
            frames.append(graded(rng, right, dataset="toy", split="val", **keys))
            frames.append(judged(rng, right, dataset="judged", split="val", **keys))
    return pd.concat(frames, ignore_index=True)


def test_both_tasks_are_scored(predictions):
    table = weighting.candidates(predictions, n_resamples=300)
    assert set(table["trained_on"]) == {"toy"}
    for weight in RIGHT:
        own = predictions[predictions["lambda_details"] == weight]
        overall, details = [], []
        for _, rows in own[own["dataset"] == "toy"].groupby("seed"):
            overall.append(f1_score(rows["overall"], rows[CLASSES].to_numpy().argmax(1), average="macro"))
        for _, rows in own[own["dataset"] == "judged"].groupby("seed"):
            by_detail = [f1_score(rows[d], rows[f"p_{d}"] >= 0.5, average="macro") for d in DETAILS]
            details.append(np.mean(by_detail))
        keys = {"metric": "macro_f1", "group": f"validation, lambda {weight:g}"}
        row = find(table, dataset="toy", model="multi_task", **keys)
        assert row["value"] == pytest.approx(np.mean(overall))
        assert row["low"] < row["value"] < row["high"]
        assert (row["lambda_details"], row["n"], row["seeds"]) == (weight, 60, (0, 1))
        row = find(table, dataset="judged", model="multi_task@toy", target="details", **keys)
        assert row["value"] == pytest.approx(np.mean(details))
        assert row["n"] == 40


def test_candidates_are_compared_with_the_chosen_one(predictions):
    table = weighting.candidates(predictions, n_resamples=100).query("dataset == 'toy'")
    by_weight = table.set_index("lambda_details")["value"]
    (row,) = weighting.against_chosen(predictions, {"toy": 1.0}, n_resamples=300).to_dict("records")
    assert row["lambda_details"] == 0.3
    assert row["value"] == pytest.approx(by_weight[0.3] - by_weight[1.0])
    assert row["low"] < row["value"] < row["high"] < 0


def test_a_weight_is_chosen_or_given():
    table = weighting.weights({"a": 0.3, "b": 1.0}, {"a"}, [0, 1])
    assert table["value"].tolist() == [0.3, 1.0]
    assert table["method"].tolist() == ["chosen", "given"]
    assert table["seeds"].tolist() == [(0, 1), ()]


def test_of_both_ends_of_an_interval_the_worse_counts():
    columns = ["transformation", "strength", "flipped", "to_bad", "flipped_clear", "largest", "n", "n_clear"]
    flips = [
        ("contrast", -10.0, 0.2, 0.15, 0.1, 0.4, 30, 20),
        ("contrast", -1.0, 0.0, 0.0, 0.0, 0.0, 30, 20),
        ("contrast", 1.0, 0.1, 0.05, 0.05, 0.1, 30, 20),
        ("vertical_flip", 1.0, 0.3, 0.1, np.nan, 0.1, 30, 0),
        (AT_RANDOM, np.nan, 0.1, 0.1, 0.05, 0.1, 30, 20),
    ]
    table = weighting.flips(pd.DataFrame(flips, columns=columns), "eyeq", 0)
    found = table.set_index(["metric", "group"])
    assert len(found) == 8
    assert found["value"]["flipped", "contrast, inside"] == 0.1
    assert found["value"]["flipped_clear", "contrast, inside"] == 0.05
    assert found["value"]["flipped", "contrast, beyond"] == 0.2
    assert np.isnan(found["value"]["flipped_clear", "vertical_flip, inside"])
    assert found["value"]["flipped", f"{AT_RANDOM}, drawn"] == 0.1
    assert found["n"]["flipped_clear", "contrast, inside"] == 20
    pd.testing.assert_frame_equal(table, tidy(table))


def test_strengths_have_units():
    augmentation = Augmentation(max_rotation=15, max_colour_change=0.02)
    assert strength_text("rotation", -10, augmentation) == "−150°"
    assert strength_text("brightness", 1, augmentation) == "+2 %"
    assert strength_text("contrast", 10, augmentation) == "+20 %"
    assert strength_text("vertical_flip", 1, augmentation) == ""
    assert strength_text(AT_RANDOM, np.nan, augmentation) == ""
