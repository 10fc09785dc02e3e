"""The build of a toy book, as a user starts it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from riqa.publish.build import planned_chapters
from riqa.publish.content import read_json
from riqa.publish.layout import Build
from riqa.publish.progress import read_progress
from tests.publish.toy import CHAPTERS, write_chapter, write_profile

COMMAND = [sys.executable, "-m", "riqa.cli", "book", "--profile", "toy"]

pytestmark = pytest.mark.book


def make_book(toy, *options, status=0):
    done = subprocess.run([*COMMAND, *options], cwd=toy, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def ran(toy):
    """Return the chapters that the last build really computed."""
    build = Build(toy, "toy")
    told = {name: read_progress(build.progress(name)) for name in CHAPTERS}
    return {name for name, progress in told.items() if progress and progress.state == "done"}


def artifacts(toy):
    build = Build(toy, "toy")
    return {name: read_json(build.artifacts(name)) for name in CHAPTERS}


def test_a_book_is_built_and_only_what_a_change_touches_is_built_again(toy):
    build = Build(toy, "toy")
    said = make_book(toy).stdout
    assert ran(toy) == set(CHAPTERS)
    assert "Open _build/toy/html/index.html" in said
    assert (build.html / "notebooks" / "04_sum_data.html").is_file()
    assert (
        read_json(build.work / "04_sum_data" / "results.json")[0]["value"] == 5
    )  # the last that was read, 4 + 1

    stamp = (build.html / "index.html").stat().st_mtime_ns
    make_book(toy, "--jobs", "1")
    assert ran(toy) == set()
    assert (build.html / "index.html").stat().st_mtime_ns == stamp

    write_profile(toy, "toy", parameters={"n": 4}, chapters={"02_scale_data": {"scale": 3}})
    make_book(toy)
    assert ran(toy) == {"02_scale_data", "04_sum_data"}

    needs, parameters, code = CHAPTERS["03_shift_data"]
    write_chapter(toy, "03_shift_data", parameters, f"{code}  # said otherwise", needs)
    make_book(toy)
    assert ran(toy) == {"03_shift_data"}  # the outcome is the same, so 04 is taken over


def test_a_failure_ends_in_one_block_and_what_is_independent_is_done(toy):
    write_chapter(toy, "02_scale_data", CHAPTERS["02_scale_data"][1], "value = {}['gone']", ["01_make_data"])
    told = make_book(toy, status=1).stderr
    assert told.startswith("riqa: 02_scale_data failed in cell 4 of 5\n")
    assert "KeyError: 'gone'" in told
    assert "Traceback" not in told
    assert ran(toy) == {"01_make_data", "03_shift_data"}
    assert not Build(toy, "toy").html.exists()


def test_bad_input_inside_a_chapter_is_one_line_and_exit_code_2(toy):
    code = 'from riqa.errors import InputError\nraise InputError("labels.csv has no column image")'
    write_chapter(toy, "01_make_data", CHAPTERS["01_make_data"][1], code, [])
    assert make_book(toy, status=2).stderr == "riqa: labels.csv has no column image\n"


def begin_slow_build(toy):
    """Start a build whose first chapter takes its time, and wait until that chapter computes."""
    write_profile(toy, "toy", parameters={"n": 4, "pause": 20.0})
    process = subprocess.Popen(COMMAND, cwd=toy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while time.time() < deadline:
        progress = read_progress(Build(toy, "toy").progress("01_make_data"))
        if progress and progress.state == "running" and progress.cell >= 4:
            return process
        time.sleep(0.1)
    pytest.fail("the first chapter did not begin")


def test_a_build_that_was_ended_in_the_middle_goes_on(toy):
    make_book(toy)
    wanted = artifacts(toy)
    for blow in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = begin_slow_build(toy)
        if blow == signal.SIGKILL:
            second = make_book(toy, status=2)
            assert second.stderr.startswith("riqa: profile toy is being built already in _build/toy; wait")
        os.kill(process.pid, blow)
        stopped = process.communicate(timeout=30)[1]
        if blow == signal.SIGKILL:
            assert process.returncode == -9
        else:
            assert process.returncode == 130
            assert stopped == "riqa: stopped. What is done is kept; the same command goes on.\n"
    write_profile(toy, "toy", parameters={"n": 4})
    make_book(toy)
    assert artifacts(toy) == wanted
    assert not list((toy / "_build" / "toy" / "work").glob(".*"))


def test_planned_chapters_are_read_from_snakemakes_table(tmp_path):
    log = tmp_path / "log"
    log.write_text("Building DAG of jobs...\n")
    assert planned_chapters(log, CHAPTERS) == set()
    log.write_text("Job stats:\njob  count\n---  -----\n02_scale_data  1\nall  1\ntotal  2\n\n01_make_data\n")
    assert planned_chapters(log, CHAPTERS) == {"02_scale_data"}
