"""Levels set by shares alone: cuts found by hand, proportions met, and what the nine numbers leave open."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from riqa.learn.shares import (
    fit_class_intercepts,
    fit_intercepts,
    fit_proportions,
    proportion_loss,
)


def shares_called_bad(logits, overall, n_classes):
    """A transcription: shares with logits below 0, one row per class, NaN where it has no image."""
    return np.array([(logits[overall == k] < 0).mean(axis=0) if (overall == k).any() else np.full(logits.shape[1], np.nan)
                     for k in range(n_classes)])  # fmt: skip


def test_an_intercept_moves_the_cut_to_where_the_shares_are():
    # In class 0 half, in class 1 nothing is bad: the cut belongs between 2 and 5, where it calls 1 and 2 bad.
    logits = np.array([[1.0], [2.0], [5.0], [6.0], [7.0], [8.0]])
    overall = np.array([0, 0, 0, 0, 1, 1])
    (intercept,) = fit_intercepts(logits, overall, np.array([[0.5], [0.0]]))
    assert intercept == pytest.approx(-3.5)
    # All bad, and none: beyond the last image, and before the first.
    assert fit_intercepts(logits, overall, np.ones((2, 1)))[0] < -8
    assert fit_intercepts(logits, overall, np.zeros((2, 1)))[0] > -1


def test_images_with_the_same_answer_stay_together():
    logits = np.array([[1.0], [1.0], [1.0], [4.0]])
    for share, called in ((0.5, 0.75), (0.3, 0.0)):
        intercept = fit_intercepts(logits, np.zeros(4, int), np.array([[share]]))
        assert (logits + intercept < 0).mean() == called


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(float, (14, 2), elements=st.integers(-6, 6).map(float)),
    hnp.arrays(int, 14, elements=st.integers(0, 2)),
    hnp.arrays(float, (3, 2), elements=st.integers(0, 10).map(lambda k: k / 10)),
)
def test_no_other_cut_is_nearer(logits, overall, shares):
    overall[:3] = [0, 1, 2]  # every class has an image
    found = fit_intercepts(logits, overall, shares)

    def distance(intercepts):
        return ((shares_called_bad(logits + intercepts, overall, 3) - shares) ** 2).sum(axis=0)

    tried = [distance(np.full(2, cut)) for cut in np.arange(-7.5, 8)]
    np.testing.assert_allclose(distance(found), np.min(tried, axis=0), atol=1e-12)


def test_intercepts_by_class_meet_the_share_of_every_class():
    rng = np.random.default_rng(0)
    logits, overall = rng.normal(size=(600, 3)), np.repeat([0, 1, 2], 200)
    shares = np.array([[0.97, 0.82, 0.88], [0.9, 0.18, 0.45], [0.38, 0.04, 0.05]])
    moved = logits + fit_class_intercepts(logits, overall, shares)[overall]
    np.testing.assert_allclose(shares_called_bad(moved, overall, 3), shares, atol=0.5 / 200 + 1e-9)


def test_the_proportion_loss_is_the_cross_entropy_of_the_mean():
    # Class 0: p(bad) 0.2 and 0.6, mean 0.4, known 0.5; class 1: one image, p(bad) 0.9, known 1.
    p_bad = torch.tensor([[0.2], [0.6], [0.9]])
    loss = proportion_loss(torch.logit(1 - p_bad), torch.tensor([0, 0, 1]), torch.tensor([[0.5], [1.0]]))
    by_hand = (-(0.5 * np.log(0.4) + 0.5 * np.log(0.6)) - np.log(0.9)) / 2
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)


def planted(rng, n=900):
    """Answers of a Teacher whose second detail is only half its own: the first one leaks into it."""
    overall = np.repeat([0, 1, 2], n // 3)
    truth = (
        rng.normal(size=(n, 3)) + np.array([[-1.5, -1.0, -1.2], [-0.2, 0.8, 0.1], [1.0, 2.0, 1.8]])[overall]
    )
    leak = np.array([[1.0, 0.7, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    shares = shares_called_bad(truth, overall, 3)
    return truth @ leak + np.array([2.0, 3.0, -1.0]), overall, shares


def test_a_layer_learned_from_proportions_comes_nearer_than_intercepts():
    logits, overall, shares = planted(np.random.default_rng(1))
    raw = np.abs(shares_called_bad(logits, overall, 3) - shares).max()
    one = np.abs(
        shares_called_bad(logits + fit_intercepts(logits, overall, shares), overall, 3) - shares
    ).max()
    matrix, bias = fit_proportions(logits, overall, shares)
    learned = np.abs(shares_called_bad(logits @ matrix + bias, overall, 3) - shares).max()
    assert learned < one < raw
    assert learned < 0.05


def test_what_the_shares_leave_open_stays_the_teachers():
    logits, overall, shares = planted(np.random.default_rng(2))
    matrix, _ = fit_proportions(logits, overall, shares, pull=1e3)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-3)
