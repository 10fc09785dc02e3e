"""Backbones at equal cost, against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss

from riqa.results import find
from riqa.studies import backbones
from tests.studies.imaginary import CLASSES, graded

RIGHT = {"small": (0.75, 0.75), "large": (0.98, 0.4)}  # how often right: in training, in validation


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return pd.concat(
        [
            graded(rng, share, model=model, split=split, seed=3, dataset="toy", trained_on="toy")
            for model, shares in RIGHT.items()
            for split, share in zip(("train", "val"), shares, strict=True)
        ],
        ignore_index=True,
    )


def test_costs_are_counted_row_by_row():
    cost = pd.DataFrame(
        {
            "backbone": ["small", "large"],
            "parameters": [1_234_567, 20_000_000],
            "flop": [1e8, 9e8],
            "epochs": [9, 1],
            "spent": [1.0, 1.2],
        }
    )
    table = backbones.costs(cost, "toy")
    assert len(table) == 2 * len(backbones.COSTS)
    wanted = {"parameters": 20_000_000, "gflop": 0.9, "epochs": 1, "spent": 1.2}
    for metric, value in wanted.items():
        row = find(table, dataset="toy", model="large", metric=metric, method="count")
        assert row["value"] == pytest.approx(value)


def test_scores_and_losses_are_those_of_scikit_learn(predictions):
    table = backbones.scores(predictions, n_resamples=500)
    for (model, split), own in predictions.groupby(["model", "split"]):
        probs, truth = own[CLASSES].to_numpy(), own["overall"].astype(int)
        keys = {"dataset": "toy", "model": model, "group": split}
        score = find(table, metric="macro_f1", **keys)
        assert score["value"] == pytest.approx(f1_score(truth, probs.argmax(1), average="macro"))
        assert score["low"] < score["value"] < score["high"]
        assert (score["n"], score["seeds"]) == (60, (3,))
        loss = find(table, metric="cross_entropy", method="mean", **keys)
        assert loss["value"] == pytest.approx(log_loss(truth, probs, labels=[0, 1, 2]))
    narrow = backbones.scores(predictions, n_resamples=500, confidence=0.5)
    both = narrow["metric"].eq("macro_f1")
    assert ((narrow["high"] - narrow["low"]) < (table["high"] - table["low"]))[both].all()


def test_images_without_a_grade_have_no_part_in_the_loss(predictions):
    ungraded = predictions["image_id"].isin(["i00", "i01", "i02"])
    with_gaps = predictions.assign(overall=predictions["overall"].where(~ungraded))
    tables = [backbones.scores(rows, n_resamples=50) for rows in (with_gaps, predictions[~ungraded])]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["n"].eq(57).all()


def test_the_others_are_compared_with_the_best_in_validation(predictions):
    (row,) = backbones.behind_the_best(predictions, n_resamples=500).to_dict("records")
    assert (row["model"], row["rival"], row["dataset"], row["group"]) == ("large", "small", "toy", "val")
    of = predictions[predictions["split"] == "val"].groupby("model")
    large, small = (
        f1_score(own["overall"], own[CLASSES].to_numpy().argmax(1), average="macro")
        for own in (of.get_group("large"), of.get_group("small"))
    )
    assert row["value"] == pytest.approx(large - small)
    assert row["low"] < row["value"] < row["high"] < 0


def test_one_backbone_is_behind_nobody(predictions):
    alone = backbones.behind_the_best(predictions[predictions["model"] == "small"])
    assert alone.empty
    assert np.isin(["model", "rival", "value"], alone.columns).all()
