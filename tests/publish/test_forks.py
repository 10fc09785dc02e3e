"""Chapters in forks: what they share, how they end, and that they are asked for whatever their number."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from riqa.files import read_json
from riqa.publish.build import chapter_environment
from riqa.publish.forks import fixed_variables, libraries, served
from riqa.publish.layout import PLACES
from riqa.publish.progress import read_progress
from tests.publish.toy import until, value

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are served on Linux")

ASK = [sys.executable, "-m", "riqa.publish.forks", "chapter"]


@pytest.fixture
def asked(run):
    """The command that asks for the toy run, with other parameters if given."""

    def command(**parameters):
        told = {place: str(getattr(run, place)) for place in PLACES}
        told |= {"parameters": {**run.parameters, **parameters}, "profile": "toy"}
        return [*ASK, json.dumps(told), "--inputs", *map(str, run.inputs)]

    return command


def serving(command, tmp_path, **options):
    """Start a command, with forks served."""
    command, variables = served(command, tmp_path)
    root = os.getcwd()
    return subprocess.Popen(command, env=chapter_environment(root) | variables, text=True, **options)


def test_a_served_chapter_is_as_one_that_is_not(run, asked, tmp_path):
    (tmp_path / "served").mkdir()
    assert subprocess.run(asked(), env=chapter_environment(os.getcwd()), check=False).returncode == 0
    alone = read_json(run.out / "artifacts.json")
    outputs = [cell.get("outputs") for cell in read_json(run.executed)["cells"]]
    run.record.unlink()  # or it would be taken over
    assert serving(asked(), tmp_path / "served").wait() == 0
    assert read_json(run.out / "artifacts.json") == alone
    assert [cell.get("outputs") for cell in read_json(run.executed)["cells"]] == outputs
    assert value(run.out) == 4


def test_exit_status_and_words_come_back(asked, tmp_path):
    process = serving(asked(m=1), tmp_path, stderr=subprocess.PIPE)
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.startswith("riqa: 01_make_data declares no parameter 'm'")
    assert said.count("\n") == 1


@pytest.mark.parametrize("victim", ["asking", "chapter", "kernel"])
def test_a_kill_ends_chapter_and_kernel_and_is_told(run, asked, tmp_path, victim):
    server = psutil.Process(serving(asked(pause=600.0), tmp_path, stderr=subprocess.DEVNULL).pid)
    until(lambda: (told := read_progress(run.progress)) and told.cell >= 3)
    (asking,) = [one for one in server.children() if "serve" not in one.cmdline()]
    (chapter,) = [one for one in server.children() if one != asking]
    (kernel,) = chapter.children()
    {"asking": asking, "chapter": chapter, "kernel": kernel}[victim].kill()
    _, left = psutil.wait_procs([asking, chapter, kernel], timeout=60)
    assert not [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert server.wait(60) != 0
    assert not run.executed.exists()


def test_who_is_killed_while_asking_ends_nothing_but_itself(asked, tmp_path):
    knock = "import os, socket\nwith socket.socket(socket.AF_UNIX) as s: s.connect(os.environ['RIQA_FORKS'])"
    both = f"import subprocess, sys\nexec({knock!r})\nsys.exit(subprocess.call({asked()!r}))"
    assert serving([sys.executable, "-c", both], tmp_path).wait() == 0


def test_libraries_are_those_that_chapter_and_modules_import_at_the_top(tmp_path):
    module, notebook, table = tmp_path / "one.py", tmp_path / "one.ipynb", tmp_path / "one.csv"
    module.write_text("import numpy as np\nfrom sklearn.metrics import f1_score\nfrom riqa.files import lock\n\n"
                      "def later():\n    import torch\n")  # fmt: skip
    cells = [
        {"cell_type": "code", "source": ["import json, pandas\n"]},
        {"cell_type": "code", "source": "%magic"},
    ]
    notebook.write_text(json.dumps({"cells": [*cells, {"cell_type": "markdown", "source": "import this"}]}))
    table.write_text("a\n")
    assert set(libraries(map(str, (module, notebook, table)))) == {
        "numpy",
        "sklearn.metrics",
        "json",
        "pandas",
    }


WORKER = """
import multiprocessing, sqlite3
from riqa.publish.forks import _fork_server_of_workers
from riqa.workers import call_in_workers
_fork_server_of_workers()
asked = [("'sqlite3' in __import__('sys').modules",), ("__import__('os').getppid()",)]
found = call_in_workers(eval, asked, 2, multiprocessing.get_context("forkserver"))
print(*found, multiprocessing.forkserver._forkserver._forkserver_pid)
"""


def test_workers_are_forks_that_have_the_libraries_and_their_server_ends_with_who_asks(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    told = subprocess.check_output([sys.executable, "-c", WORKER], env=environment, text=True, timeout=60)
    has_library, parent, server = told.split()
    assert (has_library, parent) == ("True", server)
    until(lambda: not psutil.pid_exists(int(server)))


NAMES = (
    "numpy pandas cv2 torch torchvision seaborn sklearn.metrics statsmodels.api papermill ipykernel.kernelapp"
)
THREADS = """
from pathlib import Path
for thread in Path("/proc/self/task").iterdir():
    print((thread / "comm").read_text().strip())
"""


def test_no_library_starts_a_thread_that_a_fork_would_lose():
    program = f"import {NAMES.replace(' ', ', ')}\n{THREADS}"
    environment = os.environ | fixed_variables()
    told = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).splitlines()
    assert told[0].startswith("python")
    assert set(told[1:]) <= {"jemalloc_bg_thd"}  # of pyarrow; jemalloc starts it anew after a fork
