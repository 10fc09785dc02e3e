"""Training runs, side by side or one after another.

Side by side, each run has a process of its own and a fixed number of threads, one by default, so that
results never depend on how many run at a time. Processes that were launched to train together do one run
after another.
"""

import hashlib
import json
import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.context import BaseContext
from pathlib import Path

import pandas as pd
import torch

from riqa import __version__
from riqa.data.store import Store, open_store
from riqa.labels import DETAILS, class_names
from riqa.learn.config import TrainingConfig
from riqa.learn.device import resolve_device, resolve_precision
from riqa.learn.distributed import ALONE, Processes
from riqa.learn.examples import examples_of, with_pseudo_labels
from riqa.learn.memory import give_back_freed_memory, keep_freed_memory
from riqa.learn.model import QualityNet, load_model, save_model, silence, with_heads
from riqa.learn.novelty import fit_novelty, save_novelty
from riqa.learn.predict import predict
from riqa.learn.standing import fit_standing
from riqa.learn.train import train
from riqa.temporary import in_own_folder
from riqa.terminal import progress_bar
from riqa.workers import call_in_workers


def _start_method() -> BaseContext:
    """Return how processes are started: never by a fork of this one, whose threads it would break.

    On Linux a server without threads, which has imported all that a training needs, forks instead: that takes
    no time, and the processes share the memory of the imports.
    """
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_PROCESSES = _start_method()


def checkpoint_folder() -> Path | None:
    """Return the folder for this process's checkpoints, set by the chapter runner; none by default."""
    folder = os.environ.get("RIQA_CHECKPOINTS")
    return Path(folder) if folder else None


@dataclass(frozen=True)
class TrainingRun:
    """One model to train, named by what it is, what it learned from, and its seed.

    Attributes:
        model: teacher, single_task, single_task_control or multi_task.
        trained_on: Name of the set.
        store: Folder of the curated set, with train and val splits.
        n_overall: Classes of the overall head, 0 for none.
        n_details: Width of the details head, 3, or 0 for none.
        config: Hyperparameters, including the seed.
        models: Folder to write the model into.
        backbone: See `riqa.learn.model.QualityNet`.
        weights: ``none`` or ``imagenet``, for a model that does not start from another.
        start_from: Stem of the model to start from; its missing heads are drawn afresh.
        start_counts: Whether that model competes for the best epoch.
        pseudo_labels: Parquet file of the Teacher's answers, or None to learn from the store's own details.
        pseudo_label_kind: ``soft`` or ``hard``.
        warnings: What users of the trained model must know, sentences without a full stop.
        predict_on: (store, splits) pairs to apply the trained model to.
        device: ``cpu``, ``cuda`` or ``auto``, see `riqa.learn.device`.
        threads: Processor threads for this run, at least 1. More change the order of floating-point sums,
            and so the last digits.
        checkpoints: Folder in which the run saves its state after every epoch, to resume after a kill; None
            to start from the beginning every time. Never changes results.
    """

    model: str
    trained_on: str
    store: Path
    n_overall: int
    n_details: int
    config: TrainingConfig
    models: Path
    backbone: str = "resnet10"
    weights: str = "none"
    start_from: Path | None = None
    start_counts: bool = False
    pseudo_labels: Path | None = None
    pseudo_label_kind: str = "soft"
    warnings: tuple[str, ...] = ()
    predict_on: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    device: str = "cpu"
    threads: int = 1
    checkpoints: Path | None = field(default_factory=checkpoint_folder)

    @property
    def stem(self) -> Path:
        """Path of the model's files without extension."""
        return model_stem(self.models, self.model, self.trained_on, self.config.seed)


def model_stem(models: Path, model: str, trained_on: str, seed: int) -> Path:
    """Return where a model lies: <models>/<model>-<trained_on>-s<seed>, without extension."""
    return Path(models) / f"{model}-{trained_on}-s{seed}"


def worker_count() -> int:
    """Return how many processes this chapter may use, set by the chapter runner; 1 by default."""
    return int(os.environ.get("RIQA_WORKERS", "1"))


