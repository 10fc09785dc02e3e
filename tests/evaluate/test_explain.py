"""Grad-CAM maps: against the formula by hand, planted signals, any backbone, and shapes that say too little."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import SwinTransformer, VisionTransformer

from riqa.errors import InputError
from riqa.evaluate.explain import find_map_layer, grad_cam
from riqa.learn.model import QualityNet


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def net(backbone="resnet10", side=64, n_details=0):
    return QualityNet(backbone, n_overall=3, n_details=n_details, image_size=side).eval()


def on_backbone(backbone, n_features):
    """Return a network of three classes on a backbone of the test's own."""
    model = net(side=32)
    model.architecture["backbone"] = "vit_tiny"
    model.backbone, model.heads["overall"] = backbone, nn.Linear(n_features, 3)
    return model.eval()


def normalised(images):
    return (images - net().mean) / net().std


def vit_of(size, patch, layers=1, hidden=8, heads=1, mlp=8):
    vit = VisionTransformer(
        size, patch, num_layers=layers, num_heads=heads, hidden_dim=hidden, mlp_dim=mlp
    ).eval()
    vit.heads = nn.Identity()
    return vit


def swin_of(depths):
    swin = SwinTransformer([4, 4], 16, depths=depths, num_heads=[2, 2], window_size=[4, 4]).eval()
    swin.head = nn.Identity()
    return swin


