"""Losses for grades: each against a loop in plain Python, cut points against all that there are, and a training."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, t
from sklearn.metrics import f1_score

from riqa.data.store import open_store
from riqa.evaluate.mrmc import mean_of_method
from riqa.learn.runs import TrainingRun, run_each
from riqa.studies import scales
from riqa.studies.experiment import relabelled
from tests.learn.chain import CONFIG, write_toy_store

ROWS = st.lists(st.tuples(st.floats(-4, 4, width=32), st.integers(0, 2)), min_size=1, max_size=9)


@given(ROWS)
def test_losses_equal_loops(images):
    score = torch.tensor([[z] for z, _ in images])
    grades = torch.tensor([grade for _, grade in images])
    squares = [(z - grade) ** 2 for z, grade in images]
    assert scales.squared_error(score, grades).item() == pytest.approx(np.mean(squares), rel=1e-5)
    logits, thresholds = score - torch.tensor([-0.5, 1.0]), (-0.5, 1.0)
    terms = []
    for z, grade in images:
        above = [1 / (1 + math.exp(t - z)) for t in thresholds]
        terms.append(-sum(math.log(p if grade > k else 1 - p) for k, p in enumerate(above)))
    assert scales.cumulative_logits(logits, grades).item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_correlation_against_scipy_and_where_there_is_none():
    score, grades = torch.tensor([[0.3], [2.0], [-1.0], [0.5]]), torch.tensor([0, 2, 0, 1])
    expected = 1 - pearsonr(score[:, 0].numpy(), grades.numpy()).statistic
    assert scales.correlation(score, grades).item() == pytest.approx(expected, abs=1e-6)
    assert scales.correlation(7 + 3 * score, grades).item() == pytest.approx(expected, abs=1e-6)
    for alike in (torch.tensor([1, 1, 1, 1]), torch.tensor([2])):  # a batch of one grade, or of one image
        own = score[: len(alike)].clone().requires_grad_()
        loss = scales.correlation(own, alike)
        loss.backward()
        assert loss.item() == 1
        assert own.grad.tolist() == [[0.0]] * len(alike)


def test_one_scale_has_one_weight_vector_and_ordered_thresholds():
    head = scales.OneScale(4, 2)
    assert sorted(value.numel() for value in head.parameters()) == [2, 4]
    found = head(torch.eye(4))
    assert torch.allclose(found[:, 0] - found[:, 1], torch.ones(4))  # thresholds -1/2 and 1/2, everywhere
    assert head.thresholds.tolist() == [-0.5, 0.5]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), min_size=1, max_size=9), st.integers(2, 3))
def test_cut_points_are_the_best_of_all(images, n_classes):
    """So few numbers have a quantile in each gap."""
    numbers, grades = (np.array(column) for column in zip(*images, strict=True))
    grades = grades.clip(max=n_classes - 1)

    def macro_f1(cuts):
        called = np.digitize(numbers, cuts, right=True)
        return f1_score(grades, called, labels=range(n_classes), average="macro", zero_division=0)

    cuts, everywhere = scales.best_cuts(numbers, grades, n_classes), np.arange(-3.5, 4)
    every = itertools.combinations_with_replacement(everywhere, n_classes - 1)
    assert sorted(cuts) == list(cuts)
    assert macro_f1(cuts) == pytest.approx(max(macro_f1(np.array(pair)) for pair in every))


def test_rank_correlations_are_kendalls_and_their_parts_a_jackknife():
    rng = np.random.default_rng(0)
    truth, patients = rng.normal(size=90), np.repeat(np.arange(45), 2)
    numbers = truth + rng.normal(size=(2, 90))
    parts = scales.rank_parts(numbers, truth)
    taus = [kendalltau(own, truth).statistic for own in numbers]
    np.testing.assert_allclose(parts.mean(axis=1), taus)
    without = [
        [kendalltau(x[patients != p], truth[patients != p]).statistic for x in numbers] for p in range(45)
    ]
    away = np.array(without) - np.mean(without, axis=0)
    covariance = 44 / 45 * away.T @ away
    of_seeds = np.var(taus, ddof=1) / 2
    found = mean_of_method(parts, groups=patients, confidence=0.95)
    assert found.value == pytest.approx(np.mean(taus))
    # Leaving patients out of the correlation and out of its linear part differ by terms of order 1 / n.
    df = (1 + max(covariance[0, 1], 0) / of_seeds) ** 2
    half = t.ppf(0.975, df) * math.sqrt(of_seeds + max(covariance[0, 1], 0))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_rank_correlation_by_hand_with_ties():
    # Of the pairs 12, 13, 14, 23, 24 (34 has no true order) 12 is in order, 13 ties, and three are not.
    parts = scales.rank_parts(np.array([[2.0, 3, 2, 1]]), np.array([1.0, 2, 3, 3]))
    assert parts.mean() == pytest.approx((1 - 1 - 1 - 1) / 5)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The toy set, in which nobody has graded the last image of each split."""
    folder = tmp_path_factory.mktemp("scales")
    toy = write_toy_store(folder)
    last = ~toy.manifest["split"].duplicated(keep="last")
    manifest = toy.manifest.assign(overall=toy.manifest["overall"].mask(last))
    relabelled(toy, folder / "graded", manifest)
    return open_store(folder / "graded")


def test_a_network_learns_by_each_loss(store, tmp_path):
    config = replace(CONFIG, epochs=8, learning_rate=0.01)
    base = TrainingRun("", "toy", store.root, 3, 0, config, tmp_path, checkpoints=None)
    for loss in scales.LOSSES:
        told = []
        answers = scales.learn(replace(base, model=loss), told.append)
        losses = [record["train_loss"] for _, record, _ in told]
        assert len(losses) == 8
        assert losses[-1] < 0.8 * losses[0], loss
        assert answers["val_score"].unique() == max(record["val_score"] for _, record, _ in told)
        assert answers.groupby("split").size().to_dict() == {"val": 7, "test": 7}
        assert set(answers["model"]) == {loss}
        assert answers["overall"].notna().all()
        if loss == "cumulative_logits":  # an expected grade
            assert answers["number"].between(0, 2).all()


def test_processes_learn_what_one_learns_and_diverging_is_an_answer(store, tmp_path):
    config = replace(CONFIG, epochs=1)
    run = TrainingRun("correlation", "toy", store.root, 3, 0, config, tmp_path, checkpoints=None)
    wild = replace(run, model="squared_error", config=replace(config, learning_rate=1e30))
    sane, lost = run_each([run, wild], 2, scales.learn)
    pd.testing.assert_frame_equal(sane, scales.learn(run))
    assert np.isfinite(lost["number"]).all()
    assert lost["val_score"].iloc[0] < 0.5
