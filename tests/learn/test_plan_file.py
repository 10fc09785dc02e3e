"""The file behind `riqa train`: what it may say, and what is refused with one line."""

import pytest
import torch

from riqa.errors import InputError
from riqa.learn.config import TrainingConfig
from riqa.learn.model import QualityNet, save_model
from riqa.learn.plan_file import plan_runs, read_plan
from tests.learn.chain import write_toy_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_toy_store(tmp_path_factory.mktemp("store"))


def write(tmp_path, text):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    return file


def test_every_entry_reaches_the_runs(store, tmp_path):
    torch.manual_seed(0)
    save_model(QualityNet("resnet10", 3, 0, image_size=32), tmp_path / "start")
    (tmp_path / "answers.parquet").touch()
    file = write(
        tmp_path,
        f"""
store: {store.root}
out: {tmp_path}/models
heads: [overall, details]
backbone: resnet18
weights: imagenet
seeds: [3, 4]
start_from: {tmp_path}/start
pseudo_labels: {tmp_path}/answers.parquet
pseudo_label_kind: hard
device: auto
threads: 3
training: {{epochs: 7, halve_at: [2], lambda_details: 0.3, augmentation: {{max_rotation: 5}}}}
""",
    )
    runs = plan_runs(read_plan(file))
    assert [run.config.seed for run in runs] == [3, 4]
    run = runs[0]
    assert (run.model, run.trained_on, run.n_overall, run.n_details) == ("multi_task", "toy", 3, 3)
    assert (run.store, run.models) == (store.root, tmp_path / "models")
    assert (run.backbone, run.weights, run.device) == ("resnet18", "imagenet", "auto")
    assert (run.start_from, run.pseudo_labels) == (tmp_path / "start", tmp_path / "answers.parquet")
    assert (run.pseudo_label_kind, run.threads) == ("hard", 3)
    assert run.checkpoints == tmp_path / "models" / "checkpoints"
    assert run.predict_on == ((store.root, ("test", "val")),)
    config = run.config
    assert (config.epochs, config.halve_at, config.lambda_details) == (7, (2,), 0.3)
    assert config.augmentation.max_rotation == 5
    assert config.learning_rate == TrainingConfig(epochs=1).learning_rate


@pytest.mark.parametrize(
    ("heads", "model", "weights"),
    [("[overall]", "single_task", (1.0, 0.0)), ("[details]", "teacher", (0.0, 1.0))],
)
def test_a_loss_without_a_head_has_no_weight(store, tmp_path, heads, model, weights):
    file = write(tmp_path, f"{{store: {store.root}, out: m, heads: {heads}, training: {{epochs: 1}}}}")
    (run,) = plan_runs(read_plan(file))
    assert run.model == model
    assert (run.config.lambda_overall, run.config.lambda_details) == weights
    assert (run.n_overall, run.n_details) == (3 * (weights[0] > 0), 3 * (weights[1] > 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: [", "is not valid YAML"),
        ("just words", "must hold entries"),
        ("{out: m, training: {epochs: 1}}", "store: Field required"),
        ("{store: s, out: m, training: {}}", "training.epochs: Field required"),
        ("{store: s, out: m, training: {epochs: many}}", "training.epochs: Input should be a valid integer"),
        ("{store: s, out: m, training: {epochs: 0}}", "epochs is 0, must be at least 1"),
        ("{store: s, out: m, lr: 1, training: {epochs: 1}}", "lr: Unexpected keyword argument"),
        ("{store: s, out: m, training: {epochs: 1, lr: 1}}", "training.lr: Unexpected keyword argument"),
        ("{store: s, out: m, heads: [pose], training: {epochs: 1}}", "heads is ..pose.., must be"),
        ("{store: s, out: m, seeds: [], training: {epochs: 1}}", "seeds is empty"),
        (
            "{store: s, out: m, seeds: [0, 0], training: {epochs: 1}}",
            "seeds is .0, 0., .* each once",
        ),
        ("{store: s, out: m, seeds: [-1], training: {epochs: 1}}", "seeds is .-1., must be 0 or more"),
        (
            "{store: s, out: m, device: gpu, training: {epochs: 1}}",
            "device: Input should be 'cpu', 'cuda'",
        ),
        ("{store: s, out: m, weights: big, training: {epochs: 1}}", "weights: Input should be 'none' or"),
        ("{store: s, out: m, pseudo_label_kind: x, training: {epochs: 1}}", "should be 'soft' or 'hard'"),
        (
            "{store: s, out: m, training: {epochs: 1, learning_rate: .nan}}",
            "learning_rate is nan, must",
        ),
        ("{store: s, out: m, training: {epochs: 1, momentum: 1}}", "momentum is 1.0, must be 0 or more and"),
        ("{store: s, out: m, training: {epochs: 1, halve_at: [-1]}}", "halve_at is .-1., must hold epochs"),
        ("{store: s, store: t, out: m, training: {epochs: 1}}", "'store' is given twice"),
        ("{store: s, out: m, threads: 0, training: {epochs: 1}}", "threads is 0, must be at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"plan\.yaml.*{message}"):
        read_plan(write(tmp_path, text))


def test_numbers_may_have_an_exponent(store, tmp_path):
    file = write(tmp_path, f"{{store: {store.root}, out: m, training: {{epochs: 1e1, learning_rate: 1e-3}}}}")
    training = read_plan(file).training
    assert (training.epochs, training.learning_rate) == (10, 0.001)


def test_a_missing_file_a_missing_store_and_a_missing_start_are_named(store, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml does not exist"):
        read_plan(tmp_path / "nothing.yaml")
    file = write(tmp_path, f"{{store: {tmp_path}/none, out: m, training: {{epochs: 1}}}}")
    with pytest.raises(InputError, match=r"none/store\.json does not exist"):
        plan_runs(read_plan(file))
    text = f"{{store: {store.root}, out: m, start_from: {tmp_path}/gone, training: {{epochs: 1}}}}"
    with pytest.raises(InputError, match=r"gone\.safetensors: no such model file"):
        plan_runs(read_plan(write(tmp_path, text)))


def test_a_head_without_any_label_is_refused(tmp_path):
    store = write_toy_store(tmp_path)
    manifest = store.manifest.assign(illumination=float("nan"), clarity=float("nan"))
    unlabelled = type(store)(store.images, manifest, store.meta, store.root)
    file = write(tmp_path, f"{{store: {store.root}, out: m, heads: [details], training: {{epochs: 1}}}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riqa.learn.plan_file.open_store", lambda root: unlabelled)
        with pytest.raises(InputError, match="no image has a label for the head details"):
            plan_runs(read_plan(file))
