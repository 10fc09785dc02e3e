"""Kill a build of the smoke book in the middle of every chapter: nothing may be lost or changed.

A copy of the sources is built undisturbed. Another is built, too, and whenever a chapter that was not hit yet
is running, `kill -9` ends the build and all that it has started, after a random part of the time that the
chapter took undisturbed. The next build must go on; at the end every artifact must be what the undisturbed
build made. Run: python benchmarks/kill_builds.py
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from riqa.files import read_json, tree_digests, write_json
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build, find_root
from riqa.publish.progress import read_progress

SOURCES = ("riqa", "notebooks", "profiles", "book", "benchmarks", "Snakefile", "_config.yml", "_toc.yml")


def copy_sources(root: Path, folder: Path) -> Build:
    """Copy the book's sources and return the smoke build that will be made there."""
    for name in SOURCES:
        source, target = root / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return Build(folder, "smoke")


def start(build: Build) -> subprocess.Popen:
    """Start a build that says nothing."""
    command = [sys.executable, "-m", "riqa.cli", "book", "--profile", "smoke"]
    return subprocess.Popen(
        command, cwd=build.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen) -> None:
    """Wait for a build; end this program if it failed."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"the build failed with {process.returncode}:\n{errors[-2000:]}")


def kill(process: subprocess.Popen) -> None:
    """End a build and everything that it has started, without a chance to tidy up."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.communicate()


def running(build: Build, since: float, wanted: set[str]) -> str | None:
    """Return a wanted chapter that is running in the build that began at `since`."""
    for name in sorted(wanted):
        progress = read_progress(build.progress(name))
        if progress and progress.state == "running" and progress.started >= since:
            return name
    return None


def main() -> None:
    """Build undisturbed, build with kills, compare, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("_build/bench/kill_builds.json"))
    options = parser.parse_args()
    draw, root = random.Random(options.seed), find_root()
    chapters = list(read_chapters(root, "1"))
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = copy_sources(root, Path(folder) / "undisturbed")
        begun = time.time()
        finish(start(undisturbed))
        seconds = {name: read_json(undisturbed.record(name))["facts"]["seconds"] for name in chapters}
        print(f"undisturbed: {time.time() - begun:.0f} s", flush=True)

        disturbed = copy_sources(root, Path(folder) / "disturbed")
        left, kills = set(chapters), []
        begun = time.time()
        while True:
            since = time.time()
            process, hit = start(disturbed), None
            while process.poll() is None and hit is None:
                time.sleep(0.1)
                hit = running(disturbed, since, left)
            if hit is None:
                finish(process)
                break
            time.sleep(draw.uniform(0, 0.9) * seconds[hit])
            if process.poll() is None:
                kill(process)
                kills.append(hit)
                print(f"killed in {hit}, {time.time() - begun:.0f} s", flush=True)
            left.remove(hit)

        made = [
            {name: tree_digests(one.work / name) for name in chapters} for one in (disturbed, undisturbed)
        ]
        differing = [name for name in chapters if made[0][name] != made[1][name]]
        leavings = [path.name for path in disturbed.work.glob(".*")]
    verdict = {"kills": kills, "never_killed": sorted(set(chapters) - set(kills)), "differing": differing}
    verdict |= {"leavings": leavings, "seed": options.seed}
    write_json(options.out, verdict)
    told = f"differing chapters: {differing or 'none'}; left behind: {leavings or 'nothing'}"
    print(f"{len(kills)} kills; {told}")
    if differing or leavings:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
