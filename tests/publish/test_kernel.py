"""A chapter runs in this environment and sees none of a user's own settings."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from riqa.publish.kernel import kernel_environment
from riqa.publish.run import run_chapter
from tests.publish.toy import rewrite, value

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n"
ASKED = """import os, sys, tempfile
value = {
    "python": sys.executable,
    "dpi": plt.rcParams["figure.dpi"],
    "size": plt.rcParams["font.size"],
    "startup": [name for name in globals() if name.startswith("started")],
    "asserts": __debug__,
    "encoding": open(os.devnull).encoding.lower(),
    "short": len(tempfile.gettempdir()) < 60,
}
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """The settings of somebody who uses Jupyter, IPython and matplotlib in their own way."""
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "mine", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("started_by_profile = 1\nprint('hello')\nraise RuntimeError\n")
    (startup.parent / "ipython_kernel_config.py").write_text("c.InlineBackend.figure_formats = {'svg'}\n")
    (tmp_path / "startup.py").write_text("started_by_python = 1\n")
    (tmp_path / "matplotlibrc").write_text("figure.dpi: 7\nbackend: pdf\n")
    (tmp_path / "home").mkdir(mode=0o555)
    for name, told in {
        "MPLBACKEND": "agg",
        "MATPLOTLIBRC": tmp_path / "matplotlibrc",
        "IPYTHONDIR": tmp_path / "ipython",
        "JUPYTER_PATH": tmp_path / "jupyter",
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "mine",
        "PYTHONSTARTUP": tmp_path / "startup.py",
        "PYTHONOPTIMIZE": "1",
        "PYTHONWARNINGS": "error",
        "HOME": tmp_path / "home",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "a few",
    }.items():
        monkeypatch.setenv(name, str(told))


def test_a_users_settings_change_nothing(run, hostile):
    """nteract/papermill#278 (figures are missing) and #761 (another python3 comes first)."""
    rewrite(run, f"{FIGURE}{ASKED}")
    (run.root / "matplotlibrc").write_text("font.size: 3\n")
    run_chapter(run)
    assert value(run) == {
        "python": sys.executable,
        "dpi": 100.0,
        "size": 10.0,
        "startup": [],
        "asserts": True,
        "encoding": "utf-8",
        "short": True,
    }
    cells = json.loads(run.executed.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert "hello" not in json.dumps(outputs)


def test_this_process_keeps_its_own_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("RIQA_WORKERS", raising=False)
    before = dict(os.environ)
    with kernel_environment(3, tmp_path):
        assert os.environ["RIQA_WORKERS"] == "3"
    assert os.environ == before


@pytest.mark.parametrize("killed", ["command", "runner"])
def test_nothing_stays_in_the_temporary_folder_after_a_kill(toy, tmp_path, killed):
    (tmp_path / "tmp").mkdir()
    place = f"/tmp/k{os.getpid()}"  # short enough for sockets
    os.symlink(tmp_path / "tmp", place)
    try:
        command = [sys.executable, "-m", "riqa.cli", "run", "01", "--profile", "toy", "-p", "pause=60"]
        process = subprocess.Popen(command, cwd=toy, env=os.environ | {"TMPDIR": place})
        until(lambda: list((tmp_path / "tmp").glob("riqa-*/kernel-ipc*")))
        family = psutil.Process(process.pid).children(recursive=True)
        victim = process.pid if killed == "command" else family[0].pid
        os.kill(victim, signal.SIGKILL)
        process.wait()
        until(lambda: not any((tmp_path / "tmp").iterdir()))
        until(lambda: not any(member.is_running() for member in family))
    finally:
        os.unlink(place)


def until(holds, seconds=60):
    """Wait until something holds."""
    for _ in range(10 * seconds):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never did")
