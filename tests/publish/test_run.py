import json
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from jupyter_client.connect import LocalPortCache

from riqa.errors import InputError
from riqa.publish.content import read_json, tree_digests
from riqa.publish.progress import read_progress
from riqa.publish.run import ChapterError, run_chapter
from tests.publish.toy import rewrite, value, write_chapter


def state(run):
    return read_progress(run.progress).state


def test_a_chapter_that_ends_well_is_published(run):
    rewrite(
        run, 'import os\nvalue = [n, os.environ["RIQA_WORKERS"], os.environ["OMP_NUM_THREADS"], os.getcwd()]'
    )
    run_chapter(run)
    assert value(run) == [4, "2", "1", str(run.root)]
    assert read_json(run.out / "artifacts.json") == tree_digests(run.out, skip=["artifacts.json"])
    assert list(read_json(run.out / "artifacts.json")) == ["results.json"]
    facts = read_json(run.executed)["metadata"]["riqa"]
    assert facts["profile"] == "toy"
    assert facts["seeds"] == []
    assert facts["peak_memory_mb"] > 0
    assert facts["seconds"] > 0
    assert state(run) == "done"
    assert not list(run.out.parent.glob(".*"))


def test_a_chapter_needs_no_port_that_another_may_have_been_given(run, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(LocalPortCache, "find_available_port", lambda self, ip: taken)
        run_chapter(run)
    assert value(run) == 4


def test_nothing_runs_before_the_parameters_are_checked(run):
    with pytest.raises(InputError, match="no parameter 'm'"):
        run_chapter(replace(run, parameters={"m": 1}))
    assert not run.out.exists()
    assert not run.log.exists()


def test_the_same_inputs_and_parameters_are_taken_over(run):
    rewrite(run, "value = time.time()")
    run_chapter(run)
    first = value(run)
    (run.out / "artifacts.json").unlink()  # as Snakemake does before it runs a rule
    run.executed.unlink()
    run_chapter(run)
    assert (value(run), state(run)) == (first, "unchanged")
    assert (run.out / "artifacts.json").is_file()
    assert run.executed.is_file()


@pytest.mark.parametrize("change", ["parameter", "input", "fingerprint", "artifact"])
def test_whatever_decides_the_outcome_makes_it_run_again(run, change):
    rewrite(run, "value = time.time()")
    run_chapter(run)
    first = value(run)
    again = run
    if change == "parameter":
        again = replace(run, parameters={**run.parameters, "n": 5})
    elif change == "input":
        rewrite(run, "value = 1 + time.time()")
    elif change == "fingerprint":
        again = replace(run, fingerprint="new")
    else:
        (run.out / "results.json").write_text("[]")
    run_chapter(again)
    assert value(run) > first
    assert state(run) == "done"


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
    with pytest.raises(ChapterError) as failed:
        run_chapter(run)
    told = str(failed.value)
    assert told.startswith("01_make_data failed in cell 4 of 5\n")
    assert "notebook  notebooks/01_make_data.ipynb\n" in told
    assert "cell      Path(out, 'half').touch()\n" in told
    assert "line 3    share = 1 / (n - 4)\n" in told
    assert "error     ZeroDivisionError: division by zero\n" in told
    assert "kept      _build/toy/logs/01_make_data.ipynb" in told
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
    rewrite(run, "value = 1")
    path = run.notebook
    notebook = json.loads(path.read_text())
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "write"]
    path.write_text(json.dumps(notebook))
    with pytest.raises(ChapterError, match="without writing"):
        run_chapter(run)


def test_what_a_killed_run_left_is_put_right(run):
    run_chapter(run)
    run.out.rename(run.out.with_name(f".{run.out.name}.previous"))
    run.out.mkdir()
    (run.out / "half").touch()
    run_chapter(run)
    assert state(run) == "unchanged"
    assert sorted(p.name for p in run.out.iterdir()) == ["artifacts.json", "results.json"]


def test_as_a_process_bad_input_is_exit_code_2(run):
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
    for n in (4, 5):  # the mark of 4 is not there for 5, and no longer for a second 4
        with pytest.raises(ChapterError, match="nothing yet"):
            run_chapter(replace(run, parameters={**run.parameters, "n": n}))
    with pytest.raises(ChapterError, match="nothing yet"):
        run_chapter(run)
    run_chapter(run)
    assert value(run) == ["mark4"]
    assert not list(run.out.parent.glob(".*"))
