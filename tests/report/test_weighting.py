"""Candidates for the details weight: the table against scikit-learn, the words, the records."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.report.weighting import weight_records, weight_sentences, weight_table, weights_for_page

RIGHT = {0.3: 0.6, 1.0: 0.9}  # weight -> how often it is right


@pytest.fixture(scope="module")
def predictions():
    """Sixty validation images of thirty patients, two seeds and two weights."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    frames = []
    for weight, share in RIGHT.items():
        for seed in (0, 1):
            said = np.where(rng.random(60) < share, truth, (truth + 1) % 3)
            probs = np.eye(3)[said] * 0.7 + 0.1
            frame = pd.DataFrame(probs, columns=[f"p_overall_{k}" for k in range(3)])
            frame = frame.assign(image_id=[f"i{k:02d}" for k in range(60)], overall=truth.astype(float))
            frame = frame.assign(patient_id=[f"p{k // 2}" for k in range(60)], eye="left", seed=seed)
            frame = frame.assign(trained_on="toy", lambda_details=weight, split="val")
            frames.append(frame.assign(illumination=np.nan, clarity=np.nan, contrast=np.nan))
    return pd.concat(frames, ignore_index=True)


def test_scores_and_differences(predictions):
    table = weight_table(predictions, {"toy": 1.0}, n_resamples=500).set_index("lambda_details")
    means = {}
    for weight, rows in predictions.groupby("lambda_details"):
        probs = rows[[f"p_overall_{k}" for k in range(3)]].to_numpy()
        scores = [
            f1_score(own["overall"], probs[(rows["seed"] == seed).to_numpy()].argmax(1), average="macro")
            for seed, own in rows.groupby("seed")
        ]
        means[weight] = np.mean(scores)
        assert table.loc[weight, "value"] == pytest.approx(means[weight])
        assert table.loc[weight, "low"] < means[weight] < table.loc[weight, "high"]
    assert table.loc[0.3, "difference"] == pytest.approx(means[0.3] - means[1.0])
    assert table.loc[0.3, "difference_high"] < 0
    assert table.loc[1.0, ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert table["n"].eq(60).all()
    assert table["chosen"].tolist() == [False, True]


def test_words_say_what_the_intervals_allow(predictions):
    table = weight_table(predictions, {"toy": 1.0}, n_resamples=500)
    (said,) = weight_sentences(table, {"toy": 1.0})
    assert "than **1**" in said
    assert "told from 0.3." in said
    (said,) = weight_sentences(table.assign(difference_high=0.01), {"toy": 1.0})
    assert "these 60 images cannot tell the candidates apart" in said
    third = table.iloc[[0]].assign(lambda_details=3.0, difference_high=0.1)
    (said,) = weight_sentences(pd.concat([table, third]), {"toy": 1.0})
    assert "told from 0.3, but not from the rest" in said
    assert weight_sentences(None, {"toy": 2.0}) == [
        "For toy the weight is 2, as given: this build tries no other."
    ]


def test_records_hold_the_choice_and_every_score(predictions):
    table = weight_table(predictions, {"toy": 1.0}, n_resamples=100)
    found = {item.name: item for item in weight_records(table, {"toy": 1.0}, [0, 1])}
    assert set(found) == {
        "weighting.toy.lambda_details",
        "weighting.toy.val_macro_f1.0_3",
        "weighting.toy.val_macro_f1.1",
    }
    assert found["weighting.toy.lambda_details"].value == 1.0
    assert found["weighting.toy.lambda_details"].seeds == (0, 1)
    assert found["weighting.toy.val_macro_f1.0_3"].n == 60
    (given,) = weight_records(None, {"toy": 2.0}, [])
    assert (given.value, given.method) == (2.0, "given, none other tried")


def test_the_page_marks_the_chosen(predictions):
    html = weights_for_page(weight_table(predictions, {"toy": 1.0}, n_resamples=100), "Weights").to_html()
    assert html.count("chosen") == 2  # once in the head of the column
    assert "60" in html
