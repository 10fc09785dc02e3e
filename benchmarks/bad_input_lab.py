"""Good inputs that bad ones are made from, and what a bad input is."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

N_GOOD = 6  # photographs of the small table that everything is mixed with
DESCRIPTION = {
    "name": "clinic",
    "labels": "labels.csv",
    "n_classes": 3,
    "columns": {"image": "file", "patient_id": "patient", "overall": "grade", "clarity": "sharp"},
    "codes": {
        "overall": {"A": "good", "B": "usable", "C": "reject"},
        "clarity": {"yes": "good", "no": "bad"},
    },
}
PLAN = {
    "store": "store",
    "out": "models",
    "heads": ["overall"],
    "backbone": "resnet10",
    "seeds": [0],
    "training": {"epochs": 1, "batch_size": 4, "learning_rate": 0.01},
}


@dataclass(frozen=True)
class Lab:
    """Good inputs that bad ones are made from."""

    folder: Path  # holds table/ with dataset.yaml, labels.csv and img/, store/ and models/

    @property
    def photographs(self) -> list[Path]:
        """The photographs of the table."""
        return sorted((self.folder / "table" / "img").iterdir())

    @property
    def model(self) -> Path:
        """The stem of a model that was trained on them."""
        return next((self.folder / "models").glob("*-s0.json")).with_suffix("")


@dataclass
class Case:
    """One bad input, and the command that reads it."""

    what: str  # the input in words
    folder: Path  # the case's own; the command runs there unless `cwd` says otherwise
    arguments: list[str | bytes | Path]  # of riqa
    codes: set[int]  # exit codes that it may have
    # Looks at (exit code, stdout, stderr) and at files; returns what is wrong.
    judge: Callable[[int, str, str], list[str]] = field(default=lambda code, out, err: [])
    cwd: Path | None = None

    def tidy(self) -> None:
        """Remove the case's folder, whatever the rights in it."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o777)
        shutil.rmtree(self.folder)


def furnish(lab: Lab) -> None:
    """Draw the photographs, curate them, and train a model for one epoch."""
    from riqa.data.adapters import load
    from riqa.data.curate import curate
    from riqa.learn.plan_file import plan_runs, read_plan
    from riqa.learn.runs import run_all
    from riqa.phantom.fundus import CAMERAS
    from riqa.phantom.photograph import Exposure, render_clean, write_jpeg

    table = lab.folder / "table"
    (table / "img").mkdir(parents=True)
    for k in range(3 * N_GOOD):
        camera = list(CAMERAS)[k % len(CAMERAS)]
        shot = Exposure("phantom_grades", 1, k, k, "left", "macula", camera, 160)
        write_jpeg(table / "img" / f"{k:03d}.jpg", render_clean(shot).image)
    write_labels(table, 3 * N_GOOD).to_csv(table / "labels.csv", index=False)
    curate(load("table", table), lab.folder / "store", 32)
    plan = PLAN | {"store": str(lab.folder / "store"), "out": str(lab.folder / "models")}
    (lab.folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    run_all(plan_runs(read_plan(lab.folder / "plan.yaml")))


def write_labels(folder: Path, n: int) -> pd.DataFrame:
    """Write `DESCRIPTION` into a folder and return the table of labels that belongs to it."""
    (folder / "dataset.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    rows = [
        {"file": f"img/{k:03d}", "patient": f"p{k}", "grade": "ABC"[k % 3], "sharp": "yes"} for k in range(n)
    ]
    return pd.DataFrame(rows)


def copy_table(lab: Lab, folder: Path) -> Path:
    """Copy the first photographs of the table, with their labels, into a case's folder."""
    table = folder / "table"
    (table / "img").mkdir(parents=True)
    for path in lab.photographs[:N_GOOD]:
        os.link(path, table / "img" / path.name)
    write_labels(table, N_GOOD).to_csv(table / "labels.csv", index=False)
    return table
