import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from riqa.labels import DETAILS
from riqa.results import find, holm, tidy
from riqa.studies import details
from tests.studies.answers import answers, drawn, value

STUDENT = "multi_task@grades"
PAIRS = [(STUDENT, "teacher")]


def mean_over_seeds(predictions, detail, score):
    by_seed = predictions.groupby("seed")
    return np.mean([score(rows[detail], rows[f"p_{detail}"] >= 0.5) for _, rows in by_seed])


def test_scores_are_means_over_seeds_of_scikit_learns():
    predictions = drawn(0.3)
    found = details.scores(predictions, n_resamples=100)
    of_both = details.both_classes(predictions, n_resamples=100)
    for detail in DETAILS:
        keys = {"model": "teacher", "target": detail}
        f1 = mean_over_seeds(predictions, detail, f1_score)
        assert value(found, **keys, metric="f1", group="good") == pytest.approx(f1)
        bad = mean_over_seeds(predictions, detail, lambda y, p: f1_score(1 - y, ~p))
        assert value(of_both, **keys, metric="f1", group="bad") == pytest.approx(bad)
        assert value(of_both, **keys, metric="macro_f1") == pytest.approx((f1 + bad) / 2)
        right = mean_over_seeds(predictions, detail, accuracy_score)
        assert value(of_both, **keys, metric="accuracy") == pytest.approx(right)
    three = found[(found["metric"] == "f1") & (found["target"] != "details")]["value"]
    mean = value(found, model="teacher", target="details", metric="macro_f1", group="good")
    assert mean == pytest.approx(three.mean())
    assert (found["low"] <= found["value"]).all()
    assert set(found["seeds"]) == {(0, 1)}


def test_always_good_is_scored_without_looking():
    labels = [[1, 0, np.nan], [1, 1, np.nan], [1, 0, 1], [1, 0, 1]]
    found = details.always_good(answers(labels, np.zeros((2, 4, 3))))
    values = [value(found, model="always_good", target=d, metric="f1", group="good", method="count")
              for d in DETAILS]  # fmt: skip
    assert values == pytest.approx([1, f1_score([0, 1, 0, 0], [1, 1, 1, 1]), 1])
    assert found["n"].tolist() == [4, 4, 2]


def test_ranking_is_scikit_learns_auc_and_missing_without_both_classes():
    labels = [[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]
    probs = [[0.9, 0.9, 0.9], [0.1, 0.4, 0.8], [0.5, 0.6, 0.2], [0.5, 0.1, 0.1]]
    found = details.aucs(answers(labels, probs), n_resamples=50)
    # Clarity: one of four pairs (0.4, 0.6) is the wrong way round; contrast is read backwards.
    assert found["value"].tolist() == pytest.approx([np.nan, 3 / 4, 0], nan_ok=True)
    assert found["value"][1] == roc_auc_score([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1])


def test_the_difference_is_students_minus_teachers():
    student, teacher = drawn(0.2, model=STUDENT), drawn(0.8)
    both = pd.concat([teacher, student])
    found = details.methods(both, PAIRS)
    keys = {"dataset": "set", "model": STUDENT, "rival": "teacher", "target": "contrast", "metric": "f1"}
    row = find(found, **keys, group="good", method="mrmc")
    expected = [mean_over_seeds(own, "contrast", f1_score) for own in (student, teacher)]
    assert row["value"] == pytest.approx(expected[0] - expected[1])
    assert row["p"] < 0.05
    within = find(details.equivalence(both, PAIRS), **keys, group="good", method="mrmc_equivalence")
    assert row["low"] < within["low"] < row["value"] < within["high"] < row["high"]  # 90 % within 95 %
    assert pd.isna(within["p"])


def test_a_missing_class_is_not_tested_and_equal_answers_are_no_evidence():
    labels = [[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    probs = np.random.default_rng(0).random((4, 3))
    both = pd.concat([answers(labels, probs), answers(labels, probs, model=STUDENT)])
    assert set(details.methods(both, PAIRS)["target"]) == {"clarity", "contrast"}
    assert details.mcnemar(both, PAIRS)[["value", "p"]].to_numpy().tolist() == [[0, 1], [0, 1]]
    assert set(details.both_classes(both, n_resamples=20)["target"]) == {"clarity", "contrast"}


def test_a_silent_student_has_no_row():
    silent = drawn(0.5, model=STUDENT).assign(clarity=np.nan, p_clarity=np.nan)
    both = pd.concat([drawn(0.5), silent])
    assert set(details.mcnemar(both, PAIRS)["target"]) == {"illumination", "contrast"}
    _, found = details.calibrations(silent, 5, n_resamples=20)
    assert set(found["target"]) == {"illumination", "contrast"}


@pytest.mark.parametrize("rows", ["seed == 0", "image_id != 'i000'"])
def test_other_seeds_and_other_images_are_refused(rows):
    other = drawn(0.5, model=STUDENT).query(rows)
    with pytest.raises(ValueError, match="same images and seeds"):
        details.methods(pd.concat([drawn(0.5), other]), PAIRS)


def test_findings_say_what_an_interval_can_carry():
    """Cases by hand, with a margin of 0.05; 0.03 times two is not below 0.05 any more."""
    differences = tidy(pd.DataFrame({"value": 0.0, "p": [0.001, 0.03, 0.5, 0.9]}), metric="f1")
    differences["holm"] = holm(differences, "metric")
    assert differences["holm"].tolist() == pytest.approx([0.004, 0.09, 1, 1])
    ends = {"low": [0.01, -0.04, -0.04, -0.2], "high": [0.04, 0.06, 0.04, 0.2]}
    found = details.findings(differences, tidy(pd.DataFrame(ends | {"value": 0.0})), 0.05)
    assert found == ["differs, equivalent", "non-inferior", "equivalent", "undecided"]


def test_brier_and_calibration_error_by_hand():
    """Four answers of 0.9, three right; six of 0.2, two of them good."""
    truth, p = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0], [0.9] * 4 + [0.2] * 6
    rows = answers(np.tile(truth, (3, 1)).T, np.tile(p, (3, 1)).T)
    bins, found = details.calibrations(rows, 10, n_resamples=50)
    keys = {"model": "teacher", "target": "clarity"}
    error = 0.4 * 0.15 + 0.6 * (1 / 3 - 0.2)
    assert value(found, **keys, metric="ece", method="bins") == pytest.approx(error)
    brier = (3 * 0.1**2 + 0.9**2 + 2 * 0.8**2 + 4 * 0.2**2) / 10
    assert value(found, **keys, metric="brier") == pytest.approx(brier)
    assert value(found, **keys, metric="ece_floor", method="drawn") > 0
    own = bins[(bins["target"] == "clarity") & (bins["count"] > 0)]
    assert own["fraction_positive"].tolist() == pytest.approx([1 / 3, 3 / 4])
