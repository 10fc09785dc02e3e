"""Run the tests that compute with networks once for every processor that this machine can play.

``python -m tests.processors [pytest's arguments]``, as ``make test-isa`` does. Libraries choose their kernels
by the processor's instructions, and can be told to do without the newer ones. Other kernels round otherwise,
and a test must hold all the same. The last run stands for processors that this machine cannot play.
"""

import os
import subprocess
import sys
import time

import torch

TESTS = (
    "tests/learn/test_augment.py",
    "tests/learn/test_checkpoint.py",
    "tests/learn/test_device.py",
    "tests/learn/test_flips.py",
    "tests/learn/test_model.py",
    "tests/learn/test_novelty.py",
    "tests/learn/test_predict.py",
    "tests/learn/test_runs.py",
    "tests/learn/test_tasks.py",
    "tests/learn/test_train.py",
    "tests/learn/test_weighting.py",
    "tests/assess/test_answers.py",
    "tests/evaluate/test_explain.py",
    "tests/evaluate/test_faithfulness.py",
)
"""Those that train, or compare floating-point numbers of networks."""

OTHER_ROUNDING = ("-m", "not other_processes", "-p", "tests.other_rounding")

PLAYED = {
    "SSE4.1": ("sse4_1", {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}),
    "AVX2": ("avx2", {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}),
    "AVX-512": ("avx512_f", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "ATEN_CPU_CAPABILITY": "avx512"}),
    "AVX-512 with bfloat16": ("avx512_bf16", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}),
    "AMX": ("amx_bf16", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}),
}
"""Instruction sets: what a processor must have for them, and how libraries are told to use no newer one."""


def run(arguments: list[str], settings: dict[str, str]) -> tuple[bool, str]:
    """Run the tests in a process of their own; return whether they passed, and pytest's last line."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-r", "f", "-p", "no:cacheprovider", *TESTS, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
    told = (done.stdout.strip().splitlines() or [""])[-1].partition(" in ")[0]
    return not done.returncode, f"{told.strip('= ')}, {time.monotonic() - began:.0f} s"


def main(arguments: list[str]) -> int:
    """Play every processor, print a line for each; return 1 if a test failed on one of them."""
    has = torch.cpu.get_capabilities()
    passed = []
    for name, (needs, settings) in PLAYED.items():
        if not has.get(needs, False):
            print(f"{name:<24} cannot be played: this processor has no {needs}", flush=True)
            continue
        ok, told = run(arguments, settings)
        passed.append(ok)
        print(f"{name:<24} {'passed' if ok else 'FAILED'}: {told}", flush=True)
    ok, told = run([*arguments, *OTHER_ROUNDING], {})
    print(f"{'any other rounding':<24} {'passed' if ok else 'FAILED'}: {told}", flush=True)
    return 0 if all([*passed, ok]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
