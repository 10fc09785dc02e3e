"""Where numbers come from: hardware, versions and the state of the code."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NUMERIC = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "opencv-python-headless", "pillow")
"""Packages that decide the numbers, beside this one."""


def hardware() -> dict[str, str | int | float]:
    """Describe this machine: processor, cores that may be used, memory_gb, and gpu if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processor = platform.processor() or platform.machine()
    with suppress(OSError):
        named = re.search(r"^model name\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = " ".join(named[1].split()) if named else processor
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    described = {"processor": processor, "cores": cores, "memory_gb": round(memory / 1e9)}
    if names := _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines():
        described["gpu"] = f"{len(names)} x {names[0]}"
    return described


def machine(described: Mapping[str, str | int | float]) -> str:
    """Put what `hardware` found into words: `AMD EPYC, 2 cores, 25 GB, 1 x NVIDIA H100`."""
    graphics = f", {described['gpu']}" if "gpu" in described else ""
    return f"{described['processor']}, {described['cores']} cores, {described['memory_gb']} GB{graphics}"


def versions() -> dict[str, str]:
    """Return the versions of Python and of this package and those of `NUMERIC` that are installed."""
    found = {"python": platform.python_version()}
    for package in ("riqa", *NUMERIC):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def code_version(root: Path) -> str:
    """Return the code's commit, marked when sources differ from it; `unknown` outside a git checkout."""
    commit = _output("git", "-C", root, "rev-parse", "--short=10", "HEAD")
    if not commit:
        return "unknown"
    sources = ("riqa", "notebooks", "profiles", "requirements.lock")
    changed = _output("git", "-C", root, "status", "--porcelain", "--", *sources)
    return f"{commit} with local changes" if changed else commit


def _output(*command: str | Path) -> str:
    """Return what a command prints, or nothing when it fails or does not exist."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
