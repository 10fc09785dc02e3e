"""A stopped run goes on, and ends with the very numbers of one that was never disturbed."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from riqa.errors import InputError
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.model import QualityNet
from riqa.learn.runs import execute
from riqa.learn.train import train
from tests.learn import chain
from tests.learn.chain import StoppedError, a_run, brightness_task, plant_scores, same_weights

CONFIG = TrainingConfig(4, 16, halve_at=(2,), augmentation=Augmentation(2), precision="float32")


def run(config, checkpoint=None, stop_after=None, backbone="resnet10", start_counts=False):
    """Train; return the model, its history, and what was told of epochs."""

    def on_epoch(record, images_per_second):
        told.append((record["epoch"], images_per_second))
        if record["epoch"] == stop_after:
            raise StoppedError

    told = []
    torch.manual_seed(0)
    model, data = QualityNet(backbone, 3, 3), (brightness_task(), brightness_task(24, seed=1))
    given = {"start_counts": start_counts, "checkpoint": checkpoint, "on_epoch": on_epoch}
    return model, train(model, *data, config, **given), told


@pytest.fixture
def stopped(tmp_path):
    """Stop a run after an epoch; return its checkpoint."""

    def stop(config, after, **options):
        with pytest.raises(StoppedError):
            run(config, tmp_path / "c.safetensors", after, **options)
        torch.rand(7)  # whatever else drew from the global generator
        return tmp_path / "c.safetensors"

    return stop


@pytest.fixture(scope="module")
def undisturbed():
    return {schedule: run(replace(CONFIG, schedule=schedule)) for schedule in ("steps", "one_cycle")}


@pytest.mark.parametrize("schedule", ["steps", "one_cycle"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_stopped_run_ends_with_the_numbers_of_an_undisturbed_one(
    undisturbed, stopped, schedule, stop_after
):
    config, (whole, expected, _) = replace(CONFIG, schedule=schedule), undisturbed[schedule]
    resumed, history, told = run(config, stopped(config, stop_after))
    assert str(history) == str(expected)  # text, because NaN differs from itself
    assert same_weights(whole, resumed)
    assert [(epoch, rate > 0) for epoch, rate in told] == [(k, k > stop_after) for k in (1, 2, 3, 4)]


def test_the_average_goes_on_and_patience_remembers(stopped, monkeypatch):
    config, scores = replace(CONFIG, epochs=6, ema_decay=0.8, patience=2), (0.1, 0.5, 0.4, 0.3, 0.6, 0.7, 0.8)
    plant_scores(monkeypatch, *scores)
    whole, expected, _ = run(config)
    plant_scores(monkeypatch, *scores)
    checkpoint = stopped(config, 2)
    plant_scores(monkeypatch, *scores[3:])
    resumed, history, _ = run(config, checkpoint)
    assert [record["epoch"] for record in history] == [0, 1, 2, 3]  # the second and third are no better
    assert str(history) == str(expected)
    assert same_weights(whole, resumed)


def test_dropout_goes_on_with_its_own_random_numbers(stopped):
    """MobileNetV3 drops features out, with the global generator."""
    config, backbone = replace(CONFIG, epochs=2), {"backbone": "mobilenet_v3_small"}
    _, expected, _ = run(config, **backbone)
    _, history, _ = run(config, stopped(config, 1, **backbone), **backbone)
    assert str(history) == str(expected)


def test_a_start_that_counts_still_counts_after_a_stop(stopped, monkeypatch):
    config = replace(CONFIG, epochs=2)
    plant_scores(monkeypatch, 0.6, 0.5)
    checkpoint = stopped(config, 1, start_counts=True)
    plant_scores(monkeypatch, 0.55)
    model, history, _ = run(config, checkpoint, start_counts=True)
    assert [record["best"] for record in history] == [True, False, False]
    torch.manual_seed(0)
    assert same_weights(model, QualityNet("resnet10", 3, 3))


def test_a_checkpoint_cut_short_or_of_another_network_is_named(stopped):
    file = stopped(replace(CONFIG, epochs=1), 1)
    whole = file.read_bytes()
    for backbone, content in (
        ("wide_resnet10_2", whole), ("resnet10", whole[:-100]), ("resnet10", None),
    ):  # fmt: skip
        if content is None:
            save_file({"weight": torch.zeros(1)}, file)
        else:
            file.write_bytes(content)
        with pytest.raises(InputError, match=r"c\.safetensors: this checkpoint .* delete it"):
            run(CONFIG, file, backbone=backbone)


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from riqa.data.store import open_store
from riqa.learn import runs
from tests.learn.chain import CONFIG, a_run

def tell(epoch):
    if epoch[1]["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[2])
run = a_run(open_store(sys.argv[1]), folder, config=replace(CONFIG, epochs=4), checkpoints=folder / "kept")
runs.execute(run, tell)
"""


@pytest.mark.other_processes
def test_a_killed_process_is_gone_on_with(store, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    four = a_run(store, whole, checkpoints=None, config=replace(chain.CONFIG, epochs=4))
    history, predictions = execute(four)
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root), str(killed)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (killed / "models").exists()
    (kept,) = (killed / "kept").iterdir()
    assert kept.name.startswith("single_task-toy-s0-")
    told = []
    again, also = execute(replace(four, models=killed / "models", checkpoints=killed / "kept"), told.append)
    assert [record["epoch"] for _, record, rate in told if rate > 0] == [3, 4]
    assert again.equals(history)
    assert also.equals(predictions)
    files = (one / "models" / f"{four.stem.name}.safetensors" for one in (whole, killed))
    assert same_weights(*map(load_file, files))


def test_another_run_does_not_go_on_with_it(store, tmp_path):
    """Every setting that changes the outcome names a checkpoint of its own."""
    config = replace(chain.CONFIG, epochs=1)
    base = a_run(store, tmp_path, checkpoints=tmp_path / "kept", config=config)
    changes = [
        {},
        {"config": replace(config, learning_rate=0.02)},
        {"config": replace(config, seed=1)},
        {"start_counts": True},
        {"n_details": 3},
        {"start_from": base.stem},
        {"threads": 2},
    ]
    for n, change in enumerate(changes, start=1):
        execute(replace(base, **change))
        assert len(list((tmp_path / "kept").iterdir())) == n
