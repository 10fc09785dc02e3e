from argparse import Namespace
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import recipes
from riqa.learn.config import TrainingConfig
from tests.learn.chain import write_toy_store


def test_a_contest_compares_the_best_epochs_at_an_eighth_of_the_passes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipes, "PAPER", replace(recipes.PAPER, epochs=16, batch_size=8))
    monkeypatch.setattr(recipes, "FASTER_EPOCHS", 2)
    options = Namespace(
        name="toy",
        store=write_toy_store(tmp_path).root,
        backbone="resnet10",
        weights="none",
        seeds=[0, 1],
        learning_rate=0.05,
        start_scale=1.0,
        ema_decay=0.0,
        only=None,
        jobs=2,
        out=tmp_path / "out",
    )
    found = recipes.contest(options)
    assert found["passes"] == 1 / 8
    assert (found["n_train"], found["n_validation"]) == (24, 8)
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
