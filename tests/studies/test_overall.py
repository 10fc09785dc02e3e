import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import f1_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from riqa.results import find, holm
from riqa.studies import overall as o
from riqa.studies.answers import drawn_as_one

PAIR = [("multi_task", "single_task")]
AS_FIRST = ("overall", "called", "p_true", "p_overall_0", "p_overall_1", "p_overall_2")


def macro_f1(rows):
    return f1_score(rows["overall"], rows["called"], average="macro")


def alike(predictions, first, times):
    """Let images that follow each other answer as the first of them."""
    return predictions.assign(**{c: np.repeat(predictions.loc[first, c].to_numpy(), times) for c in AS_FIRST})


def test_scores_are_means_over_seeds(fake_predictions):
    predictions = fake_predictions()
    found = o.scores(predictions, n_resamples=100)
    for model, rows in predictions.groupby("model"):
        row = find(found, dataset="fake", model=model, metric="macro_f1")
        assert row["value"] == pytest.approx(
            rows.groupby("seed")[["overall", "called"]].apply(macro_f1).mean()
        )
        assert (row["n"], row["seeds"], row["confidence"]) == (60, (0, 1), 0.95)
        assert row["low"] < row["value"] < row["high"]
        by_class = found[(found["model"] == model) & (found["metric"] == "f1")]
        assert list(by_class["group"]) == ["reject", "usable", "good"]
        assert row["value"] == pytest.approx(by_class["value"].mean())


def test_with_two_classes_precision_and_recall_are_those_of_bad(fake_predictions):
    predictions = fake_predictions(n_classes=2, seeds=(0,), right={"multi_task": 0.7})
    found = o.scores(predictions, n_resamples=50)
    bad = predictions["overall"] == 0
    hits = (bad & (predictions["called"] == 0)).sum()
    assert find(found, dataset="fake", model="multi_task", metric="recall", group="bad")[
        "value"
    ] == pytest.approx(hits / bad.sum())
    assert set(found["group"]) == {"all", "bad", "good"}


def test_what_nobody_graded_is_left_out(fake_predictions):
    predictions = fake_predictions()
    first = predictions["image_id"] == "p3-left-0"
    some = predictions.assign(overall=predictions["overall"].mask(first))
    assert set(o.scores(some, n_resamples=50)["n"]) == {59}
    assert set(o.differences(some, PAIR, n_resamples=50)["n"]) == {59}


def test_the_difference_is_that_of_mean_f1_over_seeds(fake_predictions):
    predictions = fake_predictions()
    ((_, row),) = o.differences(predictions, PAIR, n_resamples=500).iterrows()
    means = {m: rows.groupby("seed")[["overall", "called"]].apply(macro_f1).mean()
             for m, rows in predictions.groupby("model")}  # fmt: skip
    assert row["value"] == pytest.approx(means["multi_task"] - means["single_task"])
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["p"] == pytest.approx(2 / 501)
    shuffled = predictions.sample(frac=1, random_state=0)
    assert o.differences(shuffled, PAIR, n_resamples=500).equals(
        o.differences(predictions, PAIR, n_resamples=500)
    )
    narrow = o.differences(predictions, PAIR, confidence=0.5).iloc[0]
    assert row["low"] < narrow["low"] < narrow["high"] < row["high"]


def test_patients_are_drawn_as_a_whole(fake_predictions):
    predictions = fake_predictions(views=8)
    first = predictions["image_id"].str.endswith("-0")
    one, many = (o.differences(p, PAIR).iloc[0] for p in (predictions[first], alike(predictions, first, 8)))
    assert many["value"] == pytest.approx(one["value"])
    assert many["high"] - many["low"] == pytest.approx(one["high"] - one["low"], rel=0.1)


def test_eyes_lie_between_patients_and_images(fake_predictions):
    """Both views of an eye and both eyes of a patient answer alike: each level of drawing widens."""
    predictions = fake_predictions(n_patients=40, views=2, right={"single_task": 0.5, "multi_task": 0.7})
    predictions = alike(predictions, predictions["image_id"].str.endswith("left-0"), 4)
    found = {unit: o.differences(predictions, PAIR, unit=unit).iloc[0] for unit in o.UNITS}
    widths = {unit: row["high"] - row["low"] for unit, row in found.items()}
    assert widths["eye"] == pytest.approx(widths["image"] * np.sqrt(2), rel=0.2)
    assert widths["patient"] == pytest.approx(widths["image"] * 2, rel=0.2)
    assert [row["method"] for row in found.values()] == ["bootstrap", "bootstrap_eye", "bootstrap_image"]


def test_what_is_drawn_as_one(fake_predictions):
    images = fake_predictions(n_patients=5, seeds=(0,), views=2, right={"single_task": 0.6})
    sizes = [len(np.unique(drawn_as_one(images, unit))) for unit in o.UNITS]
    assert sizes == [5, 10, 20]
    # Where the eye is unknown, nobody knows which images belong together.
    assert len(np.unique(drawn_as_one(images.assign(eye="unknown"), "eye"))) == 20


