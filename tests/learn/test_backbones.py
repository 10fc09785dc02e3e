"""Backbones by name: one of every family that torchvision has, without a table of special cases."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import list_models, mobilenet_v3_small

from riqa.errors import InputError
from riqa.learn.backbones import build_backbone
from riqa.learn.model import QualityNet

FAMILIES = (
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "swin_v2_t",
    "vgg11",
    "vit_b_32",
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


@pytest.mark.parametrize("name", ["regnet_y_400mf", "squeezenet1_1", "googlenet", "vit_b_32", "vit_tiny"])
def test_gradients_reach_the_first_layer(name):
    torch.manual_seed(0)
    net = QualityNet(name, n_overall=3, n_details=3, image_size=64).train()
    logits = net(torch.rand(2, 3, 64, 64))
    (logits["overall"].sum() + logits["details"].sum()).backward()
    first = next(module for module in net.backbone.modules() if isinstance(module, nn.Conv2d))
    assert first.weight.grad.abs().max() > 0


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


@pytest.mark.parametrize("name", ["maxvit_t", "inception_v3"])
def test_a_network_for_other_sizes_says_so(name):
    with pytest.raises(InputError, match=f"backbone {name} cannot take images of 64 pixels .*: set another"):
        build_backbone(name, "none", 64)


def test_the_small_networks_say_what_they_cannot():
    for name in ("resnet10", "vit_tiny"):
        with pytest.raises(InputError, match=f"backbone {name} has no ImageNet weights: set weights to none"):
            build_backbone(name, "imagenet", 64)
    with pytest.raises(InputError, match=r"vit_tiny cannot take images of 40 pixels: .* a multiple of 16"):
        build_backbone("vit_tiny", "none", 40)


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="backbone 'resnet19' is unknown"):
        build_backbone("resnet19", "none", 64)
