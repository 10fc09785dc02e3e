"""Where a network computes: the processor by default, a graphics card when it is asked for."""

import torch

from riqa.errors import InputError

DEVICES = ("cpu", "cuda", "auto")


def resolve_device(device: str) -> torch.device:
    """Turn a parameter into a device.

    The default of the chapters is ``cpu``, whose results repeat to the last bit whatever else a machine
    has. On a graphics card sums are taken in an order of its own, so that results repeat up to rounding.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a graphics card if there is one, else the processor.

    Raises:
        ValueError: unknown device.
        InputError: ``cuda`` where no graphics card can be used.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}, must be one of {DEVICES}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no graphics card: set device to cpu or auto")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn ``auto`` into bfloat16 where the processor or GPU computes it natively, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
