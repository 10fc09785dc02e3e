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
from scipy.stats import kendalltau, pearsonr
from sklearn.metrics import f1_score

from riqa.learn.config import TrainingConfig
from riqa.learn.runs import TrainingRun
from riqa.predictions import OVERALL
from riqa.results import find
from riqa.studies import scales
from tests.learn.chain import CONFIG, write_toy_store

ROWS = st.lists(st.tuples(st.floats(-4, 4, width=32), st.integers(0, 2)), min_size=1, max_size=9)


def macro_f1(grades, called, n=3):
    return f1_score(grades, called, labels=range(n), average="macro", zero_division=0)


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


def test_numbers_and_own_readings_by_hand():
    z = torch.tensor([[0.0, math.log(2), 0.0], [3.0, 0.0, -3.0]], dtype=torch.float64)  # p 1/4, 1/2, 1/4
    ours = scales.LOSSES["cross_entropy"]
    assert ours.number(z)[0].item() == pytest.approx(1.0)
    assert ours.own(z).tolist() == [1, 0]
    ours = scales.LOSSES["cumulative_logits"]
    assert ours.number(torch.tensor([[math.log(3), 0.0]])).item() == pytest.approx(3 / 4 + 1 / 2)
    assert ours.own(torch.tensor([[2.0, -1.0], [2.0, 1.0], [-2.0, -3.0]])).tolist() == [1, 2, 0]
    assert scales.LOSSES["squared_error"].own(torch.tensor([[0.4], [1.6]])).tolist() == [0, 2]
    assert scales.LOSSES["correlation"].own is None


def test_one_scale_has_one_weight_vector_and_ordered_thresholds():
    head = scales.OneScale(4, 2)
    assert sorted(value.numel() for value in head.parameters()) == [2, 4]
    found = head(torch.eye(4))
    assert torch.allclose(found[:, 0] - found[:, 1], torch.ones(4))  # thresholds -1/2 and 1/2, everywhere
    assert head.thresholds.tolist() == [-0.5, 0.5]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), min_size=1, max_size=9), st.integers(2, 3))
def test_cut_points_are_the_best_of_all(images, n_classes):
    numbers, grades = (np.array(column) for column in zip(*images, strict=True))
    grades = grades.clip(max=n_classes - 1)
    cuts = scales.best_cuts(numbers, grades, n_classes)
    everywhere = np.arange(-3.5, 4)
    best = max(
        macro_f1(grades, scales.as_grades(numbers, np.array(pair)), n_classes)
        for pair in itertools.combinations_with_replacement(everywhere, n_classes - 1)
    )
    assert sorted(cuts) == list(cuts)
    assert macro_f1(grades, scales.as_grades(numbers, cuts), n_classes) == pytest.approx(best)


def test_cut_points_by_hand():
    cuts = scales.best_cuts(np.array([3.0, 1, 2, 5, 4]), np.array([1, 0, 0, 2, 1]), 3)
    assert cuts.tolist() == [2.5, 4.5]
    assert scales.as_grades([2.5, 2.6, 9], cuts).tolist() == [0, 1, 2]


def test_unknown_grades_cost_nothing_and_are_not_scored():
    task = scales.task_of("squared_error", 3)
    logits = torch.tensor([[0.0], [1.0], [2.0]], requires_grad=True)
    assert task.loss(logits, torch.tensor([-1, 2, 2])).item() == pytest.approx(0.5)
    nothing = task.loss(logits, torch.tensor([-1, -1, -1]))
    nothing.backward()
    assert logits.grad.abs().sum() == 0
    assert task.score(logits.detach(), torch.tensor([0, -1, 2])) == pytest.approx(2 / 3)  # no image is usable


def test_a_network_learns_by_each_loss(tmp_path):
    store, told = write_toy_store(tmp_path), {loss: [] for loss in scales.LOSSES}
    config = replace(CONFIG, epochs=8, learning_rate=0.01)
    base = TrainingRun("", "toy", store.root, 3, 0, config, tmp_path, checkpoints=None)
    found = [scales.learn(replace(base, model=loss), told[loss].append) for loss in scales.LOSSES]
    answers = pd.concat(found, ignore_index=True)
    for loss, epochs in told.items():
        losses = [record["train_loss"] for _, record, _ in epochs]
        assert len(losses) == 8
        assert losses[-1] < 0.8 * losses[0], loss
    assert answers["model"].unique().tolist() == list(scales.LOSSES)
    assert answers.groupby("split").size().to_dict() == {"val": 32, "test": 32}
    assert answers["own"].isna().groupby(answers["model"]).mean().to_dict() == {
        loss: float(loss == "correlation") for loss in scales.LOSSES
    }
    assert answers["own"].dropna().isin([0, 1, 2]).all()


