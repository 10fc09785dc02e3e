"""The prior correction: the true shares come back from exact probabilities, and QuickQual gains as reported."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.metrics import confusion_matrix

from riqa.data.published_predictions import read_published_predictions
from riqa.evaluate.label_shift import class_shares, corrected
from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.stats import paired_bootstrap
from riqa.learn.predict import PROBABILITIES
from tests.data.expect import REAL, needs_data

OLD, NEW = np.array([0.2, 0.15, 0.65]), np.array([0.2, 0.3, 0.5])


def photographs(n, shares, seed=0):
    """Draw classes, one measurement of each photograph, and exact probabilities under the shares `OLD`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, size=n, p=shares)
    likelihood = norm.pdf((rng.normal(size=n) + 1.5 * truth)[:, None] - 1.5 * np.arange(3))
    return truth, likelihood, OLD * likelihood / (OLD * likelihood).sum(axis=1, keepdims=True)


def test_correcting_to_the_true_shares_is_bayes_rule():
    _, likelihood, probs = photographs(50, NEW)
    expected = NEW * likelihood / (NEW * likelihood).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected(probs, OLD, NEW), expected)
    np.testing.assert_allclose(corrected(probs, OLD, OLD), probs)
    half = np.array([0.5, 0.5])
    assert corrected(np.array([[0.0, 1.0]]), half, np.array([1.0, 0.0])).tolist() == [[0.5, 0.5]]


def test_shares_come_back_from_exact_probabilities_without_a_label():
    truth, _, probs = photographs(40_000, NEW)
    found = class_shares(probs, OLD)
    assert found == pytest.approx(np.bincount(truth) / len(truth), abs=0.015)
    assert abs(probs.mean(axis=0) - NEW).max() > 0.04  # raw means are drawn to the old shares
    gain = (corrected(probs, OLD, found).argmax(axis=1) == truth).mean()
    assert gain > (probs.argmax(axis=1) == truth).mean()


def test_the_shares_are_those_of_highest_likelihood():
    _, _, probs = photographs(300, NEW, seed=3)

    def surprise(logits):
        shares = np.exp(logits) / np.exp(logits).sum()
        return -np.log((probs / OLD) @ shares).mean()

    best = minimize(surprise, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).x
    assert class_shares(probs, OLD) == pytest.approx(np.exp(best) / np.exp(best).sum(), abs=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_shares_stay_shares_and_no_shift_changes_nothing(seed, n_classes):
    rng = np.random.default_rng(seed)
    probs, old = rng.dirichlet(np.ones(n_classes), 30), rng.dirichlet(np.full(n_classes, 5))
    old = (old + 0.01) / (old + 0.01).sum()
    found = class_shares(probs, old)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    np.testing.assert_allclose(corrected(probs, old, found).sum(axis=1), 1)
    mean = probs.mean(axis=0)
    np.testing.assert_allclose(class_shares(probs, mean), mean, atol=1e-8)


@pytest.mark.parametrize(
    ("probs", "old", "message"),
    [
        (np.ones((0, 2)), [0.5, 0.5], "must be"),
        (np.ones((3, 2)) / 2, [0.2, 0.3, 0.5], "must be"),
        (np.ones((3, 2)), [0.5, 0.5], "probs must be shares"),
        (np.full((3, 2), np.nan), [0.5, 0.5], "probs must be shares"),
        (np.ones((3, 2)) / 2, [0.5, 0.6], "trained_on must be shares"),
        (np.ones((3, 2)) / 2, [0.0, 1.0], "every class must occur"),
    ],
)
def test_wrong_arguments_are_named(probs, old, message):
    with pytest.raises(ValueError, match=message):
        class_shares(probs, np.array(old))


@needs_data
def test_quickqual_gains_from_the_shares_of_the_test_set():
    labels = pd.read_csv(REAL / "eyeq" / "Label_EyeQ_train.csv")["quality"]
    old = labels.value_counts(normalize=True)[[2, 1, 0]].to_numpy()  # EyeQ's 0 is good, 2 is reject
    rows = read_published_predictions(REAL / "published", REAL / "eyeq" / "Label_EyeQ_test.csv")
    rows = rows[rows["model"] == "quickqual"]
    raw, truth = rows[list(PROBABILITIES[:3])].to_numpy(), rows["overall"].to_numpy(dtype=int)
    raw = raw / raw.sum(axis=1, keepdims=True)
    shares = class_shares(raw, old)
    assert (round(old[1], 2), round((truth == 1).mean(), 2)) == (0.15, 0.28)
    assert shares == pytest.approx(np.bincount(truth) / len(truth), abs=0.012)
    better = corrected(raw, old, shares)
    counts = (confusion_matrix(truth, probs.argmax(axis=1)) for probs in (raw, better))
    before, after = ({name: float(score) for name, score in scores_from_counts(of).items()} for of in counts)
    assert (round(before["macro_f1"], 4), round(after["macro_f1"], 4)) == (0.8675, 0.8749)
    by_class = [round(after[f"f1.{name}"], 3) for name in ("reject", "usable", "good")]
    assert by_class == [0.872, 0.813, 0.941]
    how = {"n_classes": 3, "groups": rows["patient_id"].to_numpy(), "n_resamples": 4_000}
    gain = paired_bootstrap(truth, better.argmax(axis=1), raw.argmax(axis=1), **how)
    assert gain.value == pytest.approx(0.0075, abs=0.00005)
    assert (gain.low, gain.high) == pytest.approx((0.0035, 0.0115), abs=0.0004)  # the ends move by the draws
