"""Contrasts against a slow transcription, cases worked by hand, and the difference that has two models only."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import accuracy_score, f1_score

from riqa.evaluate.mrmc import method_difference
from riqa.evaluate.stats import sums_by_group
from riqa.labels import DETAILS
from riqa.predictions import with_answers
from riqa.results import find
from riqa.studies import details
from riqa.studies.contrasts import contrast
from riqa.studies.overall import methods
from tests.studies.answers import answers

CHANGE = {("new", "a"): 1, ("new", "b"): -1, ("old", "a"): -1, ("old", "b"): 1}


def said(dataset, model, grades, called, n_classes=3):
    """Make what one model called the photographs of one condition, `called` (S, N), two to a patient."""
    frames = []
    for seed, own in enumerate(np.asarray(called)):
        probs = np.full((len(own), 3), np.nan)
        probs[:, :n_classes] = np.eye(n_classes)[own]
        patients = [f"p{k // 2:03d}" for k in range(len(own))]
        details = np.full((len(own), 3), np.nan)
        how = {"overall": grades, "p_overall": probs, "patients": patients, "model": model}
        frames.append(answers(details, details, **how).assign(dataset=dataset, seed=seed))
    return pd.concat(frames, ignore_index=True)


def drawn():
    """Draw two models' answers in two conditions with other grades: 20 photographs, 3 seeds."""
    rng, found = np.random.default_rng(3), {}
    for dataset in ("old", "new"):
        grades = rng.integers(3, size=20)
        for model, share in (("a", 0.8), ("b", 0.5)):
            right = rng.random((3, 20)) < share
            found[dataset, model] = grades, np.where(right, grades, rng.integers(3, size=(3, 20)))
    return found


def table(found):
    return pd.concat([said(*name, *own) for name, own in found.items()], ignore_index=True)


def by_hand(found, rows):
    """Score the seeds of a change by scikit-learn, on some photographs only."""

    def f1(name, seed):
        grades, called = found[name]
        how = {"average": "macro", "labels": range(3), "zero_division": 0}
        return f1_score(grades[rows], called[seed][rows], **how)

    return np.array([sum(c * f1(name, seed) for name, c in CHANGE.items()) for seed in range(3)])


