"""How fast photographs are read and cropped: this project, the public peers, and mere decoding.

Every contestant runs in a process of its own, on one thread, decode included. In each turn it works through
all files, and the turns alternate. Processor time is counted, not that on the clock: it tells more on a busy
machine, and would also hold the work of other threads. Run by `make bench-fov`, in an environment with the
peers.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import cv2
import numpy as np

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
    """Return the mean seconds a file of each contestant in each round; a round to warm up is left out."""
    here = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--size", str(size), "--work"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": os.environ | here}
    workers = {name: subprocess.Popen([*command, name], **pipes) for name in names}
    seconds = {name: [] for name in names}
    for turn in range(rounds + 1):
        # Nobody always follows the same neighbour, whose leavings in the caches might help or hurt.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            print(json.dumps([str(path) for path in files]), file=workers[name].stdin, flush=True)
            answer = workers[name].stdout.readline()
            if not answer:
                raise SystemExit(f"{name} stopped; its own message stands above")
            seconds[name].append(float(answer) / len(files))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {name: np.array(values[1:]) for name, values in seconds.items()}


def compare(seconds: dict[str, np.ndarray], size: int) -> list[dict]:
    """Return a row a contestant: both times, and the median and range of their ratio over the rounds."""
    ours = seconds["ours"]
    rows = []
    for name, theirs in seconds.items():
        if name == "ours":
            continue
        by_round = theirs / ours
        rows.append(
            {
                "size": size,
                "peer": name,
                "ours_ms": 1e3 * float(np.median(ours)),
                "peer_ms": 1e3 * float(np.median(theirs)),
                "unit": "ms/photograph",
                "ratio": float(np.median(by_round)),
                "ratio_low": float(by_round.min()),
                "ratio_high": float(by_round.max()),
                "target": TARGETS[name],
                "met": bool(np.median(by_round) >= TARGETS[name]),
            }
        )
    return rows


def phantom_files(folder: Path, n: int = 6, width: int = 2600) -> list[Path]:
    """Draw clean phantoms, `width` pixels wide, once, the cameras in turn; return their files."""
    from riqa.phantom.cameras import CAMERAS
    from riqa.phantom.photograph import Exposure, render_clean, write_jpeg

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, camera in zip(range(n), itertools.cycle(CAMERAS), strict=False):
        files.append(folder / f"{number}_{camera}.jpg")
        if not files[-1].is_file():
            shot = Exposure("phantom_grades", 0, number, number, "left", "macula", camera, width, {})
            write_jpeg(files[-1], render_clean(shot).image)
    return files


def main() -> None:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("_build/bench/fov_speed.json"))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.size[0])
        return
    root = os.environ.get("RIQA_DATA")
    if root:
        folder = Path(root) / "fullres" if (Path(root) / "fullres").is_dir() else Path(root)
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))[:40]
    else:
        files = phantom_files(options.out.parent / "photographs")
    if not files:
        raise SystemExit(f"{folder} holds no JPEG; set RIQA_DATA to a folder of photographs, or unset it")
    print(f"{len(files)} photographs, {options.rounds} rounds; one process and one thread a contestant")
    for name in set(PEERS) - set(installed_peers()):
        print(f"{name} is not installed here and left out; run make bench-fov")
    rows = []
    print(f"{'size':>5} {'against':24} {'ours':>8} {'theirs':>9} {'ratio':>7} {'range':>15} {'target':>7}")
    for size in options.size:
        # Decoding takes nearly as long as we do: small differences ask for many more rounds, which are cheap.
        close = compare(measure(["ours", "decode"], files, size, 8 * options.rounds), size)
        for row in close + compare(measure(["ours", *installed_peers()], files, size, options.rounds), size):
            rows.append(row)
            spread = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
            print(
                f"{size:5} {row['peer']:24} {row['ours_ms']:6.1f}ms {row['peer_ms']:7.1f}ms"
                f" {row['ratio']:7.2f} {spread:>15} {row['target']:7.2f} {'met' if row['met'] else 'MISSED'}"
            )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
