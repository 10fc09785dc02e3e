"""How fast photographs are read and cropped: this project, the public peers, and mere decoding.

Every contestant runs in a process of its own, on one thread, decode included. In each turn it works through
all files, and the turns alternate. Processor time is counted, not that on the clock: it tells more on a busy
machine, and would also hold the work of other threads. Run by `make bench-fov`, in an environment with the
peers.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.photographs import camera_files, source
from benchmarks.results import compare, interleave, report
from riqa.data.fov import read_and_crop
from riqa.data.peers import PEERS, installed_peers, peer_crop
from riqa.data.read import read_photograph

TARGETS = {"retinalysis-fundusprep": 3.0, "fundus-image-toolbox": 20.0, "decode": 0.85}
"""How many times as fast as each the reading and cropping must be."""


def work(name: str, size: int) -> None:
    """Serve as one contestant: for each line on the input, a list of files, answer with the seconds taken."""
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    if name == "fundus-image-toolbox":
        import torch

        torch.set_num_threads(1)
    do = {
        "ours": lambda path: read_and_crop(path, size),
        "decode": lambda path: read_photograph(path, size),
    }.get(name, lambda path: peer_crop(name, path, size))
    for line in sys.stdin:
        paths = json.loads(line)
        start = time.process_time()
        for path in paths:
            do(path)
        print(time.process_time() - start, flush=True)


def measure(names: list[str], files: list[Path], size: int, rounds: int) -> dict[str, np.ndarray]:
    """Return the mean milliseconds a file of each contestant in each round."""
    here = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--size", str(size), "--work"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | here}
    workers = {name: subprocess.Popen([*command, name], **pipes) for name in names}

    def ask(name: str) -> float:
        print(json.dumps([str(path) for path in files]), file=workers[name].stdin, flush=True)
        answer = workers[name].stdout.readline()
        if not answer:
            raise SystemExit(f"{name} stopped; its own message stands above")
        return 1e3 * float(answer) / len(files)

    taken = interleave({name: partial(ask, name) for name in names}, rounds)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return taken


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("_build/bench/fov_speed.json"))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.size[0])
        return
    files = camera_files(options.out.parent / "photographs")
    print(f"{len(files)} photographs, {options.rounds} rounds; one process and one thread per contestant")
    for name in set(PEERS) - set(installed_peers()):
        print(f"{name} is not installed here and left out; run make bench-fov")
    rows = []
    for size in options.size:
        # Decoding takes nearly as long as we do: small differences ask for many more rounds, which are cheap.
        taken = [measure(["ours", "decode"], files, size, 8 * options.rounds)]
        if installed_peers():
            taken.append(measure(["ours", *installed_peers()], files, size, options.rounds))
        for ms in taken:
            what = f"reading and cropping to {size} px"
            rows += compare(ms, TARGETS, what, "ms/photograph", more_is_better=False)
    conditions = (
        f"{len(files)} {source()} of a camera's size, decode included; a process and a thread each, "
        "processor time"
    )
    report(options.out, conditions, rows, tuple(installed_peers()))


if __name__ == "__main__":
    main()
