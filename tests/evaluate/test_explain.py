"""Grad-CAM maps: against the formula by hand, planted signals, and several backbones."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import VisionTransformer

from riqa.errors import InputError
from riqa.evaluate.explain import find_map_layer, grad_cam
from riqa.learn.model import QualityNet


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def spot_net():
    """Return a network built by hand: red is class 0 and bad clarity, green class 1 and bad illumination."""
    model = QualityNet("resnet10", n_overall=2, n_details=3, image_size=32)
    model.backbone = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False), nn.AvgPool2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    model.heads["overall"], model.heads["details"] = nn.Linear(3, 2), nn.Linear(3, 3)
    with torch.no_grad():
        model.backbone[0].weight.copy_(torch.eye(3)[:, :, None, None])
        model.heads["overall"].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
        model.heads["details"].weight.copy_(torch.tensor([[0, -1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]]))
    return model.eval()


def spots():
    """Return two images: red upper left and green lower right; then the other way round."""
    images = torch.full((2, 3, 32, 32), 0.2)
    images[0, 0, 4:8, 4:8] = images[1, 1, 4:8, 4:8] = 1
    images[0, 1, 24:28, 20:24] = images[1, 0, 24:28, 20:24] = 1
    return images


def peak(saliency):
    return np.unravel_index(saliency.argmax(), saliency.shape)


UPPER, LOWER = ((4, 8), (4, 8)), ((24, 28), (20, 24))


@pytest.mark.parametrize(
    ("task", "target", "places"),
    [
        ("overall", 0, (UPPER, LOWER)),
        ("overall", 1, (LOWER, UPPER)),
        ("details", 0, (LOWER, UPPER)),  # bad illumination is green
        ("details", 1, (UPPER, LOWER)),  # bad clarity is red
    ],
)
def test_a_map_peaks_where_the_signal_was_planted(task, target, places):
    maps = grad_cam(spot_net(), spots(), task=task, target=target)
    assert maps.shape == (2, 32, 32)
    assert maps.dtype == np.float32
    for saliency, ((top, bottom), (left, right)) in zip(maps, places, strict=True):
        row, column = peak(saliency)
        assert top <= row < bottom
        assert left <= column < right
        assert saliency.min() == 0
        assert saliency.max() == pytest.approx(1, abs=0.3)  # interpolation may pass the cell's own value by


def test_where_nothing_speaks_for_the_target_the_map_is_empty():
    # The weight of contrast is positive on blue: blue speaks for good, and nothing for bad.
    assert not grad_cam(spot_net(), spots(), task="details", target=2).any()


def test_it_is_the_formula_of_the_paper_on_a_residual_network():
    model = QualityNet("resnet10", n_overall=3, n_details=3, image_size=128).eval()
    images = torch.rand(3, 3, 128, 128)
    found = grad_cam(model, images, task="overall", target=1)

    net = model.backbone
    x = (images - model.mean) / model.std
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    features = net.layer4(net.layer3(net.layer2(net.layer1(x))))
    features.retain_grad()
    logits = model.heads["overall"](features.mean(dim=(2, 3)))
    logits[:, 1].sum().backward()
    raw = functional.relu((features.grad.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)).detach()
    raw = raw - raw.amin(dim=(1, 2), keepdim=True)
    raw = raw / raw.amax(dim=(1, 2), keepdim=True)
    wanted = functional.interpolate(raw[:, None], size=(128, 128), mode="bilinear", align_corners=False)[:, 0]
    wanted = wanted - wanted.amin(dim=(1, 2), keepdim=True)  # the library scales once more after resizing
    wanted = wanted / wanted.amax(dim=(1, 2), keepdim=True)
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-3)


def test_bad_is_the_negative_of_good():
    model = QualityNet("resnet10", n_overall=0, n_details=3, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    bad = grad_cam(model, images, task="details", target=0)
    with torch.no_grad():
        model.heads["details"].weight.neg_()
    good = grad_cam(model, images, task="details", target=0)
    assert not np.allclose(bad, good)
    assert np.minimum(bad, good).max() < 1  # what speaks most for one does not speak most for the other


@pytest.mark.parametrize(
    ("backbone", "side", "cells"),
    [
        ("resnet10", 32, 4),
        ("resnet10", 64, 4),
        ("resnet10", 128, 4),
        ("resnet18", 160, 5),
        ("efficientnet_lite0", 128, 4),
        ("mobilenet_v3_small", 128, 4),
    ],
)
def test_the_layer_is_found_in_any_convolutional_backbone(backbone, side, cells):
    model = QualityNet(backbone, n_overall=3, n_details=0, image_size=side).eval()
    images = torch.rand(1, 3, side, side)
    seen = []
    layer = find_map_layer(model, images)
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
    maps = grad_cam(model, images, task="overall", target=0)
    handle.remove()
    assert seen[0][2:] == (cells, cells)
    assert maps.shape == (1, side, side)
    assert np.isfinite(maps).all()


def test_min_side_chooses_the_layer():
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    layers = [find_map_layer(model, images, side) for side in (2, 4, 8)]
    assert layers == [model.backbone.layer4, model.backbone.layer3, model.backbone.layer2]
    with torch.no_grad():
        model.heads["overall"].weight.abs_()  # so that something speaks for every class
    maps = [grad_cam(model, images, task="overall", target=0, min_side=side) for side in (2, 4, 8)]
    assert all(found.any() for found in maps)
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[1], maps[2])


def test_a_transformer_ends_with_a_clear_message():
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=32)
    model.architecture["backbone"] = "vit_tiny"
    vit = VisionTransformer(32, 8, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8)
    vit.heads, model.backbone, model.heads["overall"] = nn.Identity(), vit, nn.Linear(8, 3)
    with pytest.raises(InputError, match=r"vit_tiny has no late layer that is a map.*convolutional"):
        grad_cam(model, torch.rand(1, 3, 32, 32), task="overall", target=0)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model = QualityNet("resnet10", n_overall=3, n_details=3, image_size=64).train(training)
    model.backbone.layer2.eval()
    model.backbone.conv1.requires_grad_(False)
    model.heads["overall"].weight.grad = torch.ones_like(model.heads["overall"].weight)
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grad_cam(model, torch.rand(2, 3, 64, 64), task="details", target=1)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert not model.backbone.conv1.weight.requires_grad
    assert model.backbone.layer4.conv1.weight.requires_grad
    assert model.backbone.layer4.conv1.weight.grad is None
    assert (model.heads["overall"].weight.grad == 1).all()


def test_hooks_are_released_when_the_network_fails():
    model = spot_net()
    with pytest.raises(RuntimeError):  # not an image that the pooling can take
        grad_cam(model, torch.rand(1, 3, 32, 2), task="overall", target=0)
    assert not any(module._forward_hooks for module in model.modules())


def test_batches_and_repetition_and_no_grad_do_not_matter():
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=32).eval()
    images = torch.rand(70, 3, 32, 32)
    together = grad_cam(model, images, task="overall", target=2)
    with torch.inference_mode():
        np.testing.assert_array_equal(grad_cam(model, images, task="overall", target=2), together)
    alone = grad_cam(model, images[65:66], task="overall", target=2)
    np.testing.assert_allclose(alone[0], together[65], atol=1e-4)
    assert grad_cam(model, images[:0], task="overall", target=2).shape == (0, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "quality", "target": 0}, "task is 'quality'"),
        ({"task": "details", "target": 0}, "no head for task 'details'"),
        ({"task": "overall", "target": 3}, r"target is 3, must be 0\.\.2"),
        ({"task": "overall", "target": -1}, "target is -1"),
        ({"task": "overall", "target": 0, "min_side": 1}, "min_side is 1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=32).eval()
    with pytest.raises(ValueError, match=message):
        grad_cam(model, torch.rand(1, 3, 32, 32), **arguments)
    with pytest.raises(ValueError, match="images must be"):
        grad_cam(model, torch.rand(1, 1, 32, 32), task="overall", target=0)
