"""Run commands as somebody to whom permissions apply, which the superuser is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def without_powers() -> list[str]:
    """Return what to put before a command; skip the test where the superuser cannot give up its powers."""
    powers = "-dac_override,-dac_read_search"
    without = ["setpriv", "--bounding-set", powers, "--inh-caps", powers] if not os.geteuid() else []
    try:
        subprocess.run([*without, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the superuser cannot give up its powers here")
    return without


def python_without_powers(*arguments: object) -> subprocess.CompletedProcess:
    """Run Python with arguments, without powers."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [*without_powers(), sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
