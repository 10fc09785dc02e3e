"""Training runs, side by side or, by processes that were launched to train together, one after another.

Side by side, each has a process of its own and a fixed number of threads, one by default, so that results
never depend on how many run at a time.
"""

import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd
import torch

from riqa import __version__
from riqa.data.store import Store, open_store
from riqa.files import read_json
from riqa.labels import class_names
from riqa.learn.confidence import fit_confidence
from riqa.learn.config import TrainingConfig
from riqa.learn.device import give_back_freed_memory, keep_freed_memory, resolve_device, resolve_precision
from riqa.learn.distributed import ALONE, Processes
from riqa.learn.examples import Examples, examples_of, with_pseudo_labels
from riqa.learn.made_from import digest_of, find_twin
from riqa.learn.model import QualityNet, load_model, save_model, silence, with_heads
from riqa.learn.novelty import fit_novelty, save_novelty
from riqa.learn.predict import predict
from riqa.learn.standing import fit_standing
from riqa.learn.train import train
from riqa.temporary import in_own_folder
from riqa.terminal import progress_bar
from riqa.workers import call_in_workers

Told = tuple[str, dict, float]  # the name of a run, the record of an epoch, and images per second
Results = tuple[pd.DataFrame, pd.DataFrame]
"""History (model, trained_on, seed and the records of `riqa.learn.train.train`) and predictions (rows of
`riqa.learn.predict.predict`), in the order of the runs."""

# Processes are never started by a fork of this one, whose threads it would break. On Linux a server without
# threads, which has imported all that a training needs, forks instead: they share the memory of the imports.
_LINUX = sys.platform.startswith("linux")
_PROCESSES = multiprocessing.get_context("forkserver" if _LINUX else "spawn")
if _LINUX:
    _PROCESSES.set_forkserver_preload([__name__])


def _checkpoint_folder() -> Path | None:
    """Return the folder for this process's checkpoints, set by the chapter runner; none by default."""
    folder = os.environ.get("RIQA_CHECKPOINTS")
    return Path(folder) if folder else None


def worker_count() -> int:
    """Return how many processes this chapter may use, set by the chapter runner; 1 by default."""
    return int(os.environ.get("RIQA_WORKERS", "1"))


def model_stem(models: Path, model: str, trained_on: str, seed: int) -> Path:
    """Return where a model lies: <models>/<model>-<trained_on>-s<seed>, without extension."""
    return Path(models) / f"{model}-{trained_on}-s{seed}"


@dataclass(frozen=True)
class TrainingRun:
    """One model to train, named by what it is, what it learned from, and its seed."""

    model: str  # teacher, single_task, single_task_control or multi_task
    trained_on: str  # name of the set
    store: Path  # folder of the curated set, with train and val splits
    n_overall: int  # classes of the overall head, 0 for none
    n_details: int  # width of the details head, 3, or 0 for none
    config: TrainingConfig
    models: Path  # folder to write the model into
    backbone: str = "resnet10"  # see `riqa.learn.model.QualityNet`
    weights: str = "none"  # none or imagenet, for a model that starts from no other
    start_from: Path | None = None  # stem of another model; missing heads are drawn afresh
    start_counts: bool = False  # whether that model competes for the best epoch
    pseudo_labels: Path | None = None  # file of the Teacher's answers, to learn from instead of the store's
    pseudo_label_kind: str = "soft"  # or hard
    warnings: tuple[str, ...] = ()  # what users of the model must know, sentences without a full stop
    predict_on: tuple[tuple[Path, tuple[str, ...]], ...] = ()  # stores, splits to apply the model to
    bare: bool = False  # an experiment's, which nobody asks about photographs of their own: weights alone
    known: tuple[Path, ...] = ()  # folders of models: one made from the same is copied, not trained again
    device: str = "cpu"  # see `riqa.learn.device.resolve_device`
    threads: int = 1  # of the processor; their number decides the last digits
    checkpoints: Path | None = field(default_factory=_checkpoint_folder)  # for its state after every epoch

    @property
    def names(self) -> dict[str, object]:
        """What says in tables which model it is: model, trained_on, seed."""
        return {"model": self.model, "trained_on": self.trained_on, "seed": self.config.seed}

    @property
    def stem(self) -> Path:
        """Path of the model's files without extension."""
        return model_stem(self.models, **self.names)


