"""A smoke book built anew with one job, killed while networks train, and built on: every byte is the same."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from benchmarks.kill_builds import copy_sources
from tests.book.builds import BOOK, FIRST
from tests.book.conftest import read
from tests.publish.toy import REPOSITORY, until

pytestmark = pytest.mark.book


def trains(build, chapter):
    """Tell whether a chapter has written what a training goes on from."""
    kept = build.out(chapter).with_name(f".{chapter}.checkpoints")
    return any(kept.rglob("[!.]*.safetensors"))


def end_build_when(holds, signalled, root, told):
    """Start a build, send it a signal when something holds, and return its exit status."""
    with told.open("a") as stream:
        command = [sys.executable, "-m", "riqa.cli", *BOOK.split()[1:], "--jobs", "1"]
        process = subprocess.Popen(command, cwd=root, stdout=stream, stderr=stream)
        until(lambda: holds() or process.poll() is not None, seconds=900, every=0.05)
        assert process.poll() is None, told.read_text()[-3000:]
        os.kill(process.pid, signalled)
        return process.wait()


def test_one_job_and_kills_while_networks_train_give_the_same_artifacts(smoke, chapters, tmp_path):
    build, told = copy_sources(REPOSITORY, tmp_path), tmp_path / "told.txt"
    for name in ("02_train_teacher", "05_train_multi_task"):
        ended = end_build_when(partial(trains, build, name), signal.SIGKILL, tmp_path, told)
        assert ended == -signal.SIGKILL
        assert not build.artifacts(name).is_file()
    # One job takes chapters in reading order.
    following = build.progress(chapters[chapters.index(FIRST[-1]) + 1])
    assert end_build_when(following.is_file, signal.SIGTERM, tmp_path, told) == 130
    for name in FIRST:
        assert told.read_text().count(f"{name}: done") == 1, name  # what was done is never done again
        assert read(build.artifacts(name)) == read(smoke.artifacts(name)), name
