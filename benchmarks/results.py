"""What the benchmarks share: contestants take turns, their numbers become ratios, and all are written alike.

A ratio says how many times as good this project is: of rates ours to theirs, of times and memory theirs to
ours.
Run this file to keep what was measured: every result in _build/bench that has this form is copied to
benchmarks/measured, from which the book's page "Cost and speed" is made (`make bench-keep`).
"""

import datetime
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from riqa import __version__
from riqa.files import write_json
from riqa.publish.provenance import hardware, versions

BUILT, KEPT = Path("_build/bench"), Path("benchmarks/measured")


def interleave(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, np.ndarray]:
    """Return what each contestant gives in every round; a round to warm up is left out.

    The rounds begin with another contestant each: nobody always follows the same neighbour, whose leavings
    in the caches might help or hurt.
    """
    names, values = list(contestants), {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            values[name].append(contestants[name]())
    return {name: np.array(given[1:]) for name, given in values.items()}


def compare(
    values: Mapping[str, np.ndarray], targets: Mapping[str, float], what: str, unit: str, more_is_better: bool
) -> list[dict]:
    """Return one row per contestant: medians, and median and range over the rounds of "ours" against it.

    Args:
        values: (rounds,) a contestant, in `unit`; "ours" among them.
        targets: Least median ratio by contestant.
        what: What was measured, for the table.
        unit: Of the values.
        more_is_better: Whether a larger value is better, as of a rate, or a smaller one, as of a time.
    """
    ours, rows = values["ours"], []
    for name, theirs in values.items():
        if name == "ours":
            continue
        ratio = ours / theirs if more_is_better else theirs / ours
        spread = {"median": np.median(ratio), "low": ratio.min(), "high": ratio.max()}
        rows.append(
            {
                "what": what,
                "peer_name": name,
                "ours": float(np.median(ours)),
                "peer": float(np.median(theirs)),
                "unit": unit,
                "ratio": {key: float(value) for key, value in spread.items()},
                "target": targets[name],
                "met": bool(spread["median"] >= targets[name]),
            }
        )
    return rows


def report(out: Path, conditions: str, rows: list[dict], packages: tuple[str, ...] = ()) -> None:
    """Print rows as a table, and write them with what they depend on.

    Args:
        out: The file; its stem is the benchmark's name.
        conditions: What was held equal, a sentence or two for the book.
        rows: Of `compare`.
        packages: Further packages whose versions matter.
    """
    width = max(len(row["peer_name"]) for row in rows)
    print(f"{'against':{width}} {'ours':>10} {'theirs':>10} {'ratio':>7} {'range':>16} {'target':>7}")
    for row in rows:
        ratio, verdict = row["ratio"], "met" if row["met"] else "MISSED"
        print(
            f"{row['peer_name']:{width}} {row['ours']:10.1f} {row['peer']:10.1f} {ratio['median']:7.2f}"
            f" {ratio['low']:6.2f} to {ratio['high']:6.2f} {row['target']:7.2f}  {verdict:6}"
            f"  {row['what']}, {row['unit']}"
        )
    _write(out, conditions, {"rows": rows}, packages)


def tabulate(out: Path, conditions: str, table: pd.DataFrame) -> None:
    """Print a table of strings, and write it with what it depends on, as `report` does."""
    print(table.to_string(index=False))
    cells = table.astype(str).to_numpy().tolist()
    _write(out, conditions, {"columns": list(table.columns), "cells": cells})


def _write(out: Path, conditions: str, found: dict, packages: tuple[str, ...] = ()) -> None:
    """Write what a benchmark found in the form that `riqa.publish.measured` reads."""
    told = {
        "name": out.stem,
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "versions": {"riqa": __version__} | versions() | {name: version(name) for name in packages},
        "conditions": conditions,
    }
    write_json(out, told | found)


def keep(built: Path, kept: Path) -> list[str]:
    """Copy the results that have the common form, and the pictures beside them; return the results' names."""
    from riqa.errors import InputError
    from riqa.publish.measured import read_measured

    names = []
    for path in sorted(built.glob("*.json")):
        try:
            names.append(read_measured(path).name)
        except InputError as error:
            print(f"left out: {error}")
            continue
        kept.mkdir(parents=True, exist_ok=True)
        (kept / path.name).write_bytes(path.read_bytes())
    for path in sorted(built.glob("*.png")):
        (kept / path.name).write_bytes(path.read_bytes())
    return names


if __name__ == "__main__":
    print(f"kept in {KEPT}: {', '.join(keep(BUILT, KEPT)) or 'nothing; run make bench first'}")
