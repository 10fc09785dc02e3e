"""The file that describes a training of one's own, for `riqa train`.

A YAML file says which store to learn from, which heads to train, and, below ``training``, any of the
hyperparameters of `riqa.learn.config.TrainingConfig`:

    store: stores/deepdrid
    out: models/deepdrid
    heads: [overall, details]
    backbone: resnet18
    seeds: [0, 1, 2]
    training: {epochs: 115, learning_rate: 0.01, augmentation: {max_transforms: 7}}
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.config import TrainingConfig
from riqa.learn.model import load_model
from riqa.learn.runs import TrainingRun
from riqa.yaml_text import read_yaml

HEADS = ("overall", "details")
MODEL_NAMES = {("overall",): "single_task", ("details",): "teacher", HEADS: "multi_task"}
"""The paper's names for networks with these heads."""


@dataclass(frozen=True)
class TrainingPlan:
    """What `riqa train` reads.

    Attributes:
        store: Folder of a curated set with splits train and val (`riqa curate` makes one).
        out: Folder for models, history and predictions.
        training: Hyperparameters, see `riqa.learn.config.TrainingConfig`; epochs must be given. The weight of
            a loss without a head counts as 0.
        heads: ``overall``, ``details`` or both.
        backbone: See `riqa.learn.model.QualityNet`.
        weights: ``none`` or ``imagenet``.
        seeds: One model each.
        start_from: Stem of a model to start from, instead of `backbone` and `weights`.
        pseudo_labels: Parquet file of a Teacher's answers, as chapter 03 writes it; none: the store's own.
        pseudo_label_kind: ``soft`` or ``hard``.
        device: ``cpu``, ``cuda`` or ``auto``.
        threads: Processor threads per model; more than 1 change the last digits.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    store: Path
    out: Path
    training: TrainingConfig
    heads: tuple[str, ...] = ("overall",)
    backbone: str = "resnet10"
    weights: Literal["none", "imagenet"] = "none"
    seeds: tuple[int, ...] = (0,)
    start_from: Path | None = None
    pseudo_labels: Path | None = None
    pseudo_label_kind: Literal["soft", "hard"] = "soft"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: int = 1

    def __post_init__(self):
        """Refuse heads that no network has, and a plan without models."""
        if self.heads not in MODEL_NAMES:
            raise ValueError(
                f"heads is {list(self.heads)}, must be [overall], [details] or [overall, details]"
            )
        if not self.seeds:
            raise ValueError("seeds is empty, there is no model to train")
        if min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {list(self.seeds)}, must be 0 or more, each once")
        if self.threads < 1:
            raise ValueError(f"threads is {self.threads}, must be at least 1")


def read_plan(file: Path) -> TrainingPlan:
    """Read and check a plan; paths in it are relative to the current folder.

    Raises:
        InputError: Naming the file, the entry and what is wrong with it.
    """
    if not file.is_file():
        raise InputError(f"{file} does not exist; give a YAML file, see riqa train --help")
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise InputError(f"{file} must hold entries such as 'store: folder'; see riqa train --help")
    try:
        return TypeAdapter(TrainingPlan).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{file}: {where + ': ' if where else ''}{first['msg']}") from None


def plan_runs(plan: TrainingPlan) -> list[TrainingRun]:
    """Turn a plan into runs, one per seed, that predict every split but train.

    Raises:
        InputError: If the store or the model to start from cannot be used, or a head has no labels.
    """
    store = open_store(plan.store)
    labels = {"overall": ["overall"], "details": list(DETAILS)}
    for head in plan.heads:
        told_elsewhere = head == "details" and plan.pseudo_labels is not None
        if not told_elsewhere and store.manifest[labels[head]].isna().all(axis=None):
            hint = ", or give pseudo_labels" if head == "details" else ""
            raise InputError(f"{plan.store}: no image has a label for the head {head}; leave it out{hint}")
    if plan.start_from is not None:
        load_model(plan.start_from)
    splits = tuple(sorted(set(store.manifest["split"]) - {"train"}))
    without_head = {f"lambda_{head}": 0.0 for head in HEADS if head not in plan.heads}
    return [
        TrainingRun(
            model=MODEL_NAMES[plan.heads],
            trained_on=store.meta["name"],
            store=plan.store,
            n_overall=store.meta["n_classes"] if "overall" in plan.heads else 0,
            n_details=len(DETAILS) if "details" in plan.heads else 0,
            config=replace(plan.training, seed=seed, **without_head),
            models=plan.out,
            backbone=plan.backbone,
            weights=plan.weights,
            start_from=plan.start_from,
            pseudo_labels=plan.pseudo_labels,
            pseudo_label_kind=plan.pseudo_label_kind,
            predict_on=((plan.store, splits),),
            device=plan.device,
            threads=plan.threads,
            checkpoints=plan.out / "checkpoints",
        )
        for seed in plan.seeds
    ]
