import numpy as np
import pytest
from scipy.stats import t, wilcoxon
from sklearn.metrics import f1_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from riqa.evaluate.label_shift import class_shares, corrected
from riqa.evaluate.mrmc import method_difference
from riqa.results import find, holm
from riqa.studies import overall as o
from riqa.studies.answers import drawn_as_one

PAIR = [("multi_task", "single_task")]
KEYS = {"dataset": "fake", "model": "multi_task", "rival": "single_task"}
AS_FIRST = ("overall", "called", "p_true", "p_overall_0", "p_overall_1", "p_overall_2")


def mean_macro_f1(predictions):
    runs = predictions.groupby("seed")
    return np.mean([f1_score(rows["overall"], rows["called"], average="macro") for _, rows in runs])


def alike(predictions, first, times):
    """Let images that follow each other answer as the first of them."""
    return predictions.assign(**{c: np.repeat(predictions.loc[first, c].to_numpy(), times) for c in AS_FIRST})


def test_scores_are_means_over_seeds(fake_predictions):
    predictions = fake_predictions()
    found = o.scores(predictions, n_resamples=100)
    for model, rows in predictions.groupby("model"):
        row = find(found, dataset="fake", model=model, metric="macro_f1")
        assert row["value"] == pytest.approx(mean_macro_f1(rows))
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
    recall = find(found, dataset="fake", model="multi_task", metric="recall", group="bad")
    assert recall["value"] == pytest.approx(hits / bad.sum())
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
    means = {model: mean_macro_f1(rows) for model, rows in predictions.groupby("model")}
    assert row["value"] == pytest.approx(means["multi_task"] - means["single_task"])
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["p"] == pytest.approx(2 / 501)
    shuffled = predictions.sample(frac=1, random_state=0)
    assert o.differences(shuffled, PAIR, n_resamples=500).iloc[0].equals(row)
    narrow = o.differences(predictions, PAIR, confidence=0.5).iloc[0]
    assert row["low"] < narrow["low"] < narrow["high"] < row["high"]


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
    of_seed, of_image = predictions["seed"] == 1, predictions["image_id"] == "p3-left-0"
    for lacking in (of_student & of_seed, of_student & of_image):
        with pytest.raises(ValueError, match="the same images"):
            o.differences(predictions[~lacking], PAIR)
    one_answer = of_student & of_seed & of_image
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
    first = predictions[predictions["seed"] == 0]
    right = (first["called"] == first["overall"]).groupby(first["model"]).mean()
    assert networks["value"][0] == pytest.approx(right["multi_task"] - right["single_task"])


def test_holm_counts_the_comparisons_of_one_family(fake_predictions):
    pairs = [*PAIR, ("multi_task", "single_task_control")]
    tests = o.wilcoxon(fake_predictions(), pairs)
    corrected = holm(tests, ["method", "metric"])
    for places in tests.groupby(["method", "metric"]).indices.values():
        np.testing.assert_allclose(corrected[places], multipletests(tests["p"][places], method="holm")[1])


def test_methods_are_judged_with_seeds_as_readers(fake_predictions):
    predictions = fake_predictions(seeds=(0, 1, 2), right={"single_task": 0.6, "multi_task": 0.7})
    ((_, row),) = o.methods(predictions, PAIR).iterrows()
    index = ["patient_id", "image_id", "overall"]
    wide = predictions.pivot(index=index, columns=["model", "seed"], values="called")
    truth, patients = (wide.index.get_level_values(name) for name in ("overall", "patient_id"))
    of_pair = (wide[model].to_numpy().T for model in PAIR[0])
    expected = method_difference(truth.astype(int), *of_pair, n_classes=3, groups=patients)
    numbers = row[["value", "low", "high", "p"]].astype(float).tolist()
    assert numbers == pytest.approx([expected.value, expected.low, expected.high, expected.p_value])
    assert (row["method"], row["n"], row["seeds"], row["confidence"]) == ("mrmc", 60, (0, 1, 2), 0.95)
    of_pair = (wide[model].to_numpy().T for model in PAIR[0])
    how = {"n_classes": 3, "groups": patients, "metric": "quadratic_kappa"}
    other = o.methods(predictions, PAIR, metric="quadratic_kappa").iloc[0]
    assert other["metric"] == "quadratic_kappa"
    assert other["value"] == pytest.approx(method_difference(truth.astype(int), *of_pair, **how).value)
    one = o.methods(predictions[predictions["seed"] == 1], PAIR).iloc[0]
    assert np.isfinite(one["value"])
    assert one[["low", "high", "p"]].isna().all()


