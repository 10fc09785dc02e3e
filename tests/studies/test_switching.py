"""Tokens in place of heads: the answers by loops, sizes by formulas, and what a training learns and leaves alone."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.labels import DETAILS
from riqa.learn.model import QualityNet
from riqa.studies import switching
from riqa.studies.experiment import Arm, trainings
from riqa.studies.switching import SwitchedNet, network

P = [f"p_{detail}" for detail in DETAILS]


@pytest.fixture
def start():
    torch.manual_seed(5)
    return QualityNet("resnet10", 2, 0, image_size=32)


def test_answers_equal_loops(start, monkeypatch):
    model = network("task_token", start, 3, 1.0)
    features, n = torch.randn(2, 128), 128
    monkeypatch.setattr(model, "features", lambda images: features)
    logits = model(torch.empty(0))
    assert {task: tuple(z.shape) for task, z in logits.items()} == {"overall": (2, 2), "details": (2, 3)}
    W, b = (value.tolist() for value in model.heads["any"].parameters())
    for (_, z), token in zip(logits.items(), model.tokens.weight.tolist(), strict=True):
        for answers, h in zip(z.tolist(), features.tolist(), strict=True):
            told = [(1 + token[k]) * h[k] + token[n + k] for k in range(n)]
            by_hand = [b[o] + sum(W[o][k] * told[k] for k in range(n)) for o in range(len(answers))]
            assert answers == pytest.approx(by_hand, rel=1e-3, abs=1e-4)


def test_tasks_with_the_same_token_are_answered_alike_and_exchanged_tokens_exchange_answers(start):
    images = torch.rand(3, 3, 32, 32)
    same = network("same_token", start, 3, 1.0).eval()(images)
    torch.testing.assert_close(same["details"][:, :2], same["overall"])
    model = network("task_token", start, 3, 1.0).eval()
    told = model(images)
    assert (told["details"][:, :2] - told["overall"]).abs().max() > 0.1
    model.rows = model.rows[::-1]
    wrong = model(images)
    torch.testing.assert_close(wrong["overall"], told["details"][:, :2])
    torch.testing.assert_close(wrong["details"][:, :2], told["overall"])


def test_untied_heads_begin_with_the_answers_of_tokens(start):
    images, logits = torch.rand(3, 3, 32, 32), []
    for arm in ("task_token", "untied_heads", "two_heads"):
        torch.manual_seed(7)
        logits.append(network(arm, start, 3, 1.0).eval()(images))
    tied, untied, others = logits
    for task, z in tied.items():
        torch.testing.assert_close(untied[task], z, rtol=1e-3, atol=1e-3)  # sums are taken in another order
        assert (others[task] - z).abs().max() > 0.1


def test_sizes_by_hand_and_where_arms_begin(start):
    D, image = 128, torch.rand(1, 3, 32, 32)
    behind = {
        "no_details": 2 * (D + 1),
        "two_heads": 5 * (D + 1),
        "untied_heads": 5 * (D + 1),
        "task_token": 3 * (D + 1) + 2 * 2 * D,
        "fixed_token": 3 * (D + 1) + 2 * 2 * D,
        "same_token": 3 * (D + 1) + 2 * D,
    }
    with torch.no_grad():
        h = start.eval().features(image)
    for arm, size in behind.items():
        model = network(arm, start, 0 if arm == "no_details" else 3, 1.0).eval()
        own = {name: p for name, p in model.named_parameters() if not name.startswith("backbone")}
        assert sum(p.numel() for p in own.values()) == size
        assert {name for name, p in own.items() if not p.requires_grad} == (
            {"tokens.weight"} if arm == "fixed_token" else set()
        )
        torch.testing.assert_close(model.features(image), h)
        if arm not in switching.TOKENS:  # no head is taken over
            assert not torch.equal(model.heads["overall"].weight, start.heads["overall"].weight)


def test_fresh_tokens_lie_around_a_scale_of_1_as_far_as_they_are_told(start):
    both = QualityNet(**start.architecture | {"n_details": 3})
    assert SwitchedNet(both, (0, 1), 0.0).tokens.weight.abs().max() == 0
    torch.manual_seed(0)
    drawn = SwitchedNet(both, (0, 1), 3.0).tokens.weight
    assert drawn.shape == (2, 256)
    assert drawn.std().item() == pytest.approx(3, rel=0.2)  # of 512 numbers, ten standard errors


def arms_of(parent, folder, values, **settings):
    """Return runs of seed 0 by arm: the same values of details for every image."""
    config = replace(parent.config, epochs=3, learning_rate=0.02, lambda_details=1.0)
    shown = ((parent.store, ("test",)),)
    base = replace(parent, model="", config=config, models=folder, predict_on=shown, checkpoints=None)
    ids = pd.read_parquet(parent.store / "manifest.parquet")["image_id"]
    labels = pd.DataFrame([values] * len(ids), columns=P).assign(image_id=ids)
    arms = [Arm(arm, labels, settings) for arm in ("two_heads", "untied_heads", *switching.TOKENS)]
    return {run.model: run for run in trainings([Arm("no_details"), *arms], base, parent.models, [0])}


def test_each_arm_learns_its_labels_and_fixed_tokens_stay(parent, tmp_path, monkeypatch):
    trained, apply_model = {}, switching.apply_model

    def kept(run, model):
        trained[run.model] = copy.deepcopy(model)
        return apply_model(run, model)

    monkeypatch.setattr(switching, "apply_model", kept)
    runs = arms_of(parent, tmp_path, [0.0, 1.0, np.nan], weighting="equal_weights")
    for arm, run in runs.items():
        told = []
        history, answers = switching.learn(run, told.append)
        assert [record["epoch"] for _, record, _ in told] == [1, 2, 3]
        assert set(answers["model"]) == {arm} | ({"wrong_token"} if arm == "task_token" else set())
        own = answers[answers["model"] == arm]
        assert own["image_id"].is_unique
        assert own["p_overall_0"].notna().all()
        assert answers["p_contrast"].isna().all()  # nobody has taught it
        if arm == "no_details":
            assert own[P].isna().all(axis=None)
            continue
        assert history["cosine"].iloc[1:].between(-1, 1).all()
        assert own["p_clarity"].mean() - own["p_illumination"].mean() > 0.2, arm
        if arm in switching.TOKENS:
            before = QualityNet("resnet10", 3, 0, image_size=32)
            torch.manual_seed(0)
            fresh = network(arm, before, 3, 1.0)  # so it began, whatever the numbers of its start
            moved = (trained[arm].tokens.weight - fresh.tokens.weight).abs().max().item()
            assert (moved == 0) == (arm == "fixed_token"), arm


def test_the_wrong_token_asks_for_the_other_task(parent, tmp_path):
    run = arms_of(parent, tmp_path, [0.0, 1.0, 1.0], learning_rate=1e-5)["task_token"]  # no answer is certain
    _, answers = switching.learn(run)
    right, wrong = (answers[answers["model"] == model] for model in ("task_token", "wrong_token"))
    z = {}
    for asked, own in (("right", right), ("wrong", wrong)):
        grade = np.log(own[["p_overall_0", "p_overall_1", "p_overall_2"]].to_numpy())
        detail = np.log(own[P].to_numpy() / (1 - own[P].to_numpy()))
        z[asked] = grade, detail - detail.mean(axis=1, keepdims=True)
    for one, other in (("right", "wrong"), ("wrong", "right")):
        grade = z[one][0] - z[one][0].mean(axis=1, keepdims=True)  # of logits, softmax keeps the differences
        np.testing.assert_allclose(grade, z[other][1], atol=1e-3)


def test_the_spread_of_tokens_decides_what_is_learned(parent, tmp_path):
    run = arms_of(parent, tmp_path, [0.0, 1.0, 1.0])["fixed_token"]
    near, far = (switching.learn(run, spread=spread)[1][P].to_numpy() for spread in (0.0, 2.0))
    assert np.abs(near - far).max() > 1e-3
