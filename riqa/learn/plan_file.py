"""The file that describes a training of one's own, for `riqa train`, whose help shows one.

A YAML file says which store to learn from, which heads to train, and, below ``training``, any of the
hyperparameters of `riqa.learn.config.TrainingConfig`.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.config import TrainingConfig
from riqa.learn.device import Device
from riqa.learn.model import load_model
from riqa.learn.runs import TrainingRun
from riqa.yaml_text import read_yaml

MODEL_NAMES = {("overall",): "single_task", ("details",): "teacher", ("overall", "details"): "multi_task"}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainingPlan:
    """What `riqa train` reads; see `riqa.learn.runs.TrainingRun` for what is not explained here."""

    store: Path  # folder that `riqa curate` has made, with train and val
    out: Path  # for models, history and predictions
    training: TrainingConfig  # the weight of a loss without a head counts as 0
    heads: tuple[str, ...] = ("overall",)  # overall, details or both
    backbone: str = "resnet10"
    weights: Literal["none", "imagenet"] = "none"
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)  # one model each
    start_from: Path | None = None
    pseudo_labels: Path | None = None
    pseudo_label_kind: Literal["soft", "hard"] = "soft"
    device: Device = "cpu"
    threads: Annotated[int, Field(ge=1)] = 1

    def __post_init__(self):
        """Refuse heads that no network has, and a model twice."""
        if self.heads not in MODEL_NAMES:
            raise ValueError(
                f"heads is {list(self.heads)}, must be [overall], [details] or [overall, details]"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {list(self.seeds)}, must hold each once")


def read_plan(file: Path) -> TrainingPlan:
    """Read and check a plan, paths in it from here on; an InputError names file, entry and what is wrong."""
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

    An InputError tells of a store or a start that cannot be used, or a head without labels.
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
    without_head = {f"lambda_{head}": 0.0 for head in labels if head not in plan.heads}
    same = ("backbone", "weights", "start_from", "pseudo_labels", "pseudo_label_kind", "device", "threads")
    return [
        TrainingRun(
            model=MODEL_NAMES[plan.heads],
            trained_on=store.meta["name"],
            store=plan.store,
            n_overall=store.meta["n_classes"] if "overall" in plan.heads else 0,
            n_details=len(DETAILS) if "details" in plan.heads else 0,
            config=replace(plan.training, seed=seed, **without_head),
            models=plan.out,
            predict_on=((plan.store, splits),),
            checkpoints=plan.out / "checkpoints",
            **{name: getattr(plan, name) for name in same},
        )
        for seed in plan.seeds
    ]