def run_all(runs: Sequence[TrainingRun], workers: int = 1) -> Results:
    """Train every run and apply each trained model, in any number of processes (`workers`) at a time."""
    return joined(run_each(runs, workers))


def run_each(
    runs: Sequence[TrainingRun], workers: int = 1, work: Callable[..., object] | None = None
) -> list:
    """Do what `run_all` does, but return history and predictions of each run.

    A training besides the book's is a function `work` that is called as `execute` is, and what it returns.
    """
    give_back_freed_memory()  # memory of earlier work is not kept during training
    with _epochs_shown(runs) as show, in_own_folder():  # where the processes' sockets have room
        jobs = [(run,) for run in runs]
        return list(call_in_workers(work or execute, jobs, workers, _PROCESSES, on_news=show))


def run_together(runs: Sequence[TrainingRun], processes: Processes) -> Results:
    """Do what `run_all` does, each run by all processes that call this; only the main one predicts."""
    with _epochs_shown(runs, processes.is_main) as show:
        return joined([execute(run, show, processes) for run in runs])


def joined(results: Sequence[Results]) -> Results:
    """Join the results of several runs."""
    histories, predictions = zip(*results, strict=True)
    return pd.concat(histories, ignore_index=True), pd.concat(predictions, ignore_index=True)


def execute(
    run: TrainingRun, tell: Callable[[Told], object] = lambda told: None, processes: Processes = ALONE
) -> Results:
    """Train one model, write it, and apply it; tell of every epoch.

    Of several processes that do it together, by the same call, the main one alone writes and predicts.
    """
    store, config = open_store(run.store), run.config
    training, validation = examples_for(run, store)
    taught = run.pseudo_labels is not None
    model = initial_model(run, store.images.shape[1]).to(resolve_device(run.device))
    made_from = made_from_digest(run, model, training, validation, processes.n)
    if (twin := find_twin(run.known, made_from)) is not None:
        known, described = load_model(twin)
        save_model(known, run.stem, **described | {"model": run.model})
        return pd.DataFrame(described["history"]).assign(**run.names), apply_model(run)
    history = fit(run, model, training, validation, tell, made_from=made_from, processes=processes)
    if taught:
        silence(model, training.targets["details"].isnan().all(dim=0))
    if not processes.is_main:
        return history, pd.DataFrame()
    also = {}
    if not run.bare:
        save_novelty(fit_novelty(model, training, validation), run.stem)
        also["standing"] = fit_standing(model, training)
        also["confidence"] = fit_confidence(model, validation, _precision(run, model))
    save_model(
        model,
        run.stem,
        model=run.model,
        trained_on=run.trained_on,
        drawn=store.meta["drawn"],
        classes=list(class_names(run.n_overall)) if run.n_overall else [],
        seed=config.seed,
        training=asdict(config),
        precision=_precision(run, model),
        processes=processes.n,
        threads=run.threads,
        pseudo_labels=run.pseudo_label_kind if taught else None,
        best_epoch=int(history.loc[history["best"], "epoch"].iloc[0]),
        **also,
        warnings=list(run.warnings),
        made_from=made_from,
        history=history.astype(object).where(history.notna(), None).to_dict("records"),  # null for NaN
    )
    return history, apply_model(run, model)


def _precision(run: TrainingRun, model: QualityNet) -> str:
    """Return the precision in which a run computes with a network, on the network's device."""
    return resolve_precision(run.config.precision, model, next(model.parameters()).device)