def run_all(runs: Sequence[TrainingRun], workers: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train every run and apply each trained model, with one progress bar in epochs.

    Args:
        runs: What to train.
        workers: Processes at a time; the results do not depend on it.

    Returns:
        history: model, trained_on, seed and the records of `riqa.learn.train.train`.
        predictions: rows of `riqa.learn.predict.predict`.
        Both in the order of `runs`.
    """
    histories, predictions = zip(*run_each(runs, workers), strict=True)
    return pd.concat(histories, ignore_index=True), pd.concat(predictions, ignore_index=True)


def run_each(runs: Sequence[TrainingRun], workers: int = 1) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Do what `run_all` does, but return history and predictions of each run, in the order of `runs`."""
    give_back_freed_memory()  # memory of earlier work is not kept during training
    with _epochs_shown(runs) as show, in_own_folder():  # where the processes' sockets have room
        return list(call_in_workers(execute, [(run,) for run in runs], workers, _PROCESSES, on_news=show))


def run_together(runs: Sequence[TrainingRun], processes: Processes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Do what `run_all` does, one run after another, each by all processes; every process calls it.

    Returns:
        As `run_all`; the predictions are empty in every process but the main one, which alone writes models
        and applies them.
    """
    with _epochs_shown(runs, processes.is_main) as show:
        done = [execute(run, show, processes) for run in runs]
    histories, predictions = zip(*done, strict=True)
    return pd.concat(histories, ignore_index=True), pd.concat(predictions, ignore_index=True)


def execute(
    run: TrainingRun,
    tell: Callable[[tuple[str, dict, float]], object] = lambda epoch: None,
    processes: Processes = ALONE,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one model, write it, and apply it.

    Args:
        run: What to train.
        tell: Called after every epoch with the run's name, the epoch's record, and images per second.
        processes: Those that train it together, each by the same call. The main one alone writes and applies
            the model; the others return no predictions.
    """
    keep_freed_memory()
    torch.set_num_threads(run.threads)
    name = run.stem.name
    store = open_store(run.store)
    training, validation = examples_of(store, "train"), examples_of(store, "val")
    if run.pseudo_labels is not None:
        answers = pd.read_parquet(run.pseudo_labels)
        answers = answers[(answers["dataset"] == run.trained_on) & (answers["seed"] == run.config.seed)]
        training, validation = (
            with_pseudo_labels(part, store.manifest, answers, run.pseudo_label_kind, run.pseudo_labels)
            for part in (training, validation)
        )
    model = initial_model(run, image_size=store.images.shape[1]).to(resolve_device(run.device))
    history = train(
        model,
        training,
        validation,
        run.config,
        start_counts=run.start_counts,
        checkpoint=_checkpoint(run, store, model, processes.n),
        on_epoch=lambda *progress: tell((name, *progress)),
        processes=processes,
    )
    if run.pseudo_labels is not None:
        untaught = training.details.isnan().all(dim=0).tolist()
        silence(model, [detail for detail, silent in zip(DETAILS, untaught, strict=True) if silent])
    told = pd.DataFrame(history).assign(**_names(run))
    if not processes.is_main:
        return told, pd.DataFrame()
    save_novelty(fit_novelty(model, training, validation), run.stem)
    save_model(
        model,
        run.stem,
        model=run.model,
        trained_on=run.trained_on,
        drawn=store.meta["drawn"],
        classes=list(class_names(run.n_overall)) if run.n_overall else [],
        seed=run.config.seed,
        training=asdict(run.config),
        precision=resolve_precision(run.config.precision, model, next(model.parameters()).device),
        processes=processes.n,
        threads=run.threads,
        pseudo_labels=run.pseudo_label_kind if run.pseudo_labels is not None else None,
        best_epoch=next(record["epoch"] for record in history if record["best"]),
        standing=fit_standing(model, training),
        warnings=list(run.warnings),
    )
    return told, apply_model(run, model)


def apply_model(run: TrainingRun, model: QualityNet | None = None) -> pd.DataFrame:
    """Apply a trained model, by default the one that the run has written, to all that the run names."""
    if model is None:
        model = load_model(run.stem)[0].to(resolve_device(run.device))
        model.to(memory_format=torch.channels_last)  # as in training, so that sums are taken alike
    frames = [
        predict(model, open_store(path), splits, precision=run.config.precision, **_names(run))
        for path, splits in run.predict_on
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _checkpoint(run: TrainingRun, store: Store, model: QualityNet, n_processes: int) -> Path | None:
    """Return the run's own checkpoint file: its name has a digest of all that decides the outcome."""
    if run.checkpoints is None:
        return None
    told = {
        "store": store.meta["sha256"],
        "config": asdict(run.config),
        "start_counts": run.start_counts,
        "kind": run.pseudo_label_kind,
        "device": run.device,
        "processes": n_processes,
        "threads": run.threads,
        "precision": resolve_precision(run.config.precision, model, next(model.parameters()).device),
        "versions": [__version__, torch.__version__],
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for value in model.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    if run.pseudo_labels is not None:
        digest.update(Path(run.pseudo_labels).read_bytes())
    return run.checkpoints / f"{run.stem.name}-{digest.hexdigest()[:16]}.safetensors"


@contextmanager
def _epochs_shown(
    runs: Sequence[TrainingRun], shown: bool = True
) -> Iterator[Callable[[tuple[str, dict, float]], None]]:
    """Show a bar counted in epochs, moved by calls with an epoch's name, record and rate."""
    total = sum(run.config.epochs for run in runs)
    with progress_bar(total=total, unit="epoch", desc="training", shown=shown) as bar:

        def show(epoch: tuple[str, dict, float]) -> None:
            bar.set_postfix_str(_one_line(*epoch))
            bar.update()

        yield show


def _one_line(name: str, record: dict, images_per_second: float) -> str:
    """Return the state of a run, for the progress bar."""
    rate = "kept" if math.isnan(images_per_second) else f"{images_per_second:.0f} images/s"
    scores = f"loss {record['train_loss']:.3f} val {record['val_score']:.3f}"
    return f"{name} epoch {record['epoch']} {scores} {rate}"


def precision_of(run: TrainingRun) -> str:
    """Return the precision in which a run will compute, which depends on its network but not on weights."""
    side = open_store(run.store).images.shape[1]
    network = initial_model(replace(run, weights="none"), side)
    return resolve_precision(run.config.precision, network, resolve_device(run.device))


def _names(run: TrainingRun) -> dict[str, object]:
    return {"model": run.model, "trained_on": run.trained_on, "seed": run.config.seed}


def initial_model(run: TrainingRun, image_size: int) -> QualityNet:
    """Return what a run starts from: a fresh network, or another model's with missing heads drawn anew."""
    torch.manual_seed(run.config.seed)
    if run.start_from is None:
        return QualityNet(run.backbone, run.n_overall, run.n_details, run.weights, image_size)
    start, _ = load_model(run.start_from)
    return with_heads(start, run.n_overall, run.n_details)
