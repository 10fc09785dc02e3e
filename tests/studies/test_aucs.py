"""AUCs of details, taken apart by photograph: held against scikit-learn, with intervals that stay in bounds."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import DETAILS
from riqa.results import find
from riqa.studies.aucs import auc_parts, auc_rows

KEYS = {"dataset": "toy", "seeds": [0, 1, 2]}


@pytest.fixture
def judged():
    rng = np.random.default_rng(0)
    good = rng.integers(2, size=(60, 3)).astype(float)
    scores = good + rng.normal(0, 1, (3, 60, 3)).round(1)  # with ties
    return scores, good, np.repeat(np.arange(30), 2)


def test_parts_have_the_aucs_as_their_means(judged):
    scores, good, _ = judged
    parts = auc_parts(scores, good)
    assert parts.shape == (3, 3, 60)
    for k in range(3):
        for seed in range(3):
            known = roc_auc_score(good[:, k], scores[seed, :, k])
            assert parts[k, seed].mean() == pytest.approx(known)


def test_rows_of_levels_and_of_differences(judged):
    scores, good, patients = judged
    parts, rival = auc_parts(scores, good), auc_parts(-scores, good)
    levels = auc_rows(parts, patients, "probe_auc", model="a", **KEYS)
    assert levels["target"].tolist() == [*DETAILS, "details"]
    assert levels["p"].isna().all()
    mean = find(levels, dataset="toy", model="a", target="details", metric="probe_auc", method="mrmc")
    assert mean["value"] == pytest.approx(parts.mean())
    assert (mean["n"], mean["seeds"]) == (60, (0, 1, 2))
    gaps = auc_rows(parts - rival, patients, model="a", rival="b", confidence=0.9, **KEYS)
    known = mean_of_method((parts - rival)[1], groups=patients, confidence=0.9)
    row = find(gaps, dataset="toy", model="a", rival="b", target=DETAILS[1], metric="auc", method="mrmc")
    assert (row["value"], row["low"], row["high"], row["p"]) == pytest.approx(
        (known.value, known.low, known.high, known.p_value)
    )


def test_the_interval_of_an_auc_ends_at_one(judged):
    _, good, patients = judged
    scores = np.stack([good, good, good - 3 * (np.arange(60) < 2)[:, None] * good])  # one seed errs twice
    levels, gaps = (
        auc_rows(auc_parts(scores, good), patients, **KEYS, **keys)
        for keys in ({"model": "a"}, {"rival": "b"})
    )
    assert levels["high"].max() == 1.0
    assert gaps["high"].max() > 1.0
