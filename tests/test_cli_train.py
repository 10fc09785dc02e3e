"""`riqa train`: a file becomes models; many processes train together; a folder has one writer; kills cost little."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa.data.store import open_store
from riqa.learn.model import load_model
from riqa.learn.predict import predict
from tests.learn.chain import write_toy_store

RIQA = [sys.executable, "-m", "riqa.cli"]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    before = os.umask(0o027)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    store, file = write_toy_store(tmp_path), tmp_path / "plan.yaml"
    training = "{epochs: 2, batch_size: 8, precision: float32}"
    file.write_text(f"{{store: {store.root}, out: {tmp_path}/models, seeds: [0, 1], training: {training}}}")
    yield file
    os.umask(before)


def modes(folder):
    """Return which permissions the files below a folder have; the umask of these tests leaves 640."""
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("[!.]*") if path.is_file()}


def change(plan, old, new):
    assert old in plan.read_text()
    plan.write_text(plan.read_text().replace(old, new))


def run(command, **variables):
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)


@pytest.fixture
def left(tmp_path):
    """Leave a checkpoint of an earlier training."""
    kept = tmp_path / "models" / "checkpoints" / "left.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()


def results(out):
    """Return history and predictions of two seeds, after a look at them."""
    assert not (out / "checkpoints").exists()
    history, predictions = pd.read_csv(out / "history.csv"), pd.read_parquet(out / "predictions.parquet")
    assert history.groupby("seed")["epoch"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert predictions.groupby(["seed", "split"])["image_id"].nunique().tolist() == [8, 8, 8, 8]
    assert len(predictions) == 32
    return history, predictions


def test_a_plan_becomes_models_history_and_predictions(plan, tmp_path, riqa, left, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    told = riqa(0, "train", "--config", plan, "--jobs", 2, "--restart")
    history, _ = results(tmp_path / "models")
    for seed in (0, 1):
        model, description = load_model(tmp_path / "models" / f"single_task-toy-s{seed}")
        assert model.architecture["n_overall"] == 3
        best = history[(history["seed"] == seed) & history["best"]]
        assert description["best_epoch"] == best["epoch"].item()
        assert f"{best['val_score'].item():.3f}" in told.out
    assert told.err.splitlines() == [  # no progress bar where nobody watches
        "riqa: 2 model(s) on cpu, computing in float32",
        "riqa: 2 of 8 cores are used; 'threads: 4' in the file uses more, and changes the last digits",
    ]
    change(plan, "seeds: [0, 1]", "seeds: [0], threads: 8")
    assert "cores" not in riqa(0, "train", "--config", plan).err


def test_processes_launched_by_accelerate_train_together(plan, tmp_path, left):
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", "0", *RIQA[1:], "train", "--config", plan, "--restart"]  # a free port
    done = run(launch, HF_HOME=str(tmp_path))  # no owner's settings
    assert done.returncode == 0, done.stderr
    said = "riqa: 2 model(s) on cpu, 2 processes for each, which batch-normalise each its own images, "
    assert done.stderr.count(f"{said}computing in float32") == 1
    assert done.stdout.count("macro-F1 on validation images") == 1
    _, predictions = results(tmp_path / "models")
    assert modes(tmp_path / "models") == {0o640}
    model, description = load_model(tmp_path / "models" / "single_task-toy-s1")
    assert description["processes"] == 2
    again = predict(model, open_store(tmp_path / "store"), ("test", "val"), precision="float32")
    mine = predictions[predictions["seed"] == 1]
    np.testing.assert_allclose(again["p_overall_2"], mine["p_overall_2"], atol=1e-5)


def test_a_wrong_plan_ends_in_one_line_and_2(plan, riqa):
    change(plan, "epochs: 2", "epoch: 2")
    told = riqa(2, "train", "--config", plan).err
    assert ("training.epochs: Field required" in told, told.count("\n")) == (True, 1)


@pytest.mark.parametrize(("place", "reason"), [("closed/new", "Permission denied"), ("file", "File exists")])
def test_a_folder_that_cannot_be_written_is_one_line(plan, tmp_path, without_roots_power, place, reason):
    (tmp_path / "closed").mkdir(mode=0o555)
    (tmp_path / "file").touch()
    change(plan, f"{tmp_path}/models", f"{tmp_path}/{place}")
    done = run([*without_roots_power, *RIQA, "train", "--config", plan])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"riqa: {tmp_path}/{place} cannot be written ({reason}); what is done")


def test_one_training_has_its_folder_alone_and_leaves_nothing_when_it_is_killed(plan, tmp_path, riqa):
    """With a TMPDIR as a cluster gives its jobs, too long for a socket: broadinstitute/cromwell#3647."""
    change(plan, "epochs: 2", "epochs: 2000")
    short, long = Path("/tmp") / f"k{os.getpid()}", tmp_path / ("x" * 90)
    short.mkdir()
    long.mkdir()
    command = [*RIQA, "train", "--config", plan]
    variables = os.environ | {"TMPDIR": str(long), "XDG_RUNTIME_DIR": str(short)}
    process = subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL)
    try:
        until(lambda: list((tmp_path / "models" / "checkpoints").glob("[!.]*")), process)
        assert modes(tmp_path / "models" / "checkpoints") | modes(tmp_path / "store") == {0o640}
        busy = f"riqa: {tmp_path}/models is being written by another process; wait until it ends, or give "
        assert riqa(2, "train", "--config", plan).err == f"{busy}another folder\n"
        assert any(short.iterdir())
        process.kill()
        process.wait()
        until(lambda: not any(short.iterdir()))
        assert not any(long.iterdir())
    finally:
        process.kill()
        shutil.rmtree(short)
    change(plan, "epochs: 2000", "epochs: 2")
    riqa(0, "train", "--config", plan)
    assert not (tmp_path / "models" / ".lock").exists()


def until(holds, process=None, seconds=120):
    """Wait until something holds, as long as a process runs."""
    for _ in range(10 * seconds):
        if holds():
            return
        assert process is None or process.poll() is None
        time.sleep(0.1)
    raise AssertionError("it never did")
