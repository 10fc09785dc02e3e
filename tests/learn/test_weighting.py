"""The weight of the details loss: what is compared, on which images, who wins; nothing trains twice."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.store import open_store
from riqa.learn import runs
from riqa.learn.model import load_model
from riqa.learn.pseudo import pseudo_label
from riqa.learn.runs import apply_model, execute, run_all
from riqa.learn.weighting import adopt, candidate_weights, choose_weights, run_trials, trial, weighted
from tests.learn.chain import CONFIG, a_run, write_toy_store


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A student that is ready to train: its store, its Teacher's answers and the model it starts from."""
    folder = tmp_path_factory.mktemp("chain")
    store = write_toy_store(folder)
    task = {"lambda_overall": 0.0, "lambda_details": 1.0}
    teacher = a_run(store, folder, model="teacher", n_overall=0, n_details=3, config=replace(CONFIG, **task))
    execute(teacher)
    answers = pd.concat(
        pseudo_label({0: teacher.stem}, [open_store(store.root)]).assign(seed=seed) for seed in (0, 1)
    )
    answers.to_parquet(folder / "answers.parquet")
    parents = [a_run(store, folder, seed=seed) for seed in (0, 1)]
    run_all(parents)
    made = [
        a_run(
            store,
            folder / "student",
            model="multi_task",
            seed=seed,
            n_details=3,
            start_from=parent.stem,
            config=replace(CONFIG, lambda_details=1.0),
            pseudo_labels=folder / "answers.parquet",
        )
        for seed, parent in enumerate(parents)
    ]
    return folder, made


def test_candidates_are_the_one_given_and_the_grid():
    assert candidate_weights(1.0, []) == (1.0,)
    assert candidate_weights(2.0, [0.5, 1, 0.5]) == (0.5, 1.0, 2.0)
    with pytest.raises(ValueError, match="-1"):
        candidate_weights(1.0, [-1])


def history(scores):
    """One kept and one better-looking but unkept epoch a run: set -> weight -> scores by seed."""
    rows = []
    for name, by_weight in scores.items():
        for weight, values in by_weight.items():
            for seed, value in enumerate(values):
                kept = {"trained_on": name, "lambda_details": weight, "seed": seed, "val_score": value}
                rows += [kept | {"best": True}, kept | {"best": False, "val_score": 2.0 - weight}]
    return pd.DataFrame(rows)


def test_the_highest_mean_over_seeds_wins_set_by_set():
    scores = {"a": {0.5: [0.7, 0.9], 1.0: [0.79, 0.79]}, "b": {0.5: [0.1], 1.0: [0.2]}}
    assert choose_weights(history(scores), 1.0) == {"a": 0.5, "b": 1.0}


def test_a_tie_goes_to_the_weight_given_else_to_the_smaller():
    tie = {"a": {0.3: [0.8], 1.0: [0.8], 3.0: [0.8]}}
    assert choose_weights(history(tie), 1.0) == {"a": 1.0}
    assert choose_weights(history(tie), 5.0) == {"a": 0.3}


def test_a_trial_meets_validation_images_only(student):
    folder, (run, _) = student
    tried = trial(run, 0.25, folder / "x")
    assert tried.config == replace(run.config, lambda_details=0.25)
    assert tried.predict_on == ((run.store, ("val",)),)
    assert tried.stem != run.stem
    also = trial(run, 0.25, folder / "x", [folder / "other"]).predict_on
    assert also == ((run.store, ("val",)), (folder / "other", ("val",)))


@pytest.mark.other_processes
def test_trials_then_the_winner_is_taken_over_and_equals_a_run_of_its_own(student, monkeypatch):
    folder, (run, other) = student
    trials = folder / "trials"
    found, predictions = run_trials([run], (0.0, 4.0), trials)
    assert set(predictions["split"]) == {"val"}
    assert predictions.groupby("lambda_details").size().tolist() == [8, 8]
    written = {path.name for path in (trials / "4").iterdir()}
    losses = found[found["epoch"] == 1].set_index("lambda_details")["train_loss"]
    assert losses[0.0] < losses[4.0]  # the same images and start, a heavier second term

    monkeypatch.setattr(runs, "train", None)  # whoever trains now fails
    kept = adopt(run, {"toy": 4.0}, trials)
    applied = apply_model(kept)
    monkeypatch.undo()
    assert kept.config.lambda_details == 4.0
    assert {path.name for path in run.models.iterdir()} == written
    assert json.loads(run.stem.with_suffix(".json").read_text())["training"]["lambda_details"] == 4.0
    assert sorted(path.name for path in trials.rglob("*.json")) == ["multi_task-toy-s0.json"]  # the loser
    assert set(applied["split"]) == {"val", "test"}

    alone = replace(weighted(run, 4.0), models=folder / "alone")
    _, by_itself = execute(alone)
    np.testing.assert_allclose(applied["p_clarity"], by_itself["p_clarity"], atol=1e-6)
    ours, theirs = (load_model(one.stem)[0].state_dict() for one in (run, alone))
    # Not to the last bit: with old instructions sums start where memory is aligned, which another process has
    # elsewhere.
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
    assert weighted(other, 4.0).config.seed == 1
