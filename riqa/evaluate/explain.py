"""Where a network looks: Grad-CAM maps of a class or a bad detail (paper, Section 1.1.1, Figure 4).

Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) weighs the feature maps of a late layer by the
mean gradient of a logit with respect to each, adds them, and keeps what is positive. The maps come from the
library pytorch-grad-cam; this file chooses the logit and leaves the network as it was, and
`riqa.evaluate.map_layer` finds the layer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from riqa.evaluate.map_layer import MIN_SIDE, find_map_layer
from riqa.learn.model import QualityNet
from riqa.learn.predict import images_at_a_time

TASKS = ("overall", "details")


def grad_cam(
    model: QualityNet, images: Tensor, *, task: str, target: int, min_side: int = MIN_SIDE
) -> np.ndarray:
    """Compute the Grad-CAM map of one question for every image.

    Args:
        model: The network; its mode, weights and hooks are afterwards as they were.
        images: (N, 3, H, W) RGB in [0, 1].
        task: ``overall`` asks what speaks for class `target`; ``details`` asks what speaks for detail number
            `target` (order of `riqa.labels.DETAILS`) being *bad*, the negative of its logit.
        target: Position within the head.
        min_side: See `riqa.evaluate.map_layer.find_map_layer`.

    Returns:
        float32 (N, H, W), each map stretched so that its smallest value is 0 and its largest 1; all 0 where
        nothing speaks for the target.

    Raises:
        ValueError: For an unknown task, one without a head, a target outside the head, or images of another
            shape.
        InputError: If the backbone has no spatial map, see `riqa.evaluate.map_layer.find_map_layer`.
    """
    return _maps(model, images, task, [target] * len(images), min_side)


def grad_cam_of_classes(
    model: QualityNet, images: Tensor, classes: np.ndarray, *, min_side: int = MIN_SIDE
) -> np.ndarray:
    """Compute for each image the map of a class of its own, such as the one predicted (paper, Figure 4).

    Args:
        model: As in `grad_cam`, with an overall head.
        images: (N, 3, H, W) RGB in [0, 1].
        classes: (N,) overall classes.
        min_side: See `riqa.evaluate.map_layer.find_map_layer`.

    Returns:
        float32 (N, H, W), as `grad_cam`.
    """
    return _maps(model, images, "overall", [int(target) for target in classes], min_side)


def _maps(model: QualityNet, images: Tensor, task: str, targets: list[int], min_side: int) -> np.ndarray:
    """Check the arguments, and let the library draw the map of each image's own target."""
    if task not in TASKS:
        raise ValueError(f"task is {task!r}, must be one of {TASKS}")
    if task not in model.heads:
        raise ValueError(f"the model has no head for task {task!r}, only for {', '.join(model.heads)}")
    width = model.heads[task].out_features
    for target in targets:
        if not 0 <= target < width:
            raise ValueError(f"target is {target}, must be 0..{width - 1} for task {task!r}")
    if images.ndim != 4 or images.shape[1] != 3 or len(images) != len(targets):
        raise ValueError(
            f"images must be (N, 3, H, W) with a target each, got {tuple(images.shape)} and {len(targets)}"
        )
    if len(images) == 0:
        return np.zeros((0, *images.shape[2:]), np.float32)
    with _left_as_it_was(model), torch.inference_mode(False), torch.enable_grad():
        layer, layout = find_map_layer(model, images, min_side)
        # Not as a context manager: GradCAM's own swallows every IndexError, whatever went wrong.
        cam = GradCAM(_Evidence(model, task), [layer], layout)
        try:
            maps = []
            # Few at a time: gradients of every layer are kept, 64 images of 160 pixels would take several GB.
            for index in torch.arange(len(images)).split(images_at_a_time(images.shape[-1], images.device)):
                batch = images[index].float().detach().requires_grad_()
                maps.append(cam(batch, [ClassifierOutputTarget(targets[i]) for i in index]))
        finally:
            cam.activations_and_grads.release()
    return np.concatenate(maps).astype(np.float32)


class _Evidence(nn.Module):
    """The logits of one task as Grad-CAM wants them: a tensor, larger the more speaks for the target."""

    def __init__(self, model: QualityNet, task: str):
        super().__init__()
        self.model, self.task = model, task

    def forward(self, images: Tensor) -> Tensor:
        logits = self.model(images)[self.task]
        return -logits if self.task == "details" else logits


@contextmanager
def _left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode with frozen weights, and back afterwards.

    Frozen, so that the backward pass computes no gradients of weights: nobody asks for them here.
    """
    modes = [(module, module.training) for module in model.modules()]
    frozen = [(weight, weight.requires_grad, weight.grad) for weight in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for weight, requires_grad, grad in frozen:
            weight.requires_grad_(requires_grad)
            weight.grad = grad
