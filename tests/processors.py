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

FOLDERS = {
    "learn": "augment balance checkpoint device flips model novelty predict runs tasks train weighting",
    "assess": "answers",
    "evaluate": "explain faithfulness",
    "studies": "agreement anatomy grounding own_answers pretraining scales sharing",
}
TESTS = [f"tests/{folder}/test_{name}.py" for folder, names in FOLDERS.items() for name in names.split()]
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


def passes(name: str, arguments: list[str], settings: dict[str, str]) -> bool:
    """Run the tests in a process of their own, print a line about them, and return whether they passed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-r", "f", "-p", "no:cacheprovider", *TESTS, *arguments]
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | settings
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout)
    told = (done.stdout.strip().splitlines() or [""])[-1].partition(" in ")[0].strip("= ")
    verdict = "FAILED" if done.returncode else "passed"
    print(f"{name:<24} {verdict}: {told}, {time.monotonic() - began:.0f} s", flush=True)
    return not done.returncode


def main(arguments: list[str]) -> int:
    """Play every processor; return 1 if a test failed on one of them."""
    has = torch.cpu.get_capabilities()
    passed = []
    for name, (needs, settings) in PLAYED.items():
        if has.get(needs, False):
            passed.append(passes(name, arguments, settings))
        else:
            print(f"{name:<24} cannot be played: this processor has no {needs}", flush=True)
    passed.append(passes("any other rounding", [*arguments, *OTHER_ROUNDING], {}))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
