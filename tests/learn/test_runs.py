"""From a store on disk to models, history, predictions and pseudo-labels, with any number of processes."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from riqa.assess.answers import Answer, assess, open_session
from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.model import load_model
from riqa.learn.predict import predict, pseudo_label
from riqa.learn.runs import apply_model, execute, initial_model, precision_of, run_all, run_each
from tests.learn.chain import CONFIG, a_run, pseudo_labels, same_weights

CLASSES, P = [f"p_overall_{k}" for k in range(3)], [f"p_{detail}" for detail in DETAILS]
BOTH = replace(CONFIG, lambda_details=1.0)


def test_the_number_of_processes_does_not_change_a_number(store, tmp_path):
    def everything(folder, run):
        runs = [a_run(store, folder, seed=seed) for seed in (0, 1)]
        return run(runs), {file.name: file.read_bytes() for file in (folder / "models").iterdir()}

    one, files = everything(tmp_path / "one", lambda runs: run_all(runs, 1))
    two, same_files = everything(tmp_path / "two", lambda runs: run_each(runs, 2))
    assert [history["seed"].unique().tolist() for history, _ in two] == [[0], [1]]
    for whole, parts in zip(one, zip(*two, strict=True), strict=True):
        pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))
    assert files == same_files
    endings = ("json", "safetensors", "novelty.safetensors")
    assert set(files) == {f"single_task-toy-s{s}.{end}" for s in (0, 1) for end in endings}
    with pytest.raises(InputError, match="no such model file"):  # a failed run raises what it met
        run_all([a_run(store, tmp_path, start_from=tmp_path / "nowhere")], 1)


def test_predictions_are_probabilities_with_the_truth(store, tmp_path):
    run = a_run(store, tmp_path)
    _, predictions = execute(run)
    assert np.allclose(predictions[CLASSES].sum(axis=1), 1)
    assert predictions[P].isna().all(axis=None)
    assert predictions["split"].tolist() == ["val"] * 8 + ["test"] * 8
    truth = store.manifest.set_index("image_id")["overall"]
    assert (predictions["overall"].to_numpy() == truth.loc[predictions["image_id"]].to_numpy()).all()
    model, description = load_model(tmp_path / "models" / "single_task-toy-s0")
    assert description["classes"] == ["reject", "usable", "good"]
    again = predict(model, store, ("val", "test"), model="single_task", trained_on="toy", seed=0)
    np.testing.assert_allclose(again["p_overall_2"], predictions["p_overall_2"], atol=0.02)
    applied = apply_model(run)
    np.testing.assert_allclose(applied["p_overall_2"], predictions["p_overall_2"], atol=1e-6)
    assert applied["image_id"].tolist() == predictions["image_id"].tolist()


def test_the_whole_chain_teacher_to_student(store, tmp_path):
    """The student learns the Teacher's answers of its own seed, from the single-task model, both heads."""
    alone = replace(BOTH, lambda_overall=0.0)
    teacher = a_run(store, tmp_path, model="teacher", n_overall=0, n_details=3, config=alone)
    execute(teacher)
    answers = pseudo_label({0: teacher.stem}, [open_store(store.root)])
    assert set(answers["split"]) == {"train", "val", "test"}
    assert answers[P].notna().all(axis=None)
    answers.to_parquet(tmp_path / "answers.parquet")
    parent = a_run(store, tmp_path)
    execute(parent)
    student = a_run(store, tmp_path, model="multi_task", n_details=3, start_from=parent.stem, config=BOTH,
                    pseudo_labels=tmp_path / "answers.parquet")  # fmt: skip
    soft_history, predictions = execute(student)
    assert predictions[P].notna().all(axis=None)
    hard_history, _ = execute(replace(student, pseudo_label_kind="hard"))
    assert soft_history["train_loss"].iloc[1] != hard_history["train_loss"].iloc[1]
    with pytest.raises(InputError, match=r"answers\.parquet: no pseudo-label"):
        execute(replace(student, config=replace(student.config, seed=5)))


def test_a_model_that_is_known_is_copied_and_not_trained_again(store, tmp_path, monkeypatch):
    bare = {"model": "student", "n_details": 3, "config": BOTH, "bare": True}
    first = a_run(store, tmp_path, pseudo_labels=pseudo_labels(store, tmp_path), **bare)
    history, predictions = execute(first)
    assert {file.suffix for file in first.models.iterdir()} == {".json", ".safetensors"}  # no novelty
    again = replace(first, model="again", models=tmp_path / "other", known=(tmp_path / "no", first.models))
    other = tmp_path / "others.parquet"
    labels = pd.read_parquet(first.pseudo_labels)
    labels.assign(further=1, p_clarity=1 - labels["p_clarity"]).to_parquet(other)
    labels.assign(further=1).iloc[::-1].to_parquet(
        tmp_path / "same.parquet"
    )  # the same answers in another file
    trained = []
    monkeypatch.setattr(
        "riqa.learn.runs.train", lambda *_, **__: trained.append(1) or [{"epoch": 0, "best": True}]
    )
    for same in (again, replace(again, pseudo_labels=tmp_path / "same.parquet")):
        copied, answers = execute(same)
        pd.testing.assert_frame_equal(copied.drop(columns="model"), history.drop(columns="model"))
        assert set(answers["model"]) == set(copied["model"]) == {"again"}
        np.testing.assert_allclose(answers[P], predictions[P], atol=1e-6)
        assert same_weights(load_model(same.stem)[0], load_model(first.stem)[0])
    assert not trained
    changes = [{"pseudo_labels": other}, {"start_counts": True}, {"threads": 2}, {"start_from": first.stem}]
    changes += [{"config": replace(first.config, **{key: value})} for key, value in
                (("seed", 3), ("learning_rate", 0.5), ("lambda_details", 2.0))]  # fmt: skip
    labels.assign(seed=3).pipe(lambda more: pd.concat([labels, more])).to_parquet(first.pseudo_labels)
    for change in changes:
        execute(replace(again, **change))
    assert len(trained) == len(changes)


