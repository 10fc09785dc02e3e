"""Grad-CAM maps: against the formula by hand, planted signals, any backbone, and shapes that say too little."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from riqa.errors import InputError
from riqa.evaluate.explain import cells_of, find_map_layer, grad_cam
from tests.evaluate.networks import (
    FIRST,
    LAYOUTS,
    MEAN,
    ONE_LOOK,
    Of,
    net,
    normalised,
    on_backbone,
    spot_net,
    spots,
    swin_of,
    vit_of,
)  # fmt: skip

UPPER, LOWER = ((4, 8), (4, 8)), ((24, 28), (20, 24))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("task", "target", "places"),
    [
        ("overall", 0, (UPPER, LOWER)),
        ("overall", 1, (LOWER, UPPER)),
        ("overall", np.array([0, 1]), (UPPER, UPPER)),  # a class of its own for each image
        ("details", 0, (LOWER, UPPER)),  # bad illumination is green
        ("details", 1, (UPPER, LOWER)),  # bad clarity is red
    ],
)
def test_a_map_peaks_where_the_signal_was_planted(task, target, places, layout):
    maps = grad_cam(spot_net(layout), spots(), task=task, target=target)
    assert (maps.shape, maps.dtype) == ((2, 32, 32), np.float32)
    for saliency, ((top, bottom), (left, right)) in zip(maps, places, strict=True):
        row, column = np.unravel_index(saliency.argmax(), saliency.shape)
        assert top <= row < bottom
        assert left <= column < right
        assert saliency.min() == 0
        assert saliency.max() == pytest.approx(1, abs=0.3)  # interpolation may pass the cell's own value by


def test_where_nothing_speaks_for_the_target_the_map_is_empty():
    # The weight of contrast is positive on blue: blue speaks for good, and nothing for bad.
    assert not grad_cam(spot_net(), spots(), task="details", target=2).any()


def drawn(raw, side):
    """Bring cells (N, h, w) to the side of the image, each map scaled to [0, 1] before and after."""
    raw = raw - raw.amin(dim=(1, 2), keepdim=True)
    raw = raw / raw.amax(dim=(1, 2), keepdim=True)
    maps = functional.interpolate(raw[:, None], size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)  # the library scales once more after resizing
    return (maps / maps.amax(dim=(1, 2), keepdim=True)).numpy()


def test_it_is_the_formula_of_the_paper_on_a_residual_network():
    model, images = net(side=128), torch.rand(3, 3, 128, 128)
    found = grad_cam(model, images, task="overall", target=1)

    of = model.backbone
    x = of.maxpool(of.relu(of.bn1(of.conv1(normalised(model, images)))))
    features = of.layer4(of.layer3(of.layer2(of.layer1(x))))
    features.retain_grad()
    model.heads["overall"](features.mean(dim=(2, 3)))[:, 1].sum().backward()
    raw = functional.relu((features.grad.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)).detach()
    np.testing.assert_allclose(found, drawn(raw, 128), atol=2e-3)


def test_it_is_the_formula_on_the_tokens_of_a_vision_transformer():
    """What the last attention reads, the class token left out, and token 4 r + c at row r and column c."""
    vit, images = vit_of(8, layers=2), torch.rand(3, 3, 32, 32)
    model = on_backbone(vit, 16)
    found = grad_cam(model, images, task="overall", target=1)

    x = vit._process_input(normalised(model, images))
    x = torch.cat([vit.class_token.expand(3, -1, -1), x], dim=1) + vit.encoder.pos_embedding
    x, last = vit.encoder.layers[0](x), vit.encoder.layers[1]
    tokens = last.ln_1(x)
    tokens.retain_grad()
    x = x + last.self_attention(tokens, tokens, tokens)[0]
    x = vit.encoder.ln(x + last.mlp(last.ln_2(x)))[:, 0]
    model.heads["overall"](x)[:, 1].sum().backward()
    raw = torch.zeros(3, 4, 4)
    for image, token in np.ndindex(3, 16):
        alpha = tokens.grad[image, 1:].mean(dim=0)
        raw[image, token // 4, token % 4] = functional.relu(alpha @ tokens[image, 1 + token]).detach()
    np.testing.assert_allclose(found, drawn(raw, 32), atol=2e-3)


def test_it_is_the_formula_on_the_maps_of_a_swin_transformer():
    swin, images = swin_of([1, 1]), torch.rand(3, 3, 32, 32)
    model = on_backbone(swin, 32)
    found = grad_cam(model, images, task="overall", target=2, min_side=8)

    maps = swin.features[1](swin.features[0](normalised(model, images)))
    assert maps.shape == (3, 8, 8, 16)
    maps.retain_grad()
    features = swin.norm(swin.features[3](swin.features[2](maps))).mean(dim=(1, 2))
    model.heads["overall"](features)[:, 2].sum().backward()
    raw = functional.relu(torch.einsum("nc,nhwc->nhw", maps.grad.mean(dim=(1, 2)), maps)).detach()
    np.testing.assert_allclose(found, drawn(raw, 32), atol=2e-3)


def test_the_model_is_left_as_it_was():
    model, images = net(n_details=3).train(), torch.rand(2, 3, 64, 64)
    model.backbone.layer2.eval()
    model.backbone.conv1.requires_grad_(False)
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grad_cam(model, images, task="details", target=1)
    with torch.inference_mode():
        find_map_layer(model.eval(), images)
        model.train().backbone.layer2.eval()
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(weight.grad is None for weight in model.parameters())
    assert not model.backbone.conv1.weight.requires_grad
    assert model.backbone.layer4.conv1.weight.requires_grad
    assert not images.requires_grad


def test_batches_and_repetition_and_no_grad_do_not_matter():
    model, images = net(side=32), torch.rand(70, 3, 32, 32)
    together = grad_cam(model, images, task="overall", target=2)
    with torch.inference_mode():
        np.testing.assert_array_equal(grad_cam(model, images, task="overall", target=2), together)
    alone = grad_cam(model, images[65:66], task="overall", target=2)
    np.testing.assert_allclose(alone[0], together[65], atol=1e-4)
    assert grad_cam(model, images[:0], task="overall", target=2).shape == (0, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "quality"}, "task is 'quality'"),
        ({"task": "details"}, "no head for task 'details'"),
        ({"target": 3}, r"target is 3, must be 0\.\.2"),
        ({"target": -1}, "target is -1"),
        ({"target": np.array([0, 1])}, "with a target each"),
        ({"min_side": 1}, "min_side is 1"),
        ({"images": torch.rand(1, 1, 32, 32)}, "images must be"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    asked = {"images": torch.rand(1, 3, 32, 32), "task": "overall", "target": 0} | change
    with pytest.raises(ValueError, match=message):
        grad_cam(net(side=32), **asked)


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
        ("resnet10", 32, (32, 4, 4)), ("resnet10", 64, (64, 4, 4)), ("resnet10", 128, (128, 4, 4)),
        ("resnet18", 160, (512, 5, 5)), ("efficientnet_lite0", 128, (1280, 4, 4)),
        ("mobilenet_v3_small", 128, (576, 4, 4)), ("swin_t", 64, (384, 4, 4)), ("vit_b_16", 64, (768, 4, 4)),
    ],
)  # fmt: skip
def test_the_layer_is_found_in_any_backbone(backbone, side, shape):
    model, images = net(backbone, side), torch.rand(1, 3, side, side)
    assert map_of(model, images)[1].shape[1:] == shape
    assert cells_of(model, images.expand(3, -1, -1, -1)) == shape[1:]
    with torch.no_grad():  # a difference of two classes, so that something speaks for one of them
        model.heads["overall"].weight[1] = -model.heads["overall"].weight[0]
    maps = np.stack([grad_cam(model, images, task="overall", target=target) for target in (0, 1)])
    assert maps.shape == (2, 1, side, side)
    assert np.isfinite(maps).all()
    assert maps.any()


def test_min_side_chooses_the_layer():
    model, images = net(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        model.heads["overall"].weight.abs_()  # so that something speaks for every class
    maps = []
    for side, layer in ((2, "layer4"), (4, "layer3"), (8, "layer2")):
        assert find_map_layer(model, images, side)[0] is getattr(model.backbone, layer)
        maps.append(grad_cam(model, images, task="overall", target=0, min_side=side))
        assert maps[-1].any()
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[1], maps[2])


def test_a_sequence_without_a_class_token_is_a_map_to_its_end():
    tokens = Of(lambda maps: maps.flatten(2).transpose(1, 2))
    layers = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), tokens, nn.LayerNorm(5), MEAN)
    model, images = on_backbone(layers, 5), torch.rand(1, 3, 32, 48)
    layer, cells = map_of(model, images)
    assert layer is layers[2]
    assert cells.shape == (1, 5, 8, 12)  # in the proportions of the image
    torch.testing.assert_close(cells[0, :, 1, 0], layers[:3](normalised(model, images))[0, 12])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_cube_of_numbers_is_a_map_either_way(seed, channels_last):
    """Sixteen channels of 16 x 16 cells: the shape does not say which of the three is what."""
    torch.manual_seed(seed)
    mixing = nn.Sequential(nn.Conv2d(3, 16, 4, stride=4), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
    cube = Of(lambda images: mixing(images).permute(0, 2, 3, 1) if channels_last else mixing(images))
    mean = Of(lambda cube: cube.mean(dim=(1, 2) if channels_last else (2, 3)))
    model, images = on_backbone(nn.Sequential(cube, mean), 16), torch.rand(1, 3, 64, 64)
    layer, cells = map_of(model, images, min_side=16)
    assert layer is cube
    with torch.no_grad():
        torch.testing.assert_close(cells, mixing(normalised(model, images)))


def test_cubes_of_known_networks_are_read_rightly():
    """ResNet's first layer has 32 channels of 32 x 32 cells at 64 pixels; this Swin's 16 of 16 x 16."""
    model, images = net(), torch.rand(1, 3, 64, 64)
    of = model.backbone
    layer, cells = map_of(model, images, min_side=32)
    assert layer is of.relu
    with torch.no_grad():
        torch.testing.assert_close(cells, of.relu(of.bn1(of.conv1(normalised(model, images)))))
    swin = swin_of([2, 1])
    layer, cells = map_of(on_backbone(swin, 32), images, min_side=16)
    assert layer is swin.features[1]
    with torch.no_grad():
        torch.testing.assert_close(cells, swin.features[:2](normalised(model, images)).permute(0, 3, 1, 2))


def test_what_has_no_map_ends_with_a_clear_message():
    message = r"vit_tiny has no late layer that is a map of at least 4 x 4 cells at 32 x 32 pixels.*resnet18"
    with pytest.raises(InputError, match=message) as error:
        grad_cam(on_backbone(vit_of(16, layers=1), 16), torch.rand(1, 3, 32, 32), task="overall", target=0)
    assert "\n" not in str(error.value)
    # Five tokens more than patches: a sequence that is no grid.
    registers = Of(lambda maps: functional.pad(maps.flatten(2).transpose(1, 2), (0, 0, 5, 0)))
    model = on_backbone(nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), registers, ONE_LOOK, FIRST), 8)
    with pytest.raises(InputError, match="has no late layer"):
        find_map_layer(model, torch.rand(1, 3, 32, 32))