def test_a_contrast_is_what_a_plain_loop_computes():
    found = drawn()
    values, every = by_hand(found, np.arange(20)), np.arange(20)
    without = np.array([by_hand(found, every[every // 2 != patient]) for patient in range(10)])
    away = without - without.mean(axis=0)
    shared = 0.9 * away.T @ away
    between = np.mean([shared[i, j] for i in range(3) for j in range(3) if i != j])
    of_seeds = values.var(ddof=1) / 3
    variance = of_seeds + max(between, 0)
    df = 2 * (variance / of_seeds) ** 2
    row = contrast(table(found), CHANGE, confidence=0.9, model="a", rival="b", group="new minus old").iloc[0]
    assert row["value"] == pytest.approx(values.mean())
    half = t.ppf(0.95, df) * np.sqrt(variance)
    assert (row["low"], row["high"]) == pytest.approx((values.mean() - half, values.mean() + half))
    assert row["p"] == pytest.approx(2 * t.sf(abs(values.mean()) / np.sqrt(variance), df))
    assert row[["model", "rival", "group", "metric"]].tolist() == ["a", "b", "new minus old", "macro_f1"]
    assert (row["method"], row["n"], row["seeds"], row["confidence"]) == ("mrmc", 20, (0, 1, 2), 0.9)


def test_a_case_worked_by_hand():
    """Both are right of old, so there is no gain; b is wrong about every new one: the gain is 1."""
    grades, wrong = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])
    right = [grades, grades]
    called = {("old", "a"): right, ("old", "b"): right, ("new", "a"): right, ("new", "b"): [wrong, wrong]}
    found = pd.concat([said(*name, grades, own, n_classes=2) for name, own in called.items()])
    row = contrast(found, CHANGE).iloc[0]
    assert (row["value"], row["low"], row["high"], row["p"]) == (1, 1, 1, 0)


def test_a_contrast_of_two_models_is_their_difference():
    found = table(drawn())
    one = contrast(found, {("new", "a"): 1, ("new", "b"): -1}, dataset="new", model="a", rival="b")
    other = methods(found[found["dataset"] == "new"], [("a", "b")])
    pd.testing.assert_frame_equal(one, other)


def test_halves_average_two_conditions():
    found = table(drawn())
    half = {name: 0.5 if name[1] == "a" else -0.5 for name in CHANGE}
    two = [contrast(found, {(s, "a"): 1, (s, "b"): -1})["value"].item() for s in ("old", "new")]
    mean = contrast(found, half)["value"].item()
    assert mean == pytest.approx(np.mean(two))


def test_one_seed_says_nothing_about_methods():
    found = table(drawn())
    row = contrast(found[found["seed"] == 1], CHANGE).iloc[0]
    assert row["value"] == pytest.approx(by_hand(drawn(), np.arange(20))[1])
    assert row[["low", "high", "p"]].isna().all()


def test_what_cannot_be_compared_is_refused():
    found = table(drawn())
    with pytest.raises(ValueError, match="must sum to 0"):
        contrast(found, {("new", "a"): 1, ("new", "b"): 1})
    with pytest.raises(ValueError, match="no predictions of"):
        contrast(found, {("new", "a"): 1, ("newer", "a"): -1})
    fewer = found[(found["dataset"] != "new") | (found["image_id"] != "i003")]
    with pytest.raises(ValueError, match="must have the images"):
        contrast(fewer, CHANGE)
    with pytest.raises(TypeError, match="not a column of results: rivals"):
        contrast(found, CHANGE, rivals="b")


PAIR = ("multi_task", "single_task")


def of_their_own(answered):
    """Leave each seed photographs of other patients."""
    patient = answered["patient_id"].str[1:].astype(int)
    return answered[patient % 3 == answered["seed"]]


def test_seeds_with_photographs_of_their_own(fake_predictions):
    answered = of_their_own(fake_predictions(n_patients=60, seeds=(0, 1, 2)))
    by_seed = {}
    for (model, seed), own in answered.groupby(["model", "seed"]):
        f1 = f1_score(own["overall"], own["called"], average="macro")
        by_seed[model, seed] = f1, accuracy_score(own["overall"], own["called"])
    for k, metric in enumerate(("macro_f1", "accuracy")):
        leads = [by_seed[PAIR[0], seed][k] - by_seed[PAIR[1], seed][k] for seed in (0, 1, 2)]
        found = methods(answered, [PAIR, (PAIR[0], "")], group="own", metric=metric)
        lead = find(
            found, dataset="fake", model=PAIR[0], rival=PAIR[1], metric=metric, group="own", method="mrmc"
        )
        assert lead["value"] == pytest.approx(np.mean(leads))
        # No patient is in two seeds, so all variance is that between seeds: Student's t with two degrees.
        half = 4.302653 * np.std(leads, ddof=1) / np.sqrt(3)
        assert lead["high"] - lead["value"] == pytest.approx(half, rel=1e-3)
        score = find(found, dataset="fake", model=PAIR[0], metric=metric, group="own", method="mrmc")
        assert score["value"] == pytest.approx(np.mean([by_seed[PAIR[0], seed][k] for seed in (0, 1, 2)]))
        assert np.isnan(score["p"])
        assert score["low"] < score["value"] < score["high"]


def test_labels_may_differ_by_seed(fake_predictions):
    answered = fake_predictions(seeds=(0, 1))
    lower = (answered["overall"] - 1).clip(lower=0).where(answered["seed"] == 1, answered["overall"])
    answered = with_answers(answered.assign(overall=lower))
    own = answered[answered["model"] == PAIR[0]].groupby("seed")
    by_seed = [
        f1_score(rows["overall"], rows["called"], labels=[0, 1, 2], average="macro") for _, rows in own
    ]
    assert methods(answered, [(PAIR[0], "")])["value"].item() == pytest.approx(np.mean(by_seed))


def test_details_where_they_are_known(fake_predictions):
    answered, rng = fake_predictions(seeds=(0, 1)), np.random.default_rng(0)
    truth = pd.Series(rng.integers(2, size=60).astype(float), answered["image_id"].unique())
    truth[:10] = np.nan
    answered = answered.assign(clarity=answered["image_id"].map(truth), p_clarity=rng.random(len(answered)))
    found = methods(answered, [PAIR], targets=["clarity"]).iloc[0]
    known = answered.dropna(subset="clarity").sort_values("image_id")
    said = [
        known[known["model"] == m].pivot(index="seed", columns="image_id", values="p_clarity") for m in PAIR
    ]
    images = known.drop_duplicates("image_id")
    called = [(probs.to_numpy() >= 0.5).astype(int) for probs in said]
    how = {"n_classes": 2, "groups": images["patient_id"].to_numpy()}
    wanted = method_difference(images["clarity"].to_numpy(dtype=int), *called, **how)
    assert (found["value"], found["low"]) == pytest.approx((wanted.value, wanted.low))
    assert (found["target"], found["n"]) == ("clarity", 50)


def test_two_models_must_have_met_the_same_photographs(fake_predictions):
    answered = fake_predictions(seeds=(0, 1))
    gone = (answered["model"] == PAIR[0]) & (answered["seed"] == 1) & (answered["patient_id"] == "p3")
    with pytest.raises(ValueError, match="must have the images"):
        methods(answered[~gone], [PAIR])


def some_answers(rng, model, right, truth, patients, seeds=(0, 1, 2)):
    """Answers about details that are right with a probability."""
    frames = []
    for seed in seeds:
        agree = rng.random(truth.shape) < right
        frame = pd.DataFrame(
            np.where(agree, truth, 1 - truth) * 0.8 + 0.1, columns=[f"p_{d}" for d in DETAILS]
        )
        frame[list(DETAILS)] = truth
        frame = frame.assign(seed=seed, model=model, patient_id=patients, dataset="set", eye="left")
        frames.append(frame.assign(image_id=[f"i{k:03d}" for k in range(len(frame))]))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def predictions():
    rng = np.random.default_rng(0)
    truth = (rng.random((60, 3)) < [0.3, 0.5, 0.7]).astype(float)
    patients = np.repeat([f"p{k}" for k in range(20)], 3)
    both = [some_answers(rng, model, right, truth, patients) for model, right in (("a", 0.9), ("b", 0.7))]
    return pd.concat(both, ignore_index=True)


def test_the_mean_over_details_by_hand(predictions):
    row = methods(predictions, [("a", "b")], targets=DETAILS).iloc[0]
    leads = {}
    for (seed, model), own in predictions.groupby(["seed", "model"]):
        f1 = [f1_score(own[d], own[f"p_{d}"] >= 0.5, average="macro") for d in DETAILS]
        leads[seed] = leads.get(seed, 0) + np.mean(f1) * (1 if model == "a" else -1)
    assert row["value"] == pytest.approx(np.mean([*leads.values()]))
    by_detail = details.methods(predictions, [("a", "b")])
    by_detail = by_detail[by_detail["metric"] == "macro_f1"]
    assert row["value"] == pytest.approx(by_detail["value"].mean())
    assert (row["target"], row["metric"], row["method"], row["n"]) == ("details", "macro_f1", "mrmc", 60)
    assert row["seeds"] == (0, 1, 2)


def test_its_interval_knows_that_details_share_their_patients(predictions):
    """Where all details are the same, the mean over them is as unsure as one; the naive mean would be surer."""
    alike = predictions.copy()
    for d in DETAILS[1:]:
        alike[[d, f"p_{d}"]] = alike[[DETAILS[0], f"p_{DETAILS[0]}"]].to_numpy()
    row = methods(alike, [("a", "b")], targets=DETAILS).iloc[0]
    one = details.methods(alike, [("a", "b")]).query("target == @DETAILS[0] and metric == 'macro_f1'").iloc[0]
    assert row[["value", "low", "high", "p"]].to_list() == pytest.approx(
        one[["value", "low", "high", "p"]].to_list()
    )


def test_captures_of_a_patient_are_one_case(predictions):
    together = methods(predictions, [("a", "b")], targets=DETAILS).iloc[0]
    triple = predictions.loc[predictions.index.repeat(3)].reset_index(drop=True)
    triple["image_id"] += triple.groupby(["model", "seed", "image_id"]).cumcount().astype(str)
    copied = methods(triple, [("a", "b")], targets=DETAILS).iloc[0]
    assert copied[["value", "low", "high"]].to_list() == pytest.approx(
        together[["value", "low", "high"]].to_list()
    )
    assert len(sums_by_group(np.ones((60, 1)), predictions["patient_id"].to_numpy()[:60])) == 20


def test_a_mean_over_details_needs_the_same_photographs_judged(predictions):
    fewer = predictions[(predictions["model"] == "a") | (predictions["image_id"] != "i000")]
    with pytest.raises(ValueError, match="must have the images"):
        methods(fewer, [("a", "b")], targets=DETAILS)
    seeds = predictions[(predictions["model"] == "a") | (predictions["seed"] != 2)]
    with pytest.raises(ValueError, match="must have the images"):
        methods(seeds, [("a", "b")], targets=DETAILS)
    unknown = predictions.assign(clarity=np.nan)
    with pytest.raises(ValueError, match="must have the images"):
        methods(unknown, [("a", "b")], targets=DETAILS)
    alone = methods(predictions[predictions["seed"] == 0], [("a", "b")], targets=DETAILS).iloc[0]
    assert np.isnan(alone[["low", "high", "p"]].astype(float)).all()
