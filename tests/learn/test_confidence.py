"""A temperature against scikit-learn's, what a model's file keeps of it, and what becomes of other files."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from riqa.errors import InputError
from riqa.learn.confidence import (
    MOST,
    N_QUANTILES,
    fit_confidence,
    fit_temperature,
    read_confidence,
    tempered,
)
from riqa.learn.model import QualityNet
from tests.learn.chain import graded_noise

KEPT = {"temperature": 1.5, "quantiles": np.linspace(0.4, 1, N_QUANTILES).tolist()}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_temperature_is_the_one_that_was_put_in_and_scikit_learns(n_classes):
    """Classes are drawn from probabilities, and probabilities given whose logits are 2.5 times too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4_000, n_classes))
    truth = (rng.random((4_000, 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    truth, probs = truth.clip(0, n_classes - 1), softmax(logits * 2.5, axis=1)
    temperature = fit_temperature(probs, truth)
    assert temperature == pytest.approx(2.5, rel=0.1)
    if n_classes == 3:  # with two, scikit-learn wants one number per image
        plain = LogisticRegression().fit(probs, truth)
        plain.coef_, plain.intercept_ = np.eye(3), np.zeros(3)  # answers with what it is given
        own = CalibratedClassifierCV(FrozenEstimator(plain), method="temperature")
        theirs = own.fit(np.log(probs), truth).predict_proba(np.log(probs))
        np.testing.assert_allclose(tempered(probs, temperature), theirs, atol=1e-3)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(sum), st.floats(1 / MOST, MOST))
def test_tempered_probabilities_keep_their_order_and_sum(weights, temperature):
    probs = np.array(weights) / sum(weights)
    found = tempered(probs, temperature)
    assert found.sum() == pytest.approx(1)
    assert (np.diff(found[np.argsort(probs, kind="stable")]) >= -1e-12).all()
    np.testing.assert_allclose(tempered(found, 1.0), found, atol=1e-12)


def test_few_images_do_not_ask_for_the_impossible():
    assert 1 / MOST <= fit_temperature(np.array([[0.1, 0.9]]), np.array([1])) < 2 / MOST
    assert MOST / 2 < fit_temperature(np.array([[0.1, 0.9]]), np.array([0])) <= MOST
    with pytest.raises(ValueError, match="no image"):
        fit_temperature(np.empty((0, 3)), np.empty(0, int))


def test_what_a_model_keeps_is_of_its_graded_images_alone():
    model = QualityNet("resnet10", 3, 0)
    some = [0, 2, 1, 2, 0, 1, 2, 2]
    found = fit_confidence(model, graded_noise(some))
    kept = read_confidence({"confidence": json.loads(json.dumps(found))}, "m.json")
    assert 1 / MOST <= kept.temperature <= MOST
    assert list(kept.quantiles) == sorted(kept.quantiles)
    assert kept.quantiles[0] >= 1 / 3 - 1e-4
    ungraded = graded_noise([*some, -1, -1])
    ungraded.images[-2:] = 255
    again = fit_confidence(model, ungraded)
    assert again["temperature"] == pytest.approx(found["temperature"], rel=1e-2)
    np.testing.assert_allclose(again["quantiles"], found["quantiles"], atol=1e-2)


def test_a_model_without_the_task_or_a_grade_keeps_nothing():
    assert fit_confidence(QualityNet("resnet10", 0, 3), graded_noise([0, 1])) == {}
    assert fit_confidence(QualityNet("resnet10", 3, 3), graded_noise([-1, -1])) == {}
    for nothing in ({}, {"confidence": {}}):
        assert read_confidence(nothing, "m.json") is None


def test_the_surest_share_has_the_least_probability_of_its_quantile():
    kept = read_confidence({"confidence": KEPT}, "m.json")
    assert kept.least(1.0) == pytest.approx(0.4)
    assert kept.least(0.8) == pytest.approx(0.4 + 0.2 * 0.6)
    assert kept.least(0.005) == pytest.approx(1, abs=0.01)


BROKEN = {
    "temperature": KEPT | {"temperature": 0},
    "quantiles": KEPT | {"quantiles": [0.5]},
    "quantiles.3": KEPT | {"quantiles": [0.5, 0.5, 0.5, 7] + [0.9] * (N_QUANTILES - 4)},
    "confidence": 3,
}


@pytest.mark.parametrize("where", BROKEN)
def test_something_else_in_its_place_is_refused_in_a_line(where):
    with pytest.raises(InputError, match=rf"^m\.json: .*{where}: .*; train the model again$"):
        read_confidence({"confidence": BROKEN[where]}, "m.json")
