"""The command that trains models outside the book."""

import os
import shutil
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from riqa.temporary import in_own_folder
from riqa.terminal import console, stopping

app = typer.Typer()


@app.command()
@in_own_folder()
def train(
    config: Annotated[Path, typer.Option("--config", help="YAML file that says what to train.")],
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Models that train side by side, a core each; not under accelerate launch."),
    ] = 2,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget what a stopped training has done.")
    ] = False,
) -> None:
    r"""Train models of your own, one per seed, as the chapters do.

    The file names a store (riqa curate makes one), a folder for the results, the heads, and hyperparameters:

        store: stores/deepdrid
        out: models/deepdrid
        heads: \[overall]            # or \[details], or \[overall, details]
        backbone: resnet18
        seeds: [0, 1, 2]
        training: {epochs: 115, learning_rate: 0.01, schedule: one_cycle}

    It leaves one model per seed (riqa assess can use it), history.csv and predictions.parquet in that folder.
    A stopped or killed training goes on after its last whole epoch.

    Example: riqa train --config my_training.yaml

    Several graphics cards train one model after another together, batch_size images per step in all.
    With four of them, and device: cuda in the file:

        accelerate launch --multi_gpu --num_processes 4 -m riqa.cli train --config my_training.yaml
    """
    from riqa.files import KEPT, atomic_write, only_writer, write_parquet
    from riqa.learn.device import resolve_device
    from riqa.learn.distributed import launched_processes
    from riqa.learn.plan_file import plan_runs, read_plan
    from riqa.learn.runs import precision_of, run_all, run_together

    plan = read_plan(config)
    runs = plan_runs(plan)
    checkpoints = plan.out / "checkpoints"
    device, precision = resolve_device(plan.device), precision_of(runs[0])
    os.environ["OMP_NUM_THREADS"] = str(plan.threads)  # more than are meant would only wait for each other
    with (
        stopping("What is done is kept; the same command goes on."),
        launched_processes(device) as processes,
        only_writer(plan.out, KEPT) if processes.is_main else nullcontext(),
    ):
        on_cpu, alone = device.type == "cpu", processes.n == 1
        if processes.is_main:
            if restart:
                shutil.rmtree(checkpoints, ignore_errors=True)
            where = device.type if alone else f"{device.type}, {processes.n} processes for each"
            where += ", which batch-normalise each its own images" * (on_cpu and not alone)
            print(f"riqa: {len(runs)} model(s) on {where}, computing in {precision}", file=sys.stderr)
            if on_cpu and alone:
                _hint_at_idle_cores(plan.threads, min(jobs, len(runs)))
        processes.wait()
        history, predictions = run_all(runs, jobs) if alone else run_together(runs, processes)
        processes.wait()
        if not processes.is_main:
            return
        atomic_write(plan.out / "history.csv", lambda aside: history.to_csv(aside, index=False))
        atomic_write(plan.out / "predictions.parquet", partial(write_parquet, predictions))
        shutil.rmtree(checkpoints, ignore_errors=True)
    table = Table("model", "best epoch", "macro-F1 on validation images")
    for run, (_, row) in zip(runs, history[history["best"]].iterrows(), strict=True):
        table.add_row(str(run.stem), str(row["epoch"]), f"{row['val_score']:.3f}")
    console().print(table)


def _hint_at_idle_cores(threads: int, side_by_side: int) -> None:
    """Print how idle cores could be used."""
    from riqa.publish.provenance import hardware

    cores = hardware()["cores"]  # that this process may use: a batch job has a few of its machine's
    if cores // side_by_side > threads:
        more = f"'threads: {cores // side_by_side}' in the file uses more, and changes the last digits"
        print(f"riqa: {threads * side_by_side} of {cores} cores are used; {more}", file=sys.stderr)
