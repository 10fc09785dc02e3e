"""The device, its precision, and freed memory, counted in page faults of a process of its own."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from riqa.errors import InputError
from riqa.learn.backbones import build_backbone
from riqa.learn.device import give_back_freed_memory, keep_freed_memory, resolve_device, resolve_precision

CPU, CARD = torch.device("cpu"), torch.device("cuda")
ISA = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


def play(monkeypatch, has_bfloat16, **variables):
    """Play a processor: with bfloat16 or without, and held to a set of instructions or not."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    for name in ISA:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_where_it_computes(monkeypatch):
    with_card, without = {"cpu": "cpu", "auto": "cuda", "cuda": "cuda"}, {"cpu": "cpu", "auto": "cpu"}
    for card, used in ((True, with_card), (False, without)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda card=card: card)
        assert {device: resolve_device(device).type for device in used} == used
    with pytest.raises(InputError, match="no graphics card"):
        resolve_device("cuda")
    with pytest.raises(ValueError, match="tpu"):
        resolve_device("tpu")


def test_bfloat16_is_chosen_where_it_is_native_and_allowed(monkeypatch):
    network = build_backbone("resnet10", "none", 64)[0]
    allowed = ("ALL", "AVX512_CORE_AMX", "AVX512_CORE_BF16")
    sets = (*allowed, "AVX512_CORE", "avx512_core_vnni", "AVX2", "SSE41")
    for native, held_to, name in itertools.product((True, False), sets, ISA):
        play(monkeypatch, native, **{name: held_to})
        expected = "bfloat16" if native and held_to in allowed else "float32"
        assert resolve_precision("auto", network, CPU) == expected, (held_to, native)


DEPTHWISE = ["efficientnet_lite0", "mobilenet_v3_small", "mnasnet0_5"]


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "resnext50_32x4d", "vit_tiny", *DEPTHWISE])
def test_a_processor_computes_depthwise_networks_in_float32(monkeypatch, name):
    """Groups of four channels, as in ResNeXt, are not depthwise."""
    net = build_backbone(name, "none", 64)[0]
    play(monkeypatch, True)
    assert resolve_precision("auto", net, CPU) == ("float32" if name in DEPTHWISE else "bfloat16")
    assert [resolve_precision(given, net, CPU) for given in ("float32", "bfloat16")] == [
        "float32",
        "bfloat16",
    ]
    for emulated, expected in ((False, "bfloat16"), (True, "float32")):  # emulation is no gain
        supported = lambda including_emulation, emulated=emulated: including_emulation == emulated  # noqa: E731
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        assert resolve_precision("auto", net, CARD) == expected


def told_by(script, *arguments, **variables):
    """Run a script; return the numbers that it prints, or its exit code."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | variables)
    return [int(word) for word in done.stdout.split()] if done.returncode == 0 else done.returncode


PAGE_FAULTS = """
import resource, sys, torch
from riqa.learn.device import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
make = lambda: [torch.ones(3 * 2**19) for _ in range(7)]  # 6 MiB each, 10,752 pages in all
for _ in range(5):  # until the heap has grown
    make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    make()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_used_again_where_the_c_library_can():
    kept = told_by(PAGE_FAULTS, "kept")
    if kept == 3:
        pytest.skip("this C library has no such setting")
    assert kept[0] < told_by(PAGE_FAULTS, "given back")[0] / 4


HUGE_PAGES = """
import os, sys
if sys.argv[1] == "default":
    os.environ.pop("THP_MEM_ALLOC_ENABLE", None)
import riqa.learn, torch
array = torch.ones(64 * 2**20)  # 256 MiB
(line,) = [line for line in open("/proc/self/smaps_rollup") if line.startswith("AnonHugePages")]
print(int(line.split()[1]) // 1024)
"""
GRANTED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not GRANTED.is_file() or "[madvise]" not in GRANTED.read_text(),
    reason="needs a Linux that grants on request",
)
def test_large_arrays_ask_for_large_pages_unless_told_otherwise():
    """Half of them will do: a system that is short of whole pages grants fewer."""
    assert 128 <= told_by(HUGE_PAGES, "default")[0] <= 256
    assert told_by(HUGE_PAGES, "given", THP_MEM_ALLOC_ENABLE="0") == [0]


GIVE_BACK = """
import os
from riqa.learn.device import give_back_freed_memory
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
pieces = [bytes(60_000) for _ in range(5000)]  # 300 MB, in pieces that are kept
last = bytes(60_000)
full = resident()
del pieces
kept = resident()
give_back_freed_memory()
print(full - kept, full - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_memory_is_handed_back_when_asked():
    before, after = told_by(GIVE_BACK)
    assert after > 200e6
    assert before < after


def test_a_c_library_without_the_setting_changes_nothing(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_freed_memory() is False
    assert give_back_freed_memory() is False
