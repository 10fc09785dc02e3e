"""The network: heads, starting a student, files that survive and files that were cut short."""

import json

import pytest
import torch

from riqa.errors import InputError
from riqa.learn.model import QualityNet, load_model, save_model, with_heads


@pytest.fixture
def net():
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def files(net, tmp_path):
    save_model(net, tmp_path / "m", seed=0)
    return tmp_path / "m.safetensors", tmp_path / "m.json"


def test_heads_are_those_asked_for_and_read_images_normalised_as_imagenets(net):
    for n_overall, n_details in ((0, 3), (2, 0), (3, 3)):
        logits = QualityNet("resnet10", n_overall, n_details).eval()(IMAGES)
        sizes = {"overall": n_overall, "details": n_details}
        assert {task: out.shape for task, out in logits.items()} == {t: (2, n) for t, n in sizes.items() if n}
    seen = {}
    net.backbone.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    net(torch.ones(1, 3, 32, 32))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert seen["x"][0, :, 0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("backbone", ["resnet10", "mobilenet_v3_small", "efficientnet_lite0"])
def test_running_statistics_follow_within_an_epoch_of_few_steps(backbone):
    net = QualityNet(backbone, n_overall=3, n_details=0).train()
    norm = next(module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d))
    seen = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((0, 2, 3)).detach()))
    for _ in range(30):
        net(torch.rand(4, 3, 64, 64))
    # Started at 0: after 30 steps 1 - 0.9 ** 30 = 96 % of the way to the mean of what came in.
    share = norm.running_mean / torch.stack(seen).mean(0)
    assert share.median().item() == pytest.approx(1 - 0.9**30, abs=0.02)


def test_a_student_keeps_the_trunk_and_draws_a_fresh_details_head():
    single_task = QualityNet("resnet10", n_overall=3, n_details=0).eval()
    student = with_heads(single_task, n_overall=3, n_details=3).eval()
    assert torch.equal(student(IMAGES)["overall"], single_task(IMAGES)["overall"])
    assert student(IMAGES)["details"].shape == (2, 3)


def test_saved_and_loaded_models_agree(net, files, tmp_path):
    loaded, description = load_model(tmp_path / "m")
    assert torch.equal(loaded(IMAGES)["details"], net(IMAGES)["details"])
    assert (description["seed"], description["architecture"]["backbone"]) == (0, "resnet10")
    assert {*tmp_path.iterdir()} == {*files}


def architecture(**changes):
    """Return a change of a description."""
    return lambda told: json.dumps(told | {"architecture": told["architecture"] | changes}).encode()


NO_DESCRIPTIONS = (b"", b"[]", b"7", b"{}", b"\xff\xfe{", b'{"architecture": []}')


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (architecture(n_overall=7), "heads are {'overall': 7, 'details': 3}, must be 0, 2 or 3 for overall"),
        (architecture(image_size="32"), "image_size is '32', must be a whole number from 1 to 4096"),
        (architecture(image_size=10**9), "must be a whole number from 1 to 4096"),
        (lambda told: json.dumps(told).encode()[:40], ""),
        *((lambda told, content=content: content, "") for content in NO_DESCRIPTIONS),
    ],
)
def test_a_description_that_is_none_is_told(files, tmp_path, broken, message):
    files[1].write_bytes(broken(json.loads(files[1].read_text())))
    with pytest.raises(InputError, match=rf"m\.json: not a model description \(.*{message}.*train the model"):
        load_model(tmp_path / "m")


def test_weights_cut_short_of_another_architecture_or_missing_are_named(files, tmp_path):
    weights, description = files
    description.write_bytes(architecture(n_overall=2)(json.loads(description.read_text())))
    with pytest.raises(InputError, match=r"m\.safetensors: cut short or not of this architecture"):
        load_model(tmp_path / "m")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"m\.safetensors: cut short.*train the model again") as error:
        load_model(tmp_path / "m")
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"nowhere\.safetensors: no such model file"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="jft"):
        QualityNet("resnet10", 3, 0, weights="jft")
    with pytest.raises(ValueError, match="head"):
        QualityNet("resnet10", 0, 0)
