"""A profile for real archives, run on their miniatures from photographs to the last chapter."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from riqa import results
from riqa.data.store import Store, open_store
from riqa.publish.build import chapter_environment
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from tests.data.archives import write_archives
from tests.publish.toy import REPOSITORY

SOURCES = ("riqa", "notebooks", "profiles", "Snakefile")
SMALLER = {"image_size": 32, "weights": "none", "seeds": [0, 1], "batch_size": 16, "device": "cpu"}
"""What costs time, and weights that would be downloaded or need their network."""


@dataclass(frozen=True)
class Small:
    """The miniature archives and what the chapters made of them."""

    data: Path
    build: Build

    def store(self, name: str) -> Store:
        return open_store(self.build.work / "01_curate_images" / "stores" / name)

    def results(self, chapter: str) -> pd.DataFrame:
        return results.read(self.build.work / chapter)

    def assert_whole(self) -> None:
        """Every chapter of Part I has run to its end, and the observers were the real ones of MSHF."""
        for name in read_chapters(self.build.root, "1"):
            assert self.build.executed(name).is_file()
            assert len(self.results(name)), name
        observed = self.results("08_analyse_observers")
        assert set(observed["dataset"]) == {"mshf"}
        assert "planted" not in set(observed["method"])


def build_small(
    folder: Path, name: str, archives: Sequence[str], change: Callable[[dict[str, Any]], None]
) -> Small:
    """Run Part I of a profile as the book does; `change` makes its values smaller still.

    Laboratories of Part II move what only phantoms let one move.
    """
    data, root = write_archives(folder / "archives", archives), folder / "repository"
    root.mkdir()
    for part in SOURCES:
        source = REPOSITORY / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, root / part)
    profile = yaml.safe_load((root / "profiles" / f"{name}.yaml").read_text())
    profile["parameters"] |= SMALLER
    smoke = yaml.safe_load((root / "profiles" / "smoke.yaml").read_text())["chapters"]
    for chapter in smoke:
        if chapter > "06":  # what trains nothing takes as few images and resamples as in the smoke book
            profile["chapters"][chapter] = smoke[chapter] | profile["chapters"].get(chapter, {})
    change(profile)
    (root / "profiles" / f"{name}_small.yaml").write_text(yaml.safe_dump(profile))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", "--nocolor", "--keep-going"]
    # Few epochs: a second process would cost more to start than it saves, and 02 and 04 can go side by side.
    command += ["--set-threads", "02_train_teacher=1", "04_train_single_task=1"]
    command += ["--config", f"profile={name}_small", "parts=1", f"data={data}"]
    environment = chapter_environment(root)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("riqa:", "  "))]
    assert done.returncode == 0, "\n".join(said[-60:])
    return Small(data, Build(root, f"{name}_small"))
