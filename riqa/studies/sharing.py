"""Layers that each camera has of its own, beside those that all share; and a camera that nobody has seen.

A network is told who took a photograph by one number per camera: 1 for this one, 0 for the others. All 0 asks
the shared part alone, and equal shares ask the mean of the cameras.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from riqa.data.store import open_store
from riqa.labels import DETAILS
from riqa.learn.examples import Examples, examples_of
from riqa.learn.model import QualityNet, save_model
from riqa.learn.predict import PROBABILITIES, in_batches, probabilities
from riqa.learn.runs import TrainingRun, examples_for, fit, initial_model
from riqa.learn.tasks import UNKNOWN_OVERALL

ARMS = ("no_names", "own_layers", "dealt_names")
"""What networks are told: no camera, the photograph's own, or one that was dealt out by lot."""


@dataclass(frozen=True)
class CameraRun(TrainingRun):
    """A training that sees no photograph of one camera; the `source` of a manifest is the camera."""

    left_out: str = ""  # camera that is not seen
    strict: str = ""  # camera whose photographs are graded one class lower, "" for none
    withheld: float = 0.0  # share of training photographs whose names are not told


class CameraNet(QualityNet):
    """Each camera scales and shifts the colours and adds to the answers.

    It begins with the answers of the network that it is made from.
    """

    def __init__(self, like: QualityNet, n_cameras: int):
        super().__init__(**like.architecture)
        self.load_state_dict(like.state_dict())
        self.colours = nn.Linear(n_cameras, 2 * 3, bias=False)
        self.own = nn.ModuleDict()
        for task, head in self.heads.items():
            n_answers = n_cameras * head.out_features
            self.own[task] = nn.Linear(head.in_features, n_answers)
        for value in [*self.colours.parameters(), *self.own.parameters()]:
            nn.init.zeros_(value)

    def forward(self, images: Tensor, names: Tensor) -> dict[str, Tensor]:
        """Return logits for images (N, 3, H, W) and names (N, cameras)."""
        told = self.colours(names)[..., None, None]
        scale, shift = told.chunk(2, dim=1)
        h, logits = self.features((1 + scale) * images + shift), {}
        for task, head in self.heads.items():
            own = self.own[task](h).unflatten(1, (names.shape[1], -1))
            logits[task] = head(h) + (names[..., None] * own).sum(dim=1)
        return logits


def names_of(sources: Sequence[str], cameras: Sequence[str], arm: str, seed: int) -> Tensor:
    """Return what an arm is told about photographs, float32 (n, cameras); all 0 for those of other cameras.

    Where names are dealt out, each is dealt as often as it is right.
    """
    told = torch.from_numpy((np.asarray(sources)[:, None] == np.asarray(cameras)).astype(np.float32))
    if arm == "no_names":
        return torch.zeros_like(told)
    if arm == "dealt_names":
        known = torch.nonzero(told.sum(dim=1)).flatten()
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
        told[known] = told[known[order]]
    return told


def stricter(grades: Tensor, where: np.ndarray) -> Tensor:
    """Lower known grades by one class where told so; the lowest stays."""
    lower = torch.where(grades == UNKNOWN_OVERALL, grades, (grades - 1).clamp(min=0))
    return torch.where(torch.from_numpy(where), lower, grades)


def learn(run: CameraRun, tell: Callable = lambda told: None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train a network; return the shared part's features of test photographs, h0 and on, and answers.

    A run that starts from nothing has no names; its model is kept, and it answers nothing. Other runs answer
    about the cameras that they saw, with the names of their arm. About the camera left out arms with names
    answer with the shared part alone (`<arm>_alone`) and with the mean of the cameras (`<arm>_mean`), and
    `no_names` as ever. `own_layers` answers again by the name of the next camera (`own_layers_misnamed`).
    Where a camera is strict, its test photographs have its grades.
    """
    store, named = open_store(run.store), run.start_from is not None
    sources, seed = store.manifest["source"].to_numpy(), run.config.seed
    cameras, parts = sorted(set(sources) - {run.left_out}), []
    for part in (*examples_for(run, store), examples_of(store, "test")):
        own = sources[part.rows]
        grades = stricter(part.targets["overall"], own == run.strict)
        names = names_of(own, cameras, run.model, seed) if named else None
        parts.append(replace(part, targets=part.targets | {"overall": grades}, auxiliary=names))
    *taught, test = parts
    if named:
        lot = torch.rand(len(taught[0]), generator=torch.Generator().manual_seed(seed))
        taught[0].auxiliary[lot < run.withheld] = 0
    seen = [np.flatnonzero(sources[part.rows] != run.left_out) for part in taught]
    taught = [part.at(torch.from_numpy(where)) for part, where in zip(taught, seen, strict=True)]
    model = initial_model(run, store.images.shape[1])
    model = CameraNet(model, len(cameras)) if named else model
    fit(run, model, *taught, tell)

    about = store.manifest.iloc[test.rows].reset_index(drop=True)
    about = about[["image_id", "dataset", "split", "patient_id", "eye", "source", *DETAILS]]
    grades = pd.Series(test.targets["overall"].numpy(), dtype=float).replace(UNKNOWN_OVERALL, np.nan)
    about = about.assign(overall=grades, left_out=run.left_out, strict=run.strict, **run.names)
    unnamed, shared = replace(test, auxiliary=None), lambda images: {"h": model.features(images)}
    h = in_batches(model, shared, unnamed, run.config.precision)["h"]
    features = pd.concat([about, pd.DataFrame(h.numpy()).add_prefix("h")], axis=1)
    if not named:
        save_model(model, run.stem)
        return features, about.iloc[:0]
    return features, _answers(model, test, about, run)


def _answers(model: CameraNet, test: Examples, about: pd.DataFrame, run: CameraRun) -> pd.DataFrame:
    """Ask a network about test photographs in all the ways that `learn` names."""
    names, seen = test.auxiliary, (about["source"] != run.left_out).to_numpy()
    everyone, answers = np.ones(len(about), dtype=bool), []
    ways = {"": (names, everyone if run.model == "no_names" else seen)}
    if run.model != "no_names":
        ways["_alone"] = torch.zeros_like(names), ~seen
        ways["_mean"] = torch.full_like(names, 1 / names.shape[1]), ~seen
    if run.model == "own_layers":
        ways["_misnamed"] = names.roll(1, dims=1), seen
    for way, (told, where) in ways.items():
        asked = replace(test, auxiliary=told).at(torch.from_numpy(np.flatnonzero(where)))
        probs = probabilities(in_batches(model, model, asked, run.config.precision))
        own = about[where].assign(model=run.model + way)
        answers.append(own.assign(**dict(zip(PROBABILITIES, probs.T, strict=True))))
    return pd.concat(answers, ignore_index=True)
