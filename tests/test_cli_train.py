import os
import subprocess
import sys

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
