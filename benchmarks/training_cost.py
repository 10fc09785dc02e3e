"""What the trainings of a profile cost: operations counted, not guessed, and how fast this machine does them.

Counts the operations of one training step by image (forward and backward), multiplies by images, epochs and
models of the profile, and times the same step here, on one core in float32. Run, for the profile paper:
python benchmarks/training_cost.py
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.precision_speed import trainer
from benchmarks.results import tabulate
from riqa.data.published import COUNTS, VALIDATION
from riqa.labels import DETAILS
from riqa.learn.device import keep_freed_memory
from riqa.learn.equal_cost import flop_per_image
from riqa.learn.model import QualityNet
from riqa.learn.weighting import candidate_weights
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import find_root
from riqa.publish.parameters import declared_parameters
from riqa.publish.plan import resolve_parameters
from riqa.publish.profiles import read_profile

TRAINING_IMAGES = {
    "mshf": COUNTS["mshf"]["train"]["all"] - VALIDATION,
    "eyeq": round(0.9 * COUNTS["eyeq"]["train"]["all"]),
    "deepdrid": COUNTS["deepdrid"]["train"]["all"],
}
"""Images that the sets of the paper have to learn from, validation images taken off."""

ASSUMED_SPEEDS = {
    "a graphics card that often waits for data": 5.0,
    "a graphics card kept busy, float32": 15.0,
    "a fast card kept busy, bfloat16": 100.0,
}
"""TFLOP/s that a training might reach, to compute with; assumptions, none of them was measured."""

_CHAPTER_NAMES = {
    "02_train_teacher": "02 Teacher",
    "04_train_single_task": "04 single-task",
    "04_backbones": "04 other backbones, each at that cost",
    "05_train_multi_task": "05 students and controls",
}


def values_of(root: Path, profile_name: str, chapter: str) -> dict[str, Any]:
    """Return what a chapter's parameters are in a profile."""
    declared = declared_parameters(read_chapters(root)[chapter].notebook)
    defaults = {name: parameter.default for name, parameter in declared.items()}
    return defaults | resolve_parameters(read_profile(root, profile_name), chapter, declared, {})


def trainings(root: Path, profile_name: str) -> list[dict[str, Any]]:
    """List what chapters 02, 04 and 05 train: one row per chapter and set."""
    teacher, single, multi = (
        values_of(root, profile_name, chapter)
        for chapter in ("02_train_teacher", "04_train_single_task", "05_train_multi_task")
    )
    n_weights = len(candidate_weights(multi["lambda_details"], multi["lambda_details_grid"]))
    n_trials = (n_weights - 1) * min(multi["n_tuning_seeds"], len(multi["seeds"]))
    tuned = multi["tuning_sets"] or multi["overall_sets"]
    planned = [("02_train_teacher", teacher, teacher["details_set"], len(teacher["seeds"]))]
    planned += [
        ("04_train_single_task", single, name, len(single["seeds"])) for name in single["overall_sets"]
    ]
    others = [name for name in single["backbones_compared"] if name != single["backbone"]]
    if others:  # each may spend as much as so many epochs of the main backbone
        equal = single | {"epochs": round(single["comparison_cost"] * single["epochs"])}
        planned += [("04_backbones", equal, single["overall_sets"][0], len(others))]
    planned += [
        ("05_train_multi_task", multi, name, 2 * len(multi["seeds"]) + n_trials * (name in tuned))
        for name in multi["overall_sets"]
    ]
    keys = ("chapter", "set", "models", "images", "epochs")
    counted = ((c, name, n, TRAINING_IMAGES[name], values["epochs"]) for c, values, name, n in planned)
    return [dict(zip(keys, row, strict=True)) for row in counted]


def step_rate(backbone: str, side: int, batch_size: int, steps: int) -> float:
    """Return how many images per second one core trains on, in float32; as many first steps are left out."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rate = trainer(backbone, side, "float32", batch_size, steps)
    rate()
    return rate()


def cost_table(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate models, image passes and operations, one row per chapter and set, and the sum.

    Args:
        measured: what `main` has measured.
    """
    frame = pd.DataFrame(measured["trainings"])
    passes = frame["models"] * frame["images"] * frame["epochs"]
    pflop = passes * measured["gflop_per_image"] / 1e6
    table = pd.DataFrame(
        {
            "chapter": frame["chapter"].map(_CHAPTER_NAMES),
            "set": frame["set"],
            "models": frame["models"].astype(str),
            "images": frame["images"].map("{:,}".format),
            "epochs": frame["epochs"].astype(str),
            "passes, millions": passes.map(lambda n: f"{n / 1e6:.2f}"),
            "PFLOP": pflop.map("{:.1f}".format),
        }
    )
    total = dict.fromkeys(table.columns, "") | {"chapter": "all"}
    total |= {"models": str(frame["models"].sum()), "PFLOP": f"{pflop.sum():.1f}"}
    total |= {"passes, millions": f"{passes.sum() / 1e6:.2f}"}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def time_table(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate how long all trainings take, one after the other, at the measured and at assumed speeds."""
    frame = pd.DataFrame(measured["trainings"])
    passes = (frame["models"] * frame["images"] * frame["epochs"]).sum()
    pflop = passes * measured["gflop_per_image"] / 1e6
    here = measured["images_per_second"] * measured["gflop_per_image"] / 1e3
    speeds = {"one core of the processor below, float32 (measured)": here} | ASSUMED_SPEEDS
    hours = {name: pflop * 1e3 / speed / 3600 for name, speed in speeds.items()}
    told = [f"{value / 24:.0f} days" if value > 48 else f"{value:.1f} hours" for value in hours.values()]
    rates = [f"{speed:.3g}" for speed in speeds.values()]
    return pd.DataFrame({"on": list(speeds), "TFLOP/s": rates, "time": told})


def main() -> None:
    """Count, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper", help="one whose sets are those of the paper")
    parser.add_argument("--steps", type=int, default=8, help="timed steps of the network")
    parser.add_argument("--out", type=Path, default=Path("_build/bench"), help="folder")
    options = parser.parse_args()
    root = find_root()
    single = values_of(root, options.profile, "04_train_single_task")
    backbone, batch_size = single["backbone"], single["batch_size"]
    side = values_of(root, options.profile, "01_curate_images")["image_size"]
    gflop = flop_per_image(QualityNet(backbone, n_overall=3, n_details=len(DETAILS)), side) / 1e9
    measured = {
        "gflop_per_image": gflop,
        "images_per_second": step_rate(backbone, side, batch_size, options.steps),
        "trainings": trainings(root, options.profile),
    }
    counted = f"Profile {options.profile}: {backbone} at {side} pixels, {gflop:.1f} GFLOP an image"
    tabulate(options.out / "training_cost.json", counted, cost_table(measured))
    conditions = f"{counted}; timed in float32 on one core, batches of {batch_size}"
    tabulate(options.out / "training_time.json", conditions, time_table(measured))


if __name__ == "__main__":
    main()
