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
from tests.learn.chain import CONFIG, a_run, pseudo_labels


def test_candidates_are_the_one_given_and_the_grid():
    assert candidate_weights(1.0, []) == (1.0,)
    assert candidate_weights(2.0, [0.5, 1, 0.5]) == (0.5, 1.0, 2.0)
    with pytest.raises(ValueError, match="-1"):
        candidate_weights(1.0, [-1])


THREE_ALIKE = {"a": {0.3: [0.8], 1.0: [0.8], 3.0: [0.8]}}


@pytest.mark.parametrize(
    ("scores", "given", "chosen"),
    [  # the highest mean over seeds wins, set by set; a tie goes to the weight given, else to the smaller
        ({"a": {0.5: [0.7, 0.9], 1.0: [0.79, 0.79]}, "b": {0.5: [0.1], 1.0: [0.2]}}, 1, {"a": 0.5, "b": 1.0}),
        (THREE_ALIKE, 1.0, {"a": 1.0}),
        (THREE_ALIKE, 5.0, {"a": 0.3}),
    ],
)
def test_the_best_weight_is_chosen(scores, given, chosen):
    rows = []  # one kept and one better-looking but unkept epoch a run
    for name, by_weight in scores.items():
        for weight, values in by_weight.items():
            for value in values:
                kept = {"trained_on": name, "lambda_details": weight, "val_score": value}
                rows += [kept | {"best": True}, kept | {"best": False, "val_score": 2.0 - weight}]
    assert choose_weights(pd.DataFrame(rows[::-1]), given) == chosen


@pytest.mark.other_processes
def test_trials_then_the_winner_is_taken_over_and_equals_a_run_of_its_own(store, tmp_path, monkeypatch):
    parent, trials = a_run(store, tmp_path), tmp_path / "trials"
    execute(parent)
    taught = {"n_details": 3, "pseudo_labels": pseudo_labels(store, tmp_path)}
    config = replace(CONFIG, lambda_details=1.0)
    run = a_run(store, tmp_path / "s", "multi_task", start_from=parent.stem, config=config, **taught)
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
    # Not to the last bit: with old instructions sums start where memory is aligned, which another process has
    # elsewhere.
    ours, theirs = (load_model(one.stem)[0].state_dict() for one in (run, alone))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
