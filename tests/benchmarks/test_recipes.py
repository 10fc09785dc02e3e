"""Two recipes of training: their contest, and what the page tells of it."""

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import recipes
from benchmarks.recipes_report import best_so_far, recipe_figure, recipe_table
from riqa.learn.config import TrainingConfig
from tests.learn.chain import write_toy_store


def test_a_contest_compares_the_best_epochs_at_an_eighth_of_the_passes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipes, "PAPER", replace(recipes.PAPER, epochs=16, batch_size=8))
    monkeypatch.setattr(recipes, "FASTER_EPOCHS", 2)
    options = Namespace(
        name="toy", store=write_toy_store(tmp_path).root, backbone="resnet10", weights="none", seeds=[0, 1],
        learning_rate=0.05, start_scale=1.0, ema_decay=0.0, only=None, jobs=1, out=tmp_path / "out",
    )  # fmt: skip
    found = recipes.contest(options)
    assert (found["passes"], found["n_train"], found["n_validation"]) == (1 / 8, 24, 8)
    best = {}
    for recipe, epochs in (("paper", 16), ("faster", 2)):
        curve = pd.DataFrame(found["recipes"][recipe]["curve"])
        assert curve.groupby("seed")["cost"].max().tolist() == [epochs * 24] * 2
        best[recipe] = curve.groupby("seed")["score"].max().mean()
        assert np.mean([own["score"] for own in found["recipes"][recipe]["best"].values()]) == best[recipe]
    # The models that were kept, asked again, differ by as much as the best epochs' scores did.
    assert found["difference"]["value"] == pytest.approx(best["faster"] - best["paper"])
    assert found["met"] == (found["difference"]["value"] >= 0)
    assert f"paper: {best['paper']:.3f}" in capsys.readouterr().out
    recipes.tell(found, tmp_path)
    assert {path.name for path in tmp_path.glob("recipes_toy.*")} == {"recipes_toy.json", "recipes_toy.png"}


def test_small_images_cost_their_share_of_pixels():
    config = TrainingConfig(epochs=3, start_scale=0.5)
    history = pd.DataFrame({"seed": 0, "epoch": range(4), "val_score": [0.1, 0.2, 0.3, 0.4]})
    rows = recipes.curve(history, config, side=64, n_images=100)
    # Sides by hand: half in the first epoch, three quarters in the second, whole in the last third.
    assert [row["cost"] for row in rows] == pytest.approx([25, 25 + 56.25, 25 + 56.25 + 100])
    assert [row["score"] for row in rows] == [0.2, 0.3, 0.4]


def told(cost, *scores):
    """Return what a recipe's runs tell: scores by seed, one an epoch of `cost` image passes."""
    curve = [
        {"seed": seed, "cost": cost * epoch, "score": score}
        for seed, own in enumerate(scores)
        for epoch, score in enumerate(own, start=1)
    ]
    return {"curve": curve, "best": {seed: {"score": max(own)} for seed, own in enumerate(scores)}}


PAPER, FASTER = told(1000, [0.5, 0.7, 0.6, 0.8], [0.4, 0.6, 0.9, 0.8]), told(250, [0.7, 0.8], [0.9, 0.6])
COMPARISON = {
    "name": "phantoms", "backbone": "resnet10", "side": 64, "recipes": {"paper": PAPER, "faster": FASTER},
    "difference": {"value": 0.0, "low": -0.02, "high": 0.03}, "passes": 0.125, "met": True,
}  # fmt: skip


def test_a_seed_keeps_its_best_until_a_better_one_comes_and_when_it_stops_early():
    best = best_so_far(PAPER["curve"])
    assert best.index.tolist() == [1000, 2000, 3000, 4000]
    assert (best[0].tolist(), best[1].tolist()) == ([0.5, 0.7, 0.7, 0.8], [0.4, 0.6, 0.9, 0.9])
    assert best_so_far(PAPER["curve"][:-2])[1].tolist() == [0.4, 0.6, 0.6, 0.6]


def test_table_and_figure_say_what_was_reached_and_for_how_much():
    for met, target in ((True, "met"), (False, "missed")):
        (row,) = recipe_table(COMPARISON | {"met": met}).to_dict("records")
        keys = ("the paper's", "the faster", "difference", "passes", "target")
        # 0.850 is the mean of 0.8 and 0.9
        assert [row[key] for key in keys] == ["0.850", "0.850", "+0.000 [-0.020, +0.030]", "0.125", target]
    (axis,) = recipe_figure(COMPARISON).axes
    assert axis.get_title() == "phantoms"
    ends = {line.get_label(): (line.get_xdata()[-1], line.get_ydata()[-1]) for line in axis.lines}
    assert ends["the paper's"] == (4000, pytest.approx(0.85))
    assert ends["the faster"] == (500, pytest.approx(0.85))
