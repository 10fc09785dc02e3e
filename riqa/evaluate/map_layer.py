"""The layer of a network that Grad-CAM reads, and how its output is laid out as a map.

Convolutions give maps (N, C, h, w). Transformers keep the same numbers in another order: the Swin
Transformer (Liu et al. 2021, doi:10.1109/ICCV48922.2021.00986) as (N, h, w, C), the Vision Transformer
(Dosovitskiy et al. 2021, arXiv:2010.11929) as a sequence of tokens (N, 1 + h w, C), the class token first and
the patches row by row. Layer and order are found from what the network computes, not from a table of names.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from riqa.errors import InputError
from riqa.learn.model import QualityNet

MIN_SIDE = 4
"""Cells per side that the layer must have.

The last layer of a ResNet has 7 at 224 pixels, as in the paper, but 2 at 64 pixels, which locates nothing;
the last layer with 4 is then the one before it.
"""

Layout = Callable[[Tensor], Tensor]
"""Turns a layer's output, or its gradient, into a map (N, C, h, w)."""


def find_map_layer(model: QualityNet, images: Tensor, min_side: int = MIN_SIDE) -> tuple[nn.Module, Layout]:
    """Find the last layer that still says *where*, by one forward pass and for any backbone.

    It is the last module whose output can be read as a map of h x w cells in the proportions of the image, h
    and w at least `min_side` and at most the image's. Behind a class token it must also pass something on:
    the last layers of a Vision Transformer work on each token alone, and of their results only the class
    token's is used, so that no patch has a gradient there. The layer is then the one that the last attention
    reads. Modules that a network uses several times are passed over, as Grad-CAM would see their first use.

    Args:
        model: The network, in evaluation mode.
        images: (N, 3, H, W); the first is looked at.
        min_side: Smallest h and w, cells.

    Returns:
        The module, and the layout that makes maps (N, C, h, w) of its outputs and of their gradients.

    Raises:
        ValueError: If `min_side` is below 2: one cell says nothing of where.
        InputError: If no module has such an output, or the network goes on after it with a sequence that is
            no grid of patches, such as one with several extra tokens.
    """
    if min_side < 2:
        raise ValueError(f"min_side is {min_side}, must be at least 2 cells")
    with torch.inference_mode(False), torch.enable_grad():
        image = images[:1].detach().clone().requires_grad_()
        features, outputs = _run(model, image)
        evidence = features[0] @ torch.linspace(-1, 1, features.shape[1], device=features.device)
    uses = Counter(module for module, _ in outputs)
    height, width = images.shape[2:]

    def is_map(h: int, w: int) -> bool:
        fits = min_side <= h <= height and min_side <= w <= width
        return fits and _in_proportion(h, w, height, width)

    for module, output in reversed(outputs):
        shape = output.shape
        if uses[module] > 1 or shape[0] != 1:
            continue
        if len(shape) == 3:
            extra, grid = _grid_of(shape[1], height, width)
            if grid is None:
                break
            if is_map(*grid) and not (extra and _is_idle(evidence, output)):
                return module, partial(_tokens_to_map, extra=extra, grid=grid)
        elif len(shape) == 4:
            first, last = is_map(*shape[2:]), is_map(*shape[1:3])
            if first and last:
                last = _is_channels_last(model, module, image.detach())
            if first or last:
                return module, _channels_last_to_map if last else _as_it_is
    raise InputError(
        f"backbone {model.architecture['backbone']} has no late layer that is a map of at least {min_side} "
        f"x {min_side} cells at {height} x {width} pixels, which Grad-CAM needs; train a convolutional "
        "backbone such as resnet18, or larger images"
    )


def _run(model: QualityNet, images: Tensor) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """Return the features of images, and the backbone's modules with their outputs, as they end."""
    outputs: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append((module, output))

    handles = [module.register_forward_hook(note) for module in model.backbone.modules()]
    try:
        return model.features(images), outputs
    finally:
        for handle in handles:
            handle.remove()


def _in_proportion(h: int, w: int, height: int, width: int) -> bool:
    """Tell whether h : w is height : width, up to less than a cell; on a square image h = w."""
    return abs(h * width - w * height) < max(height, width)


def _grid_of(n_tokens: int, height: int, width: int) -> tuple[int, tuple[int, int] | None]:
    """Read a sequence as patches in rows and columns: the number of tokens before them, 0 or 1, and the grid.

    On square images one number of tokens never fits both, as no two squares (but 0 and 1) differ by one.
    """
    for extra in (0, 1):
        h = max(round(((n_tokens - extra) * height / width) ** 0.5), 1)
        w = (n_tokens - extra) // h
        if h * w == n_tokens - extra and _in_proportion(h, w, height, width):
            return extra, (h, w)
    return 0, None


def _is_idle(evidence: Tensor, tokens: Tensor) -> bool:
    """Tell whether the features ignore what a layer gives out for the patches."""
    (gradient,) = torch.autograd.grad(evidence, tokens, retain_graph=True, allow_unused=True)
    return gradient is None or not gradient[:, 1:].any()


@torch.no_grad()
def _is_channels_last(model: QualityNet, module: nn.Module, image: Tensor) -> bool:
    """Tell (1, h, w, C) from (1, C, h, w) where all three are equal: the width follows the image.

    The image is changed in its left half, then in its right half. Along the width of the map the change moves
    with it. It has no reason to move along the height or along the channels.
    """
    middle = image.shape[3] // 2
    left, right = image.clone(), image.clone()
    left[..., :middle] = 1 - left[..., :middle]
    right[..., middle:] = 1 - right[..., middle:]
    _, outputs = _run(model, torch.cat([image, left, right]))
    output = next(output for other, output in outputs if other is module)
    changes = (output[1:] - output[:1]).abs()
    move = {}
    for axis in (2, 3):
        profile = changes.sum(dim=[k for k in (1, 2, 3) if k != axis])
        centre = profile @ torch.arange(profile.shape[1], device=profile.device).to(profile)
        before, after = centre / profile.sum(dim=1)
        move[axis] = after - before
    return bool(move[2] > move[3])


def _as_it_is(output: Tensor) -> Tensor:
    return output


def _channels_last_to_map(output: Tensor) -> Tensor:
    return output.permute(0, 3, 1, 2)


def _tokens_to_map(output: Tensor, extra: int, grid: tuple[int, int]) -> Tensor:
    return output[:, extra:].transpose(1, 2).unflatten(2, grid)