def test_equivalence_asks_the_90_percent_interval(fake_predictions):
    predictions = fake_predictions()
    ((_, row),) = o.equivalence(predictions, PAIR).iterrows()
    ((_, same),) = o.methods(predictions, PAIR, confidence=0.9).iterrows()
    assert row[["value", "low", "high", "confidence"]].equals(same[["value", "low", "high", "confidence"]])
    assert row["method"] == "mrmc_equivalence"
    assert np.isnan(row["p"])


def test_power_is_of_a_true_difference_and_grows_with_images_and_seeds(fake_predictions):
    predictions = fake_predictions(seeds=(0, 1, 2), right={"single_task": 0.7, "multi_task": 0.8})
    table, found = o.power(predictions, PAIR[0], (60, 600), (1, 3, 12), 0.05)
    wide = table.pivot(index="images", columns="seeds", values="power")
    assert wide[1].isna().all()
    assert (wide[12] > wide[3]).all()
    assert wide.loc[600, 3] > wide.loc[60, 3]
    for row in table.dropna().itertuples():  # at the detectable difference the power is 0.8
        again = o.power(predictions, PAIR[0], [row.images], [row.seeds], row.detectable)[0]
        assert again["power"].item() == pytest.approx(0.8, abs=0.002)
        group = f"{row.images} images, {row.seeds} seeds"
        assert find(found, **KEYS, metric="power", group=group, method="mrmc_power")["value"] == row.power
    # The three parts, put together for the set and the seeds at hand, give the interval's standard error.
    parts = found[found["metric"] == "standard_deviation"].set_index("group")["value"] ** 2
    if parts.min() > 0:
        error = np.sqrt((parts["seeds"] + parts["own"]) / 3 + parts["shared"])
        lead = o.methods(predictions, PAIR).iloc[0]
        df = 2 * (error**2 / ((parts["seeds"] + parts["own"]) / 3)) ** 2
        assert lead["high"] - lead["value"] == pytest.approx(t.ppf(0.975, df) * error)


def test_the_prior_correction_is_made_network_by_network(fake_predictions):
    predictions = fake_predictions(right={"single_task": 0.6, "multi_task": 0.8})
    old = np.array([0.6, 0.3, 0.1])
    better, shares = o.prior_corrected(predictions, {"fake": old})
    run = (predictions["model"] == "multi_task") & (predictions["seed"] == 1)
    probs = predictions.loc[run, list(AS_FIRST[3:])].to_numpy()
    expected = corrected(probs, old, class_shares(probs, old))
    same = better[(better["model"] == "multi_task") & (better["seed"] == 1)].set_index("image_id")
    same = same.loc[predictions.loc[run, "image_id"]]
    np.testing.assert_allclose(same[list(AS_FIRST[3:])], expected)
    assert (same["called"] == expected.argmax(axis=1)).all()
    runs = predictions[predictions["model"] == "multi_task"].groupby("seed")
    each = [class_shares(rows[list(AS_FIRST[3:])].to_numpy(), old) for _, rows in runs]
    found = shares[shares["model"] == "multi_task"]
    assert list(found["group"]) == ["reject", "usable", "good"]
    for column, of in (("value", np.mean), ("low", np.min), ("high", np.max)):
        np.testing.assert_allclose(found[column], of(each, axis=0))
    assert len(better) == len(predictions)


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
    torn = predictions["overall"].mask(predictions["image_id"] == "p0-left-0", 1 - eye["overall"])
    assert len(o.by_eye(predictions.assign(overall=torn))) == len(eyes) - 1
