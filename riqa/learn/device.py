"""Where a network computes, how precisely, and what becomes of the memory that it frees."""

import ctypes
import os
from typing import Literal, get_args

import torch
from torch import nn

from riqa.errors import InputError

Device = Literal["cpu", "cuda", "auto"]
DEVICES = get_args(Device)
# Instruction sets to which oneDNN can be held, and by which bfloat16 is not there or seven times slower:
_WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # names of two parameters of mallopt(3), from glibc's malloc.h


def resolve_device(device: str) -> torch.device:
    """Turn a parameter into a device; ``auto`` is a graphics card if there is one, else the processor.

    The default of the chapters is ``cpu``, whose results repeat to the last bit whatever else a machine
    has. On a graphics card the order of sums differs, so results repeat up to rounding.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}, must be one of {DEVICES}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no graphics card: set device to cpu or auto")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def resolve_precision(precision: str, network: nn.Module, device: torch.device) -> str:
    """Turn ``auto`` into bfloat16 where that is faster for a network, else into float32.

    This follows from the kinds of network and device alone, never from a measured time, so a machine
    always decides alike. The device must compute bfloat16 natively. A processor that does still gains
    nothing on a network with depthwise convolutions (as in MobileNet and EfficientNet), which do little
    with each number that they read: on one core, EfficientNet-Lite0 at 160 pixels trains on 20 images a
    second in float32 and on 16 in bfloat16, ResNet-18 at 128 pixels on 32 and on 66.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        faster = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        layers = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        faster = _bfloat16_is_native() and not any(layer.groups == layer.in_channels > 1 for layer in layers)
    return "bfloat16" if faster else "float32"


def _bfloat16_is_native() -> bool:
    """Tell whether the processor has bfloat16 and oneDNN may use it."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()
    return torch.cpu._is_avx512_bf16_supported() and allowed not in _WITHOUT_BFLOAT16


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, to use it again; tell whether the C library can.

    A training step frees thousands of arrays that the next step asks for anew. glibc hands large ones
    back to the kernel, which must find and clear the same pages again at every step: a fifth of the time of
    an EfficientNet-Lite0 on a virtual machine. Arrays above 16 MB are still given back, and of what is free
    at the top at most 64 MB is kept: with 32 MB a ResNet-18 would need 2.4 GB instead of 1.9.
    """
    settings = ((_MMAP_THRESHOLD, 16 << 20), (_TRIM_THRESHOLD, 64 << 20))
    return all(_c_library("mallopt", *setting) for setting in settings)


def give_back_freed_memory() -> bool:
    """Hand what this process has freed back to the system, before others need it; tell whether it did."""
    return _c_library("malloc_trim", 0)


def _c_library(function: str, *arguments: int) -> bool:
    """Call a function of the C library; False where it has none such."""
    try:
        return bool(getattr(ctypes.CDLL(None), function)(*arguments))
    except (AttributeError, OSError, TypeError):  # other C libraries; Windows has no library without a name
        return False
