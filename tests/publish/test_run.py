"""One chapter through papermill: what is published, taken over, refused, and what a user's settings change."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from jupyter_client.connect import LocalPortCache
from nbformat.v4 import new_code_cell, new_output

from riqa.errors import BuildError, InputError
from riqa.files import read_json, tree_digests, write_json
from riqa.publish import kernel
from riqa.publish.kernel import kernel_environment, lacks_picture
from riqa.publish.layout import PLACES
from riqa.publish.progress import read_progress
from riqa.publish.run import run_chapter
from tests.publish.toy import until, value, write_chapter

NAME = "01_make_data"


def rewrite(run, code, parameters=""):
    """Let the run's chapter compute something else."""
    write_chapter(run.notebook.parents[1], NAME, code, parameters)


def state(run):
    return read_progress(run.progress).state


@pytest.fixture
def instead(monkeypatch):
    """Let a function of the parameters stand for a notebook, which takes seconds to start."""

    def stand(compute):
        def execute(notebook, log, parameters, follower, forked):
            rows = [{"name": "value", "value": compute(**parameters)}]
            write_json(Path(parameters["out"], "results.json"), rows)
            return read_json(notebook)

        monkeypatch.setattr(kernel, "execute", execute)

    return stand


def test_a_chapter_that_ends_well_is_published_and_needs_no_port(run, monkeypatch):
    told = '[n, os.environ["RIQA_WORKERS"], os.environ["OMP_NUM_THREADS"], os.getcwd()]'
    rewrite(
        run, f"import os\nvalue, averaged = {told}, [2, 0]", "n: int = 3  # count\nseed: int = 5  # draws"
    )
    with socket.create_server(("127.0.0.1", 0)) as other:  # another may have been given the same
        taken = other.getsockname()[1]
        monkeypatch.setattr(LocalPortCache, "find_available_port", lambda self, ip: taken)
        run_chapter(run)
    assert value(run.out) == [4, "2", "1", os.getcwd()]
    assert read_json(run.out / "artifacts.json") == tree_digests(run.out, skip="artifacts.json")
    assert list(read_json(run.out / "artifacts.json")) == ["results.json"]
    facts = read_json(run.executed)["metadata"]["riqa"]
    # Its own seed, and those that its results are means over.
    assert (facts["profile"], facts["seeds"]) == ("toy", [0, 2, 5])
    assert min(facts["peak_memory_mb"], facts["seconds"]) > 0
    assert state(run) == "done"
    assert not list(run.out.parent.glob(".*"))


def test_as_a_process_bad_input_is_exit_code_2_and_one_line_before_anything_runs(run):
    paths = {place: str(getattr(run, place)) for place in PLACES}
    command = [sys.executable, "-m", "riqa.publish.run", json.dumps(paths | {"parameters": {"m": 1}})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("riqa: 01_make_data declares no parameter 'm'")
    assert done.stderr.count("\n") == 1
    assert not run.out.exists()
    assert not run.log.exists()


def test_whatever_decides_the_outcome_makes_it_run_again_and_else_it_is_taken_over(run, instead):
    instead(lambda **parameters: time.time())
    run_chapter(run)
    five = replace(run, parameters={**run.parameters, "n": 5})
    for change, again in {
        "nothing": run,
        "parameter": five,
        "input": five,
        "fingerprint": replace(five, fingerprint="new"),
        "artifact": replace(five, fingerprint="new"),
    }.items():
        before = value(run.out)
        (run.out / "artifacts.json").unlink()  # as Snakemake does before it runs a rule
        run.executed.unlink()
        if change == "input":
            rewrite(run, "value = 1")
        elif change == "artifact":
            (run.out / "results.json").write_text("[]")
        run_chapter(again)
        assert (value(run.out) > before) == (change != "nothing"), change
        assert state(run) == ("unchanged" if change == "nothing" else "done")
        assert (run.out / "artifacts.json").is_file()
        assert run.executed.is_file()


def test_a_failing_cell_is_named_and_the_last_good_artifacts_stay_even_after_a_kill(run):
    run_chapter(run)
    rewrite(run, "Path(out, 'half').touch()\n\nshare = 1 / (n - 4)\nvalue = share")
    with pytest.raises(BuildError) as failed:
        run_chapter(run)
    assert str(failed.value).splitlines() == [
        "01_make_data failed in cell 4 of 5",
        "  notebook  notebooks/01_make_data.ipynb",
        "  cell      Path(out, 'half').touch()",
        "  line 3    share = 1 / (n - 4)",
        "  error     ZeroDivisionError: division by zero",
        "  kept      _build/toy/logs/01_make_data.ipynb (as far as it ran, with the traceback)",
    ]
    assert "ZeroDivisionError" in run.log.read_text()
    assert (state(run), read_progress(run.progress).user_error) == ("failed", False)
    assert sorted(p.name for p in run.out.iterdir()) == ["artifacts.json", "results.json"]
    assert value(run.out) == 4

    rewrite(run, "")
    run.out.rename(run.beside("previous"))  # as a kill leaves it
    run.out.mkdir()
    (run.out / "half").touch()
    run_chapter(run)
    assert state(run) == "unchanged"
    assert sorted(p.name for p in run.out.iterdir()) == ["artifacts.json", "results.json"]


REFUSE = 'from riqa.errors import InputError\nraise InputError("a.csv: no column b")'
DRAW = "import matplotlib.pyplot as plt\nplt.switch_backend('agg')\nplt.plot([1])\nplt.show()\nvalue = 1"


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (f"Path(out, 'half').touch()\n{REFUSE}", InputError, r"^a\.csv: no column b$"),
        ("out, value = work, 1", BuildError, "01_make_data ended without writing /.*/01_make_data/results.json"),
        # nteract/papermill#278: the backend was another, the figures were missing, and all seemed well.
        (DRAW, BuildError, "no picture is left of what its cell 'compute' drew"),
    ],
)  # fmt: skip
def test_what_does_not_end_well_leaves_nothing_that_looks_done(run, code, error, told):
    rewrite(run, code)
    with pytest.raises(error, match=told):
        run_chapter(replace(run, parameters={**run.parameters, "work": str(run.out.parent)}))
    assert not any(path.exists() for path in (run.out, run.executed, run.record))
    assert read_progress(run.progress).user_error == (error is InputError)


