"""The transcription, checked by what must hold between printed numbers and by files that others released."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.evaluate.metrics import overall_scores
from riqa.results import KEYS


def printed(source, **keys):
    table = paper.numbers(source)
    (value,) = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]["paper"]
    return value


@pytest.mark.parametrize("model", ["single_task", "multi_task"])
def test_macro_f1_of_table_2_is_the_mean_of_table_3(model):
    by_class = [printed("Table 3", model=model, group=group) for group in ("reject", "usable", "good")]
    macro_f1 = printed("Table 2", model=model, paper_set="eyeq", metric="macro_f1")
    assert macro_f1 == pytest.approx(np.mean(by_class), abs=0.001)


# 0.0012: the printed 0.868 (MT-DeepDRiD, contrast, EyeQ-D) does not follow from 0.774 and 0.991 beside it
@pytest.mark.parametrize(("source", "sets", "rows"), [("Table 2", ["deepdrid"], 3), ("Table 4", ["mshf", "eyeq_d"], 18),
                                                      ("Table 5", ["eyeq_d"], 6)])  # fmt: skip
def test_f1_is_the_harmonic_mean_of_precision_and_recall(source, sets, rows):
    table = paper.numbers(source)
    table = table[table["paper_set"].isin(sets)]
    wide = table.pivot(index=["paper_set", "printed_as", "target"], columns="metric", values="paper")
    harmonic = 2 * wide["precision"] * wide["recall"] / (wide["precision"] + wide["recall"])
    assert len(wide) == rows
    np.testing.assert_allclose(wide["f1"], harmonic, atol=0.0012)


def test_asterisks_are_as_many_as_in_print():
    assert (paper.numbers("Table 4")["significant"] == "*").sum() == 5
    assert (paper.numbers("Table 5")["significant"] == "*").sum() == 4


def test_every_literature_row_is_there_and_plausible():
    table = paper.numbers("Table 2", "Table 3")
    assert table.groupby("paper_set")["printed_as"].nunique().to_dict() == {"deepdrid": 3, "eyeq": 18}
    assert table["paper"].between(0.6, 1).all()
    # Wang, Fu and Zhou have no accuracy, MCF only a row in Table 3
    assert ((table["metric"] == "accuracy") & (table["paper_set"] == "eyeq")).sum() == 14
    everything = paper.numbers()
    keys = ["source", "paper_set", "printed_as", "target", "metric", "group"]
    assert not everything.duplicated(keys).any()
    assert {"target", "metric", "group", "model"} <= set(KEYS) & set(everything)


def test_what_the_paper_does_not_print_has_no_row():
    table = paper.numbers()
    assert "single_task_control" not in set(table["model"])
    assert printed("Table 2", model="multi_task", paper_set="deepdrid", metric="f1", group="bad") == 0.778


@pytest.mark.skipif(
    "RIQA_DATA" not in os.environ, reason="needs RIQA_DATA, a folder with the real label files"
)
@pytest.mark.parametrize(("file", "method"), [("mcf_net", "MCF"), ("quickqual", "QuickQual")])
def test_released_predictions_give_the_printed_scores(file, method):
    data = Path(os.environ["RIQA_DATA"])
    truth = pd.read_csv(data / "eyeq" / "Label_EyeQ_test.csv").set_index("image")["quality"]
    probs = pd.read_csv(data / "published" / f"{file}_eyeq_test.csv").set_index("image_name")
    assert set(probs.index) == set(truth.index)
    y_true = 2 - truth.loc[probs.index].to_numpy()  # the label file's 0 is good
    scores = overall_scores(y_true, probs[["Reject", "Usable", "Good"]].to_numpy())
    for group in ("reject", "usable", "good"):
        assert round(scores[f"f1.{group}"], 3) == printed("Table 3", printed_as=method, group=group)
    if method == "QuickQual":
        for metric in ("macro_f1", "precision", "recall", "accuracy"):
            value = printed("Table 2", printed_as=method, paper_set="eyeq", metric=metric)
            assert scores[metric] == pytest.approx(value, abs=0.00101)


def test_table_1_is_complete_and_the_paper_stands_alone_in_it():
    table = paper.methods()
    assert len(table) == 10
    assert table["quality output"].value_counts().to_dict() == {"Only overall": 6, "Overall + details": 4}
    both = table[(table["quality output"] == "Overall + details")
                 & (table["label-efficiency strategy"] == "Semi-supervised")]  # fmt: skip
    assert both["method"].tolist() == ["Proposed approach"]
    assert both["interpretability"].tolist() == ["Additional task + CAM"]
