"""The device: the processor unless a graphics card is asked for and there; and its precision."""

import pytest
import torch

from riqa.errors import InputError
from riqa.learn.backbones import build_backbone
from riqa.learn.device import resolve_device, resolve_precision

CPU, CARD = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def processor(monkeypatch):
    """Play a processor: with bfloat16 or without, and held to a set of instructions or not."""

    def play(has_bfloat16, held_to=None, variable="ONEDNN_MAX_CPU_ISA"):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
        for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
            monkeypatch.delenv(name, raising=False)
        if held_to is not None:
            monkeypatch.setenv(variable, held_to)

    return play


def network(name="resnet10"):
    return build_backbone(name, "none", 64)[0]


@pytest.mark.parametrize(
    ("device", "card", "expected"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", False, "cpu"),
        ("auto", True, "cuda"),
        ("cuda", True, "cuda"),
    ],
)
def test_where_it_computes(monkeypatch, device, card, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card)
    assert resolve_device(device) == torch.device(expected)


def test_a_card_that_is_not_there_is_an_error_of_input(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no graphics card"):
        resolve_device("cuda")
    with pytest.raises(ValueError, match="tpu"):
        resolve_device("tpu")


@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize(
    ("held_to", "expected"),
    [
        (None, "bfloat16"),
        ("ALL", "bfloat16"),
        ("AVX512_CORE_AMX", "bfloat16"),
        ("AVX512_CORE_BF16", "bfloat16"),
        ("AVX512_CORE", "float32"),
        ("avx512_core_vnni", "float32"),
        ("AVX2", "float32"),
        ("SSE41", "float32"),
    ],
)
def test_bfloat16_is_chosen_where_it_is_native_and_allowed(processor, variable, held_to, expected):
    processor(True, held_to, variable)
    assert resolve_precision("auto", network(), CPU) == expected
    processor(False, held_to, variable)
    assert resolve_precision("auto", network(), CPU) == "float32"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", "bfloat16"),
        ("densenet121", "bfloat16"),
        ("resnext50_32x4d", "bfloat16"),  # groups of four channels are not depthwise
        ("vit_tiny", "bfloat16"),
        ("efficientnet_lite0", "float32"),
        ("mobilenet_v3_small", "float32"),
        ("mnasnet0_5", "float32"),
    ],
)
def test_a_processor_computes_depthwise_networks_in_float32(processor, monkeypatch, name, expected):
    processor(True)
    assert resolve_precision("auto", network(name), CPU) == expected
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert resolve_precision("auto", network(name), CARD) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert resolve_precision("auto", network(name), CARD) == "float32"


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
def test_a_precision_that_is_given_is_kept(processor, given):
    processor(given == "float32")
    assert {resolve_precision(given, network(name), CPU) for name in ("resnet10", "mnasnet0_5")} == {given}