def fit(
    run: TrainingRun,
    model: QualityNet,
    training: Examples,
    validation: Examples,
    tell: Callable[[Told], object] = lambda told: None,
    *,
    told: Sequence[object] = (),
    made_from: str | None = None,
    processes: Processes = ALONE,
    **how: object,
) -> pd.DataFrame:
    """Train a network in place as a run says, from the run's checkpoint if it was stopped.

    `told` is what decides the outcome besides the other arguments, as JSON has it, and `made_from` the digest
    of all that, where it is known. `how` are further arguments of `riqa.learn.train.train`, where they are
    not those of the run. Returns the history, see `Results`.
    """
    keep_freed_memory()
    torch.set_num_threads(run.threads)
    model.to(resolve_device(run.device))
    how = {"start_counts": run.start_counts} | how
    if "checkpoint" not in how:
        made_from = made_from or made_from_digest(run, model, training, validation, processes.n, *told)
        how["checkpoint"] = run.checkpoints and run.checkpoints / f"{run.stem.name}-{made_from}.safetensors"
    how["on_epoch"] = lambda *progress: tell((run.stem.name, *progress))
    history = train(model, training, validation, run.config, processes=processes, **how)
    return pd.DataFrame(history).assign(**run.names)


def apply_model(run: TrainingRun, model: QualityNet | None = None) -> pd.DataFrame:
    """Apply a trained model, by default the one that the run has written, to all that the run names."""
    if model is None:
        model = load_model(run.stem)[0].to(resolve_device(run.device))
        model.to(memory_format=torch.channels_last)  # as in training, so that sums are taken alike
    frames = [
        predict(model, open_store(path), splits, precision=run.config.precision, **run.names)
        for path, splits in run.predict_on
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def examples_for(run: TrainingRun, store: Store) -> tuple[Examples, Examples]:
    """Return what a run learns from and what chooses its epoch, with the Teacher's answers if it has any."""
    training, validation = examples_of(store, "train"), examples_of(store, "val")
    if run.pseudo_labels is None:
        return training, validation
    answers = pd.read_parquet(run.pseudo_labels)
    answers = answers[(answers["dataset"] == run.trained_on) & (answers["seed"] == run.config.seed)]
    how = answers, run.pseudo_label_kind, run.pseudo_labels
    return tuple(with_pseudo_labels(part, store.manifest, *how) for part in (training, validation))


def initial_model(run: TrainingRun, image_size: int) -> QualityNet:
    """Return what a run starts from: a fresh network, or another model's with missing heads drawn anew."""
    torch.manual_seed(run.config.seed)
    if run.start_from is None:
        return QualityNet(run.backbone, run.n_overall, run.n_details, run.weights, image_size)
    return with_heads(load_model(run.start_from)[0], run.n_overall, run.n_details)


def precision_of(run: TrainingRun) -> str:
    """Return the precision in which a run will compute, which depends on its network but not on weights."""
    network = initial_model(replace(run, weights="none"), open_store(run.store).images.shape[1])
    return resolve_precision(run.config.precision, network, resolve_device(run.device))


def made_from_digest(
    run: TrainingRun, model: QualityNet, training: Examples, validation: Examples, *others: object
) -> str:
    """Return a digest of all that decides what a training makes: recipe, start, examples and versions."""
    told = [asdict(run.config), run.start_counts, resolve_device(run.device).type, run.threads]
    told += [_precision(run, model), __version__, torch.__version__]
    told += [read_json(run.store / "store.json")["sha256"], *others]
    return digest_of(told, model, training, validation)


@contextmanager
def _epochs_shown(runs: Sequence[TrainingRun], shown: bool = True) -> Iterator[Callable[[Told], None]]:
    """Show a bar counted in epochs, moved by calls with a run's name, an epoch's record and its rate."""
    total = sum(run.config.epochs for run in runs)
    with progress_bar(total=total, unit="epoch", desc="training", shown=shown) as bar:

        def show(told: Told) -> None:
            name, record, images_per_second = told
            rate = "kept" if math.isnan(images_per_second) else f"{images_per_second:.0f} images/s"
            scores = f"loss {record['train_loss']:.3f} val {record['val_score']:.3f}"
            bar.set_postfix_str(f"{name} epoch {record['epoch']} {scores} {rate}")
            bar.update()

        yield show
