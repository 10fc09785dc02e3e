import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from riqa.report.comparison import average_views, compare_models, reject_against_good


def test_the_difference_is_that_of_mean_f1_over_seeds(fake_predictions):
    predictions = fake_predictions()
    difference, p_value = compare_models(predictions, "multi_task", "single_task", n_resamples=500)
    by_model = {
        model: np.mean(
            [
                f1_score(
                    run["overall"],
                    run[[f"p_overall_{k}" for k in range(3)]].to_numpy().argmax(1),
                    average="macro",
                )
                for _, run in rows.groupby("seed")
            ]
        )
        for model, rows in predictions.groupby("model")
    }
    assert difference.name == "overall.fake.multi_task-single_task.macro_f1"
    assert difference.value == pytest.approx(by_model["multi_task"] - by_model["single_task"])
    assert 0 < difference.low < difference.value < difference.high
    assert (difference.n, difference.seeds) == (60, (0, 1))
    assert p_value.name == difference.name + ".p_value"
    assert p_value.value == pytest.approx(2 / 501)


def test_the_order_of_rows_does_not_matter(fake_predictions):
    predictions = fake_predictions()
    shuffled = predictions.sample(frac=1, random_state=0)
    arguments = ("multi_task", "single_task_control")
    assert compare_models(shuffled, *arguments) == compare_models(predictions, *arguments)


def test_patients_are_drawn_as_a_whole(fake_predictions):
    predictions = fake_predictions(views=8)
    copied = predictions.copy()
    first = predictions["image_id"].str.endswith("-0")
    for column in (
        "p_overall_0",
        "p_overall_1",
        "p_overall_2",
    ):  # every view of an eye answers as its first one
        copied[column] = np.repeat(predictions.loc[first, column].to_numpy(), 8)
    one = compare_models(predictions[first], "multi_task", "single_task")[0]
    many = compare_models(copied, "multi_task", "single_task")[0]
    assert many.value == pytest.approx(one.value)
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.1)


def test_metric_and_confidence_are_alive(fake_predictions):
    predictions = fake_predictions()
    default = compare_models(predictions, "multi_task", "single_task")[0]
    accuracy = compare_models(predictions, "multi_task", "single_task", metric="accuracy")[0]
    narrow = compare_models(predictions, "multi_task", "single_task", confidence=0.5)[0]
    assert accuracy.name.endswith(".accuracy")
    assert accuracy.value != default.value
    assert default.low < narrow.low < narrow.high < default.high


def test_unequal_runs_are_refused(fake_predictions):
    predictions = fake_predictions()
    without_seed = predictions[(predictions["model"] != "multi_task") | (predictions["seed"] == 0)]
    with pytest.raises(ValueError, match="the same seeds"):
        compare_models(without_seed, "multi_task", "single_task")
    without_image = predictions[
        (predictions["model"] != "multi_task") | (predictions["image_id"] != "p3-left-0")
    ]
    with pytest.raises(ValueError, match="the same images"):
        compare_models(without_image, "multi_task", "single_task")


def test_views_of_an_eye_are_averaged(fake_predictions):
    predictions = fake_predictions(n_patients=5, n_classes=2, views=2)
    eyes = average_views(predictions)
    assert len(eyes) == len(predictions) / 2
    assert list(eyes.columns) == list(predictions.columns)
    choose = {"model": "multi_task", "seed": 1, "patient_id": "p2", "eye": "left"}
    both = predictions[np.logical_and.reduce([predictions[k] == v for k, v in choose.items()])]
    one = eyes[np.logical_and.reduce([eyes[k] == v for k, v in choose.items()])].iloc[0]
    assert one["p_overall_1"] == pytest.approx(both["p_overall_1"].mean())
    assert one["overall"] == both["overall"].min()
    assert one["image_id"] == "p2-left"
    assert np.isnan(one["p_overall_2"])


def test_reject_against_good_leaves_usable_out(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.6})
    found = reject_against_good(predictions, n_resamples=200)
    slow = []
    for _, run in predictions[predictions["overall"] != 1].groupby("seed"):
        slow.append(
            roc_auc_score(run["overall"] == 2, run["p_overall_2"] / (run["p_overall_0"] + run["p_overall_2"]))
        )
    assert found.name == "realism.fake.single_task.auc_reject_vs_good"
    assert found.value == pytest.approx(np.mean(slow))
    assert found.n == (predictions["overall"] != 1).sum() / 2
    assert found.low < found.value < found.high
