"""Published answers beside ours: read as ours are, paired only on the same images, and equal to the printed rows."""

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.errors import InputError
from riqa.predictions import OVERALL
from riqa.studies import overall
from riqa.studies.published import beside_published, f1_by_class, published_answers, training_shares
from tests.data.expect import REAL, needs_data

IMAGES = ("7_left.jpeg", "7_right.jpeg", "12_left.jpeg")


@pytest.fixture
def data(tmp_path):
    """EyeQ's label files and one published file in small: 0 is good, 2 is reject."""
    for folder in ("eyeq", "published"):
        (tmp_path / folder).mkdir()
    labels = pd.DataFrame({"image": IMAGES, "quality": [0, 1, 2], "DR_grade": 0})
    labels.to_csv(tmp_path / "eyeq" / "Label_EyeQ_test.csv")
    train = labels.loc[[0, 0, 1, 2]].assign(image=[f"{k}_left.jpeg" for k in range(4)])
    train.to_csv(tmp_path / "eyeq" / "Label_EyeQ_train.csv")
    answers = pd.DataFrame({"image_name": IMAGES, "Good": [0.8, 0.2, 0.3], "Usable": [0.4, 0.6, 0.1]})
    answers.assign(Reject=[0.4, 0.2, 0.6]).to_csv(tmp_path / "published" / "mcf_net_eyeq_test.csv")
    return tmp_path


def test_answers_sum_to_one_and_are_scored_as_ours(data):
    found = published_answers(data, "published").set_index("image_id")
    np.testing.assert_allclose(found[OVERALL].sum(axis=1), 1)
    assert found.loc["7_left", OVERALL].tolist() == pytest.approx([0.25, 0.25, 0.5])
    assert found["called"].to_dict() == {"7_left": 2, "7_right": 1, "12_left": 0}
    assert set(found["dataset"]) == {"eyeq_test"}
    table = f1_by_class(overall.scores(found.reset_index(), n_resamples=10))
    assert table[["dataset", "model", "mean"]].to_numpy().tolist() == [["eyeq_test", "mcf_net", 1.0]]
    assert list(table.columns) == ["dataset", "model", "reject", "usable", "good", "mean"]


def test_without_a_folder_there_is_nothing_and_a_broken_one_is_told(data):
    assert published_answers("", "published") is None
    assert published_answers(data, "") is None
    assert published_answers(data, "elsewhere") is None
    (data / "eyeq" / "Label_EyeQ_test.csv").unlink()
    with pytest.raises(InputError, match=r"Label_EyeQ_test\.csv does not exist"):
        published_answers(data, "published")


def test_training_shares_are_in_the_order_of_codes(data):
    assert training_shares(data).tolist() == [0.25, 0.25, 0.5]
    (data / "eyeq" / "Label_EyeQ_train.csv").unlink()
    assert training_shares(data) is None


def test_f1_by_class_keeps_the_order_of_models(fake_predictions):
    scored = overall.scores(fake_predictions(), n_resamples=10)
    table = f1_by_class(scored)
    assert table["model"].tolist() == ["single_task", "single_task_control", "multi_task"]
    macro = scored[scored["metric"] == "macro_f1"]["value"]
    np.testing.assert_allclose(table["mean"], macro)
    assert (table["mean"] == table[["reject", "usable", "good"]].mean(axis=1)).all()


def test_published_predictions_are_paired_only_on_the_same_images(fake_predictions):
    ours = fake_predictions()
    others = fake_predictions(seeds=(0,), dataset="eyeq_test", right={"quickqual": 0.8})
    found = overall.differences(beside_published(ours, others), [("multi_task", "quickqual")], n_resamples=50)
    assert found["seeds"].tolist() == [(0, 1)]
    some = ours[ours["image_id"] != "p3-left-0"]
    assert set(beside_published(some, others)["image_id"]) == set(some["image_id"])
    assert beside_published(ours, others[others["image_id"] != "p3-left-0"]) is None


@needs_data
def test_recomputed_rows_are_the_printed_ones():
    found = f1_by_class(overall.scores(published_answers(REAL, "published"), n_resamples=2))
    printed = paper.numbers("Table 3").pivot(index="printed_as", columns="group", values="paper")
    for model, printed_as in {"mcf_net": "MCF", "quickqual": "QuickQual"}.items():
        own = found[found["model"] == model].iloc[0]
        for label in ("reject", "usable", "good"):
            assert round(own[label], 3) == printed.loc[printed_as, label]


@needs_data
def test_without_training_a_published_model_gains_more_than_half_of_what_the_paper_gains():
    answers = published_answers(REAL, "published")
    better, shares = overall.prior_corrected(answers, {"eyeq_test": training_shares(REAL)})
    both = pd.concat([better, answers.assign(model=answers["model"] + ", raw")])
    pairs = [(model, f"{model}, raw") for model in ("mcf_net", "quickqual")]
    mcf, quick = overall.differences(both, pairs, n_resamples=2_000).to_dict("records")
    assert quick["value"] == pytest.approx(0.0075, abs=0.00005)
    assert 0 < quick["low"] < 0.0075 < quick["high"]
    assert mcf["value"] == pytest.approx(0.0021, abs=0.00005)
    assert mcf["low"] < 0 < mcf["high"]
    usable = shares[shares["group"] == "usable"].set_index("model")["value"]
    assert usable.to_dict() == pytest.approx({"mcf_net": 0.2916, "quickqual": 0.2897}, abs=0.0005)
