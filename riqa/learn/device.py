"""Where a network computes: the processor by default, a graphics card on request."""

import os

import torch
from torch import nn

from riqa.errors import InputError

DEVICES = ("cpu", "cuda", "auto")
_WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Instruction sets to which oneDNN can be held, and by which it computes bfloat16 not at all or seven times
slower than with its own instructions."""


def resolve_device(device: str) -> torch.device:
    """Turn a parameter into a device.

    The default of the chapters is ``cpu``, whose results repeat to the last bit whatever else a machine
    has. On a graphics card the order of sums differs, so results repeat up to rounding.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a graphics card if there is one, else the processor.

    Raises:
        ValueError: For an unknown device.
        InputError: For ``cuda`` where no graphics card can be used.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}, must be one of {DEVICES}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no graphics card: set device to cpu or auto")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_precision(precision: str, network: nn.Module, device: torch.device) -> str:
    """Turn ``auto`` into bfloat16 where that is faster for a network, else into float32.

    This follows from the kinds of network and device alone, never from a measured time, so a machine always
    decides alike. The device must compute bfloat16 natively. A processor that does still gains nothing on a
    network with depthwise convolutions (one channel each, as in MobileNet and EfficientNet), which do little
    with each number that they read. On one core of such a processor, images per second in training with
    float32 and with bfloat16: 32 and 66 for ResNet-18 at 128 pixels, 20 and 16 for EfficientNet-Lite0 at 160.

    Args:
        precision: ``auto``, ``float32`` or ``bfloat16``.
        network: The network.
        device: Its device.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = _bfloat16_is_native() and not any(map(_is_depthwise, network.modules()))
    return "bfloat16" if native else "float32"


def _bfloat16_is_native() -> bool:
    """Tell whether the processor has bfloat16 and oneDNN may use it."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    return torch.cpu._is_avx512_bf16_supported() and allowed not in _WITHOUT_BFLOAT16


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
