"""Looks at gradients: known networks by hand, a real one step by step, and trainings that nobody disturbs."""

import copy
import math
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import t
from torch import nn
from torch.nn import functional

from riqa.learn.model import QualityNet, load_model
from riqa.learn.runs import execute
from riqa.learn.tasks import TASKS
from riqa.results import find
from riqa.studies import interference
from riqa.studies.interference import averaged, look, stage_of, watch
from tests.learn.chain import a_run, brightness_task, pseudo_labels, same_weights, write_toy_store

WATCH = {"n_photographs": 10, "batch_size": 4, "rate": 0.1}


class Toy(nn.Module):
    """One shared weight w, at 0; the logits are -w and w, and w times a factor for every detail."""

    def __init__(self, factor):
        super().__init__()
        self.backbone, self.factor = nn.Sequential(OrderedDict(conv1=nn.Linear(1, 1, bias=False))), factor
        nn.init.zeros_(self.backbone.conv1.weight)

    def forward(self, images):
        h = self.backbone(images)
        return {"overall": torch.cat([-h, h], dim=1), "details": self.factor * h.expand(-1, 3)}


def numbers(looks):
    return {(n["stage"], n["metric"], n["target"], n["group"]): n["value"] for n in looks}


@pytest.mark.parametrize(("factor", "cosine", "length"), [(2, 1, 0), (-2, -1, 0), (8, 1, 2), (-0.5, -1, -2)])
def test_by_hand(factor, cosine, length):
    """All answers right is the second class and good: slopes -1 and -factor / 2, losses log(1 + exp(-z))."""
    targets = {"overall": torch.ones(5, dtype=torch.long), "details": torch.ones(5, 3)}
    found = numbers(look(Toy(factor), torch.ones(5, 1), targets, 0.1))
    for stage in ("all", "stem"):
        assert found[stage, "gradient_cosine", "details", "all"] == pytest.approx(cosine, abs=1e-6)
        assert found[stage, "gradient_length", "details", "all"] == pytest.approx(length, abs=1e-6)
    for task, w in (("overall", 0.1), ("details", 0.1 * factor / 2)):
        for on, z in (("overall", 2 * w), ("details", factor * w)):
            gain = 1 - math.log(1 + math.exp(-z)) / math.log(2)
            assert found["all", "affinity", on, f"step on {task}"] == pytest.approx(gain, abs=1e-5)


def test_of_a_network_as_with_gradients_and_steps_of_torch():
    torch.manual_seed(0)
    model, examples = QualityNet("resnet10", 3, 3, image_size=32).eval(), brightness_task(12)
    images = torch.from_numpy(examples.images).permute(0, 3, 1, 2) / 255
    found = numbers(look(model, images, examples.targets, 0.01))

    def loss(network, name):
        (task,) = (task for task in TASKS if task.name == name)
        return task.loss(network(images)[name], examples.targets[name])

    gradients = {}
    for of in ("overall", "details"):
        stepped = copy.deepcopy(model)
        loss(stepped, of).backward()
        gradients[of] = {n: p.grad.clone() for n, p in stepped.backbone.named_parameters()}
        torch.optim.SGD(stepped.backbone.parameters(), 0.01).step()
        for on in ("overall", "details"):
            gain = 1 - (loss(stepped, on) / loss(model, on)).item()
            assert found["all", "affinity", on, f"step on {of}"] == pytest.approx(gain, abs=1e-4)
    a, b = (
        torch.cat([g.flatten() for n, g in own.items() if n.startswith("layer3.")])
        for own in gradients.values()
    )
    cosine, ratio = functional.cosine_similarity(a, b, dim=0).item(), (b.norm() / a.norm()).log2().item()
    assert found["stage 3", "gradient_cosine", "details", "all"] == pytest.approx(cosine, abs=1e-4)
    assert found["stage 3", "gradient_length", "details", "all"] == pytest.approx(ratio, abs=1e-3)
    stages = list(dict.fromkeys(stage for stage, metric, *_ in found if metric == "gradient_cosine"))
    assert stages == ["all", "stem", "stage 1", "stage 2", "stage 3", "stage 4"]


def test_a_look_changes_neither_the_network_nor_the_random_numbers_and_leaves_frozen_layers_out():
    model, examples = QualityNet("resnet10", 3, 3, image_size=32).eval(), brightness_task(6)
    before, state = copy.deepcopy(model), torch.get_rng_state()
    model.backbone.conv1.weight.requires_grad_(False)
    model.backbone.bn1.requires_grad_(False)
    images = torch.from_numpy(examples.images).permute(0, 3, 1, 2) / 255
    found = look(model, images, examples.targets, 0.1)
    assert same_weights(model, before)
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert "stem" not in {n["stage"] for n in found}


