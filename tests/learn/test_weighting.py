"""The weight of the details loss: what is compared, on which images, who wins; nothing trains twice."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.learn import runs
from riqa.learn.model import load_model
from riqa.learn.runs import apply_model, execute
from riqa.learn.weighting import adopt, candidate_weights, choose_weights, run_trials, trial, weighted
from tests.learn.chain import CONFIG, a_run, write_toy_store


@pytest.fixture
def student(tmp_path):
    """A student that is ready to train: its store, its Teacher's answers and the model it starts from."""
    store = write_toy_store(tmp_path)
    answers = store.manifest[["image_id"]].assign(dataset="toy", seed=0)
    answers[["p_illumination", "p_clarity", "p_contrast"]] = np.random.default_rng(0).random(
        (len(answers), 3)
    )
    answers.to_parquet(tmp_path / "answers.parquet")
    parent = a_run(store, tmp_path)
    execute(parent)
    changes = {"n_details": 3, "start_from": parent.stem, "config": replace(CONFIG, lambda_details=1.0)}
    changes["pseudo_labels"] = tmp_path / "answers.parquet"
    return a_run(store, tmp_path / "student", model="multi_task", **changes)


def test_candidates_are_the_one_given_and_the_grid():
    assert candidate_weights(1.0, []) == (1.0,)
    assert candidate_weights(2.0, [0.5, 1, 0.5]) == (0.5, 1.0, 2.0)
    with pytest.raises(ValueError, match="-1"):
        candidate_weights(1.0, [-1])


@pytest.mark.parametrize(
    ("scores", "given", "chosen"),
    [
        # The highest mean over seeds wins, set by set.
        (
            {"a": {0.5: [0.7, 0.9], 1.0: [0.79, 0.79]}, "b": {0.5: [0.1], 1.0: [0.2]}},
            1.0,
            {"a": 0.5, "b": 1.0},
        ),
        # A tie goes to the weight given, else to the smaller.
        ({"a": {0.3: [0.8], 1.0: [0.8], 3.0: [0.8]}}, 1.0, {"a": 1.0}),
        ({"a": {0.3: [0.8], 1.0: [0.8], 3.0: [0.8]}}, 5.0, {"a": 0.3}),
    ],
)
def test_the_best_weight_is_chosen(scores, given, chosen):
    rows = []  # one kept and one better-looking but unkept epoch a run
    for name, by_weight in scores.items():
        for weight, values in by_weight.items():
            for seed, value in enumerate(values):
                kept = {"trained_on": name, "lambda_details": weight, "seed": seed, "val_score": value}
                rows += [kept | {"best": True}, kept | {"best": False, "val_score": 2.0 - weight}]
    assert choose_weights(pd.DataFrame(rows), given) == chosen


@pytest.mark.other_processes
def test_trials_then_the_winner_is_taken_over_and_equals_a_run_of_its_own(student, tmp_path, monkeypatch):
    run, trials = student, tmp_path / "trials"
    tried = trial(run, 0.25, trials, [tmp_path / "other"])
    assert tried.config == replace(run.config, lambda_details=0.25)
    assert tried.predict_on == ((run.store, ("val",)), (tmp_path / "other", ("val",)))  # never test
    assert tried.stem != run.stem

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

    alone = replace(weighted(run, 4.0), models=tmp_path / "alone")
    _, by_itself = execute(alone)
    np.testing.assert_allclose(applied["p_clarity"], by_itself["p_clarity"], atol=1e-6)
    ours, theirs = (load_model(one.stem)[0].state_dict() for one in (run, alone))
    # Not to the last bit: with old instructions sums start where memory is aligned, which another process has
    # elsewhere.
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)
