"""Two processes do what one does: same steps, every validation image once, files written once."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from torch import nn

from riqa.errors import InputError
from riqa.learn.augment import Augmentation
from riqa.learn.config import TrainingConfig
from riqa.learn.distributed import ALONE, Processes, launched_processes
from riqa.learn.model import QualityNet
from riqa.learn.train import train
from tests.learn.chain import a_run, brightness_task
from tests.learn.together import found, gathered, in_processes, run_them, sparse_task, train_on_it

CONFIG = TrainingConfig(3, 8, 0.02, halve_at=(2,), augmentation=Augmentation(2), precision="float32")
CLOSE = {"atol": 1e-5, "rtol": 0}
"""Two processes add the same float32 numbers in another order. After these few steps that has made weights of
0.3 differ by 3e-8; a loss averaged without regard to how much each process knows, by 0.1.
"""


def test_in_some_steps_a_process_knows_nothing():
    """So that the next test covers it: parts of the first epoch without any grade, beside parts with some."""
    overall = sparse_task()[0].targets["overall"]
    order = torch.randperm(48, generator=torch.Generator().manual_seed(CONFIG.seed))
    known = (overall[order] != -1).view(6, 4, 2).sum(1)
    assert ((known == 0).any(1) & (known > 0).any(1)).any()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "one_cycle", "ema_decay": 0.5, "patience": 2},
        {"lambda_details": 0.0},  # a head without a part in the loss
    ],
)
def test_two_processes_train_as_one(changes):
    config = replace(CONFIG, **changes)
    weights, history = train_on_it(ALONE, config)
    first, second = in_processes(2, train_on_it, config)
    for name, value in weights.items():
        np.testing.assert_allclose(first[0][name], value, **CLOSE, err_msg=name)
        assert np.array_equal(first[0][name], second[0][name])
    pd.testing.assert_frame_equal(pd.DataFrame(history), pd.DataFrame(first[1]), **CLOSE)
    assert str(first[1]) == str(second[1])
    assert not np.allclose(history[-1]["val_loss"], history[0]["val_loss"], atol=1e-3)


def test_a_stopped_training_goes_on_in_every_process(tmp_path):
    """With batch normalisation and dropout, whose states differ between processes."""
    whole = in_processes(2, train_on_it, CONFIG, True)
    resumed = in_processes(2, train_on_it, CONFIG, True, tmp_path / "together.safetensors", 2)
    for weights, history in (*whole[1:], *resumed):
        assert str(history) == str(whole[0][1])
        assert all(np.array_equal(value, whole[0][0][name]) for name, value in weights.items())
    train_on_it(ALONE, CONFIG, True, tmp_path / "alone.safetensors")
    together, alone = (safe_open(tmp_path / f"{who}.safetensors", "np") for who in ("together", "alone"))
    assert set(together.keys()) == set(alone.keys())


def test_every_item_comes_back_once_in_order():
    expected = [[[k, k] for k in range(n)] for n in range(1, 8)]
    assert in_processes(3, gathered, range(1, 8)) == [expected] * 3
    assert gathered(ALONE, range(1, 8)) == expected


def test_a_checkpoint_that_only_some_processes_see_is_refused(tmp_path):
    here, gone = tmp_path / "here", tmp_path / "gone"
    here.touch()
    message = "not every process sees this file; let out be a folder that all machines share"
    assert in_processes(2, found, here, gone) == [f"{here}: {message}", f"{gone}: {message}"]
    assert in_processes(2, found, here, here) == [True, True]
    assert in_processes(2, found, gone, gone) == [False, False]


def test_runs_are_trained_written_and_applied_once(store, tmp_path):
    def runs(folder):
        return [a_run(store, tmp_path / folder, seed=seed, checkpoints=tmp_path / "kept") for seed in (0, 1)]

    history, predictions = run_them(ALONE, runs("alone"))
    first, second = in_processes(2, run_them, runs("together"))
    pd.testing.assert_frame_equal(first[0], history, **CLOSE)
    pd.testing.assert_frame_equal(first[1], predictions, **CLOSE)
    pd.testing.assert_frame_equal(second[0], first[0])
    assert second[1].empty
    assert predictions.groupby(["seed", "split"])["image_id"].nunique().tolist() == [8, 8, 8, 8]
    alone, together = (sorted((tmp_path / name / "models").iterdir()) for name in ("alone", "together"))
    assert [file.name for file in alone] == [file.name for file in together]
    for pair in zip(alone, together, strict=True):
        if pair[0].suffixes == [".safetensors"]:
            one, two = map(load_file, pair)
            assert one.keys() == two.keys()
            assert all(np.allclose(two[key], one[key], **CLOSE) for key in one)
    assert len(list((tmp_path / "kept").iterdir())) == 4  # a checkpoint of two processes is another one


def fake(n=1, rank=0, device="cpu"):
    """Stand for one of n processes, as far as it needs no other one."""
    accelerator = SimpleNamespace(device=torch.device(device), free_memory=lambda: None)
    accelerator.prepare_model = lambda model: model
    return Processes(accelerator, n, rank)


@pytest.mark.parametrize(("batch_size", "shared"), [(8, 8), (64, 40)])
def test_a_batch_that_cannot_be_shared_is_refused(batch_size, shared):
    data, config = (brightness_task(40), brightness_task(8)), replace(CONFIG, batch_size=batch_size)
    message = f"3 processes cannot share {shared} images per step evenly: .* a multiple of 3, at most 40"
    with pytest.raises(InputError, match=message):
        train(QualityNet("resnet10", 3, 3), *data, config, processes=fake(3))


def test_graphics_cards_normalise_the_whole_batch():
    model = QualityNet("resnet10", 3, 3)

    def count(kind):
        return sum(isinstance(module, kind) for module in model.modules())

    names, n_norms = list(model.state_dict()), count(nn.BatchNorm2d)
    fake(2, device="cpu").wrap(model, some_unused=False)
    assert count(nn.SyncBatchNorm) == 0
    fake(2, device="cuda").wrap(model, some_unused=False)
    assert count(nn.SyncBatchNorm) == n_norms > 0
    assert list(model.state_dict()) == names


def test_every_process_drops_other_features():
    def draw(rank, seed=0, epoch=1):
        torch.manual_seed(5)
        fake(4, rank).seed_dropout(seed, epoch)
        return torch.rand(1).item()

    unchanged = torch.rand(1, generator=torch.Generator().manual_seed(5)).item()
    assert draw(0) == unchanged  # the main process goes on with its own
    assert draw(1) == draw(1)
    assert len({draw(0), draw(1), draw(2), draw(3), draw(1, seed=1), draw(1, epoch=2)}) == 6


def test_more_processes_than_graphics_cards_are_refused(monkeypatch):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    message = r"4 processes for 2 graphics card\(s\) on this machine: launch one per card"
    with pytest.raises(InputError, match=message), launched_processes(torch.device("cuda")):
        pass


def modules_after_training(processes, config):
    """Train alone and return whether that needed Accelerate."""
    train_on_it(processes, config)
    return processes.n, "accelerate" in sys.modules


def test_one_process_does_without_accelerate():
    assert in_processes(1, modules_after_training, replace(CONFIG, epochs=1)) == [(1, False)]