def test_stages_of_other_networks_have_the_names_of_their_parts():
    names = ("conv1.weight", "bn1.bias", "layer4.conv2.weight", "features.3.weight")
    assert [stage_of(name) for name in names] == ["stem", "stem", "stage 4", "features"]


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interference")
    store = write_toy_store(folder)
    torch.set_num_threads(1)
    run = a_run(store, folder, "student", n_details=3, pseudo_labels=pseudo_labels(store, folder))
    return replace(run, config=replace(run.config, lambda_details=1.0))


def test_a_watched_training_is_the_training(student, monkeypatch):
    trained, told, fit = [], [], interference.fit

    def spy(run, model, *arguments, **options):
        trained.append(model)
        return fit(run, model, *arguments, **options)

    monkeypatch.setattr(interference, "fit", spy)
    looks = watch(student, told.append, **WATCH)
    execute(student)
    assert same_weights(trained[0], load_model(student.stem)[0])
    assert [record["epoch"] for _, record, _ in told] == [1, 2]
    assert sorted(looks["epoch"].unique()) == [0, 1, 2]
    assert sorted(looks["batch"].unique()) == [0, 1, 2]  # of 4, 3 and 3 photographs
    assert set(looks["model"]) == {"student"}
    by_epoch = looks.query("metric == 'gradient_cosine' and stage == 'all'").groupby("epoch")["value"].mean()
    assert by_epoch.nunique() == 3  # each look is at another network


def test_weights_of_tasks_lengthen_gradients_and_every_option_is_alive(student, monkeypatch):
    monkeypatch.setattr(interference, "fit", lambda *_, **__: None)  # the look before it is enough
    first = watch(student, **WATCH)
    heavier = watch(replace(student, config=replace(student.config, lambda_details=4.0)), **WATCH)
    length = first["metric"] == "gradient_length"
    np.testing.assert_allclose((heavier["value"] - first["value"])[length], 2, atol=1e-6)
    np.testing.assert_allclose(heavier["value"][~length], first["value"][~length], atol=1e-6)
    for option in ({"n_photographs": 24}, {"batch_size": 10}, {"rate": 0.2}):
        other = watch(student, **WATCH | option)
        assert len(other) != len(first) or not np.allclose(other["value"], first["value"], atol=1e-3)


def looks_of(values, **more):
    """Values by seed and batch, twice: in two epochs a half above and a half below."""
    told = {
        "model": "a",
        "rival": "",
        "target": "details",
        "metric": "gradient_cosine",
        "group": "all",
    } | more
    frames = [
        pd.DataFrame([told | {"seed": seed, "batch": batch, "epoch": epoch, "value": value + epoch - 0.5}])
        for seed, own in enumerate(values)
        for batch, value in enumerate(own)
        for epoch in (0, 1)
    ]
    return pd.concat(frames, ignore_index=True)


def test_averages_over_epochs_have_seeds_as_readers_and_batches_as_cases():
    own = looks_of([[0.1, 0.3], [0.4, 0.6]])
    both = pd.concat([own, looks_of([[0.2, 0.2], [0.2, 0.2]], rival="b")])
    table = averaged(both, dataset="toy", seeds=[0, 1], n=8)
    row, alike = (find(table, model="a", rival=r, target="details", metric="gradient_cosine", method="batches", dataset="toy") for r in ("", "b"))  # fmt: skip
    assert row["value"] == pytest.approx(0.35)
    # Batches add the same to both seeds, variance 0.1 ** 2; seeds' means 0.2 and 0.5 have a variance of 0.045 / 2.
    variance, of_seeds = 0.01 + 0.0225, 0.0225
    half = t.ppf(0.975, (variance / of_seeds) ** 2) * math.sqrt(variance)
    assert row["high"] - row["value"] == pytest.approx(half)
    assert (alike["low"], alike["value"], alike["high"]) == pytest.approx((0.2, 0.2, 0.2))
    alone = averaged(looks_of([[0.1, 0.3]]), dataset="toy")
    assert alone["value"].item() == pytest.approx(0.2)
    assert np.isnan(alone["low"].item())


def test_it_can_be_sent_to_another_process():
    import pickle

    assert pickle.loads(pickle.dumps(partial(watch, **WATCH))).keywords == WATCH


def test_a_gap_taken_apart_by_image_has_its_mean_and_the_spread_of_two_means():
    values = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    second = np.array([False, False, False, False, True, True])
    parts = interference.gap_parts(values, second)
    np.testing.assert_allclose(parts.mean(axis=1), [0 - 3 / 4, 1 / 2 - 1 / 4])  # by hand
    # The variance of a difference of independent means: the sum of theirs.
    for own, part in zip(values, parts, strict=True):
        expected = own[second].var() / 2 + own[~second].var() / 4
        assert part.var() / 6 == pytest.approx(expected)
