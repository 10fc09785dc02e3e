"""Grad-CAM maps: against the formula by hand, planted signals, and several backbones."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import SwinTransformer, VisionTransformer

from riqa.evaluate.explain import grad_cam
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


def on_backbone(backbone, n_features):
    """Return a network of three classes on a backbone of the test's own."""
    model = QualityNet("resnet10", n_overall=3, n_details=0, image_size=32)
    model.backbone, model.heads["overall"] = backbone, nn.Linear(n_features, 3)
    return model.eval()


def drawn(raw, side):
    """Bring cells (N, h, w) to the side of the image, each map scaled to [0, 1] before and after."""
    raw = raw - raw.amin(dim=(1, 2), keepdim=True)
    raw = raw / raw.amax(dim=(1, 2), keepdim=True)
    maps = functional.interpolate(raw[:, None], size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)  # the library scales once more after resizing
    return (maps / maps.amax(dim=(1, 2), keepdim=True)).numpy()


class Cells(nn.Module):
    """Mean colours of 8 x 8 cells, laid out as the layers of transformers are."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout

    def forward(self, images):
        cells = functional.avg_pool2d(images, 4).permute(0, 2, 3, 1)
        if self.layout == "channels last":
            return cells
        tokens = cells.flatten(1, 2)
        return tokens if self.layout == "patches" else functional.pad(tokens, (0, 0, 1, 0))


class ClassToken(nn.Module):
    """The class token looks at all patches once, and a layer later it is all that is used."""

    def __init__(self):
        super().__init__()
        self.last = nn.Identity()

    def forward(self, tokens):
        return self.last(tokens + tokens.mean(dim=1, keepdim=True))[:, 0]


class Mean(nn.Module):
    def forward(self, cells):
        return cells.flatten(1, -2).mean(dim=1)


def laid_out(layout):
    """Return the network of `spot_net` as a transformer would lay it out, for an image of 8 x 8 patches."""
    model = spot_net()
    model.backbone = nn.Sequential(Cells(layout), ClassToken() if layout == "class token" else Mean())
    return model


UPPER, LOWER = ((4, 8), (4, 8)), ((24, 28), (20, 24))


@pytest.mark.parametrize("layout", ["channels first", "channels last", "patches", "class token"])
@pytest.mark.parametrize(
    ("task", "target", "places"),
    [
        ("overall", 0, (UPPER, LOWER)),
        ("overall", 1, (LOWER, UPPER)),
        ("details", 0, (LOWER, UPPER)),  # bad illumination is green
        ("details", 1, (UPPER, LOWER)),  # bad clarity is red
    ],
)
def test_a_map_peaks_where_the_signal_was_planted(task, target, places, layout):
    model = spot_net() if layout == "channels first" else laid_out(layout)
    maps = grad_cam(model, spots(), task=task, target=target)
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
    np.testing.assert_allclose(found, drawn(raw, 128), atol=2e-3)


def test_it_is_the_formula_on_the_tokens_of_a_vision_transformer():
    """What the last attention reads, the class token left out, and token 4 r + c at row r and column c."""
    vit = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32).eval()
    vit.heads = nn.Identity()
    model, images = on_backbone(vit, 16), torch.rand(3, 3, 32, 32)
    found = grad_cam(model, images, task="overall", target=1)

    x = vit._process_input((images - model.mean) / model.std)
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
    swin = SwinTransformer([4, 4], 16, depths=[1, 1], num_heads=[2, 2], window_size=[4, 4]).eval()
    swin.head = nn.Identity()
    model, images = on_backbone(swin, 32), torch.rand(3, 3, 32, 32)
    found = grad_cam(model, images, task="overall", target=2, min_side=8)

    maps = swin.features[1](swin.features[0]((images - model.mean) / model.std))
    assert maps.shape == (3, 8, 8, 16)
    maps.retain_grad()
    features = swin.norm(swin.features[3](swin.features[2](maps))).mean(dim=(1, 2))
    model.heads["overall"](features)[:, 2].sum().backward()
    raw = functional.relu(torch.einsum("nc,nhwc->nhw", maps.grad.mean(dim=(1, 2)), maps)).detach()
    np.testing.assert_allclose(found, drawn(raw, 32), atol=2e-3)


def test_bad_is_the_negative_of_good():
    model = QualityNet("resnet10", n_overall=0, n_details=3, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    bad = grad_cam(model, images, task="details", target=0)
    with torch.no_grad():
        model.heads["details"].weight.neg_()
    good = grad_cam(model, images, task="details", target=0)
    assert not np.allclose(bad, good)
    assert np.minimum(bad, good).max() < 1  # what speaks most for one does not speak most for the other


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
