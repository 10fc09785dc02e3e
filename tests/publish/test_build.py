"""The build of a toy book, and runs of one of its chapters beside it, as a user starts them."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from riqa.files import read_json, tree_digests
from riqa.publish.layout import Build
from riqa.publish.progress import read_progress
from tests.publish.toy import CHAPTERS, make_repository, until, value, write_chapter, write_profile

RIQA = [sys.executable, "-m", "riqa.cli"]

pytestmark = pytest.mark.book


def command(root, *arguments):
    told = [*RIQA, *arguments, "--profile", "toy"]
    return subprocess.run(told, cwd=root, capture_output=True, text=True, check=False)


def make_book(toy, *options, status=0):
    done = command(toy, "book", *options)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def ran(toy):
    """Return the chapters that the last build really computed."""
    told = {name: read_progress(Build(toy, "toy").progress(name)) for name in CHAPTERS}
    return {name for name, progress in told.items() if progress and progress.state == "done"}


def artifacts(toy):
    return {name: read_json(Build(toy, "toy").artifacts(name)) for name in CHAPTERS}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A toy repository whose book is built."""
    root = make_repository(tmp_path_factory.mktemp("built") / "toy")
    make_book(root)
    return root


@pytest.fixture
def book(built, tmp_path):
    """A copy of it, which a test may change."""
    return shutil.copytree(built, tmp_path / "toy")


def test_a_book_is_built_and_only_what_a_change_touches_is_built_again(book):
    build = Build(book, "toy")
    assert ran(book) == set(CHAPTERS)
    assert (build.html / "notebooks" / "04_sum_data.html").is_file()
    assert value(build.out("04_sum_data")) == 5  # the last that was read, 4 + 1

    stamp = (build.html / "index.html").stat().st_mtime_ns
    assert "Open _build/toy/html/index.html" in make_book(book, "--jobs", "1").stdout
    assert ran(book) == set()
    assert (build.html / "index.html").stat().st_mtime_ns == stamp

    write_profile(book, "toy", parameters={"n": 4}, chapters={"02_scale_data": {"scale": 3}})
    make_book(book)
    assert ran(book) == {"02_scale_data", "04_sum_data"}

    write_chapter(book, "03_shift_data", f"{CHAPTERS['03_shift_data'][2]}  # said otherwise")
    make_book(book)
    assert ran(book) == {"03_shift_data"}  # the outcome is the same, so 04 is taken over


def test_a_failure_ends_in_one_block_bad_input_in_one_line_and_what_is_independent_is_done(toy):
    write_chapter(toy, "02_scale_data", "value = {}['gone']")
    told = make_book(toy, status=1).stderr
    assert told.startswith("riqa: 02_scale_data failed in cell 4 of 5\n")
    assert "KeyError: 'gone'" in told
    assert "Traceback" not in told
    assert ran(toy) == {"01_make_data", "03_shift_data"}
    assert not Build(toy, "toy").html.exists()
    refuse = 'from riqa.errors import InputError\nraise InputError("labels.csv has no column image")'
    write_chapter(toy, "02_scale_data", refuse)
    assert make_book(toy, status=2).stderr == "riqa: labels.csv has no column image\n"


def begin_slow_build(toy):
    """Start a build whose first chapter takes its time, and wait until that chapter computes."""
    write_profile(toy, "toy", parameters={"n": 4, "pause": 20.0})
    begun = Build(toy, "toy").progress("01_make_data")
    begun.unlink(missing_ok=True)  # of a build that was stopped there
    told = [*RIQA, "book", "--profile", "toy"]
    process = subprocess.Popen(told, cwd=toy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: (told := read_progress(begun)) and told.state == "running" and told.cell >= 4)
    return process


def test_a_build_that_was_ended_in_the_middle_goes_on(book):
    wanted = artifacts(book)
    for blow in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = begin_slow_build(book)
        if blow == signal.SIGKILL:
            second = make_book(book, status=2)
            assert second.stderr.startswith("riqa: profile toy is being built already in _build/toy; wait")
        os.kill(process.pid, blow)
        stopped = process.communicate(timeout=120)[1]
        assert process.returncode == (-9 if blow == signal.SIGKILL else 130)
        if blow != signal.SIGKILL:
            assert stopped == "riqa: stopped. What is done is kept; the same command goes on.\n"
    write_profile(book, "toy", parameters={"n": 4})
    make_book(book)
    assert artifacts(book) == wanted
    assert not list((book / "_build" / "toy" / "work").glob(".*"))


# `riqa run`: one chapter again, in a folder of its own


def test_a_chapter_runs_again_beside_the_build(built):
    build = Build(built, "toy")
    before = tree_digests(build.work)
    done = command(built, "run", "2", "-p", "scale=5e-1")
    assert done.returncode == 0, done.stderr
    folder = build.folder / "runs" / "02_scale_data-1"
    assert value(folder / "artifacts") == 2.0
    page = (folder / "html" / "notebooks" / "02_scale_data.html").read_text()
    assert "<code" in page
    assert "0.5" in page
    assert "https://cdn" not in page
    assert sorted(p.name for p in folder.iterdir()) == ["02_scale_data.ipynb", "artifacts", "html"]
    assert tree_digests(build.work) == before
    assert "Open       _build/toy/runs/02_scale_data-1/html/index.html" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("02 -p scal=5", "no parameter 'scal' (did you mean scale?); it declares scale, work, out"),
        ("02 -p scale=[1]", "scale must be float"),
        ("02 -p scale", "is not name=value"),
        ("02 -p out=x", "--out"),
        ("02_scal_data", "did you mean 02_scale_data"),
        ("02 --out notebooks", "is not empty"),
        ("02 --out Snakefile", "is not empty"),
        ("02 --out Snakefile/x", "Snakefile/x cannot be written (Not a directory)"),
        ("02 -p scale=1e400", "02_scale_data: scale is inf, must be finite"),
        ("04 -p seeds=[]", "04_sum_data: seeds is [], must hold 1 or more, each at least 0"),
        ("02 --profile quick", "needs 01_make_data, which profile quick has not built; run make book PROFILE=quick"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(built, monkeypatch, riqa, arguments, complaint):
    monkeypatch.chdir(built)
    write_profile(built, "quick")
    told = riqa(2, "run", "--profile", "toy", *arguments.split()).err
    assert complaint in told
    assert told.count("\n") == 1
    assert told.startswith("riqa: ")


def test_two_runs_cannot_have_one_folder(built):
    folder = built / "shared"
    folder.mkdir()
    told = [*RIQA, "run", "01", "--profile", "toy", "-p", "pause=60", "--out", folder]
    first = subprocess.Popen(told, cwd=built)
    try:
        until((folder / ".made" / "progress.json").is_file)
        done = command(built, "run", "01", "--out", "shared")
        assert done.returncode == 2
        assert "shared is not empty" in done.stderr
    finally:
        first.terminate()
        first.wait()
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: command(built, "run", "01"), range(2)))
    assert [run.returncode for run in runs] == [0, 0]
    made = {line.split()[1] for run in runs for line in run.stdout.splitlines() if line.startswith("Results")}
    assert made == {f"_build/toy/runs/01_make_data-{n}/artifacts/results.json" for n in (1, 2)}