def test_the_first_seed_chooses_the_rate_on_validation_images(tmp_path, monkeypatch):
    """Who ranks its validation images rightly is planted; test images say the opposite."""
    asked = []

    def learned(runs, workers, work):
        assert (workers, work) == (2, scales.learn)
        asked.append([(run.model, run.config.learning_rate, run.config.seed) for run in runs])
        frames = []
        for run in runs:
            right = (run.config.learning_rate < 0.05) == (run.model == "squared_error")
            overall = np.tile([0.0, 1, 2], 2)
            split = np.repeat(["val", "test"], 3)
            number = np.where((split == "val") == right, overall, 1)
            frames.append(
                pd.DataFrame({"split": split, "overall": overall, "number": number}).assign(**run.names)
            )
        return frames

    monkeypatch.setattr(scales, "run_each", learned)
    base = TrainingRun("", "toy", tmp_path, 3, 0, TrainingConfig(1, learning_rate=0.1), tmp_path)
    losses = ["squared_error", "correlation"]
    found = scales.run_losses(base, losses, [4, 7], [1.0, 0.2], 2)
    assert asked[0] == [(loss, pytest.approx(rate), 4) for loss in losses for rate in (0.1, 0.02)]
    assert asked[1] == [("squared_error", pytest.approx(0.02), 7), ("correlation", 0.1, 7)]
    keys = ["model", "seed", "rate_factor"]
    assert found[keys].drop_duplicates().to_numpy().tolist() == [
        ["squared_error", 4, 0.2], ["squared_error", 7, 0.2], ["correlation", 4, 1.0], ["correlation", 7, 1.0],
    ]  # fmt: skip
    val = found[found["split"] == "val"]
    assert (val["number"] == val["overall"]).all()


def test_a_network_that_diverges_says_the_same_of_every_image(tmp_path):
    store = write_toy_store(tmp_path)
    config = replace(CONFIG, epochs=1, learning_rate=1e30)
    found = scales.learn(
        TrainingRun("squared_error", "toy", store.root, 3, 0, config, tmp_path, checkpoints=None)
    )
    assert np.isfinite(found["number"]).all()
    assert scales.validation_score(found, 3) < 0.5


def test_cross_entropy_trains_the_single_task_network(tmp_path):
    config = TrainingConfig(1, 8)
    run = TrainingRun("cross_entropy", "toy", tmp_path, 3, 0, config, tmp_path)
    from riqa.learn.runs import initial_model

    ours, books = scales.network("cross_entropy", run, 32), initial_model(run, 32)
    for name, value in books.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name.replace("heads.overall", "heads.grade")])


def two_runs():
    """Test and validation images of two losses and two seeds, numbers drawn; a usable image is ungraded."""
    rng, frames = np.random.default_rng(0), []
    for model, seed, split in itertools.product(("a", "b"), (0, 1), ("val", "test")):
        ids = [f"{split}{k}" for k in range(30)]
        frame = pd.DataFrame({"image_id": ids, "patient_id": [f"p{k // 2}" for k in range(30)]})
        overall = np.tile([0.0, 1, 2], 10)
        frame = frame.assign(dataset="d", split=split, eye="left", overall=overall, model=model, seed=seed)
        number = overall * (1 if model == "a" else 0.4) + rng.normal(size=30)
        own = np.full(30, 1.0 if model == "a" else np.nan)
        frames.append(
            frame.assign(number=number, own=own).assign(overall=np.where(frame.index == 4, np.nan, overall))
        )
    return pd.concat(frames, ignore_index=True)


def test_answers_are_read_by_the_cuts_of_their_own_validation_images():
    answers = two_runs()
    found = scales.graded_answers(answers, 3)
    assert len(found) == 120
    for (model, seed), test in found.groupby(["model", "seed"]):
        run = answers[(answers["model"] == model) & (answers["seed"] == seed)].dropna(subset="overall")
        val = run[run["split"] == "val"]
        cuts = scales.best_cuts(val["number"].to_numpy(), val["overall"].to_numpy(), 3)
        expected = np.digitize(test["number"], cuts, right=True)
        assert test["called"].tolist() == expected.tolist()
        assert test[OVERALL].to_numpy().argmax(axis=1).tolist() == expected.tolist()
    own = scales.graded_answers(answers, 3, own=True)
    assert own["model"].unique().tolist() == ["a"]
    assert own["called"].unique().tolist() == [1]
    two = scales.graded_answers(answers.assign(overall=answers["overall"].clip(upper=1)), 2)
    assert two["p_overall_2"].isna().all()


def test_rank_correlations_are_kendalls_and_judged_as_methods():
    answers = two_runs()
    rng = np.random.default_rng(1)
    truth = pd.Series(rng.normal(size=60), answers["image_id"].unique())
    alone, against = (scales.rank_correlations(answers, truth, rival) for rival in ("", "a"))
    test = answers[(answers["split"] == "test") & answers["overall"].notna()]
    for group, code in (("all", None), ("reject", 0), ("usable", 1), ("good", 2)):
        part = test if code is None else test[test["overall"] == code]
        taus = {
            key: kendalltau(own["number"], truth[own["image_id"]]).statistic
            for key, own in part.groupby(["model", "seed"])
        }
        row = find(alone, dataset="d", model="b", metric="rank_correlation", group=group, method="mrmc")
        assert row["value"] == pytest.approx(np.mean([taus["b", 0], taus["b", 1]]))
        assert (row["n"], row["seeds"]) == (part["image_id"].nunique(), (0, 1))
        assert math.isnan(row["p"])
        keys = {"model": "b", "rival": "a", "metric": "rank_correlation", "method": "mrmc"}
        row = find(against, dataset="d", group=group, **keys)
        leads = [taus["b", seed] - taus["a", seed] for seed in (0, 1)]
        assert row["value"] == pytest.approx(np.mean(leads))
        assert row["low"] < row["value"] < row["high"]
    assert set(against["model"]) == {"b"}
