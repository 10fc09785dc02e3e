"""Where numbers come from: hardware, versions and the state of the code."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "riqa",
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "scikit-learn",
    "opencv-python-headless",
    "pillow",
)


def hardware() -> dict[str, str | int | float]:
    """Describe this machine: processor, cores that may be used, memory (GB) and graphics processor if any."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    described: dict[str, str | int | float] = {
        "processor": _processor(),
        "cores": cores,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
    }
    if shutil.which("nvidia-smi"):
        names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()
        if names:
            described["gpu"] = f"{len(names)} x {names[0]}"
    return described


def machine(described: Mapping[str, str | int | float]) -> str:
    """Put what `hardware` found into words: ``AMD EPYC, 2 cores, 25 GB, 1 x NVIDIA H100``."""
    graphics = f", {described['gpu']}" if "gpu" in described else ""
    return f"{described['processor']}, {described['cores']} cores, {described['memory_gb']} GB{graphics}"


def _processor() -> str:
    """Return the processor's model name, or its architecture where the name is unknown."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def code_version(root: Path) -> str:
    """Return the code's commit, marked when sources differ from it; ``unknown`` outside a git checkout."""
    commit = _output(["git", "-C", str(root), "rev-parse", "--short=10", "HEAD"])
    if not commit:
        return "unknown"
    sources = ["riqa", "notebooks", "profiles", "requirements.lock"]
    changed = _output(["git", "-C", str(root), "status", "--porcelain", "--", *sources])
    return f"{commit} with local changes" if changed else commit


def _output(command: list[str]) -> str:
    """Return what a command prints, or nothing when it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