class Of(nn.Module):
    """A layer that is a plain function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


CELLS = Of(lambda images: functional.avg_pool2d(images, 4).permute(0, 2, 3, 1))  # mean colours, channels last
PATCHES = Of(lambda cells: cells.flatten(1, 2))
CLASS_TOKEN = Of(lambda tokens: functional.pad(tokens, (0, 0, 1, 0)))
ONE_LOOK = Of(lambda tokens: tokens + tokens.mean(dim=1, keepdim=True))  # of each token at all others
FIRST, MEAN = Of(lambda tokens: tokens[:, 0]), Of(lambda cells: cells.flatten(1, -2).mean(dim=1))
LAYOUTS = {  # as transformers would lay out an image of 8 x 8 cells, which are 4 x 4 pixels each
    "channels first": (nn.AvgPool2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "channels last": (CELLS, MEAN),
    "patches": (CELLS, PATCHES, MEAN),
    "class token": (CELLS, PATCHES, CLASS_TOKEN, ONE_LOOK, nn.Identity(), FIRST),  # all that is used at last
}


def spot_net(layout="channels first"):
    """Return a network built by hand: red is class 0 and bad clarity, green class 1 and bad illumination."""
    model = QualityNet("resnet10", n_overall=2, n_details=3, image_size=32)
    model.backbone = nn.Sequential(*LAYOUTS[layout])
    model.heads["overall"], model.heads["details"] = nn.Linear(3, 2), nn.Linear(3, 3)
    with torch.no_grad():
        model.heads["overall"].weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
        model.heads["details"].weight.copy_(torch.tensor([[0, -1.0, 0], [-1.0, 0, 0], [0, 0, 1.0]]))
    model.mean.zero_()
    model.std.fill_(1)
    return model.eval()


def spots():
    """Return two images: red upper left and green lower right; then the other way round."""
    images = torch.full((2, 3, 32, 32), 0.2)
    images[0, 0, 4:8, 4:8] = images[1, 1, 4:8, 4:8] = 1
    images[0, 1, 24:28, 20:24] = images[1, 0, 24:28, 20:24] = 1
    return images


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
    assert maps.shape == (2, 32, 32)
    assert maps.dtype == np.float32
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
    x = of.maxpool(of.relu(of.bn1(of.conv1(normalised(images)))))
    features = of.layer4(of.layer3(of.layer2(of.layer1(x))))
    features.retain_grad()
    model.heads["overall"](features.mean(dim=(2, 3)))[:, 1].sum().backward()
    raw = functional.relu((features.grad.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)).detach()
    np.testing.assert_allclose(found, drawn(raw, 128), atol=2e-3)


def test_it_is_the_formula_on_the_tokens_of_a_vision_transformer():
    """What the last attention reads, the class token left out, and token 4 r + c at row r and column c."""
    vit, images = vit_of(32, 8, layers=2, hidden=16, heads=2, mlp=32), torch.rand(3, 3, 32, 32)
    model = on_backbone(vit, 16)
    found = grad_cam(model, images, task="overall", target=1)

    x = vit._process_input(normalised(images))
    x = torch.cat([vit.class_token.expand(3, -1, -1), x], dim=1) + vit.encoder.pos_embedding
    x, last = vit.encoder.layers[0](x), vit.encoder.layers[1]
    tokens = last.ln_1(x)
    tokens.retain_grad()
    x = x + last.self_attention(tokens, tokens, tokens)[0]
    x = vit.encoder.ln(x + last.mlp(last.ln_2(x)))[:, 0]
    model.heads["overall"](x)[:, 1].sum().backward()
    raw = torch.zeros(3, 4, 4)
    for image in range(3):
        alpha = tokens.grad[image, 1:].mean(dim=0)
        for token in range(16):
            raw[image, token // 4, token % 4] = functional.relu(alpha @ tokens[image, 1 + token]).detach()
    np.testing.assert_allclose(found, drawn(raw, 32), atol=2e-3)


def test_it_is_the_formula_on_the_maps_of_a_swin_transformer():
    swin, images = swin_of([1, 1]), torch.rand(3, 3, 32, 32)
    model = on_backbone(swin, 32)
    found = grad_cam(model, images, task="overall", target=2, min_side=8)

    maps = swin.features[1](swin.features[0](normalised(images)))
    assert maps.shape == (3, 8, 8, 16)
    maps.retain_grad()
    features = swin.norm(swin.features[3](swin.features[2](maps))).mean(dim=(1, 2))
    model.heads["overall"](features)[:, 2].sum().backward()
    raw = functional.relu(torch.einsum("nc,nhwc->nhw", maps.grad.mean(dim=(1, 2)), maps)).detach()
    np.testing.assert_allclose(found, drawn(raw, 32), atol=2e-3)


def test_bad_is_the_negative_of_good():
    model, images = net(n_details=3), torch.rand(2, 3, 64, 64)
    bad = grad_cam(model, images, task="details", target=0)
    with torch.no_grad():
        model.heads["details"].weight.neg_()
    good = grad_cam(model, images, task="details", target=0)
    assert not np.allclose(bad, good)
    assert np.minimum(bad, good).max() < 1  # what speaks most for one does not speak most for the other


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model, images = net(n_details=3).train(training), torch.rand(2, 3, 64, 64)
    model.backbone.layer2.eval()
    model.backbone.conv1.requires_grad_(False)
    model.heads["overall"].weight.grad = torch.ones_like(model.heads["overall"].weight)
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grad_cam(model, images, task="details", target=1)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert not model.backbone.conv1.weight.requires_grad
    assert model.backbone.layer4.conv1.weight.requires_grad
    assert model.backbone.layer4.conv1.weight.grad is None
    assert (model.heads["overall"].weight.grad == 1).all()
    with torch.inference_mode():
        find_map_layer(model.eval(), images)
    assert not images.requires_grad
    assert model.backbone.layer4.conv1.weight.grad is None
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_are_released_when_the_network_fails():
    model = spot_net()
    with pytest.raises(RuntimeError):  # not an image that the pooling can take
        grad_cam(model, torch.rand(1, 3, 32, 2), task="overall", target=0)
    assert not any(module._forward_hooks for module in model.modules())


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
    model, images = net(backbone, side), torch.rand(1, 3, side, side)
    assert map_of(model, images)[1].shape[1:] == shape
    with torch.no_grad():  # a difference of two classes, so that something speaks for one of them
        model.heads["overall"].weight[1] = -model.heads["overall"].weight[0]
    maps = np.stack([grad_cam(model, images, task="overall", target=target) for target in (0, 1)])
    assert maps.shape == (2, 1, side, side)
    assert np.isfinite(maps).all()
    assert maps.any()


def test_min_side_chooses_the_layer():
    model, images = net(), torch.rand(2, 3, 64, 64)
    layers = [find_map_layer(model, images, side)[0] for side in (2, 4, 8)]
    assert layers == [model.backbone.layer4, model.backbone.layer3, model.backbone.layer2]
    with torch.no_grad():
        model.heads["overall"].weight.abs_()  # so that something speaks for every class
    maps = [grad_cam(model, images, task="overall", target=0, min_side=side) for side in (2, 4, 8)]
    assert all(found.any() for found in maps)
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[1], maps[2])


def test_behind_a_class_token_it_is_what_the_last_attention_reads():
    vit = vit_of(32, 8, layers=3)
    layer, cells = map_of(on_backbone(vit, 8), torch.rand(2, 3, 32, 32))
    assert layer is vit.encoder.layers[2].ln_1
    assert cells.shape == (2, 8, 4, 4)


def test_a_sequence_without_a_class_token_is_a_map_to_its_end():
    tokens = Of(lambda maps: maps.flatten(2).transpose(1, 2))
    layers = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), tokens, nn.LayerNorm(5), MEAN)
    images = torch.rand(1, 3, 32, 48)
    layer, cells = map_of(on_backbone(layers, 5), images)
    assert layer is layers[2]
    assert cells.shape == (1, 5, 8, 12)  # in the proportions of the image
    torch.testing.assert_close(cells[0, :, 1, 0], layers[:3](normalised(images))[0, 12])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_cube_of_numbers_is_a_map_either_way(seed, channels_last):
    """Sixteen channels of 16 x 16 cells: the shape does not say which of the three is what."""
    torch.manual_seed(seed)
    mixing = nn.Sequential(nn.Conv2d(3, 16, 4, stride=4), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
    cube = Of(lambda images: mixing(images).permute(0, 2, 3, 1) if channels_last else mixing(images))
    mean = Of(lambda cube: cube.mean(dim=(1, 2) if channels_last else (2, 3)))
    images = torch.rand(1, 3, 64, 64)
    layer, cells = map_of(on_backbone(nn.Sequential(cube, mean), 16), images, min_side=16)
    assert layer is cube
    with torch.no_grad():
        torch.testing.assert_close(cells, mixing(normalised(images)))


def test_cubes_of_known_networks_are_read_rightly():
    """ResNet's first layer has 32 channels of 32 x 32 cells at 64 pixels; this Swin's 16 of 16 x 16."""
    model, images = net(), torch.rand(1, 3, 64, 64)
    of = model.backbone
    layer, cells = map_of(model, images, min_side=32)
    assert layer is of.relu
    with torch.no_grad():
        torch.testing.assert_close(cells, of.relu(of.bn1(of.conv1(normalised(images)))))
    swin = swin_of([2, 1])
    layer, cells = map_of(on_backbone(swin, 32), images, min_side=16)
    assert layer is swin.features[1]
    with torch.no_grad():
        torch.testing.assert_close(cells, swin.features[:2](normalised(images)).permute(0, 3, 1, 2))


def test_what_has_no_map_ends_with_a_clear_message():
    message = r"vit_tiny has no late layer that is a map of at least 4 x 4 cells at 32 x 32 pixels.*resnet18"
    with pytest.raises(InputError, match=message) as error:
        grad_cam(on_backbone(vit_of(32, 16), 8), torch.rand(1, 3, 32, 32), task="overall", target=0)
    assert "\n" not in str(error.value)
    # Five tokens more than patches: a sequence that is no grid.
    registers = Of(lambda maps: functional.pad(maps.flatten(2).transpose(1, 2), (0, 0, 5, 0)))
    model = on_backbone(nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), registers, ONE_LOOK, FIRST), 8)
    with pytest.raises(InputError, match="has no late layer"):
        find_map_layer(model, torch.rand(1, 3, 32, 32))
