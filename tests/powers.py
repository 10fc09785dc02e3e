"""Run Python as somebody to whom permissions apply, which the superuser is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_WITHOUT = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def python_without_powers(*arguments: object) -> subprocess.CompletedProcess:
    """Run Python with arguments; skip the test where the superuser cannot give up reading everything."""
    without = [] if os.geteuid() else _WITHOUT
    try:
        if without:
            subprocess.run([*without, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the superuser cannot give up its powers here")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [*without, sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
