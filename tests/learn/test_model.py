"""The network: heads, starting a student, files that survive and files that were cut short."""

import json

import pytest
import torch
from torchvision.models.resnet import BasicBlock, ResNet

from riqa.errors import InputError
from riqa.learn.model import QualityNet, load_model, save_model, with_heads


@pytest.fixture
def net():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


@pytest.fixture
def images():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_heads_are_those_asked_for(images):
    teacher = QualityNet("resnet10", n_overall=0, n_details=3).eval()
    single_task = QualityNet("resnet10", n_overall=2, n_details=0).eval()
    assert {task: tuple(out.shape) for task, out in teacher(images).items()} == {"details": (2, 3)}
    assert {task: tuple(out.shape) for task, out in single_task(images).items()} == {"overall": (2, 2)}


def test_normalisation_is_imagenets(net):
    seen = {}
    hook = net.backbone.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    net(torch.ones(1, 3, 32, 32))
    hook.remove()
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    assert seen["x"][0, :, 0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v3_small", "densenet121", "efficientnet_lite0"])
def test_any_backbone_by_name(backbone, images):
    net = QualityNet(backbone, n_overall=3, n_details=3).eval()
    logits = net(torch.nn.functional.interpolate(images, 64))
    assert logits["overall"].shape == (2, 3)
    assert logits["details"].shape == (2, 3)


@pytest.mark.parametrize(("backbone", "share"), [("resnet10", 4), ("wide_resnet10_2", 2)])
def test_the_small_resnets_are_torchvisions_of_one_block_a_stage_but_narrower(backbone, share):
    ours = QualityNet(backbone, n_overall=3, n_details=0).backbone.state_dict()
    full = ResNet(BasicBlock, [1, 1, 1, 1])
    full.conv1 = torch.nn.Conv2d(3, 64, 5, bias=False)  # for small images
    shapes = [tuple(value.shape) for name, value in full.state_dict().items() if not name.startswith("fc.")]
    narrowed = [tuple(n if n in (1, 3, 5) else n // share for n in shape) for shape in shapes]
    assert [tuple(value.shape) for value in ours.values()] == narrowed


@pytest.mark.parametrize("backbone", ["resnet10", "mobilenet_v3_small", "efficientnet_lite0"])
def test_running_statistics_follow_within_an_epoch_of_few_steps(backbone):
    net = QualityNet(backbone, n_overall=3, n_details=0).train()
    norm = next(module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d))
    seen = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean((0, 2, 3)).detach()))
    torch.manual_seed(0)
    for _ in range(30):
        net(torch.rand(4, 3, 64, 64))
    # Started at 0: after 30 steps 1 - 0.9 ** 30 = 96 % of the way to the mean of what came in.
    share = norm.running_mean / torch.stack(seen).mean(0)
    assert share.median().item() == pytest.approx(1 - 0.9**30, abs=0.02)


def test_packaged_imagenet_weights_are_loaded():
    torch.manual_seed(0)
    fresh = QualityNet("efficientnet_lite0", 3, 0)
    torch.manual_seed(0)
    pretrained = QualityNet("efficientnet_lite0", 3, 0, weights="imagenet")
    first = "backbone._conv_stem.weight"
    assert not torch.equal(fresh.state_dict()[first], pretrained.state_dict()[first])


def test_a_student_keeps_the_trunk_and_draws_a_fresh_details_head(images):
    single_task = QualityNet("resnet10", n_overall=3, n_details=0).eval()
    student = with_heads(single_task, n_overall=3, n_details=3).eval()
    assert torch.equal(student(images)["overall"], single_task(images)["overall"])
    assert student(images)["details"].shape == (2, 3)


def test_saved_and_loaded_models_agree(net, images, tmp_path):
    save_model(net, tmp_path / "student-s0", seed=0)
    loaded, description = load_model(tmp_path / "student-s0")
    assert torch.equal(loaded(images)["details"], net(images)["details"])
    assert description["seed"] == 0
    assert description["architecture"]["backbone"] == "resnet10"
    assert {file.name for file in tmp_path.iterdir()} == {"student-s0.safetensors", "student-s0.json"}


def test_a_weights_file_cut_short_is_named(net, tmp_path):
    save_model(net, tmp_path / "m")
    file = tmp_path / "m.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"m\.safetensors: cut short.*train the model again") as error:
        load_model(tmp_path / "m")
    assert "\n" not in str(error.value)


def test_a_description_cut_short_is_named(net, tmp_path):
    save_model(net, tmp_path / "m")
    file = tmp_path / "m.json"
    file.write_text(file.read_text()[:40])
    with pytest.raises(InputError, match=r"m\.json: not a model description"):
        load_model(tmp_path / "m")


def test_weights_of_another_architecture_are_refused(net, tmp_path):
    save_model(net, tmp_path / "m")
    file = tmp_path / "m.json"
    description = json.loads(file.read_text())
    description["architecture"]["n_overall"] = 2
    file.write_text(json.dumps(description))
    with pytest.raises(InputError, match=r"m\.safetensors"):
        load_model(tmp_path / "m")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.safetensors: no such model file"):
        load_model(tmp_path / "nowhere")


def test_wrong_names_are_refused():
    with pytest.raises(InputError, match="resnet1000"):
        QualityNet("resnet1000", 3, 0)
    with pytest.raises(InputError, match="no ImageNet weights"):
        QualityNet("resnet10", 3, 0, weights="imagenet")
    with pytest.raises(ValueError, match="jft"):
        QualityNet("resnet10", 3, 0, weights="jft")
    with pytest.raises(ValueError, match="head"):
        QualityNet("resnet10", 0, 0)


def test_weights_that_cannot_be_downloaded_end_in_one_line(monkeypatch, tmp_path):
    import urllib.error

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("riqa.learn.backbones.get_model", offline)
    with pytest.raises(InputError, match="efficientnet_lite0, whose weights come in a package"):
        QualityNet("resnet18", 3, 0, weights="imagenet")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_overall": 7}, "heads are {'overall': 7, 'details': 0}, must be 0, 2 or 3 for overall"),
        ({"image_size": "32"}, "image_size is '32', must be a whole number from 1 to 4096"),
        ({"image_size": 10**9}, "must be a whole number from 1 to 4096"),
    ],
)
def test_a_description_that_no_network_has_is_told(tmp_path, change, reason):
    save_model(QualityNet("resnet10", 3, 0, image_size=32), tmp_path / "m")
    file = tmp_path / "m.json"
    description = json.loads(file.read_text())
    file.write_text(json.dumps(description | {"architecture": description["architecture"] | change}))
    with pytest.raises(InputError, match=rf"m\.json: not a model description \(.*{reason}"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{}", b"\xff\xfe{", b'{"architecture": []}'])
def test_a_description_that_is_none_is_told(tmp_path, content):
    save_model(QualityNet("resnet10", 3, 0, image_size=32), tmp_path / "m")
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.json: not a model description"):
        load_model(tmp_path / "m")
