import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from riqa.report.comparison import beside_published, compare_models, groups_of, reject_against_good


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


def test_groups_are_patients_eyes_or_images(fake_predictions):
    images = fake_predictions(n_patients=5, seeds=(0,), views=2, right={"single_task": 0.6})
    sizes = {by: len(np.unique(groups_of(images, by))) for by in ("patient", "eye", "image")}
    assert sizes == {"patient": 5, "eye": 10, "image": 20}
    unknown = images.assign(eye="unknown")
    assert len(np.unique(groups_of(unknown, "eye"))) == 20  # nobody knows which belong together
    with pytest.raises(ValueError, match="by must be one of patient"):
        groups_of(images, "camera")


def test_eyes_lie_between_patients_and_images(fake_predictions):
    """Both views of an eye and both eyes of a patient answer alike: each level of drawing widens."""
    predictions = fake_predictions(n_patients=40, views=2, right={"single_task": 0.5, "multi_task": 0.7})
    first = predictions["image_id"].str.endswith("left-0")
    for column in ("overall", "p_overall_0", "p_overall_1", "p_overall_2"):
        predictions[column] = np.repeat(predictions.loc[first, column].to_numpy(), 4)
    found = {by: compare_models(predictions, "multi_task", "single_task", by=by)[0]
             for by in ("image", "eye", "patient")}  # fmt: skip
    widths = {by: item.high - item.low for by, item in found.items()}
    assert widths["eye"] == pytest.approx(widths["image"] * np.sqrt(2), rel=0.2)
    assert widths["patient"] == pytest.approx(widths["image"] * 2, rel=0.2)
    assert found["patient"].name == "overall.fake.multi_task-single_task.macro_f1"
    assert found["eye"].name == "overall.fake.multi_task-single_task.macro_f1.by_eye"
    assert "over eyes" in found["eye"].method


def test_published_predictions_are_paired_only_on_the_same_images(fake_predictions):
    ours = fake_predictions()
    others = fake_predictions(seeds=(0,), dataset="eyeq_test", right={"quickqual": 0.8})
    both = beside_published(ours, others)
    found = compare_models(both, "multi_task", "quickqual", n_resamples=50)[0]
    assert found.seeds == (0, 1)
    assert found.name == "overall.fake.multi_task-quickqual.macro_f1"
    some = ours[ours["image_id"] != "p3-left-0"]
    assert set(beside_published(some, others)["image_id"]) == set(some["image_id"])
    assert beside_published(ours, others[others["image_id"] != "p3-left-0"]) is None


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
