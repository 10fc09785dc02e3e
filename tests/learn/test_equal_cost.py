"""Backbones at equal cost: operations counted by hand, what is planned, and what is not trained twice."""

from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
import torch
from torch import nn

from riqa.learn import equal_cost
from riqa.learn.equal_cost import equal_cost_runs, flop_per_image, network_size, train_at_equal_cost
from riqa.learn.model import QualityNet
from riqa.learn.runs import execute, run_each
from tests.learn.chain import CONFIG, a_run


def n_weights(net):
    return sum(weight.numel() for weight in net.parameters())


LINEAR, CONV = nn.Linear(12, 5), nn.Conv2d(3, 4, 3, stride=2, padding=1)


@pytest.mark.parametrize(
    ("layers", "side", "flop"),
    [  # forwards, for the weights and, after the first layer, for its inputs
        ([nn.Flatten(), LINEAR, nn.ReLU(), nn.Linear(5, 3)], 2, 2 * 12 * 5 * 2 + 2 * 5 * 3 * 3),
        # Kernels of 3 x 3, 3 to 4 channels, stride 2 on 8 x 8 pixels: 16 places, each 27 products a channel.
        ([CONV, nn.Conv2d(4, 2, 1)], 8, 2 * 27 * 4 * 16 * 2 + 2 * 4 * 2 * 16 * 3),
    ],
)
def test_layers_by_hand(layers, side, flop):
    assert flop_per_image(nn.Sequential(*layers), side) == flop


def test_nothing_is_computed_or_drawn_for_a_network_by_name_and_the_count_is_that_of_the_network():
    torch.manual_seed(1)
    after = torch.rand(1)
    torch.manual_seed(1)
    size = network_size("resnet10", 2, 32)
    assert torch.equal(torch.rand(1), after)
    assert network_size("resnet10", 2, 64)[1] == pytest.approx(4 * size[1], rel=0.01)
    net = QualityNet("resnet10", 2, 0, image_size=32)
    assert size == (n_weights(net), flop_per_image(net, 32))
    # RegNet makes a list of its widths from a tensor, which only holds numbers on a real device.
    assert network_size("regnet_y_400mf", 2, 64)[0] == n_weights(QualityNet("regnet_y_400mf", 2, 0))


def test_epochs_are_what_the_share_of_the_main_cost_buys(store, tmp_path, monkeypatch):
    monkeypatch.setattr(equal_cost, "network_size", cache(network_size))  # counting is slow
    flop = {name: equal_cost.network_size(name, 3, 32)[1] for name in ("resnet10", "vit_tiny")}
    ratio = flop["resnet10"] / flop["vit_tiny"]
    main = a_run(store, tmp_path, config=replace(CONFIG, epochs=9, halve_at=(3, 6)))
    (same, cost), (other, other_cost) = equal_cost_runs(main, list(flop), 1.0, tmp_path)
    assert (same.config, cost["epochs"], cost["spent"]) == (main.config, 9, 1.0)
    wanted = int(9 * ratio)
    assert wanted > 1
    halve_at = (round(wanted / 3), round(wanted * 2 / 3))
    assert other.config == replace(main.config, epochs=wanted, halve_at=halve_at)
    assert other_cost["spent"] == pytest.approx(wanted / (9 * ratio))
    assert other_cost["parameters"] == equal_cost.network_size("vit_tiny", 3, 32)[0]
    assert (other.backbone, other.model, other.models) == ("vit_tiny", "vit_tiny", tmp_path / "vit_tiny")
    assert other.predict_on == ((store.root, ("train", "val")),)  # never test

    # Whole epochs and at least one, though a third of nine is a little less than three in floating point.
    for share, own in ((0.5, 4), (1 / 3, 3), (0.01, 1)):
        planned = equal_cost_runs(main, [*flop, "vit_tiny"], share, tmp_path)
        assert [cost["epochs"] for _, cost in planned] == [own, max(int(9 * share * ratio), 1)]
    assert planned[1][1]["spent"] == pytest.approx(1 / (0.09 * ratio))  # one epoch costs more than there is
    with pytest.raises(ValueError, match="is 0, must be above 0"):
        equal_cost_runs(main, ["resnet10"], 0, tmp_path)


def test_the_main_training_is_taken_over_and_the_others_are_trained(store, tmp_path, monkeypatch):
    main, trained = a_run(store, tmp_path), []
    main_history, main_predictions = execute(main)

    def noted(runs, workers):
        trained.extend(run.backbone for run in runs)
        return run_each(runs, workers)

    monkeypatch.setattr(equal_cost, "run_each", noted)
    names = ["vit_tiny", "resnet10"]
    costs, history, predictions = train_at_equal_cost(main, main_history, names)
    assert trained == ["vit_tiny"]
    assert costs["backbone"].tolist() == names
    assert set(predictions["split"]) == {"train", "val"}
    assert predictions.groupby("model", sort=False).size().to_dict() == dict.fromkeys(names, 32)
    spent = history.groupby("model", sort=False)["of the budget"].max()
    assert spent.tolist() == pytest.approx(costs["spent"].tolist())
    taken = history[history["model"] == "resnet10"].reset_index(drop=True)
    pd.testing.assert_frame_equal(taken[["epoch", "val_loss"]], main_history[["epoch", "val_loss"]])
    own = predictions[predictions["split"] == "val"]
    other, same = (own[own["model"] == name].reset_index(drop=True) for name in names)
    wanted = main_predictions[main_predictions["split"] == "val"].assign(model="resnet10")
    pd.testing.assert_frame_equal(same, wanted, atol=1e-5)
    assert (other["p_overall_2"] != same["p_overall_2"]).all()

    trained.clear()
    train_at_equal_cost(main, main_history, ["resnet10"], share=0.5)
    assert trained == ["resnet10"]  # one epoch is another training than two
