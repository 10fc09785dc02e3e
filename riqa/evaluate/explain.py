"""Where a network looks: Grad-CAM maps of a class or a bad detail (paper, Section 1.1.1, Figure 4).

Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) weighs the feature maps of a late layer by the
mean gradient of a logit with respect to each, adds them, and keeps what is positive. The maps come from the
library pytorch-grad-cam; this file chooses the logit, finds the layer, and asks a copy of the network.

Convolutions give maps (N, C, h, w). Transformers keep the same numbers in another order: the Swin
Transformer (Liu et al. 2021, doi:10.1109/ICCV48922.2021.00986) as (N, h, w, C), the Vision Transformer
(Dosovitskiy et al. 2021, arXiv:2010.11929) as a sequence of tokens (N, 1 + h w, C), the class token first and
the patches row by row. Layer and order are found from what the network computes, not from a table of names.
"""

import copy
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from riqa.errors import InputError
from riqa.learn.model import QualityNet
from riqa.learn.predict import images_at_a_time

TASKS = ("overall", "details")

MIN_SIDE = 4
"""Cells per side of the layer. A ResNet's last has 7 at 224 pixels, but 2 at 64, which locates nothing."""

Layout = Callable[[Tensor], Tensor]
"""Turns a layer's output, or its gradient, into a map (N, C, h, w)."""


def grad_cam(
    model: QualityNet, images: Tensor, *, task: str, target: int | np.ndarray, min_side: int = MIN_SIDE
) -> np.ndarray:
    """Compute the Grad-CAM map of one question for every image, or of a question of its own for each.

    Args:
        model: The network, in any mode; it is copied, and the copy asked in evaluation mode.
        images: (N, 3, H, W) RGB in [0, 1].
        task: ``overall`` asks what speaks for class `target`; ``details`` asks what speaks for detail number
            `target` (order of `riqa.labels.DETAILS`) being *bad*, the negative of its logit.
        target: Position within the head; or (N,), such as the classes predicted (paper, Figure 4).
        min_side: See `find_map_layer`.

    Returns:
        float32 (N, H, W), each stretched from 0 to 1; all 0 where nothing speaks for the target.

    A ValueError tells of a task without a head, a target outside it, or images of another shape. Other errors
    are those of `find_map_layer`.
    """
    if task not in TASKS:
        raise ValueError(f"task is {task!r}, must be one of {TASKS}")
    if task not in model.heads:
        raise ValueError(f"the model has no head for task {task!r}, only for {', '.join(model.heads)}")
    targets = np.asarray(target) if np.ndim(target) else np.full(len(images), target)
    width = model.heads[task].out_features
    wrong = targets[(targets < 0) | (targets >= width)]
    if len(wrong):
        raise ValueError(f"target is {wrong[0]}, must be 0..{width - 1} for task {task!r}")
    if images.ndim != 4 or images.shape[1] != 3 or len(images) != len(targets):
        raise ValueError(
            f"images must be (N, 3, H, W) with a target each, got {tuple(images.shape)} and {len(targets)}"
        )
    if len(images) == 0:
        return np.zeros((0, *images.shape[2:]), np.float32)
    maps = []
    with torch.inference_mode(False), torch.enable_grad():
        copied = copy.deepcopy(model).eval().requires_grad_(False)  # gradients of weights are not needed
        layer, layout = find_map_layer(copied, images, min_side)
        # Not as a context manager: GradCAM's own swallows every IndexError, whatever went wrong.
        cam = GradCAM(_Evidence(copied, task), [layer], layout)
        # Few at a time: gradients of every layer are kept, 64 images of 160 pixels would take several GB.
        for index in torch.arange(len(images)).split(images_at_a_time(images.shape[-1], images.device)):
            batch = images[index].float().detach().requires_grad_()
            maps.append(cam(batch, [ClassifierOutputTarget(int(targets[i])) for i in index]))
    return np.concatenate(maps).astype(np.float32)


class _Evidence(nn.Module):
    """The logits of one task as Grad-CAM wants them: a tensor, larger the more speaks for the target."""

    def __init__(self, model: QualityNet, task: str):
        super().__init__()
        self.model, self.task = model, task

    def forward(self, images: Tensor) -> Tensor:
        logits = self.model(images)[self.task]
        return -logits if self.task == "details" else logits


def find_map_layer(model: QualityNet, images: Tensor, min_side: int = MIN_SIDE) -> tuple[nn.Module, Layout]:
    """Find the last layer that still says *where*, by one forward pass and for any backbone.

    It is the last module whose output can be read as a map of h x w cells in the proportions of the image, h
    and w at least `min_side` (2 or more) and at most the image's. Behind a class token it must also pass
    something on: the last layers of a Vision Transformer work on each token alone, and of their results only
    the class token's is used, so that no patch has a gradient there. The layer is then the one that the last
    attention reads. Modules used several times are passed over, as Grad-CAM would see their first use.

    Returned with the module is the layout that makes maps (N, C, h, w) of its outputs and of their gradients.
    An InputError tells that no module has such an output, or that the network goes on after it with a
    sequence that is no grid of patches, such as one with several extra tokens.
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
        return min_side <= h <= height and min_side <= w <= width and _in_proportion(h, w, height, width)

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
                return module, (lambda cells: cells.permute(0, 3, 1, 2)) if last else (lambda cells: cells)
    raise InputError(
        f"backbone {model.architecture['backbone']} has no late layer that is a map of at least {min_side} "
        f"x {min_side} cells at {height} x {width} pixels, which Grad-CAM needs; train a convolutional "
        "backbone such as resnet18, or larger images"
    )


@torch.no_grad()
def cells_of(model: QualityNet, images: Tensor, min_side: int = MIN_SIDE) -> tuple[int, int]:
    """Return the rows and columns of cells that maps of these images have before they are enlarged."""
    layer, layout = find_map_layer(model, images, min_side)
    outputs = dict(_run(model, images[:1])[1])
    return tuple(layout(outputs[layer]).shape[2:])


def _tokens_to_map(tokens: Tensor, extra: int, grid: tuple[int, int]) -> Tensor:
    return tokens[:, extra:].transpose(1, 2).unflatten(2, grid)


def _run(model: QualityNet, images: Tensor) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """Return the features of images, and the backbone's modules with their outputs, as they end."""
    outputs: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append((module, output))

    with ExitStack() as hooks:
        for module in model.backbone.modules():
            hooks.enter_context(module.register_forward_hook(note))
        return model.features(images), outputs


def _in_proportion(h: int, w: int, height: int, width: int) -> bool:
    """Tell whether h : w is height : width, up to less than a cell; on a square image h = w."""
    return abs(h * width - w * height) < max(height, width)


def _grid_of(n_tokens: int, height: int, width: int) -> tuple[int, tuple[int, int] | None]:
    """Read a sequence as patches in rows and columns: how many tokens, 0 or 1, before them; the grid."""
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
