"""The state of a training run between two epochs, in memory and in a file."""

import copy
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from riqa.errors import InputError
from riqa.files import atomic_write

_TOLD = ("history", "best_epoch", "best_score")  # what of a progress is no tensor
_MODULES = ("model", "average", "weighting")  # what has a state of its own, where it is there


@dataclass
class Progress:
    """A training run between two epochs."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator  # source of shuffling and augmentation
    keep_last: bool = False  # whether the last epoch is kept, whatever its score
    average: AveragedModel | None = None  # moving average of the network's weights, if any
    weighting: nn.Module | None = None  # of the tasks' losses, if it changes
    history: list[dict] = field(default_factory=list)  # one record per epoch, the start (0) included
    best_state: dict[str, Tensor] = field(default_factory=dict)  # weights, at first of the start
    best_epoch: int = 0
    best_score: float = -math.inf  # minus infinity while only a start that does not count is known

    @property
    def kept_model(self) -> nn.Module:
        """The network that is validated and kept: the average, where there is one."""
        return self.model if self.average is None else self.average.module

    def add(self, record: dict, *, may_be_best: bool = True) -> None:
        """Note an epoch's end; keep its weights if better than all before."""
        self.history.append(record)
        score = record["val_score"]
        better = may_be_best and (self.keep_last or score > self.best_score)
        if better:
            self.best_score, self.best_epoch = score, record["epoch"]
        if better or not self.best_state:
            self.best_state = copy.deepcopy(self.kept_model.state_dict())


def save_checkpoint(progress: Progress, path: Path) -> None:
    """Write everything that decides how the run goes on, as one safetensors file, aside and then renamed.

    The tensors are ``model.*``, ``best.*``, ``average.*``, ``weighting.*``, ``optimizer.<parameter>.*`` and
    the states of the random generators; what is not a tensor is text.
    """
    optimizer, schedule = progress.optimizer.state_dict(), progress.scheduler.state_dict()
    states = {f"optimizer.{parameter}": state for parameter, state in optimizer["state"].items()}
    states["best"] = progress.best_state
    for name in _MODULES:
        if (module := getattr(progress, name)) is not None:
            states[name] = module.state_dict()
    states["random"] = {"own": progress.generator.get_state(), "global": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["random"]["cuda"] = torch.cuda.get_rng_state()
    described = {name: getattr(progress, name) for name in _TOLD}
    described["param_groups"] = optimizer["param_groups"]
    described["schedule"] = {name: schedule[name] for name in ("last_epoch", "_step_count", "_last_lr")}
    tensors = {
        f"{part}.{name}": value.detach().cpu().contiguous()
        for part, state in states.items()
        for name, value in state.items()
    }
    atomic_write(path, lambda aside: save_file(tensors, aside, {"progress": json.dumps(described)}))


def load_checkpoint(progress: Progress, path: Path) -> None:
    """Bring a run, set up as at its start, to where `save_checkpoint` left it.

    An InputError tells of a file that is cut short, or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name in _MODULES:
            if (module := getattr(progress, name)) is not None:
                module.load_state_dict(_below(f"{name}.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimizer.", tensors).items():
            parameter, _, key = name.partition(".")
            state.setdefault(int(parameter), {})[key] = value
        progress.optimizer.load_state_dict({"state": state, "param_groups": described["param_groups"]})
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: this checkpoint is cut short or of another network ({reason}); delete it to train from "
            "the start"
        ) from error
    progress.scheduler.load_state_dict(progress.scheduler.state_dict() | described["schedule"])
    progress.generator.set_state(tensors["random.own"])
    torch.set_rng_state(tensors["random.global"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    for name in _TOLD:
        setattr(progress, name, described[name])
    progress.best_state = _below("best.", tensors)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
