import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa.cli import main
from riqa.data.store import open_store
from riqa.learn.model import load_model
from riqa.learn.predict import predict
from tests.learn.chain import write_toy_store


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    store = write_toy_store(tmp_path)
    file = tmp_path / "plan.yaml"
    file.write_text(
        f"{{store: {store.root}, out: {tmp_path}/models, seeds: [0, 1],"
        " training: {epochs: 2, batch_size: 8, precision: float32}}"
    )
    return file


def train(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, arguments)])
    return ended.value.code


def test_a_plan_becomes_models_history_and_predictions(plan, tmp_path, capsys):
    assert train("--config", plan, "--jobs", 1) == 0
    told = capsys.readouterr()
    out = tmp_path / "models"
    history = pd.read_csv(out / "history.csv")
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert history.groupby("seed")["epoch"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert predictions.groupby(["seed", "split"]).size().tolist() == [8, 8, 8, 8]
    for seed in (0, 1):
        model, description = load_model(out / f"single_task-toy-s{seed}")
        assert model.architecture["n_overall"] == 3
        best = history[(history["seed"] == seed) & history["best"]]
        assert description["best_epoch"] == best["epoch"].item()
        assert f"{best['val_score'].item():.3f}" in told.out
    assert not (out / "checkpoints").exists()
    assert told.err.splitlines()[0] == "riqa: 2 model(s) on cpu, computing in float32"
    assert "epoch/s" not in told.err  # no progress bar where nobody watches


def test_idle_cores_are_told(plan, capsys, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    assert train("--config", plan) == 0
    assert capsys.readouterr().err.splitlines()[1] == (
        "riqa: 2 of 8 cores are used; 'threads: 4' in the file uses more, and changes the last digits"
    )
    plan.write_text(plan.read_text().replace("seeds: [0, 1]", "seeds: [0], threads: 8"))
    assert train("--config", plan) == 0
    assert "cores" not in capsys.readouterr().err


def test_processes_launched_by_accelerate_train_together(plan, tmp_path):
    kept = tmp_path / "models" / "checkpoints" / "left.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", "0"]  # a free one
    done = subprocess.run(
        [*launch, "-m", "riqa.cli", "train", "--config", plan, "--restart"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HOME": str(tmp_path)},  # no settings of the machine's owner
    )
    assert done.returncode == 0, done.stderr
    said = "riqa: 2 model(s) on cpu, 2 processes for each, which batch-normalise each its own images, "
    assert done.stderr.count(f"{said}computing in float32") == 1
    assert done.stdout.count("macro-F1 on validation images") == 1
    out = tmp_path / "models"
    assert not (out / "checkpoints").exists()
    history = pd.read_csv(out / "history.csv")
    assert history.groupby("seed")["epoch"].apply(list).tolist() == [[0, 1, 2]] * 2
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert predictions.groupby(["seed", "split"])["image_id"].nunique().tolist() == [8, 8, 8, 8]
    assert len(predictions) == 32
    model, description = load_model(out / "single_task-toy-s1")
    assert description["processes"] == 2
    again = predict(model, open_store(tmp_path / "store"), ("test", "val"), precision="float32")
    mine = predictions[predictions["seed"] == 1]
    np.testing.assert_allclose(again["p_overall_2"], mine["p_overall_2"], atol=1e-5)


def test_restart_forgets_what_was_kept(plan, tmp_path):
    kept = tmp_path / "models" / "checkpoints" / "left.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert train("--config", plan, "--restart") == 0
    assert not kept.exists()


def test_a_wrong_plan_ends_in_one_line_and_2(plan, tmp_path):
    plan.write_text(plan.read_text().replace("epochs: 2", "epoch: 2"))
    done = subprocess.run(
        [sys.executable, "-m", "riqa.cli", "train", "--config", plan],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "training.epochs: Field required" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(plan, tmp_path, without_roots_power):
    (tmp_path / "closed").mkdir(mode=0o555)
    (tmp_path / "file").touch()
    for place, reason in (("closed/new", "Permission denied"), ("file", "File exists")):
        plan.write_text(plan.read_text().replace(f"{tmp_path}/models", f"{tmp_path}/{place}"))
        done = subprocess.run(
            [*without_roots_power, sys.executable, "-m", "riqa.cli", "train", "--config", plan],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"riqa: {tmp_path}/{place} cannot be written ({reason}); what is done")
        assert done.stderr.count("\n") == 1
        plan.write_text(plan.read_text().replace(f"{tmp_path}/{place}", f"{tmp_path}/models"))


def test_one_training_has_its_folder_alone_and_leaves_nothing_when_it_is_killed(plan, tmp_path):
    """With a TMPDIR as a cluster gives its jobs, too long for a socket: broadinstitute/cromwell#3647."""
    plan.write_text(plan.read_text().replace("epochs: 2", "epochs: 2000"))
    short, long = Path("/tmp") / f"k{os.getpid()}", tmp_path / ("x" * 90)
    short.mkdir()
    long.mkdir()
    command = [sys.executable, "-m", "riqa.cli", "train", "--config", plan]
    variables = os.environ | {"TMPDIR": str(long), "XDG_RUNTIME_DIR": str(short)}
    try:
        process = subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL)
        until(lambda: list((tmp_path / "models" / "checkpoints").glob("*")), process)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert second.stderr == (
            f"riqa: {tmp_path}/models is being written by another process; wait until it ends, or give "
            "another folder\n"
        )
        assert any(short.iterdir())
        process.kill()
        process.wait()
        until(lambda: not any(short.iterdir()))
        assert not any(long.iterdir())
    finally:
        process.kill()
        shutil.rmtree(short)
    plan.write_text(plan.read_text().replace("epochs: 2000", "epochs: 2"))
    assert train("--config", plan) == 0
    assert not (tmp_path / "models" / ".lock").exists()


def until(holds, process=None, seconds=120):
    """Wait until something holds, as long as a process runs."""
    for _ in range(10 * seconds):
        if holds():
            return
        assert process is None or process.poll() is None
        time.sleep(0.1)
    raise AssertionError("it never did")
