"""Trust in answers: each study against a slow transcription, and what the published answers are worth."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from riqa.data.published_predictions import read_published_predictions
from riqa.evaluate.metrics import expected_calibration_error, reliability_table
from riqa.learn.confidence import fit_temperature, tempered
from riqa.predictions import OVERALL, with_answers
from riqa.results import find
from riqa.studies import trust
from tests.data.expect import REAL, needs_data

MODELS = {"single_task": 0.6, "multi_task": 0.8}


@pytest.fixture
def answered(fake_predictions):
    """Two models, two seeds; patients of validation images are others than those of test images."""
    val = fake_predictions(n_patients=40, right=MODELS).assign(split="val")
    val = val.assign(**{key: "v" + val[key] for key in ("patient_id", "image_id")})
    return pd.concat([val, fake_predictions(right=MODELS)], ignore_index=True)


def runs(predictions, split):
    own = predictions[predictions["split"] == split]
    return own.groupby(["model", "seed"])


def test_each_network_has_the_temperature_of_its_validation_images(answered):
    found, temperatures = trust.temper(answered)
    known = answered.assign(overall=answered["overall"].mask(answered["split"] == "test", 0))
    assert trust.temper(known)[1].equals(temperatures)  # test images have no say
    own = {}
    for (model, _), val in runs(answered, "val"):
        own.setdefault(model, []).append(fit_temperature(val[OVERALL].to_numpy(), val["overall"].astype(int)))
    for model, expected in own.items():
        row = find(temperatures, dataset="fake", model=model, metric="temperature", method="seeds")
        ends = [np.mean(expected), min(expected), max(expected)]
        assert row[["value", "low", "high"]].tolist() == pytest.approx(ends)
        assert (row["n"], row["seeds"]) == (80, (0, 1))
    one = (answered["model"] == "multi_task") & (answered["seed"] == 1)
    by_hand = tempered(answered.loc[one, OVERALL].to_numpy(), own["multi_task"][1])
    np.testing.assert_allclose(found.loc[one, OVERALL], by_hand)
    assert (found["called"] == answered["called"]).all()
    truth = answered.loc[one, "overall"].astype(int)
    np.testing.assert_allclose(found.loc[one, "p_true"], by_hand[np.arange(len(by_hand)), truth])


def test_with_two_classes_the_third_has_no_probability(fake_predictions):
    two = pd.concat(fake_predictions(n_classes=2, right=MODELS).assign(split=s) for s in ("val", "test"))
    found, _ = trust.temper(two.reset_index(drop=True))
    assert found["p_overall_2"].isna().all()
    assert np.allclose(found[OVERALL[:2]].sum(axis=1), 1)
    assert trust.sets(found, 0.2, by_class=True)["set_size"].between(0, 2).all()


def test_calibration_is_of_the_class_called(answered):
    bins, found = trust.calibrations(answered, 5, n_resamples=50)
    for model, own in answered[answered["split"] == "test"].groupby("model"):
        right = (own["called"] == own["overall"]).astype(float).to_numpy()
        slow = reliability_table(right, own[OVERALL].max(axis=1).to_numpy(), 5)
        row = find(found, dataset="fake", model=model, metric="ece", method="bins")
        assert row["value"] == pytest.approx(expected_calibration_error(slow))
        assert row["n"] == 60
        assert bins.loc[bins["model"] == model, "count"].tolist() == slow["count"].tolist()
    after = trust.calibrations(answered, 5, is_tempered=True, n_resamples=50)[1]
    assert list(after["method"].unique()) == ["bins_tempered", "drawn_tempered", "bootstrap_tempered"]
    assert after["value"].equals(found["value"])  # the name alone differs: nothing is tempered twice


def test_scores_are_means_over_seeds(answered):
    found = trust.scores(answered, n_resamples=50)
    for model, own in answered[answered["split"] == "test"].groupby("model"):
        areas, kappas = [], []
        for _, of_seed in own.groupby("seed"):
            p = of_seed[OVERALL].max(axis=1).to_numpy()
            wrong = (of_seed["called"] != of_seed["overall"]).to_numpy()
            areas.append(np.mean([wrong[p >= each].mean() for each in p]))
            kappas.append(cohen_kappa_score(of_seed["overall"], of_seed["called"], weights="quadratic"))
        keys = {"dataset": "fake", "model": model}
        assert find(found, metric="aurc", **keys)["value"] == pytest.approx(np.mean(areas))
        kappa = find(found, metric="quadratic_kappa", **keys)
        assert kappa["value"] == pytest.approx(np.mean(kappas))
        assert kappa["low"] < kappa["value"] < kappa["high"]


@pytest.mark.parametrize("by_class", [False, True])
def test_sets_hold_the_classes_that_the_limits_of_validation_images_allow(answered, by_class):
    found = trust.sets(answered, 0.2, by_class=by_class)
    assert set(found["split"]) == {"test"}
    for (model, seed), val in runs(answered, "val"):
        scores, truth = 1 - val["p_true"].to_numpy(), val["overall"].to_numpy()
        parts = [scores[truth == k] for k in range(3)] if by_class else [scores] * 3
        limits = [np.sort(of)[int(np.ceil(0.8 * (len(of) + 1))) - 1] for of in parts]
        own = found[(found["model"] == model) & (found["seed"] == seed)]
        inside = 1 - own[OVERALL].to_numpy() <= limits
        assert own["set_size"].tolist() == inside.sum(axis=1).tolist()
        assert own["covered"].tolist() == inside[np.arange(len(own)), own["overall"].astype(int)].tolist()
    assert len(found) == (answered["split"] == "test").sum()


def test_means_leave_out_what_is_missing_and_draw_patients(answered):
    test = answered[answered["split"] == "test"]
    right = (test["called"] == test["overall"]).astype(float)
    sure = test.assign(sure=right.where(test[OVERALL].max(axis=1) > 0.8), right=right)
    found = trust.means(sure, ["sure", "right"], n_resamples=300)
    for model, own in sure.groupby("model"):
        for metric in ("sure", "right"):
            row = find(found, dataset="fake", model=model, metric=metric, method="pooled")
            assert row["value"] == pytest.approx(own[metric].mean())
            assert row["low"] < row["value"] < row["high"]
            assert np.isnan(row["p"])
    alike = sure.assign(right=sure.groupby(["model", "seed", "patient_id"])["right"].transform("first"))
    apart = alike.assign(patient_id=alike["image_id"])
    ends = [trust.means(of, ["right"], n_resamples=2_000).iloc[0] for of in (alike, apart)]
    wide, narrow = (row["high"] - row["low"] for row in ends)
    assert wide > 1.1 * narrow


def test_what_nobody_graded_is_left_out(answered):
    first = answered["image_id"] == "p3-left-0"
    some = answered.assign(overall=answered["overall"].mask(first))
    assert set(trust.scores(some, n_resamples=20)["n"]) == {59}
    assert not (trust.sets(some, 0.2, by_class=False)["image_id"] == "p3-left-0").any()


@pytest.fixture(scope="module")
def quickqual():
    table = read_published_predictions(REAL / "published", REAL / "eyeq" / "Label_EyeQ_test.csv")
    return with_answers(table[table["model"] == "quickqual"].reset_index(drop=True))


# From a transcription of 20 lines in numpy alone: sort by the largest probability, cumulate, divide.
@needs_data
def test_quickquals_published_answers_are_better_the_fewer_are_kept(quickqual):
    p_called = quickqual[OVERALL].max(axis=1)
    right = (quickqual["called"] == quickqual["overall"]).astype(float)
    kept = {f"{c:g}": right.where(p_called >= p_called.quantile(1 - c)) for c in (1, 0.8, 0.5)}
    found = trust.means(quickqual.assign(**kept), list(kept), n_resamples=200).set_index("metric")
    assert found["value"].round(4).to_dict() == {"1": 0.8863, "0.8": 0.9427, "0.5": 0.978}
    assert (found["high"] - found["low"]).max() < 0.02
    scored = trust.scores(quickqual, n_resamples=20)
    found = scored.set_index("metric")["value"].round(4).to_dict()
    assert found == {"aurc": 0.0336, "quadratic_kappa": 0.9019}


@needs_data
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quickquals_sets_miss_usable_unless_it_has_a_limit_of_its_own(quickqual, seed):
    patients = quickqual["patient_id"].unique()
    known = np.random.default_rng(seed).permutation(patients)[: len(patients) // 2]
    half = quickqual.assign(split=np.where(quickqual["patient_id"].isin(known), "val", "test"))
    plain, own = (trust.sets(half, 0.1, by_class=by_class) for by_class in (False, True))
    by_truth = [of.groupby("overall")["covered"].mean() for of in (plain, own)]
    assert plain["covered"].mean() == pytest.approx(0.9, abs=0.012)
    assert by_truth[0].tolist() == pytest.approx([0.9, 0.755, 0.975], abs=0.025)
    assert by_truth[1].tolist() == pytest.approx([0.9, 0.9, 0.9], abs=0.025)
    assert plain["set_size"].mean() < own["set_size"].mean() < 1.1