def test_checkpoints_outlive_a_stop_but_neither_another_recipe_nor_the_end(run, instead):
    """The chapter leaves a mark, and fails until it finds one; what it finds it tells."""

    @instead
    def compute(n, out):
        folder = Path(os.environ["RIQA_CHECKPOINTS"])
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted(file.name for file in folder.iterdir())
        (folder / f"mark{n}").touch()
        if not found:
            raise BuildError("nothing yet")
        return found

    for n in (4, 5, 4):  # the mark of 4 is not there for 5, and no longer for a second 4
        with pytest.raises(BuildError, match="nothing yet"):
            run_chapter(replace(run, parameters={**run.parameters, "n": n}))
    run_chapter(run)
    assert value(run.out) == ["mark4"]
    assert not list(run.out.parent.glob(".*"))


# Figures of which no picture is left

PICTURE = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
TEXT = {"text/plain": "<Figure size 640x480 with 1 Axes>"}


@pytest.mark.parametrize(
    ("source", "shown", "lacks"),
    [
        ("plt.show()", [PICTURE], False),
        ("%matplotlib inline\nplt.show()", [PICTURE], False),
        ("plt.show()", [], True),
        ("%matplotlib agg\nwith style:\n    plt.show()", [{"text/plain": "3"}], True),
        ("figure", [TEXT], True),
        ("plt.show()", [PICTURE, TEXT], True),
        ("plt.show()", [{"image/svg+xml": "<svg/>"}], False),
        ("if found:\n    plt.show()", [], False),
        ("for name in names:\n    plt.show()", [], False),
        ("'plt.show()'", [], False),
        ("figure = draw()", [], False),
    ],
)
def test_a_cell_lacks_the_picture_that_it_always_shows(source, shown, lacks):
    outputs = [new_output("display_data", data=data) for data in shown]
    assert lacks_picture(new_code_cell(source, outputs=outputs)) == lacks


# A chapter runs in this environment and sees none of a user's own settings

ASKED = """import os, sys, tempfile
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
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
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "mine", "language": "python"}
    for name, text in {
        "jupyter/kernels/python3/kernel.json": json.dumps(spec),
        "ipython/profile_default/startup/00.py": "started_by_profile = 1\nprint('hello')\nraise RuntimeError\n",
        "ipython/profile_default/ipython_kernel_config.py": "c.InlineBackend.figure_formats = {'svg'}\n",
        "startup.py": "started_by_python = 1\n",
        "matplotlibrc": "figure.dpi: 7\nbackend: pdf\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "home").mkdir(mode=0o555)
    values = {"MPLBACKEND": "agg", "PYTHONOPTIMIZE": "1", "PYTHONWARNINGS": "error", "LC_ALL": "C"}
    values |= {"JUPYTER_DEFAULT_PROVISIONER_NAME": "mine", "OMP_NUM_THREADS": "a few"}
    places = {"IPYTHONDIR": "ipython", "JUPYTER_PATH": "jupyter", "HOME": "home"}
    places |= {"MATPLOTLIBRC": "matplotlibrc", "PYTHONSTARTUP": "startup.py"}
    for name, told in (values | {name: str(tmp_path / place) for name, place in places.items()}).items():
        monkeypatch.setenv(name, told)


def test_a_users_settings_change_nothing(run, hostile):
    """nteract/papermill#278 (figures are missing) and #761 (another python3 comes first)."""
    rewrite(run, ASKED)
    run.notebook.parents[1].joinpath("matplotlibrc").write_text("font.size: 3\n")
    run_chapter(run)
    figures = {"dpi": 100.0, "size": 10.0}
    others = {"python": sys.executable, "startup": [], "asserts": True, "encoding": "utf-8", "short": True}
    assert value(run.out) == figures | others
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
        os.kill(process.pid if killed == "command" else family[0].pid, signal.SIGKILL)
        process.wait()
        until(lambda: not any((tmp_path / "tmp").iterdir()))
        until(lambda: not any(member.is_running() for member in family))
    finally:
        os.unlink(place)
