import warnings

import numpy as np
import pytest

from riqa.evaluate import crowd

NAN = np.nan


def slow_dawid_skene(scores, n_iter=100):
    """Transcribe equations 2.3 to 2.5 of Dawid and Skene (1979) for two classes, image by image."""
    posterior = np.nanmean(scores, axis=1)
    for _ in range(n_iter):
        prior, truth = posterior.mean(), np.stack([1 - posterior, posterior])
        says = np.zeros((scores.shape[1], 2, 2))  # rater, true, said
        for r, true, said in np.ndindex(says.shape):
            says[r, true, said] = truth[true, scores[:, r] == said].sum()
        says = np.clip(says, 1e-10, None)
        says /= says.sum(axis=2, keepdims=True)
        for image, row in enumerate(scores):
            likelihood = np.array([1 - prior, prior])
            for r in np.flatnonzero(~np.isnan(row)):
                likelihood = likelihood * says[r, :, int(row[r])]
            posterior[image] = likelihood[1] / likelihood.sum()
    return posterior


def noisy(n=300, seed=0):
    """A truth, and five raters of whom the last is nearly blind; each image is seen by three or more."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.6).astype(float)
    right = np.array([0.95, 0.9, 0.85, 0.8, 0.55])
    scores = np.where(rng.random((n, 5)) < right, truth[:, None], 1 - truth[:, None])
    scores[rng.random(n) < 0.3, 2:4] = NAN
    return truth, scores


def test_the_posterior_is_that_of_a_plain_transcription():
    _, scores = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = crowd.dawid_skene(scores)
    assert found == pytest.approx(slow_dawid_skene(scores), abs=1e-6)
    assert not np.allclose(crowd.dawid_skene(scores, 1), found)


def test_the_fit_goes_on_until_nothing_changes():
    """Strict and lenient experts, more bad images than good: crowd-kit's own rule stops after two iterations."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=(160, 1)) - 0.8
    leniency = np.linspace(-0.8, 0.8, 8)
    scores = (quality + leniency + 0.5 * rng.normal(size=(160, 8)) > 0).astype(float)
    found = crowd.dawid_skene(scores)
    assert found == pytest.approx(slow_dawid_skene(scores, 200), abs=1e-6)
    assert np.abs(found - slow_dawid_skene(scores, 2)).max() > 0.3


def test_images_without_ratings_and_constant_ratings_are_no_failure():
    scores = np.array([[1, 1, 1], [NAN, NAN, NAN], [1, 1, NAN]])
    assert np.array_equal(crowd.dawid_skene(scores), [1, NAN, 1], equal_nan=True)
    assert crowd.dawid_skene(1 - scores)[0] == 0
    with pytest.raises(ValueError, match="no rating"):
        crowd.dawid_skene(np.full((3, 2), NAN))


def test_nearness_counts_what_is_right_and_pairs_the_differences():
    truth = np.array([1, 1, 0, 0], float)
    labels = {
        "majority": np.array([1, NAN, 0, 1]),
        "other": np.array([1, 1, 0, 1]),
        "model": np.array([[1, 1, 0, 0], [1, 0, 0, 1]]),
    }
    found = crowd.nearness_to_truth(labels, truth, np.arange(4), baseline="majority", n_resamples=2_000)
    assert [found[name][0].value for name in labels] == [0.625, 0.75, 0.75]
    assert [found[name][1].value for name in labels] == [0, 0.125, 0.125]
    assert (found["majority"][1].low, found["majority"][1].high) == (0, 0)
    # Other and majority differ on one image by one half: never below 0, at most drawn a few times.
    assert found["other"][1].low == 0
    assert 0.25 <= found["other"][1].high <= 0.5
    with pytest.raises(ValueError, match="baseline must be one of majority, other, model"):
        crowd.nearness_to_truth(labels, truth, np.arange(4), baseline="mean")


@pytest.mark.parametrize(("knob", "value"), [("n_resamples", 101), ("seed", 1), ("confidence", 0.5)])
def test_every_knob_of_nearness_is_alive(knob, value):
    truth, scores = noisy()
    labels = {"first": scores[:, 0], "second": scores[:, 1]}
    options = {"n_resamples": 100, "seed": 0, "confidence": 0.95, "baseline": "first"}
    before, after = (
        crowd.nearness_to_truth(labels, truth, np.arange(len(truth)), **o)["second"]
        for o in (options, options | {knob: value})
    )
    assert before[0].value == after[0].value
    assert before != after
