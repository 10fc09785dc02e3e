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
from tests.learn.chain import a_run, write_toy_store
from tests.learn.test_train import brightness_task, plant_scores

CONFIG = TrainingConfig(
    epochs=4, batch_size=16, augmentation=Augmentation(max_transforms=2), halve_at=(2,), precision="float32"
)


class StoppedError(Exception):
    """Stands for whatever ends a process between two epochs."""


def run(config, checkpoint, stop_after=None, backbone="resnet10", start_counts=False):
    def on_epoch(record, images_per_second):
        told.append((record["epoch"], images_per_second))
        if record["epoch"] == stop_after:
            raise StoppedError

    told = []
    torch.manual_seed(0)
    model = QualityNet(backbone, 3, 3)
    history = train(
        model, brightness_task(), brightness_task(24, seed=1), config,
        start_counts=start_counts, checkpoint=checkpoint, on_epoch=on_epoch,
    )  # fmt: skip
    return model, history, told


@pytest.mark.parametrize("schedule", ["steps", "one_cycle"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_a_stopped_run_ends_with_the_numbers_of_an_undisturbed_one(tmp_path, schedule, stop_after):
    config = replace(CONFIG, schedule=schedule)
    whole, expected, _ = run(config, None)
    with pytest.raises(StoppedError):
        run(config, tmp_path / "c.safetensors", stop_after)
    torch.rand(7)  # whatever else drew from the global generator
    resumed, history, told = run(config, tmp_path / "c.safetensors")
    assert str(history) == str(expected)  # text, because NaN differs from itself
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4]
    assert [rate > 0 for _, rate in told] == [epoch > stop_after for epoch in (1, 2, 3, 4)]


def test_the_average_goes_on_and_patience_remembers(tmp_path, monkeypatch):
    config, scores = replace(CONFIG, epochs=6, ema_decay=0.8, patience=2), (0.1, 0.5, 0.4, 0.3, 0.6, 0.7, 0.8)
    plant_scores(monkeypatch, *scores)
    whole, expected, _ = run(config, None)
    plant_scores(monkeypatch, *scores)
    with pytest.raises(StoppedError):
        run(config, tmp_path / "c.safetensors", 2)
    plant_scores(monkeypatch, *scores[3:])
    resumed, history, _ = run(config, tmp_path / "c.safetensors")
    assert [record["epoch"] for record in history] == [0, 1, 2, 3]  # the second and third are no better
    assert str(history) == str(expected)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_dropout_goes_on_with_its_own_random_numbers(tmp_path):
    """MobileNetV3 drops features out, with the global generator."""
    config = replace(CONFIG, epochs=2)
    _, expected, _ = run(config, None, backbone="mobilenet_v3_small")
    with pytest.raises(StoppedError):
        run(config, tmp_path / "c.safetensors", 1, backbone="mobilenet_v3_small")
    _, history, _ = run(config, tmp_path / "c.safetensors", backbone="mobilenet_v3_small")
    assert str(history) == str(expected)


def test_a_start_that_counts_still_counts_after_a_stop(tmp_path, monkeypatch):
    config = replace(CONFIG, epochs=2)
    plant_scores(monkeypatch, 0.6, 0.5)
    with pytest.raises(StoppedError):
        run(config, tmp_path / "c.safetensors", 1, start_counts=True)
    plant_scores(monkeypatch, 0.55)
    model, history, _ = run(config, tmp_path / "c.safetensors", start_counts=True)
    assert [record["best"] for record in history] == [True, False, False]
    torch.manual_seed(0)
    start = QualityNet("resnet10", 3, 3)
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_cut_short_or_of_another_network_is_named(tmp_path):
    file = tmp_path / "c.safetensors"
    with pytest.raises(StoppedError):
        run(CONFIG, file, 1)
    with pytest.raises(InputError, match=r"c\.safetensors: this checkpoint .* delete it"):
        run(CONFIG, file, backbone="resnet18")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"c\.safetensors: this checkpoint .* delete it"):
        run(CONFIG, file)
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(InputError, match=r"c\.safetensors: this checkpoint .* delete it"):
        run(CONFIG, file)


KILLED = """
import os, signal, sys
from pathlib import Path
from riqa.learn import runs
from tests.learn.chain import CONFIG, a_run
from riqa.data.store import open_store
from dataclasses import replace

def tell(epoch):
    if epoch[1]["epoch"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[2])
run = a_run(open_store(sys.argv[1]), folder, config=replace(CONFIG, epochs=4), checkpoints=folder / "kept")
runs.execute(run, tell)
"""


@pytest.mark.other_processes
def test_a_killed_process_is_gone_on_with(tmp_path):
    store = write_toy_store(tmp_path)
    config = a_run(store, tmp_path).config

    def the_run(folder, checkpoints):
        return a_run(store, folder, config=replace(config, epochs=4), checkpoints=checkpoints)

    history, predictions = execute(the_run(tmp_path / "whole", None))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(store.root), str(tmp_path / "killed")], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "models").exists()
    (kept,) = (tmp_path / "killed" / "kept").iterdir()
    assert kept.name.startswith("single_task-toy-s0-")
    resumed = the_run(tmp_path / "killed", tmp_path / "killed" / "kept")
    told = []
    again, also = execute(resumed, told.append)
    assert [record["epoch"] for _, record, rate in told if rate > 0] == [3, 4]
    assert again.equals(history)
    assert also.equals(predictions)
    first, second = (
        load_file(tmp_path / folder / "models" / "single_task-toy-s0.safetensors")
        for folder in ("whole", "killed")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_run_does_not_go_on_with_it(tmp_path):
    """Every setting that changes the outcome names a checkpoint of its own."""
    store = write_toy_store(tmp_path)
    base = a_run(store, tmp_path, checkpoints=tmp_path / "kept")
    base = replace(base, config=replace(base.config, epochs=1))
    execute(base)
    others = [
        replace(base, config=replace(base.config, learning_rate=0.02)),
        replace(base, config=replace(base.config, seed=1)),
        replace(base, start_counts=True),
        replace(base, n_overall=3, n_details=3),
        replace(base, start_from=base.stem),
    ]
    for n, other in enumerate(others, start=2):
        execute(other)
        assert len(list((tmp_path / "kept").iterdir())) == n
