"""Backbones by name: one of every family that torchvision has, without a table of special cases."""

import urllib.error

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import list_models, mobilenet_v3_small
from torchvision.models.resnet import BasicBlock, ResNet

from riqa.errors import InputError
from riqa.learn.backbones import build_backbone
from riqa.learn.model import QualityNet

FAMILIES = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet"),
    *("inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "resnet18"),
    *("resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_32"),
    "wide_resnet50_2",
)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_features_in_training(name):
    """On torch's meta device, which computes shapes alone."""
    with torch.device("meta"):
        backbone, n_features = build_backbone(name, "none", 224)
        features = backbone.train()(torch.rand(2, 3, 224, 224))
    assert features.shape == (2, n_features)
    assert n_features > 3  # a vector to be judged, not a judgement


def test_no_family_is_forgotten():
    def family(name):
        return name.split("_")[0].rstrip("0123456789")

    known = {family(name) for name in (*FAMILIES, "regnet_y_400mf")}
    assert {family(name) for name in list_models(module=torchvision.models)} <= known


@pytest.mark.parametrize(
    "name", ["regnet_y_400mf", "squeezenet1_1", "googlenet", "vit_b_32", "vit_tiny", "efficientnet_lite0"]
)
def test_gradients_reach_the_first_layer(name):
    torch.manual_seed(0)
    net = QualityNet(name, n_overall=3, n_details=3, image_size=64).train()
    logits = net(torch.rand(2, 3, 64, 64))
    (logits["overall"].sum() + logits["details"].sum()).backward()
    first = next(module for module in net.backbone.modules() if isinstance(module, nn.Conv2d))
    assert first.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("backbone", "share"), [("resnet10", 4), ("wide_resnet10_2", 2)])
def test_the_small_resnets_are_torchvisions_of_one_block_a_stage_but_narrower(backbone, share):
    ours = build_backbone(backbone, "none", 64)[0].state_dict()
    full = ResNet(BasicBlock, [1, 1, 1, 1])
    full.conv1 = nn.Conv2d(3, 64, 5, bias=False)  # for small images
    shapes = [tuple(value.shape) for name, value in full.state_dict().items() if not name.startswith("fc.")]
    narrowed = [tuple(n if n in (1, 3, 5) else n // share for n in shape) for shape in shapes]
    assert [tuple(value.shape) for value in ours.values()] == narrowed


def test_the_narrow_resnet_has_the_layers_of_the_other_and_as_many_channels_in_all():
    narrow, usual = (build_backbone(name, "none", 64) for name in ("narrow_resnet10", "resnet10"))
    assert (narrow[1], usual[1]) == (16, 128)
    assert narrow[0].state_dict().keys() == usual[0].state_dict().keys()
    widths = {module.out_channels for module in narrow[0].modules() if isinstance(module, nn.Conv2d)}
    assert widths == {16}


def test_looking_whether_the_size_fits_draws_no_random_number_and_changes_no_statistics():
    torch.manual_seed(3)
    net, _ = build_backbone("mobilenet_v3_small", "none", 64)
    after = torch.rand(1)
    assert net.training
    norm = next(module for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    assert norm.num_batches_tracked == 0
    torch.manual_seed(3)
    mobilenet_v3_small(weights=None)
    assert torch.equal(torch.rand(1), after)


def test_packaged_imagenet_weights_are_loaded():
    first, second, third = (
        build_backbone("efficientnet_lite0", weights, 64)[0].state_dict()["_conv_stem.weight"]
        for weights in ("imagenet", "imagenet", "none")
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def offline(*args, **kwargs):
    raise urllib.error.URLError("no network")


@pytest.mark.parametrize(
    ("name", "weights", "side", "message"),
    [
        ("maxvit_t", "none", 64, "backbone maxvit_t cannot take images of 64 pixels .*: set another"),
        ("inception_v3", "none", 64, "backbone inception_v3 cannot take images of 64 pixels .*: set another"),
        ("vit_tiny", "none", 40, "vit_tiny cannot take images of 40 pixels: .* a multiple of 16"),
        ("resnet10", "imagenet", 64, "backbone resnet10 has no ImageNet weights: set weights to none"),
        ("vit_tiny", "imagenet", 64, "backbone vit_tiny has no ImageNet weights: set weights to none"),
        ("resnet19", "none", 64, "backbone 'resnet19' is unknown"),
        ("resnet18", "imagenet", 64, "efficientnet_lite0, whose weights come in a package"),
    ],
)
def test_what_cannot_be_built_ends_in_one_line(monkeypatch, name, weights, side, message):
    if weights == "imagenet":
        monkeypatch.setattr("riqa.learn.backbones.get_model", offline)
    with pytest.raises(InputError, match=message):
        build_backbone(name, weights, side)