def test_unequal_runs_are_refused(fake_predictions):
    predictions = fake_predictions()
    of_student = predictions["model"] == "multi_task"
    for lacking in (
        of_student & (predictions["seed"] == 1),
        of_student & (predictions["image_id"] == "p3-left-0"),
    ):
        with pytest.raises(ValueError, match="the same images"):
            o.differences(predictions[~lacking], PAIR)
    one_answer = predictions["image_id"].eq("p3-left-0") & of_student & predictions["seed"].eq(1)
    with pytest.raises(ValueError, match="the same images, each once"):
        o.scores(predictions[~one_answer])


def test_each_test_on_its_own_pairs(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.7, "multi_task": 0.8})
    ranks = o.wilcoxon(predictions, PAIR).set_index(["metric", "method"])
    means = predictions.groupby(["model", "image_id"])["p_true"].mean().unstack(0)
    expected = wilcoxon((means["multi_task"] - means["single_task"]).round(12)).pvalue
    assert ranks.loc[("image_probability", "wilcoxon"), "p"] == pytest.approx(expected)
    assert ranks.loc[("image_probability", "wilcoxon_greater"), "p"] == pytest.approx(expected / 2)
    assert ranks.loc[("seed_score", "wilcoxon"), ["p", "n"]].tolist() == [0.5, 2]  # never below 2 / 2^S
    networks = o.mcnemar(predictions, PAIR)
    assert list(networks["group"]) == ["seed 0", "seed 1"]
    right = predictions.assign(right=predictions["called"] == predictions["overall"])
    of_first = (
        right[right["seed"] == 0].pivot(index="image_id", columns="model", values="right").astype(float)
    )
    assert networks["value"][0] == pytest.approx((of_first["multi_task"] - of_first["single_task"]).mean())


def test_holm_counts_the_comparisons_of_one_family(fake_predictions):
    pairs = [*PAIR, ("multi_task", "single_task_control")]
    tests = o.wilcoxon(fake_predictions(), pairs)
    corrected = holm(tests, ["method", "metric"])
    for places in tests.groupby(["method", "metric"]).indices.values():
        np.testing.assert_allclose(corrected[places], multipletests(tests["p"][places], method="holm")[1])


def test_equivalence_asks_the_90_percent_interval(fake_predictions):
    predictions = fake_predictions()
    ((_, row),) = o.equivalence(predictions, PAIR, n_resamples=300).iterrows()
    ((_, same),) = o.differences(predictions, PAIR, confidence=0.9, n_resamples=300).iterrows()
    assert row[["value", "low", "high", "confidence"]].equals(same[["value", "low", "high", "confidence"]])
    assert np.isnan(row["p"])


def test_power_grows_with_the_square_root_of_images(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.7, "multi_task": 0.8})
    curves, found = o.power(predictions, PAIR[0], sizes=(160, 640), n_studies=500)
    wide = found.pivot(index="n", columns="metric", values="value")
    least = wide["detectable_difference"]
    assert least[640] == pytest.approx(least[160] / 2, rel=0.25)
    assert wide.loc[640, "power"] > wide.loc[160, "power"]
    swapped = o.power(predictions, PAIR[0][::-1], sizes=(160,), n_studies=500)[1]
    assert swapped["value"][1] == pytest.approx(wide.loc[160, "power"], abs=0.05)
    assert set(curves["images"]) == {160, 640}


def test_published_predictions_are_paired_only_on_the_same_images(fake_predictions):
    ours = fake_predictions()
    others = fake_predictions(seeds=(0,), dataset="eyeq_test", right={"quickqual": 0.8})
    found = o.differences(o.beside_published(ours, others), [("multi_task", "quickqual")], n_resamples=50)
    assert found["seeds"].tolist() == [(0, 1)]
    some = ours[ours["image_id"] != "p3-left-0"]
    assert set(o.beside_published(some, others)["image_id"]) == set(some["image_id"])
    assert o.beside_published(ours, others[others["image_id"] != "p3-left-0"]) is None


def test_reject_against_good_leaves_usable_out(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.6})
    ((_, row),) = o.reject_against_good(predictions, n_resamples=200).iterrows()
    slow = [
        roc_auc_score(run["overall"] == 2, run["p_overall_2"] / (run["p_overall_0"] + run["p_overall_2"]))
        for _, run in predictions[predictions["overall"] != 1].groupby("seed")
    ]
    assert row["value"] == pytest.approx(np.mean(slow))
    assert row["n"] == (predictions["overall"] != 1).sum() / 2
    assert row["low"] < row["value"] < row["high"]


def test_an_eye_answers_with_the_mean_of_its_views(fake_predictions):
    predictions = fake_predictions(n_classes=2, views=2, seeds=(0,), right={"multi_task": 0.7})
    eyes = o.by_eye(predictions)
    views = predictions[predictions["image_id"].isin(["p0-left-0", "p0-left-1"])]
    eye = eyes[eyes["image_id"] == "p0-left-0"].iloc[0]
    assert eye["p_overall_1"] == pytest.approx(views["p_overall_1"].mean())
    assert eye["called"] == (views["p_overall_1"].mean() > 0.5)
    torn = predictions.assign(
        overall=predictions["overall"].mask(predictions["image_id"] == "p0-left-0", 1 - eye["overall"])
    )
    assert len(o.by_eye(torn)) == len(eyes) - 1
