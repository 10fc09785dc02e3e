"""The layer that Grad-CAM reads, and its layout: backbones by name, and shapes that say too little."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer

from riqa.errors import InputError
from riqa.evaluate.explain import grad_cam
from riqa.evaluate.map_layer import find_map_layer
from riqa.learn.model import QualityNet


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def on_backbone(backbone, n_features):
    """Return a network of three classes on a backbone of the test's own."""
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=32)
    model.architecture["backbone"] = "vit_tiny"
    model.backbone, model.heads["overall"] = backbone, nn.Linear(n_features, 3)
    return model.eval()


def vit_tiny(image_size, patch, layers=1):
    vit = VisionTransformer(image_size, patch, num_layers=layers, num_heads=1, hidden_dim=8, mlp_dim=8)
    vit.heads = nn.Identity()
    return vit


def map_of(model, images, min_side=4):
    """Return the layer, and its output laid out as a map."""
    layer, layout = find_map_layer(model, images, min_side)
    seen = []
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        model(images)
    handle.remove()
    return layer, layout(seen[0])


@pytest.mark.parametrize(
    ("backbone", "side", "shape"),
    [
        ("resnet10", 32, (32, 4, 4)),
        ("resnet10", 64, (64, 4, 4)),
        ("resnet10", 128, (128, 4, 4)),
        ("resnet18", 160, (512, 5, 5)),
        ("efficientnet_lite0", 128, (1280, 4, 4)),
        ("mobilenet_v3_small", 128, (576, 4, 4)),
        ("swin_t", 64, (384, 4, 4)),
        ("vit_b_16", 64, (768, 4, 4)),
    ],
)
def test_the_layer_is_found_in_any_backbone(backbone, side, shape):
    model = QualityNet(backbone, n_overall=3, n_details=0, image_size=side).eval()
    images = torch.rand(1, 3, side, side)
    _, cells = map_of(model, images)
    assert cells.shape[1:] == shape
    with torch.no_grad():  # a difference of two classes, so that something speaks for one of them
        model.heads["overall"].weight[1] = -model.heads["overall"].weight[0]
    maps = [grad_cam(model, images, task="overall", target=target) for target in (0, 1)]
    assert maps[0].shape == (1, side, side)
    assert all(np.isfinite(saliency).all() for saliency in maps)
    assert any(saliency.any() for saliency in maps)


def test_min_side_chooses_the_layer():
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    layers = [find_map_layer(model, images, side)[0] for side in (2, 4, 8)]
    assert layers == [model.backbone.layer4, model.backbone.layer3, model.backbone.layer2]
    with torch.no_grad():
        model.heads["overall"].weight.abs_()  # so that something speaks for every class
    maps = [grad_cam(model, images, task="overall", target=0, min_side=side) for side in (2, 4, 8)]
    assert all(found.any() for found in maps)
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[1], maps[2])


def test_behind_a_class_token_it_is_what_the_last_attention_reads():
    vit = vit_tiny(32, 8, layers=3)
    layer, cells = map_of(on_backbone(vit, 8), torch.rand(2, 3, 32, 32))
    assert layer is vit.encoder.layers[2].ln_1
    assert cells.shape == (2, 8, 4, 4)


def test_a_sequence_without_a_class_token_is_a_map_to_its_end():
    class Patches(nn.Module):
        def forward(self, maps):
            return maps.flatten(2).transpose(1, 2)

    class Mean(nn.Module):
        def forward(self, tokens):
            return tokens.mean(dim=1)

    layers = nn.Conv2d(3, 5, 4, stride=4), Patches(), nn.LayerNorm(5), Mean()
    images = torch.rand(1, 3, 32, 48)
    layer, cells = map_of(on_backbone(nn.Sequential(*layers), 5), images)
    assert layer is layers[2]
    assert cells.shape == (1, 5, 8, 12)  # in the proportions of the image
    torch.testing.assert_close(cells[0, :, 1, 0], layers[2](layers[1](layers[0](normalised(images))))[0, 12])


def normalised(images):
    model = QualityNet("resnet10", n_overall=3, n_details=0)
    return (images - model.mean) / model.std


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_cube_of_numbers_is_a_map_either_way(seed, channels_last):
    """Sixteen channels of 16 x 16 cells: the shape does not say which of the three is what."""
    torch.manual_seed(seed)
    mixing = nn.Sequential(nn.Conv2d(3, 16, 4, stride=4), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))

    class Cube(nn.Module):
        def forward(self, images):
            maps = mixing(images)
            return maps.permute(0, 2, 3, 1) if channels_last else maps

    class Mean(nn.Module):
        def forward(self, cube):
            return cube.mean(dim=(1, 2) if channels_last else (2, 3))

    cube, images = Cube(), torch.rand(1, 3, 64, 64)
    layer, cells = map_of(on_backbone(nn.Sequential(cube, Mean()), 16), images, min_side=16)
    assert layer is cube
    with torch.no_grad():
        torch.testing.assert_close(cells, mixing(normalised(images)))


def test_cubes_of_known_networks_are_read_rightly():
    """ResNet's first layer has 32 channels of 32 x 32 cells at 64 pixels; this Swin's 16 of 16 x 16."""
    resnet = QualityNet("resnet10", n_overall=3, n_details=0, image_size=64).eval()
    images = torch.rand(1, 3, 64, 64)
    layer, cells = map_of(resnet, images, min_side=32)
    assert layer is resnet.backbone.relu
    net = resnet.backbone
    with torch.no_grad():
        torch.testing.assert_close(cells, net.relu(net.bn1(net.conv1(normalised(images)))))

    swin = SwinTransformer([4, 4], 16, depths=[2, 1], num_heads=[2, 2], window_size=[4, 4])
    swin.head = nn.Identity()
    layer, cells = map_of(on_backbone(swin, 32), images, min_side=16)
    assert layer is swin.features[1]
    with torch.no_grad():
        maps = swin.features[1](swin.features[0](normalised(images)))
    torch.testing.assert_close(cells, maps.permute(0, 3, 1, 2))


def test_what_has_no_map_ends_with_a_clear_message():
    message = r"vit_tiny has no late layer that is a map of at least 4 x 4 cells at 32 x 32 pixels.*resnet18"
    with pytest.raises(InputError, match=message) as error:
        grad_cam(on_backbone(vit_tiny(32, 16), 8), torch.rand(1, 3, 32, 32), task="overall", target=0)
    assert "\n" not in str(error.value)


def test_a_sequence_that_is_no_grid_has_no_map():
    class Registers(nn.Module):
        """Four tokens more than patches and class."""

        def forward(self, maps):
            return nn.functional.pad(maps.flatten(2).transpose(1, 2), (0, 0, 5, 0))

    class First(nn.Module):
        def forward(self, tokens):
            return (tokens + tokens.mean(dim=1, keepdim=True))[:, 0]

    model = on_backbone(nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), Registers(), First()), 8)
    with pytest.raises(InputError, match="has no late layer"):
        find_map_layer(model, torch.rand(1, 3, 32, 32))


def test_the_search_leaves_no_trace():
    model = on_backbone(vit_tiny(32, 8), 8)
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        find_map_layer(model, images)
    assert not images.requires_grad
    assert all(weight.grad is None for weight in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
