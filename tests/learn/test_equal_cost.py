"""Backbones at equal cost: what is planned by hand, and what is trained and what is not trained twice."""

from dataclasses import replace

import pandas as pd
import pytest

from riqa.learn import equal_cost
from riqa.learn.cost import network_size
from riqa.learn.equal_cost import equal_cost_runs, train_at_equal_cost
from riqa.learn.runs import execute, run_each
from tests.learn.chain import CONFIG, a_run, write_toy_store

FLOP = {name: network_size(name, 3, 32)[1] for name in ("resnet10", "vit_tiny")}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("store"))


def test_epochs_are_what_the_share_of_the_main_cost_buys(store, tmp_path):
    main = a_run(store, tmp_path, config=replace(CONFIG, epochs=9, halve_at=(3, 6)))
    (same, cost), (other, other_cost) = equal_cost_runs(main, ["resnet10", "vit_tiny"], 1.0, tmp_path)
    assert (same.config, cost["epochs"], cost["spent"]) == (main.config, 9, 1.0)
    wanted = int(9 * FLOP["resnet10"] / FLOP["vit_tiny"])
    assert wanted > 1
    assert other.config == replace(
        main.config, epochs=wanted, halve_at=(round(wanted / 3), round(wanted * 2 / 3))
    )
    assert other_cost["spent"] == pytest.approx(wanted * FLOP["vit_tiny"] / (9 * FLOP["resnet10"]))
    assert other_cost["parameters"] == network_size("vit_tiny", 3, 32)[0]
    assert (other.backbone, other.model, other.models) == ("vit_tiny", "vit_tiny", tmp_path / "vit_tiny")
    assert other.predict_on == ((store.root, ("train", "val")),)  # never test

    halved = [cost["epochs"] for _, cost in equal_cost_runs(main, ["resnet10", "vit_tiny"], 0.5, tmp_path)]
    assert halved == [4, max(int(4.5 * FLOP["resnet10"] / FLOP["vit_tiny"]), 1)]
    ((_, dear),) = equal_cost_runs(main, ["vit_tiny"] * 2, 0.01, tmp_path)
    assert dear["epochs"] == 1
    assert dear["spent"] == pytest.approx(FLOP["vit_tiny"] / (0.09 * FLOP["resnet10"]))
    with pytest.raises(ValueError, match="is 0, must be above 0"):
        equal_cost_runs(main, ["resnet10"], 0, tmp_path)


def test_the_main_training_is_taken_over_and_the_others_are_trained(store, tmp_path, monkeypatch):
    main = a_run(store, tmp_path)
    main_history, main_predictions = execute(main)
    trained = []

    def noted(runs, workers):
        trained.extend(run.backbone for run in runs)
        return run_each(runs, workers)

    monkeypatch.setattr(equal_cost, "run_each", noted)
    names = ["vit_tiny", "resnet10"]
    costs, history, predictions = train_at_equal_cost(main, main_history, names)
    assert trained == ["vit_tiny"]
    assert costs["backbone"].tolist() == names
    assert set(predictions["split"]) == {"train", "val"}
    assert predictions.groupby("model").size().to_dict() == {"vit_tiny": 32, "resnet10": 32}
    kept = history[(history["model"] == "resnet10") & history["best"]]
    spent = history.groupby("model", sort=False)["of the budget"].max()
    assert spent.tolist() == pytest.approx(costs["spent"].tolist())
    assert kept["val_loss"].tolist() == main_history[main_history["best"]]["val_loss"].tolist()
    of_main = predictions[(predictions["model"] == "resnet10") & (predictions["split"] == "val")]
    wanted = main_predictions[main_predictions["split"] == "val"]
    pd.testing.assert_frame_equal(
        of_main.drop(columns="model").reset_index(drop=True), wanted.drop(columns="model"), atol=1e-5
    )
    of_other = predictions[(predictions["model"] == "vit_tiny") & (predictions["split"] == "val")]
    assert (of_other["p_overall_2"].to_numpy() != of_main["p_overall_2"].to_numpy()).all()

    trained.clear()
    train_at_equal_cost(main, main_history, ["resnet10"], share=0.5)
    assert trained == ["resnet10"]  # one epoch is another training than two
