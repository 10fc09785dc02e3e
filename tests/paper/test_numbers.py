"""The transcription, checked by what must hold between printed numbers and by files that others released."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from riqa import paper
from riqa.data.published_predictions import read_published_predictions
from riqa.evaluate.metrics import scores_from_counts
from riqa.learn.predict import PROBABILITIES
from riqa.results import KEYS
from tests.data.expect import REAL, needs_data


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
    in_text = paper.numbers("Table 2").query("significant == '*'")  # section 4.1: all of EyeQ, F1 of DeepDRiD
    of_eyeq = ["macro_f1", "precision", "recall", "accuracy"]
    assert in_text.groupby("paper_set")["metric"].agg(list).to_dict() == {"deepdrid": ["f1"], "eyeq": of_eyeq}


def test_every_printed_row_is_there_once_and_no_other():
    everything, table = paper.numbers(), paper.numbers("Table 2", "Table 3")
    keys = ["source", "paper_set", "printed_as", "target", "metric", "group"]
    assert not everything.duplicated(keys).any()
    assert {"target", "metric", "group", "model"} <= set(KEYS) & set(everything)
    assert table.groupby("paper_set")["printed_as"].nunique().to_dict() == {"deepdrid": 3, "eyeq": 18}
    assert table["paper"].between(0.6, 1).all()
    # Wang, Fu and Zhou have no accuracy, MCF only a row in Table 3
    assert ((table["metric"] == "accuracy") & (table["paper_set"] == "eyeq")).sum() == 14
    assert "single_task_control" not in set(everything["model"])  # the paper does not print it
    assert printed("Table 2", model="multi_task", paper_set="deepdrid", metric="f1", group="bad") == 0.778


@needs_data  # Table 3 is compared in tests/data/test_published_predictions.py
def test_released_predictions_of_quickqual_give_the_scores_of_table_2():
    table = read_published_predictions(REAL / "published", REAL / "eyeq" / "Label_EyeQ_test.csv")
    own = table[table["model"] == "quickqual"]
    called = own[list(PROBABILITIES[:3])].to_numpy().argmax(axis=1)
    scores = scores_from_counts(confusion_matrix(own["overall"], called))
    for metric in ("macro_f1", "precision", "recall", "accuracy"):
        value = printed("Table 2", printed_as="QuickQual", paper_set="eyeq", metric=metric)
        assert scores[metric] == pytest.approx(value, abs=0.00101)


def test_table_1_is_complete_and_the_paper_stands_alone_in_it():
    table = paper.methods()
    assert table["quality output"].value_counts().to_dict() == {"Only overall": 6, "Overall + details": 4}
    both = table["quality output"] == "Overall + details"
    (own,) = table[both & (table["label-efficiency strategy"] == "Semi-supervised")].to_dict("records")
    assert (own["method"], own["interpretability"]) == ("Proposed approach", "Additional task + CAM")


def test_the_literature_since_has_a_source_and_a_word_on_whether_it_compares():
    table = paper.methods("since")
    assert table["method"].nunique() == 5
    assert table["source"].str.contains("doi:10|arXiv:2").all()
    assert table["comparable"].str.match("(yes, if|in part:|not, because) ").all()
    empty = table["value"] == ""
    assert table.loc[empty, "comparable"].str.contains("number not verified here").all()
    assert pd.to_numeric(table.loc[~empty, "value"]).between(0.8, 1).all()
    assert set(paper.methods()) < set(table)
    assert not table.duplicated(["method", "paper_set", "target", "metric"]).any()
