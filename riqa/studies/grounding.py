"""Where is a photograph spoilt? A third task for the Student, whose labels are the places of defects.

The places of a photograph are a coarse grid for each detail: how much each cell is spoilt, from 0 to 1. A
detail is bad if and only if it is spoilt somewhere, so places and details can be asked to agree.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from riqa.data.fields import curated_fields
from riqa.data.store import Store, open_store
from riqa.evaluate.explain import Layout, cells_of, find_map_layer
from riqa.labels import DETAILS
from riqa.learn.examples import examples_of, to_images
from riqa.learn.model import save_model
from riqa.learn.predict import in_batches
from riqa.learn.runs import TrainingRun, apply_model, examples_for, initial_model
from riqa.learn.tasks import Task, details_loss
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import Case
from riqa.phantom.raters import THRESHOLD
from riqa.studies.agreement import AGREE, Agreement, teach, without_labels


def spoilt(field: np.ndarray, row: Mapping) -> np.ndarray:
    """Return how much the defects of each detail affect each pixel: float32 (3, H, W) in [0, 1].

    That follows from the field of view, bool (H, W), and a row of a set's `truth.parquet`, which holds the
    severities and where random numbers come from. The eye has no part in it, so none is drawn.
    """
    black, origin = np.zeros((*field.shape, 3), np.uint8), (row["study"], row["seed"], row["number"])
    photograph = Case(black, black, field, {}, {}, origin, {})
    named = {defect: float(row[defect]) for defect, group in DEFECTS.items() if group in DETAILS}
    found = np.zeros((len(DETAILS), *field.shape), np.float32)
    for defect, mask in photograph.spoil(named).masks.items():
        of_detail = found[DETAILS.index(DEFECTS[defect])]
        np.maximum(of_detail, mask, out=of_detail)
    return found


def in_cells(masks: Tensor, field: Tensor, cells: int) -> Tensor:
    """Average masks (3, H, W) over the field, bool (H, W), in each cell: (3, cells, cells); 0 without any."""
    inside = functional.adaptive_avg_pool2d(field[None].float(), cells)
    return functional.adaptive_avg_pool2d(masks * field, cells) / inside.clamp(min=1e-6)


def places_of(store: Store, truth: pd.DataFrame, cells: int) -> np.ndarray:
    """Return the places of a phantom's photographs, float32 (N, 3, cells, cells); `truth` in their order."""
    fields, grids = curated_fields(store, range(len(truth))), []
    for field, row in zip(fields, truth.to_dict("records"), strict=True):
        grids.append(in_cells(torch.from_numpy(spoilt(field, row)), torch.from_numpy(field), cells))
    return torch.stack(grids).numpy()


def follow(grids: Tensor, maps: Tensor) -> Tensor:
    """Move grids (N, 3, g, g) as their photographs were moved.

    Maps (N, 2, 2) lead from places after the move to places before it.
    """
    maps = functional.pad(maps, (0, 1)).to(grids)  # the centre stays
    before = functional.affine_grid(maps, grids.shape, align_corners=False)
    how = {"padding_mode": "border", "align_corners": False}
    return functional.grid_sample(grids, before, **how)


CPU = torch.device("cpu")
WHERE = Task("where", (), details_loss, lambda *pair: -details_loss(*pair).item(), follow=follow)
"""The third task. Its targets (N, 3, g, g) are no columns of a manifest, and it never chooses the epoch."""


def disagreement(details: Tensor, places: Tensor) -> Tensor:
    """Return how far two heads disagree on whether each detail is bad: (N, 3) in [0, 1].

    A detail is bad where its worst cell is spoilt more than an expert lets pass. Details are (N, 3) logits of
    good, places (N, 3, g, g) logits of damage.
    """
    limit = math.log(THRESHOLD / (1 - THRESHOLD))
    somewhere = (places.amax(dim=(2, 3)) - limit).sigmoid()
    return (somewhere - (-details).sigmoid()).square()


class PlaceHead(nn.Module):
    """One logit per detail and cell, from the maps (N, K, h, w) that a layer of the backbone gives out."""

    task, width = WHERE, len(DETAILS)

    def __init__(self, layer: nn.Module, layout: Layout, side: int):
        super().__init__()
        self.layout, self.side, self.maps = layout, side, None
        self.logits = nn.LazyConv2d(self.width, kernel_size=1)
        self.hook = layer.register_forward_hook(self.keep)

    def keep(self, layer: nn.Module, inputs: tuple, output: Tensor) -> None:
        """Keep the maps until the heads are asked."""
        self.maps = self.layout(output)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, 3, g, g); the features, in which all places are one, are not looked at."""
        maps, self.maps = self.maps, None
        return functional.adaptive_avg_pool2d(self.logits(maps), self.side)


@dataclass(frozen=True)
class GroundedRun(TrainingRun):
    """A fine-tuning that may have the third task, and a fourth that asks details and places to agree."""

    places: np.ndarray | None = None  # (N, ...), labels of the store's photographs; None: no third task
    lambda_where: float = 1.0  # weight of its loss, above 0
    min_side: int = 4  # cells per side of the layer that the head reads, see `find_map_layer`
    head: type[PlaceHead] = PlaceHead  # what answers; its task is the third
    lambda_agree: float = 0.0  # weight of `disagreement`; 0: they need not agree
    elsewhere: bool = False  # whether places are those of another photograph where they must agree


def learn(
    run: GroundedRun, tell: Callable = lambda told: None
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray | None]:
    """Train as `riqa.learn.runs.execute` does, with the third task if the run has places.

    Returns history and predictions, and the logits of the third head about the test photographs, in their
    order and as the head gives them. The model is written without that head, which has done its work.
    """
    store, further, found = open_store(run.store), {}, None
    parts = dict(zip(("train", "val"), examples_for(run, store), strict=True))
    parts["test"] = examples_of(store, "test")
    model = initial_model(run, store.images.shape[1])
    if run.places is not None:
        third = run.head.task
        further[third] = run.lambda_where
        labels = torch.from_numpy(run.places).float()
        parts = {s: replace(p, targets=p.targets | {third.name: labels[p.rows]}) for s, p in parts.items()}
        image = to_images(parts["train"].pixels(torch.arange(1), CPU), CPU)
        layer, layout = find_map_layer(model.eval(), image, run.min_side)
        side = cells_of(model, image, run.min_side)[0]
        model.heads[third.name] = run.head(layer, layout, side)
        model(image)  # the first look tells how many maps there are
    if run.lambda_agree:
        further[AGREE] = run.lambda_agree
        parts = {split: without_labels(part) for split, part in parts.items()}
        heads = model.heads["details"], model.heads["where"]
        model.heads["agree"] = Agreement(disagreement, *heads, run.elsewhere)
    history = teach(run, model, further, parts["train"], parts["val"], tell, told=[run.elsewhere])
    if run.lambda_agree:
        model.heads.pop("agree").leave()
    if run.places is not None:
        found = in_batches(model, model, parts["test"], run.config.precision)[third.name].numpy()
        model.heads.pop(third.name).hook.remove()
    save_model(model, run.stem, **run.names)
    return history, apply_model(run, model), found
