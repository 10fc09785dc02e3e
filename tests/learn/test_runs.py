"""From a store on disk to models, history, predictions and pseudo-labels, with any number of processes."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from riqa.assess.answers import Photograph, assess, open_session
from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.examples import examples_of, with_pseudo_labels
from riqa.learn.model import load_model
from riqa.learn.predict import predict
from riqa.learn.pseudo import pseudo_label
from riqa.learn.runs import apply_model, execute, initial_model, model_stem, precision_of, run_all, run_each
from tests.learn.chain import CONFIG, a_run, write_toy_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("store"))


def test_examples_are_the_split_with_its_targets(store):
    examples = examples_of(store, "val")
    assert len(examples) == 8
    assert examples.overall.tolist() == [0, 1, 2, 1] * 2
    assert torch.isnan(examples.details[:, 2]).all()
    batch = examples.batch(torch.tensor([2, 0]), torch.device("cpu"))
    assert batch.shape == (2, 3, 32, 32)
    assert np.array_equal(
        (batch[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8), store.images[26]
    )


def test_some_of_the_examples_in_another_order(store):
    examples = examples_of(store, "val")
    some = examples.at(torch.tensor([5, 2]))
    assert some.rows.tolist() == [29, 26]
    assert some.overall.tolist() == [1, 2]
    torch.testing.assert_close(some.details, examples.details[[5, 2]], equal_nan=True)
    everything = examples.batch(torch.arange(8), torch.device("cpu"))
    assert torch.equal(some.batch(torch.arange(2), torch.device("cpu")), everything[[5, 2]])


def test_an_empty_split_is_named(store):
    with pytest.raises(InputError, match="'holdout' holds no image"):
        examples_of(store, "holdout")


def test_pseudo_labels_soft_and_hard(store, tmp_path):
    examples = examples_of(store, "val")
    ids = store.manifest["image_id"].iloc[examples.rows]
    answers = pd.DataFrame({"image_id": ids[::-1], "p_illumination": 0.7, "p_clarity": 0.2})
    answers["p_contrast"] = np.linspace(0, 1, 8)  # in reversed order of images, to catch a positional join
    soft = with_pseudo_labels(examples, store.manifest, answers, "soft", tmp_path)
    hard = with_pseudo_labels(examples, store.manifest, answers, "hard", tmp_path)
    assert soft.details[0].tolist() == pytest.approx([0.7, 0.2, 1.0])
    assert hard.details[0].tolist() == [1.0, 0.0, 1.0]
    assert hard.details[-1].tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="firm"):
        with_pseudo_labels(examples, store.manifest, answers, "firm", tmp_path)
    with pytest.raises(InputError, match="no pseudo-label for 1 images, first i31"):
        with_pseudo_labels(examples, store.manifest, answers.iloc[1:], "soft", tmp_path)


def test_the_number_of_processes_does_not_change_a_number(store, tmp_path):
    def everything(folder, workers):
        runs = [a_run(store, folder, seed=seed) for seed in (0, 1)]
        history, predictions = run_all(runs, workers)
        files = {file.name: file.read_bytes() for file in (folder / "models").iterdir()}
        return history, predictions, files

    one, two = everything(tmp_path / "one", 1), everything(tmp_path / "two", 2)
    pd.testing.assert_frame_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])
    assert one[2] == two[2]
    endings = ("json", "safetensors", "novelty.safetensors")
    assert set(one[2]) == {f"single_task-toy-s{s}.{end}" for s in (0, 1) for end in endings}


def test_a_failed_run_raises_what_it_met(store, tmp_path):
    with pytest.raises(InputError, match="no such model file"):
        run_all([a_run(store, tmp_path, start_from=tmp_path / "nowhere")], 1)


def test_predictions_are_probabilities_with_the_truth(store, tmp_path):
    _, predictions = execute(a_run(store, tmp_path))
    probs = predictions[["p_overall_0", "p_overall_1", "p_overall_2"]]
    assert np.allclose(probs.sum(axis=1), 1)
    assert predictions[[f"p_{d}" for d in DETAILS]].isna().all(axis=None)
    assert predictions["split"].tolist() == ["val"] * 8 + ["test"] * 8
    truth = store.manifest.set_index("image_id")["overall"]
    assert (predictions["overall"].to_numpy() == truth.loc[predictions["image_id"]].to_numpy()).all()
    model, description = load_model(model_stem(tmp_path / "models", "single_task", "toy", 0))
    again = predict(model, store, ("val", "test"), model="single_task", trained_on="toy", seed=0)
    np.testing.assert_allclose(again["p_overall_2"], predictions["p_overall_2"], atol=0.02)
    assert description["classes"] == ["reject", "usable", "good"]


def test_the_whole_chain_teacher_to_student(store, tmp_path):
    """The student learns the Teacher's answers of its own seed, from the single-task model, both heads."""
    teacher = a_run(
        store, tmp_path, model="teacher", n_overall=0, n_details=3,
        config=replace(CONFIG, lambda_overall=0.0, lambda_details=1.0),
    )  # fmt: skip
    execute(teacher)
    answers = pseudo_label({0: teacher.stem}, [open_store(store.root)])
    assert set(answers["split"]) == {"train", "val", "test"}
    assert answers[[f"p_{d}" for d in DETAILS]].notna().all(axis=None)
    answers.to_parquet(tmp_path / "answers.parquet")
    parent = a_run(store, tmp_path)
    execute(parent)
    student = a_run(
        store, tmp_path, model="multi_task", n_details=3, start_from=parent.stem,
        config=replace(CONFIG, lambda_details=1.0), pseudo_labels=tmp_path / "answers.parquet",
    )  # fmt: skip
    soft_history, predictions = execute(student)
    assert predictions[[f"p_{d}" for d in DETAILS]].notna().all(axis=None)
    hard_history, _ = execute(replace(student, pseudo_label_kind="hard"))
    assert soft_history["train_loss"].iloc[1] != hard_history["train_loss"].iloc[1]
    with pytest.raises(InputError, match=r"answers\.parquet: no pseudo-label"):
        execute(replace(student, config=replace(student.config, seed=5)))


