"""The transcription, checked by what must hold between printed numbers and by files that others released."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa.evaluate.metrics import overall_scores
from riqa.report import published


def test_macro_f1_of_table_2_is_the_mean_of_table_3():
    for model in ("single_task", "multi_task"):
        by_class = [published.paper_value(3, model, f"f1.{name}") for name in ("reject", "usable", "good")]
        assert published.paper_value(3, model, "macro_f1") == pytest.approx(np.mean(by_class), abs=0.001)


def test_binary_f1_is_the_harmonic_mean_of_precision_and_recall():
    table = published.overall_quality()
    wide = table[table["dataset"] == "deepdrid"].pivot(index="method", columns="metric", values="value")
    harmonic = 2 * wide["precision"] * wide["recall"] / (wide["precision"] + wide["recall"])
    assert len(wide) == 3
    np.testing.assert_allclose(wide["f1"], harmonic, atol=0.00101)


@pytest.mark.parametrize("table", [published.quality_details(), published.expert_and_teacher()])
def test_detail_f1_is_the_harmonic_mean_of_precision_and_recall(table):
    keys = [name for name in ("dataset", "method", "detail") if name in table]
    wide = table.pivot(index=keys, columns="metric", values="value")
    harmonic = 2 * wide["precision"] * wide["recall"] / (wide["precision"] + wide["recall"])
    # 0.0012: the printed 0.868 (MT-DeepDRiD, contrast, EyeQ-D) does not follow from 0.774 and 0.991 beside it
    np.testing.assert_allclose(wide["f1"], harmonic, atol=0.0012)
    assert len(table) == len(wide) * 3
    assert table["significant"].sum() == (5 if "dataset" in table else 4)


def test_every_literature_row_is_there_and_plausible():
    table = published.overall_quality()
    assert table.groupby("dataset")["method"].nunique().to_dict() == {"deepdrid": 3, "eyeq": 18}
    assert table["value"].between(0.6, 1).all()
    assert not table.duplicated(["dataset", "method", "metric"]).any()
    # Wang, Fu and Zhou have no accuracy, MCF only a row in Table 3
    accuracy = table[(table["metric"] == "accuracy") & (table["dataset"] == "eyeq")]
    assert len(accuracy) == 14


def test_what_the_paper_does_not_print_is_none():
    assert published.paper_value(3, "single_task_control", "macro_f1") is None
    assert published.paper_value(2, "multi_task", "macro_f1") is None
    assert published.paper_value(3, "", "f1.good") is None
    assert published.paper_value(2, "multi_task", "f1") == 0.778


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
    table = published.overall_quality()
    printed = table[(table["method"] == method) & (table["source"] == "Table 3")]
    assert len(printed) == 3
    for row in printed.itertuples():
        assert round(scores[row.metric], 3) == row.value
    if method == "QuickQual":
        rows = table[
            (table["method"] == method) & (table["dataset"] == "eyeq") & (table["source"] == "Table 2")
        ]
        for row in rows.itertuples():
            assert scores[row.metric] == pytest.approx(row.value, abs=0.00101)


def test_table_1_is_complete_and_the_paper_stands_alone_in_it():
    table = published.methods_of_the_literature()
    assert len(table) == 10
    assert table["quality output"].value_counts().to_dict() == {"Only overall": 6, "Overall + details": 4}
    both = table[
        (table["quality output"] == "Overall + details")
        & (table["label-efficiency strategy"] == "Semi-supervised")
    ]
    assert both["method"].tolist() == ["Proposed approach"]
    assert both["interpretability"].tolist() == ["Additional task + CAM"]
    by_strategy = table["label-efficiency strategy"].value_counts()
    assert by_strategy["Supervised"] == 6
