"""Backbones at equal cost: the table against scikit-learn, the words, the records, the figure."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.metrics import f1_score, log_loss

from riqa.report.backbones import backbone_records, backbone_sentences, backbone_table, backbones_for_page
from riqa.report.backbones_figures import cost_curves

RIGHT = {
    "small": (0.75, 0.75),
    "large": (0.98, 0.4),
}  # backbone -> how often it is right: training, validation
CLASSES = ["p_overall_0", "p_overall_1", "p_overall_2"]


@pytest.fixture(scope="module")
def costs():
    rows = {"backbone": list(RIGHT), "parameters": [1_234_567, 20_000_000], "flop": [1e8, 9e8]}
    return pd.DataFrame(rows).assign(epochs=[9, 1], spent=[1.0, 1.2])


@pytest.fixture(scope="module")
def predictions():
    """Ninety training images and sixty validation images, two of each patient."""
    rng = np.random.default_rng(0)
    frames = []
    for place, (split, n) in enumerate({"train": 90, "val": 60}.items()):
        truth = rng.integers(3, size=n)
        for name, shares in RIGHT.items():
            said = np.where(rng.random(n) < shares[place], truth, (truth + 1) % 3)
            frame = pd.DataFrame(np.eye(3)[said] * 0.7 + 0.1, columns=CLASSES)
            frame = frame.assign(image_id=[f"{split}{k:02d}" for k in range(n)], overall=truth.astype(float))
            frame = frame.assign(patient_id=[f"{split}{k // 2}" for k in range(n)], eye="left", seed=3)
            frame = frame.assign(
                model=name, split=split, illumination=np.nan, clarity=np.nan, contrast=np.nan
            )
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def table(costs, predictions):
    return backbone_table(costs, predictions, n_resamples=500)


def test_scores_losses_and_gaps(table, predictions):
    rows = table.set_index("backbone")
    scores, losses = {}, {}
    for (name, split), own in predictions.groupby(["model", "split"]):
        probs, truth = own[CLASSES].to_numpy(), own["overall"].astype(int)
        scores[name, split] = f1_score(truth, probs.argmax(1), average="macro")
        losses[name, split] = log_loss(truth, probs, labels=[0, 1, 2])
        assert rows.loc[name, f"{split}_f1"] == pytest.approx(scores[name, split])
        assert rows.loc[name, f"{split}_low"] < scores[name, split] < rows.loc[name, f"{split}_high"]
        assert rows.loc[name, f"{split}_loss"] == pytest.approx(losses[name, split])
    for name in RIGHT:
        assert rows.loc[name, "gap"] == pytest.approx(scores[name, "train"] - scores[name, "val"])
        assert rows.loc[name, "loss_gap"] == pytest.approx(losses[name, "val"] - losses[name, "train"])
    assert rows["best"].to_dict() == {"small": True, "large": False}
    assert rows.loc["large", "difference"] == pytest.approx(scores["large", "val"] - scores["small", "val"])
    assert rows.loc["large", "difference_low"] < rows.loc["large", "difference"]
    assert rows.loc["large", "difference_high"] < 0
    assert rows.loc["small", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert (rows["train_n"].tolist(), rows["val_n"].tolist()) == ([90, 90], [60, 60])


def test_coverage_and_resamples_are_alive(costs, predictions, table):
    narrow = backbone_table(costs, predictions, n_resamples=500, confidence=0.5)
    assert (narrow["val_high"] - narrow["val_low"] < table["val_high"] - table["val_low"]).all()
    few = backbone_table(costs, predictions, n_resamples=20)
    assert (few["val_low"] != table["val_low"]).any()


def test_words_say_what_the_intervals_allow(table):
    best, gap, once = backbone_sentences(table)
    assert best.startswith("**small** has the highest validation macro-F1, 0.")
    assert best.endswith("the 95% interval of the difference excludes zero for large.")
    assert f"that of **large**: {table['train_f1'][1]:.3f} on what it learned from" in gap
    assert gap.endswith("The first lies above the interval: a sign of overfitting.")
    assert once.startswith("large saw every photograph once only")
    best, gap = backbone_sentences(table.assign(difference_high=0.01, epochs=2, val_high=1.0))
    assert gap.endswith(
        " to 1.000) on other photographs. The first lies inside the interval: no evidence of one."
    )
    assert best.endswith("; these 60 validation images cannot tell it from large.")
    third = table.iloc[[1]].assign(backbone="third", difference_high=0.1, gap=0.0)
    best, gap, once = backbone_sentences(pd.concat([table, third], ignore_index=True), 0.9)
    assert "90% interval" in best
    assert best.endswith("zero for large; these 60 validation images cannot tell it from third.")
    assert "**large**" in gap
    assert once.startswith("large and third saw")
    alone, gap = backbone_sentences(table.iloc[[0]].assign(gap=-1.0))
    assert gap == "No backbone scores higher on what it learned from than on other photographs."
    assert alone.endswith(f"macro-F1, {table['val_f1'][0]:.3f}.")
    assert backbone_sentences(None) == ["This build compares no backbones: `backbones_compared` is empty."]


def test_records_hold_cost_and_scores(table):
    found = {item.name: item for item in backbone_records(table, "toy", 3)}
    kinds = (
        "parameters",
        "gflop",
        "epochs",
        "spent",
        "train_macro_f1",
        "train_loss",
        "val_macro_f1",
        "val_loss",
    )
    assert set(found) == {f"backbones.toy.{name}.{kind}" for name in RIGHT for kind in kinds}
    assert found["backbones.toy.small.parameters"].value == 1_234_567
    assert found["backbones.toy.large.gflop"].value == pytest.approx(0.9)
    assert found["backbones.toy.large.spent"].value == 1.2
    score = found["backbones.toy.large.val_macro_f1"]
    assert (score.value, score.low, score.high) == tuple(table.loc[1, ["val_f1", "val_low", "val_high"]])
    assert (score.n, score.seeds) == (60, (3,))
    assert found["backbones.toy.large.train_loss"].n == 90
    assert backbone_records(None, "toy", 3) == []


def test_the_page_shows_units_and_both_splits(table):
    html = backbones_for_page(table, "Backbones").to_html()
    for text in ("1.2 million", "20.0 million", ">0.1<", ">0.9<", ">120%<", f"{table['gap'][1]:+.3f}"):
        assert text in html
    assert html.count("<small>") == 4


def test_curves_lie_over_the_computation_spent(table):
    history = pd.DataFrame(
        [{"model": "small", "epoch": k, "val_score": 0.1 * k, "best": k == 7} for k in range(10)]
        + [{"model": "large", "epoch": k, "val_score": 0.4 * k, "best": k == 1} for k in range(2)]
    ).assign(train_loss=0.5, val_loss=0.7)
    score_axis, loss_axis = cost_curves(table, history, "Toy").axes
    small = score_axis.lines[0]
    np.testing.assert_allclose(small.get_xdata(), np.arange(1, 10) / 9)
    np.testing.assert_allclose(small.get_ydata(), 0.1 * np.arange(1, 10))
    (kept_small, kept_large) = score_axis.containers
    assert kept_small.lines[0].get_xydata().tolist() == [[7 / 9, table["val_f1"][0]]]
    assert kept_large.lines[0].get_xydata().tolist() == [[1.2, table["val_f1"][1]]]
    segment = kept_large.lines[2][0].get_segments()[0]
    np.testing.assert_allclose(segment[:, 1], table.loc[1, ["val_low", "val_high"]].astype(float))
    assert [line.get_linestyle() for line in loss_axis.lines] == ["-", "--"] * 2
    assert loss_axis.lines[1].get_ydata()[0] == 0.7
    plt.close("all")
