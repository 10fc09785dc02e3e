"""One chapter through papermill: what is published, taken over, refused, and what a user's settings change."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
from jupyter_client.connect import LocalPortCache
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from riqa.errors import BuildError, InputError
from riqa.files import read_json, tree_digests
from riqa.publish.kernel import kernel_environment, without_figure
from riqa.publish.progress import read_progress
from riqa.publish.run import run_chapter
from tests.publish.toy import rewrite, value, write_chapter


def state(run):
    return read_progress(run.progress).state


def test_a_chapter_that_ends_well_is_published_and_needs_no_port(run, monkeypatch):
    told = 'import os\nvalue = [n, os.environ["RIQA_WORKERS"], os.environ["OMP_NUM_THREADS"], os.getcwd()]'
    rewrite(run, told)
    with socket.create_server(("127.0.0.1", 0)) as other:  # another may have been given the same
        taken = other.getsockname()[1]
        monkeypatch.setattr(LocalPortCache, "find_available_port", lambda self, ip: taken)
        run_chapter(run)
    assert value(run) == [4, "2", "1", str(run.root)]
    assert read_json(run.out / "artifacts.json") == tree_digests(run.out, skip="artifacts.json")
    assert list(read_json(run.out / "artifacts.json")) == ["results.json"]
    facts = read_json(run.executed)["metadata"]["riqa"]
    assert (facts["profile"], facts["seeds"]) == ("toy", [])
    assert min(facts["peak_memory_mb"], facts["seconds"]) > 0
    assert state(run) == "done"
    assert not list(run.out.parent.glob(".*"))


def test_nothing_runs_before_the_parameters_are_checked(run):
    with pytest.raises(InputError, match="no parameter 'm'"):
        run_chapter(replace(run, parameters={"m": 1}))
    assert not run.out.exists()
    assert not run.log.exists()


@pytest.mark.parametrize("change", ["nothing", "parameter", "input", "fingerprint", "artifact"])
def test_whatever_decides_the_outcome_makes_it_run_again_and_else_it_is_taken_over(run, change):
    rewrite(run, "value = time.time()")
    run_chapter(run)
    first, again = value(run), run
    (run.out / "artifacts.json").unlink()  # as Snakemake does before it runs a rule
    run.executed.unlink()
    if change == "parameter":
        again = replace(run, parameters={**run.parameters, "n": 5})
    elif change == "input":
        rewrite(run, "value = 1 + time.time()")
    elif change == "fingerprint":
        again = replace(run, fingerprint="new")
    elif change == "artifact":
        (run.out / "results.json").write_text("[]")
    run_chapter(again)
    assert (value(run) > first) == (change != "nothing")
    assert state(run) == ("unchanged" if change == "nothing" else "done")
    assert (run.out / "artifacts.json").is_file()
    assert run.executed.is_file()


def test_the_seeds_of_a_page_are_its_own_and_those_that_its_results_are_means_over(run):
    saved = 'json.dumps([{"name": "value", "value": value}])'
    told = saved.replace("value}", 'value, "seeds": [2, 0]}, {"name": "other", "seeds": []}')
    write_chapter(run.root, run.chapter, "n: int = 3  # count\nseed: int = 5  # of draws", "value = n", [])
    run.notebook.write_text(run.notebook.read_text().replace(json.dumps(saved)[1:-1], json.dumps(told)[1:-1]))
    run_chapter(run)
    assert read_json(run.executed)["metadata"]["riqa"]["seeds"] == [0, 2, 5]


def test_a_failing_cell_is_named_and_the_last_good_artifacts_stay(run):
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
    assert sorted(p.name for p in run.out.iterdir()) == ["artifacts.json", "results.json"]
    assert value(run) == 4
    assert (state(run), read_progress(run.progress).user_error) == ("failed", False)


def test_bad_input_is_one_line_and_leaves_nothing_half_written(run):
    refuse = 'from riqa.errors import InputError\nraise InputError("a.csv: no column b")'
    rewrite(run, f'Path(out, "half").touch()\n{refuse}')
    with pytest.raises(InputError, match=r"^a\.csv: no column b$"):
        run_chapter(run)
    assert not run.out.exists()
    assert not run.executed.exists()
    assert read_progress(run.progress).user_error


def test_a_chapter_must_write_its_results(run):
    notebook = json.loads(run.notebook.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "write"]
    run.notebook.write_text(json.dumps(notebook))
    with pytest.raises(BuildError, match="without writing"):
        run_chapter(run)


def test_what_a_killed_run_left_is_put_right(run):
    run_chapter(run)
    run.out.rename(run.out.with_name(f".{run.out.name}.previous"))
    run.out.mkdir()
    (run.out / "half").touch()
    run_chapter(run)
    assert state(run) == "unchanged"
    assert sorted(p.name for p in run.out.iterdir()) == ["artifacts.json", "results.json"]


def test_as_a_process_bad_input_is_exit_code_2_and_one_line(run):
    paths = {name: str(getattr(run, name)) for name in ("notebook", "out", "executed", "log", "progress")}
    given = json.dumps(paths | {"chapter": run.chapter, "parameters": {"m": 1}})
    command = [sys.executable, "-m", "riqa.publish.run", given]
    done = subprocess.run(command, cwd=run.root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("riqa: 01_make_data declares no parameter 'm'")
    assert done.stderr.count("\n") == 1


def test_checkpoints_outlive_a_stop_but_neither_another_recipe_nor_the_end(run):
    """A cell leaves a mark, and fails until it finds one; what it finds it tells."""
    rewrite(
        run,
        "import os, pathlib\n"
        'folder = pathlib.Path(os.environ["RIQA_CHECKPOINTS"])\n'
        "folder.mkdir(parents=True, exist_ok=True)\n"
        "value = sorted(file.name for file in folder.iterdir())\n"
        '(folder / f"mark{n}").touch()\n'
        "assert value, 'nothing yet'",
    )
    for n in (4, 5, 4):  # the mark of 4 is not there for 5, and no longer for a second 4
        with pytest.raises(BuildError, match="nothing yet"):
            run_chapter(replace(run, parameters={**run.parameters, "n": n}))
    run_chapter(run)
    assert value(run) == ["mark4"]
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
    cells = [new_markdown_cell("plt.show()"), new_code_cell(source, outputs=outputs, id="cell")]
    assert without_figure(new_notebook(cells=cells)) == (["cell"] if lacks else [])


def test_a_page_without_its_figure_does_not_count_as_done(run):
    """nteract/papermill#278: the backend was another, the figures were missing, and all seemed well."""
    draw = 'import matplotlib.pyplot as plt\nplt.switch_backend("agg")\nplt.plot([1])\nplt.show()\nvalue = 1'
    rewrite(run, draw)
    with pytest.raises(BuildError, match="no picture is left of what its cell 'compute' drew"):
        run_chapter(run)
    assert not run.out.exists()
    assert not run.record.exists()
    rewrite(run, draw.replace('plt.switch_backend("agg")\n', ""))
    run_chapter(run)
    assert run.executed.is_file()


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
    folders = {"IPYTHONDIR": "ipython", "JUPYTER_PATH": "jupyter", "HOME": "home"}
    files = {"MATPLOTLIBRC": "matplotlibrc", "PYTHONSTARTUP": "startup.py"}
    values = {"MPLBACKEND": "agg", "PYTHONOPTIMIZE": "1", "PYTHONWARNINGS": "error", "LC_ALL": "C"}
    values |= {"JUPYTER_DEFAULT_PROVISIONER_NAME": "mine", "OMP_NUM_THREADS": "a few"}
    for name, told in (
        values | {name: str(tmp_path / place) for name, place in (folders | files).items()}
    ).items():
        monkeypatch.setenv(name, told)


def test_a_users_settings_change_nothing(run, hostile):
    """nteract/papermill#278 (figures are missing) and #761 (another python3 comes first)."""
    rewrite(run, ASKED)
    (run.root / "matplotlibrc").write_text("font.size: 3\n")
    run_chapter(run)
    figures = {"dpi": 100.0, "size": 10.0}
    others = {"python": sys.executable, "startup": [], "asserts": True, "encoding": "utf-8", "short": True}
    assert value(run) == figures | others
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


def until(holds, seconds=60):
    """Wait until something holds."""
    for _ in range(10 * seconds):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never did")


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
