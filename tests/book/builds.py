"""Builds that tests make: the smoke book in a copy, and profiles for real archives on miniatures of them."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks.kill_builds import copy_sources
from riqa import results
from riqa.data.store import Store, open_store
from riqa.publish.build import chapter_environment
from riqa.publish.forks import served
from riqa.publish.layout import Build
from riqa.temporary import own_folder
from tests.data.archives import write_archives
from tests.publish.toy import REPOSITORY

BOOK = "riqa book --profile smoke --parts all"
FIRST = (
    "01_curate_images",
    "02_train_teacher",
    "03_generate_pseudo_labels",
    "04_train_single_task",
    "05_train_multi_task",
)
"""The first chapters: those that train the models of all others, and what they need."""


def run_riqa(root: Path, line: str) -> str:
    """Run a command of riqa in a repository, as it is typed, and return what it says."""
    command = [sys.executable, "-m", "riqa.cli", *shlex.split(line)[1:]]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def copy_smoke(folder: Path) -> Build:
    """Copy the sources and the smoke book that was built from them, so that a test may change them."""
    build = copy_sources(REPOSITORY, folder)
    for place in (
        ".snakemake/metadata",
        *(f"_build/smoke/{name}" for name in ("work", "executed", "records")),
    ):
        shutil.copytree(REPOSITORY / place, folder / place)
    return build


@dataclass(frozen=True)
class Small:
    """The miniature archives and what the chapters made of them."""

    data: Path
    build: Build

    def store(self, name: str) -> Store:
        return open_store(self.build.work / "01_curate_images" / "stores" / name)

    def results(self, chapter: str) -> pd.DataFrame:
        return results.read(self.build.work / chapter)


SMALLER = {"image_size": 32, "weights": "none", "seeds": [0, 1], "batch_size": 16, "device": "cpu"}
"""What costs time, and weights that would be downloaded or need their network."""


def build_small(
    folder: Path,
    name: str,
    archives: Sequence[str],
    parameters: dict[str, Any],
    chapters: dict[str, dict[str, Any]],
    built: Sequence[str],
) -> Small:
    """Run chapters of a profile and those that they need, as the book does.

    `parameters`, and `chapters` for one chapter each, make the profile's values smaller still.
    """
    data, root = write_archives(folder / "archives", archives), folder / "repository"
    copy_sources(REPOSITORY, root)
    profile, smoke = (yaml.safe_load((root / "profiles" / f"{n}.yaml").read_text()) for n in (name, "smoke"))
    profile["parameters"] |= SMALLER | parameters
    profile["processes"] = 1  # on few images, to start a second costs more than it saves
    # What trains nothing takes as few images and resamples as in the smoke book.
    smaller = {chapter: values for chapter, values in smoke["chapters"].items() if chapter > "06"} | chapters
    for chapter, values in smaller.items():
        profile["chapters"][chapter] = profile["chapters"].get(chapter, {}) | values
    small = Build(root, f"{name}_small")
    (root / "profiles" / f"{small.profile}.yaml").write_text(yaml.safe_dump(profile))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "--nocolor", "--keep-going"]
    command += [small.shown(small.artifacts(chapter)) for chapter in built]
    command += ["--config", f"profile={small.profile}", f"data={data}"]
    command, variables = served(command, own_folder())
    environment = chapter_environment(root) | variables
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("riqa:", "  "))]
    assert done.returncode == 0, "\n".join(said[-60:])
    return Small(data, small)