def test_a_detail_that_was_dropped_is_not_learned_and_not_answered(store, tmp_path):
    taught = {"n_details": 3, "pseudo_labels": pseudo_labels(store, tmp_path, p_clarity=np.nan)}
    warned = {"warnings": ("clarity is not judged",)}
    student = a_run(store, tmp_path, model="multi_task", config=BOTH, **taught, **warned)
    history, predictions = execute(student)
    assert history["train_loss"].iloc[1:].notna().all()  # the record of the start has none
    assert predictions[["p_clarity", "clarity"]].isna().all(axis=None)
    assert predictions[["p_illumination", "p_contrast", "p_overall_0"]].notna().all(axis=None)
    _, description = load_model(student.stem)
    assert description["warnings"] == ["clarity is not judged"]
    for quantiles in description["standing"].values():
        assert set(quantiles) == {"illumination", "contrast"}
    photograph = tmp_path / "eye.png"
    cv2.imwrite(str(photograph), store.images[0])
    session = open_session(student.stem, [photograph])
    assert session.notes == ["clarity is not judged"]
    crops = [Answer(photograph, crop=store.images[0])]
    (answer,) = assess(replace(session, novelty=None), crops)
    assert list(answer.details) == list(answer.ranks) == ["illumination", "contrast"]


@pytest.mark.parametrize(
    ("knob", "value"),
    [("backbone", "resnet18"), ("weights", "imagenet"), ("seed", 1), ("n_overall", 2), ("n_details", 3)],
)
def test_every_choice_of_the_network_is_alive(store, tmp_path, knob, value):
    base = {"backbone": "efficientnet_lite0"}
    first, second = (
        torch.cat([part.flatten() for part in initial_model(run, image_size=32).state_dict().values()])
        for run in (a_run(store, tmp_path, **given) for given in (base, base | {knob: value}))
    )
    assert first.shape != second.shape or not torch.equal(first, second)


def test_the_precision_is_that_of_the_network_that_trains(store, tmp_path, monkeypatch):
    monkeypatch.setattr("riqa.learn.device._bfloat16_is_native", lambda: True)
    plain = a_run(store, tmp_path, config=replace(CONFIG, precision="auto"))
    depthwise = replace(plain, backbone="mobilenet_v3_small", weights="imagenet")  # which are not fetched
    assert [precision_of(run) for run in (plain, depthwise)] == ["bfloat16", "float32"]
    untrained = replace(depthwise, weights="none", models=tmp_path)
    for run, expected in ((plain, "bfloat16"), (untrained, "float32")):
        execute(run)
        assert load_model(run.stem)[1]["precision"] == expected
    assert precision_of(replace(depthwise, start_from=plain.stem)) == "bfloat16"  # its backbone is kept
    assert precision_of(replace(plain, config=CONFIG)) == "float32"


def test_device_and_threads_are_alive(store, tmp_path, monkeypatch):
    asked, used, cpu = [], [], torch.device("cpu")
    monkeypatch.setattr("riqa.learn.runs.resolve_device", lambda device: asked.append(device) or cpu)
    for threads in (1, 2):
        run = a_run(store, tmp_path, threads=threads, device="auto")
        execute(run, lambda epoch: used.append(torch.get_num_threads()))
        assert load_model(run.stem)[1]["threads"] == threads
    assert used == [1, 1, 2, 2]
    assert set(asked) == {"auto"}


ENDLESS = """
import sys
from dataclasses import replace
from pathlib import Path

from riqa.data.store import open_store
from riqa.learn.runs import run_all
from tests.learn.chain import CONFIG, a_run

if __name__ == "__main__":
    store, out = open_store(sys.argv[1]), Path(sys.argv[2])
    config = replace(CONFIG, epochs=100_000)
    run_all([a_run(store, out, seed=seed, config=config) for seed in (0, 1)], workers=2)
"""


def at_work(process):
    """Wait until a training is under way; return the processes that work for it."""
    parent, end = psutil.Process(process.pid), time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        workers = parent.children(recursive=True)
        with suppress(psutil.NoSuchProcess):  # one that ends just now
            forked = [worker for worker in workers if "forkserver" in " ".join(worker.cmdline())]
            if len(forked) == 3 and all(worker.cpu_times().user > 0.3 for worker in forked):
                return workers  # the server and two trainings among them
        time.sleep(0.05)
    raise AssertionError("no training began")


def test_a_killed_training_leaves_no_process(store, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(ENDLESS)
    command = [sys.executable, script, store.root, tmp_path / "models"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.getcwd()}, start_new_session=True)
    try:
        workers = at_work(process)
    finally:
        process.kill()
        process.wait()
    assert psutil.wait_procs(workers, timeout=60)[1] == []
