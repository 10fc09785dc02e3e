"""Which of two models is better: differences and tests, against scikit-learn, scipy and cases by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.results import find, holm, tidy
from riqa.studies import comparisons as c
from riqa.studies.answers import drawn_as_one
from riqa.studies.overall import scores
from tests.studies.answers import answers, drawn, graded

PAIR = [("multi_task", "single_task")]
STUDENT = [("multi_task@grades", "teacher")]


def of_details(skill=0.2, rival=0.8):
    return pd.concat([drawn(rival), drawn(skill, model="multi_task@grades")])


def mean_f1(predictions, average="macro", truth="overall", called="called"):
    runs = predictions.groupby("seed")
    return np.mean([f1_score(run[truth], run[called], average=average) for _, run in runs])


def alike(predictions, first, times):
    """Let images that follow each other answer as the first of them."""
    columns = ["overall", "called", "p_true", "p_overall_0", "p_overall_1", "p_overall_2"]
    return predictions.assign(**{k: np.repeat(predictions.loc[first, k].to_numpy(), times) for k in columns})


def test_the_difference_is_that_of_mean_scores_over_seeds():
    predictions = graded()
    ((_, row),) = c.differences(predictions, PAIR, n_resamples=500).iterrows()
    first, second = (mean_f1(predictions[predictions["model"] == model]) for model in PAIR[0])
    assert row["value"] == pytest.approx(first - second)
    assert 0 < row["low"] < row["value"] < row["high"]
    assert row["p"] == pytest.approx(2 / 501)
    shuffled = c.differences(predictions.sample(frac=1, random_state=0), PAIR, n_resamples=500)
    assert shuffled.equals(c.differences(predictions, PAIR, n_resamples=500))
    ungraded = predictions["overall"].mask(predictions["image_id"] == "p3-left-0")
    assert set(c.differences(predictions.assign(overall=ungraded), PAIR, n_resamples=50)["n"]) == {59}


def test_details_are_compared_one_by_one():
    both = of_details().assign(called=lambda of: of["p_contrast"] >= 0.5)
    found = c.differences(both, STUDENT, DETAILS, n_resamples=200)
    assert found["target"].drop_duplicates().tolist() == list(DETAILS)
    for group, average, metric in (("good", "binary", "f1"), ("all", "macro", "macro_f1")):
        keys = {
            "dataset": "set",
            "model": STUDENT[0][0],
            "rival": "teacher",
            "metric": metric,
            "group": group,
        }
        row = find(found, target="contrast", **keys)
        expected = [mean_f1(both[both["model"] == model], average, "contrast") for model in STUDENT[0]]
        assert row["value"] == pytest.approx(expected[0] - expected[1])
        assert row["p"] < 0.05


@pytest.mark.parametrize(("predictions", "pairs", "targets"),
                         [(graded(), PAIR, ["overall"]), (of_details(), STUDENT, DETAILS)])  # fmt: skip
def test_equivalence_asks_the_90_percent_interval(predictions, pairs, targets):
    found = c.equivalence(predictions, pairs, targets, n_resamples=300)
    same, wide = (
        c.differences(predictions, pairs, targets, confidence=level, n_resamples=300) for level in (0.9, 0.95)
    )
    columns = ["value", "low", "high", "confidence"]
    assert found[columns].equals(same[columns])
    assert found["p"].isna().all()
    assert ((wide["low"] <= found["low"]) & (found["high"] <= wide["high"])).all()


def test_patients_eyes_and_images_are_drawn_as_a_whole():
    """Both views of an eye and both eyes of a patient answer alike: each level of drawing widens."""
    predictions = graded(n_patients=40, views=2, right={"single_task": 0.5, "multi_task": 0.7})
    predictions = alike(predictions, predictions["image_id"].str.endswith("left-0"), 4)
    found = {unit: c.differences(predictions, PAIR, unit=unit, n_resamples=2_000).iloc[0] for unit in c.UNITS}
    widths = {unit: row["high"] - row["low"] for unit, row in found.items()}
    assert widths["eye"] == pytest.approx(widths["image"] * np.sqrt(2), rel=0.2)
    assert widths["patient"] == pytest.approx(widths["image"] * 2, rel=0.2)
    assert [row["method"] for row in found.values()] == ["bootstrap", "bootstrap_eye", "bootstrap_image"]
    images = predictions.drop_duplicates("image_id")
    assert [len(np.unique(drawn_as_one(images, unit))) for unit in c.UNITS] == [40, 80, 160]
    unknown = images.assign(eye="unknown")  # nobody knows which images belong together
    assert len(np.unique(drawn_as_one(unknown, "eye"))) == 160


@pytest.mark.parametrize(
    "lacking", ["seed == 1", "image_id == 'p3-left-0'", "image_id == 'p3-left-0' and seed == 1"]
)
def test_unequal_runs_are_refused(lacking):
    predictions = graded()
    gone = predictions.query(f"model == 'multi_task' and {lacking}").index
    with pytest.raises(ValueError, match="the same images"):
        c.differences(predictions.drop(gone), PAIR)
    if "and" in lacking:
        with pytest.raises(ValueError, match="different seeds must cover the same images, each once"):
            scores(predictions.drop(gone))
    details = of_details()
    others = details[(details["model"] == "teacher") | (details["seed"] == 0)]
    with pytest.raises(ValueError, match="same images and seeds"):
        c.differences(others, STUDENT, DETAILS)


def test_each_test_on_its_own_pairs():
    predictions = graded(right={"single_task": 0.7, "multi_task": 0.8})
    ranks = c.wilcoxon(predictions, PAIR).set_index(["metric", "method"])
    means = predictions.groupby(["model", "image_id"])["p_true"].mean().unstack(0)
    expected = wilcoxon((means["multi_task"] - means["single_task"]).round(12)).pvalue
    assert ranks.loc[("image_probability", "wilcoxon"), "p"] == pytest.approx(expected)
    assert ranks.loc[("image_probability", "wilcoxon_greater"), "p"] == pytest.approx(expected / 2)
    assert ranks.loc[("seed_score", "wilcoxon"), ["p", "n"]].tolist() == [0.5, 2]  # never below 2 / 2^S
    networks = c.mcnemar(predictions, PAIR)
    assert list(networks["group"]) == ["seed 0", "seed 1"]
    right = predictions.assign(right=predictions["called"] == predictions["overall"])
    shares = right[right["seed"] == 0].groupby("model")["right"].mean()
    assert networks["value"][0] == pytest.approx(shares["multi_task"] - shares["single_task"])


def test_a_missing_class_or_a_silent_model_is_not_tested_and_equal_answers_are_no_evidence():
    labels = [[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    probs = np.random.default_rng(0).random((4, 3))
    both = pd.concat([answers(labels, probs), answers(labels, probs, model=STUDENT[0][0])])
    assert set(c.differences(both, STUDENT, DETAILS, n_resamples=20)["target"]) == {"clarity", "contrast"}
    assert c.mcnemar_of_details(both, STUDENT)[["value", "p"]].to_numpy().tolist() == [[0, 1], [0, 1]]
    silent = drawn(0.5, model=STUDENT[0][0]).assign(clarity=np.nan, p_clarity=np.nan)
    tested = c.mcnemar_of_details(pd.concat([drawn(0.5), silent]), STUDENT)
    assert set(tested["target"]) == {"illumination", "contrast"}


def test_findings_say_what_an_interval_can_carry():
    """Cases by hand, with a margin of 0.05; 0.03 times three is not below 0.05 any more."""
    differences = tidy(pd.DataFrame({"value": 0.0, "p": [0.001, 0.03, 0.5, 0.9]}), metric="f1")
    differences["holm"] = holm(differences, "metric")
    assert differences["holm"].tolist() == pytest.approx([0.004, 0.09, 1, 1])
    assert holm(differences.assign(group=list("aabb")), "group").tolist() == pytest.approx(
        [0.002, 0.03, 1, 1]
    )
    ends = {"low": [0.01, -0.04, -0.04, -0.2], "high": [0.04, 0.06, 0.04, 0.2]}
    found = c.findings(differences, tidy(pd.DataFrame({"value": 0.0} | ends)), 0.05)
    assert found == ["differs, equivalent", "non-inferior", "equivalent", "undecided"]


def test_power_grows_with_the_square_root_of_images():
    predictions = graded(right={"single_task": 0.7, "multi_task": 0.8})
    curves, found = c.power(predictions, PAIR[0], sizes=(160, 640), n_studies=500)
    wide = found.pivot(index="n", columns="metric", values="value")
    least = wide["detectable_difference"]
    assert least[640] == pytest.approx(least[160] / 2, rel=0.25)
    assert wide.loc[640, "power"] > wide.loc[160, "power"]
    swapped = c.power(predictions, PAIR[0][::-1], sizes=(160,), n_studies=500)[1]
    assert swapped["value"][1] == pytest.approx(wide.loc[160, "power"], abs=0.05)
    assert set(curves["images"]) == {160, 640}
