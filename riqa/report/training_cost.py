"""What the trainings of a profile cost, from counted operations (`benchmarks/training_cost.py`)."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

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


def cost_table(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate models, image passes and operations, a row a chapter and a set, and the sum.

    Args:
        measured: what `benchmarks/training_cost.py` writes.
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
    return pd.DataFrame(
        {
            "on": list(speeds),
            "TFLOP/s": [f"{speed:.3g}" for speed in speeds.values()],
            "time": [
                f"{value / 24:.0f} days" if value > 48 else f"{value:.1f} hours" for value in hours.values()
            ],
        }
    )