def test_a_detail_that_was_dropped_is_not_learned_and_not_answered(store, tmp_path):
    ids = store.manifest["image_id"]
    answers = pd.DataFrame({"image_id": ids, "dataset": "toy", "seed": 0, "p_illumination": 0.9})
    answers = answers.assign(p_clarity=np.nan, p_contrast=np.linspace(0, 1, len(ids)))
    answers.to_parquet(tmp_path / "answers.parquet")
    student = a_run(
        store, tmp_path, model="multi_task", n_details=3, config=replace(CONFIG, lambda_details=1.0),
        pseudo_labels=tmp_path / "answers.parquet", warnings=("clarity is not judged",),
    )  # fmt: skip
    history, predictions = execute(student)
    assert history["train_loss"].iloc[1:].notna().all()  # the record of the start has none
    assert predictions[["p_clarity", "clarity"]].isna().all(axis=None)
    assert predictions[["p_illumination", "p_contrast", "p_overall_0"]].notna().all(axis=None)
    _, description = load_model(student.stem)
    assert description["warnings"] == ["clarity is not judged"]
    for detail, quantiles in description["standing"].items():
        assert set(quantiles) == {"illumination", "contrast"}, detail
    photograph = tmp_path / "eye.png"
    cv2.imwrite(str(photograph), store.images[0])
    session = open_session(student.stem, [photograph])
    assert session.notes == ["clarity is not judged"]
    crops = [Photograph(photograph, store.images[0])]
    (answer,) = assess(replace(session, novelty=None), crops)
    assert list(answer.details) == list(answer.ranks) == ["illumination", "contrast"]


@pytest.mark.parametrize(
    ("knob", "value"),
    [("backbone", "resnet18"), ("weights", "imagenet"), ("seed", 1), ("n_overall", 2), ("n_details", 3)],
)
def test_every_choice_of_the_network_is_alive(store, tmp_path, knob, value):
    base = a_run(store, tmp_path, backbone="efficientnet_lite0")
    changes = {"config": replace(CONFIG, seed=value)} if knob == "seed" else {knob: value}
    runs = (base, replace(base, **changes))
    states = [initial_model(run, image_size=32).state_dict() for run in runs]
    weights = [torch.cat([value.flatten() for value in state.values()]) for state in states]
    assert weights[0].shape != weights[1].shape or not torch.equal(*weights)


def test_what_runs_apart_equals_what_runs_together(store, tmp_path):
    pair = [a_run(store, tmp_path, seed=seed) for seed in (0, 1)]
    history, predictions = run_all(pair)
    (_, first), (again, second) = run_each(pair)
    pd.testing.assert_frame_equal(pd.concat([first, second], ignore_index=True), predictions)
    assert again["seed"].eq(1).all()
    assert len(history) == 2 * len(again)


def test_a_model_is_applied_again_as_it_was(store, tmp_path):
    run = a_run(store, tmp_path)
    _, predictions = execute(run)
    again = apply_model(run)
    np.testing.assert_allclose(again["p_overall_2"], predictions["p_overall_2"], atol=1e-6)
    assert again["image_id"].tolist() == predictions["image_id"].tolist()


def test_the_precision_is_that_of_the_network_that_trains(store, tmp_path, monkeypatch):
    monkeypatch.setattr("riqa.learn.device._bfloat16_is_native", lambda: True)
    config = replace(CONFIG, precision="auto")
    plain = a_run(store, tmp_path, config=config)
    depthwise = replace(plain, backbone="mobilenet_v3_small", weights="imagenet")  # which are not fetched
    assert [precision_of(run) for run in (plain, depthwise)] == ["bfloat16", "float32"]
    execute(plain)
    execute(replace(depthwise, weights="none", models=tmp_path / "depthwise"))
    written = [
        load_model(tmp_path / folder / plain.stem.name)[1]["precision"] for folder in ("models", "depthwise")
    ]
    assert written == ["bfloat16", "float32"]
    assert precision_of(replace(depthwise, start_from=plain.stem)) == "bfloat16"  # its backbone is kept
    assert precision_of(replace(plain, config=CONFIG)) == "float32"


def test_the_device_is_alive(store, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "riqa.learn.runs.resolve_device", lambda device: asked.append(device) or torch.device("cpu")
    )
    execute(a_run(store, tmp_path, device="auto"))
    assert asked == ["auto"]


def test_the_threads_are_alive(store, tmp_path):
    used, folder = [], tmp_path / "checkpoints"
    for threads in (1, 2):
        run = a_run(store, tmp_path, threads=threads, checkpoints=folder)
        execute(run, lambda epoch: used.append(torch.get_num_threads()))
        assert load_model(run.stem)[1]["threads"] == threads
    assert used == [1, 1, 2, 2]
    assert len(list(folder.iterdir())) == 2  # a training of another number of threads is not gone on with
