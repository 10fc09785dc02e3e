"""Contrasts against a slow transcription, cases worked by hand, and the difference that has two models only."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import f1_score

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
