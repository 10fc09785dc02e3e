"""The Student under the control's rule of selection."""

import pandas as pd
import pytest

from riqa.studies.equal_chances import MODEL, student_or_start


def history(scores):
    """Make a history from the scores of the start and of the epochs; the best epoch after the start is kept."""
    found = []
    for seed, own in enumerate(scores):
        best = 1 + own[1:].index(max(own[1:]))
        for epoch, score in enumerate(own):
            row = {"model": "multi_task", "trained_on": "fake", "seed": seed, "epoch": epoch}
            found.append(row | {"val_score": score, "best": epoch == best})
        found.append({**found[-1], "model": "single_task_control", "epoch": 0, "val_score": 9.0})
    return pd.DataFrame(found)


def test_a_student_that_is_not_strictly_better_keeps_its_start(fake_predictions):
    given = fake_predictions(seeds=(0, 1, 2), right={"single_task": 0.5, "multi_task": 0.9})
    found = student_or_start(given, history([[0.7, 0.6, 0.8], [0.7, 0.7, 0.6], [0.7, 0.69, 0.1]]))
    assert set(found["model"]) == {MODEL}
    by_model = given.set_index(["model", "seed", "image_id"])["p_overall_0"].sort_index()
    for seed, kept in enumerate(["multi_task", "single_task", "single_task"]):
        own = found[found["seed"] == seed]
        assert set(own["kept"]) == {kept}
        assert (own["p_overall_0"].to_numpy() == by_model[kept, seed][own["image_id"]].to_numpy()).all()
    assert len(found) == len(given) / 2


def test_without_the_start_nothing_can_be_said(fake_predictions):
    told = history([[0.7, 0.8], [0.7, 0.8]])
    with pytest.raises(ValueError, match="start"):
        student_or_start(fake_predictions(), told[told["epoch"] > 0])
