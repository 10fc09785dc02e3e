"""The file behind `riqa train`: what it may say, and what is refused with one line."""

import pytest

from riqa.errors import InputError
from riqa.learn.config import TrainingConfig
from riqa.learn.model import QualityNet, save_model
from riqa.learn.plan_file import plan_runs, read_plan

EPOCH = "training: {epochs: 1}"


@pytest.fixture
def read(store, tmp_path):
    """Write a plan for a store, with further entries, and read it."""

    def write_and_read(rest=EPOCH, at=store.root, out="m"):
        (tmp_path / "plan.yaml").write_text(f"{{store: {at}, out: {out}, {rest}}}")
        return read_plan(tmp_path / "plan.yaml")

    return write_and_read


def test_every_entry_reaches_the_runs(store, tmp_path, read):
    save_model(QualityNet("resnet10", 3, 0, image_size=32), tmp_path / "start")
    given = f"""heads: [overall, details], backbone: resnet18, weights: imagenet, seeds: [3, 4], threads: 3,
        start_from: {tmp_path}/start, pseudo_labels: {tmp_path}/answers.parquet, pseudo_label_kind: hard,
        device: auto,
        training: {{epochs: 7, halve_at: [2], lambda_details: 0.3, augmentation: {{max_rotation: 5}}}}"""
    runs = plan_runs(read(given, out=tmp_path / "models"))
    assert [run.config.seed for run in runs] == [3, 4]
    run, config = runs[0], runs[0].config
    assert (run.model, run.trained_on, run.n_overall, run.n_details) == ("multi_task", "toy", 3, 3)
    assert (run.store, run.models) == (store.root, tmp_path / "models")
    assert (run.backbone, run.weights, run.device) == ("resnet18", "imagenet", "auto")
    assert (run.start_from, run.pseudo_labels) == (tmp_path / "start", tmp_path / "answers.parquet")
    assert (run.pseudo_label_kind, run.threads) == ("hard", 3)
    assert run.checkpoints == tmp_path / "models" / "checkpoints"
    assert run.predict_on == ((store.root, ("test", "val")),)
    assert (config.epochs, config.halve_at, config.lambda_details) == (7, (2,), 0.3)
    assert config.augmentation.max_rotation == 5
    assert config.learning_rate == TrainingConfig(epochs=1).learning_rate
    training = read("training: {epochs: 1e1, learning_rate: 1e-3}").training  # numbers may have an exponent
    assert (training.epochs, training.learning_rate) == (10, 0.001)


@pytest.mark.parametrize(
    ("head", "model", "weights"), [("overall", "single_task", (1.0, 0.0)), ("details", "teacher", (0.0, 1.0))]
)
def test_a_loss_without_a_head_has_no_weight(read, head, model, weights):
    (run,) = plan_runs(read(f"heads: [{head}], {EPOCH}"))
    assert run.model == model
    assert (run.config.lambda_overall, run.config.lambda_details) == weights
    assert (run.n_overall, run.n_details) == (3 * (weights[0] > 0), 3 * (weights[1] > 0))


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (f"lr: 1, {EPOCH}", "lr: Unexpected keyword argument"),
        (f"heads: [pose], {EPOCH}", "heads is ..pose.., must be"),
        (f"seeds: [], {EPOCH}", "seeds: Tuple should have at least 1 item"),
        (f"seeds: [0, 0], {EPOCH}", "seeds is .0, 0., .* each once"),
        (f"seeds: [-1], {EPOCH}", "seeds.0: Input should be greater than or equal to 0"),
        (f"device: gpu, {EPOCH}", "device: Input should be 'cpu', 'cuda'"),
        (f"weights: big, {EPOCH}", "weights: Input should be 'none' or"),
        (f"pseudo_label_kind: x, {EPOCH}", "should be 'soft' or 'hard'"),
        (f"threads: 0, {EPOCH}", "threads: Input should be greater than or equal to 1"),
        (f"out: n, {EPOCH}", "'out' is given twice"),
        ("training: {}", "training.epochs: Field required"),
        ("training: {epochs: many}", "training.epochs: Input should be a valid integer"),
        ("training: {epochs: 1, lr: 1}", "training.lr: Unexpected keyword argument"),
        ("training: {epochs: 1, learning_rate: .nan}", "training.learning_rate: Input should be"),
        (
            "training: {epochs: 1, augmentation: {max_rotation: 200}}",
            "augmentation.max_rotation: Input should",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(read, rest, message):
    with pytest.raises(InputError, match=rf"plan\.yaml.*{message}"):
        read(rest)


def test_what_is_no_plan_is_refused(tmp_path):
    plan = tmp_path / "plan.yaml"
    with pytest.raises(InputError, match=r"plan\.yaml does not exist"):
        read_plan(plan)
    for text, message in (("store: [", "is not valid YAML"), ("just words", "must hold entries")):
        plan.write_text(text)
        with pytest.raises(InputError, match=rf"plan\.yaml.*{message}"):
            read_plan(plan)


def test_a_missing_store_or_start_and_a_head_without_any_label_are_named(store, tmp_path, read, monkeypatch):
    with pytest.raises(InputError, match=r"none/store\.json does not exist"):
        plan_runs(read(at=tmp_path / "none"))
    with pytest.raises(InputError, match=r"gone\.safetensors: no such model file"):
        plan_runs(read(f"start_from: {tmp_path}/gone, {EPOCH}"))
    manifest = store.manifest.assign(illumination=float("nan"), clarity=float("nan"))
    bare = type(store)(store.images, manifest, store.meta, store.root)
    monkeypatch.setattr("riqa.learn.plan_file.open_store", lambda root: bare)
    with pytest.raises(InputError, match="no image has a label for the head details; leave it out, or give"):
        plan_runs(read(f"heads: [details], {EPOCH}"))
