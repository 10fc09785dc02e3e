"""Trainings end with the process that they work for, also when it is killed."""

import os
import subprocess
import sys
import time

import psutil

from tests.learn.chain import write_toy_store

TRAIN = """
import sys
from dataclasses import replace
from pathlib import Path

from riqa.data.store import open_store
from riqa.learn.runs import run_all
from tests.learn.chain import CONFIG, a_run

if __name__ == "__main__":
    store, out = open_store(sys.argv[1]), Path(sys.argv[2])
    config = replace(CONFIG, epochs=100_000)
    run_all([a_run(store, out, seed=seed, config=config) for seed in (0, 1)], workers=2)
"""


def at_work(process):
    """Wait until a training is under way; return the processes that work for it."""
    parent, end = psutil.Process(process.pid), time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        workers = parent.children(recursive=True)
        forked = [worker for worker in workers if "forkserver" in " ".join(worker.cmdline())]
        if len(forked) == 3 and all(worker.cpu_times().user > 0.3 for worker in forked):
            return workers  # the server and two trainings among them
        time.sleep(0.05)
    raise AssertionError("no training began")


def test_a_killed_training_leaves_no_process(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    store = write_toy_store(tmp_path)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [sys.executable, script, store.root, tmp_path / "models"], env=environment, start_new_session=True
    )
    try:
        workers = at_work(process)
    finally:
        process.kill()
        process.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
