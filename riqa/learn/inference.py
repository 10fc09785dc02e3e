"""Applying a network to many images: evaluation mode, no gradients, large batches."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from riqa.learn.device import resolve_precision
from riqa.learn.examples import Examples, to_images
from riqa.workers import work_ahead

_PIXELS = {"cpu": 2**18, "cuda": 2**24}
"""Pixels at a time, by kind of device. On a processor more are no faster, and take more memory."""


def images_at_a_time(side: int, device: torch.device) -> int:
    """Return how many images of `side` x `side` pixels a device is best given at once; at least 1."""
    return max(_PIXELS[device.type] // side**2, 1)


def compute_logits(model: nn.Module, examples: Examples, precision: str = "auto") -> dict[str, Tensor]:
    """Return the logits of every head for all images, float32 on the CPU, in the order of `examples`."""
    return in_batches(model, model, examples, precision)


@torch.inference_mode()
def in_batches(
    model: nn.Module,
    outputs: Callable[..., dict[str, Tensor]],
    examples: Examples,
    precision: str = "auto",
    batch_size: int | None = None,
) -> dict[str, Tensor]:
    """Apply a model, in evaluation mode, to all images, a batch at a time.

    Args:
        model: The network, on its device.
        outputs: What to compute from images (B, 3, H, W) and, if given, `auxiliary`: the model itself, or a
            part of it.
        examples: The images.
        precision: See `riqa.learn.device.resolve_precision`.
        batch_size: Images at a time; by default what suits the device.

    Returns:
        What `outputs` gives, (n, ...) float32 on the CPU, in the order of `examples`.
    """
    model.eval()
    device = next(model.parameters()).device
    use_bfloat16 = resolve_precision(precision, model, device) == "bfloat16"
    batch_size = batch_size or images_at_a_time(examples.images.shape[1], device)
    parts = []
    batches = torch.arange(len(examples)).split(batch_size)
    read = work_ahead(lambda index: examples.pixels(index, device), batches)
    for index, pixels in zip(batches, read, strict=True):
        told = () if examples.auxiliary is None else (examples.auxiliary[index].to(device),)
        with torch.autocast(device.type, torch.bfloat16, enabled=use_bfloat16):
            parts.append(outputs(to_images(pixels, device), *told))
    return {name: torch.cat([part[name].float().cpu() for part in parts]) for name in parts[0]}
