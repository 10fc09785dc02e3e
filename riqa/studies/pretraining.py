"""Networks that learn without labels first: which two views are of one photograph? (Section 6 of the paper).

They become Teachers by the book's one loop, whose runs start from them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torchvision.transforms import v2

from riqa.data.store import open_store
from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.learn.augment import Augmentation, augment
from riqa.learn.config import TrainingConfig
from riqa.learn.device import keep_freed_memory, resolve_device, resolve_precision
from riqa.learn.examples import to_images, unlabelled
from riqa.learn.model import QualityNet, save_model
from riqa.learn.runs import TrainingRun, initial_model, made_from_digest


@dataclass(frozen=True)
class Views:
    """How far two views that a network learns from may differ."""

    colour: float  # brightness, contrast, saturation: factors 1 +- this
    zoom: float  # least share of the area in a window, which is resized; 1: it is not
    blur: float  # largest standard deviation of a blur, pixels; 0: none
    strangers: bool = False  # whether the other view is of another photograph


def one_view(images: Tensor, side: int, views: Views) -> Tensor:
    """Turn, mirror and recolour each image, then take a window and blur it.

    Windows and blurs are drawn once for 16 images, which is cheaper.
    """
    how = Augmentation(max_rotation=180.0, max_colour_change=views.colour)
    images = augment(images, how, torch.default_generator)
    change = v2.RandomCrop(side)
    if views.zoom < 1:
        change = v2.RandomResizedCrop(side, (views.zoom, 1.0))
    if views.blur:
        change = v2.Compose([change, v2.GaussianBlur(7, (0.1, views.blur))])
    return torch.cat([change(few) for few in images.split(16)])


def loss_and_head(width: int, temperature: float) -> tuple[nn.Module, nn.Module]:
    """Return the contrastive loss (Chen et al. 2020) and a projection of features (N, width) for it."""
    try:
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead
    except ImportError as error:
        raise InputError("pretraining needs an extra: pip install 'riqa[laboratories]'") from error
    return NTXentLoss(temperature), SimCLRProjectionHead(width, width, 64)


def pretrain(
    model: QualityNet, photographs: np.ndarray, config: TrainingConfig,
    views: Views, side: int, temperature: float,
) -> Iterator[float]:  # fmt: skip
    """Teach a backbone which views belong together; yield an epoch's loss."""
    device = next(model.parameters()).device
    bfloat16 = resolve_precision(config.precision, model, device) == "bfloat16"
    width = next(iter(model.heads.values())).in_features
    loss_of, project = loss_and_head(width, temperature)
    learned = [*model.backbone.parameters(), *project.to(device).parameters()]
    optimizer = torch.optim.Adam(learned, config.learning_rate)
    n, n_batch = len(photographs), min(config.batch_size, len(photographs))
    for _ in range(config.epochs):
        losses = []
        for index in torch.randperm(n)[: n // n_batch * n_batch].split(n_batch):
            images = to_images(torch.from_numpy(photographs[index.numpy()]), device)
            others = images.roll(1, 0) if views.strangers else images
            both = [one_view(images, side, views), one_view(others, side, views)]
            pixels = torch.cat(both).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                features = model.train().features(pixels)
            loss = loss_of(*project(features.float()).chunk(2))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        yield float(np.mean(losses))


def training_photographs(stores: Sequence[Path], most: int, seed: int) -> np.ndarray:
    """Draw at most so many photographs of training splits: uint8 (N, side, side, 3), and no label."""
    opened = map(open_store, stores)
    photographs = np.concatenate([s.images[(s.manifest["split"] == "train").to_numpy()] for s in opened])
    return photographs[np.random.default_rng(seed).permutation(len(photographs))[:most]]


def learn(
    run: TrainingRun,
    tell: Callable = lambda told: None,
    *,
    arms: Mapping[str, Views],
    stores: Sequence[Path],
    most: int,
    share: float,
    temperature: float,
) -> pd.DataFrame:
    """Pretrain the network that a run starts with, and write it; its head stays as it was drawn.

    The run's `model` is <arm>@<size>, and `arms` hold the views of each. At most `most` training photographs
    of sets that are curated to one size are shown; the side of a view is a `share` of theirs. A network that
    was finished before a chapter was stopped is not trained again.

    Returns:
        The loss of each epoch, with the run's names.
    """
    keep_freed_memory()
    torch.set_num_threads(run.threads)
    views = arms[run.model.partition("@")[0]]
    photographs = training_photographs(stores, most, run.config.seed)
    model = initial_model(run, photographs.shape[1]).to(resolve_device(run.device))
    model.to(memory_format=torch.channels_last)
    side = max(round(share * photographs.shape[1]), 24)
    digests = [open_store(store).meta["sha256"] for store in stores]
    shown, told = unlabelled(photographs), (repr(views), digests, most, side, temperature)
    made_from = made_from_digest(run, model, shown, shown, *told)
    done = run.checkpoints and run.checkpoints / f"{run.stem.name}-{made_from}.safetensors"
    if done and done.exists():
        state = load_file(done)
        losses = state.pop("losses").tolist()
        model.load_state_dict(state)
    else:
        losses = []
        for loss in pretrain(model, photographs, run.config, views, side, temperature):
            losses.append(loss)
            tell((run.stem.name, {"epoch": len(losses), "train_loss": loss, "val_score": nan}, nan))
        state = model.state_dict() | {"losses": torch.tensor(losses, dtype=torch.float64)}
        state = {name: value.cpu().contiguous() for name, value in state.items()}
        if done:
            atomic_write(done, lambda aside: save_file(state, aside))
    save_model(model, run.stem, **run.names)
    return pd.DataFrame({"epoch": range(1, len(losses) + 1), "loss": losses}).assign(**run.names)


def probe(
    known: np.ndarray, labels: np.ndarray, asked: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Read each of K labels from frozen features by a linear map of its own.

    Its penalty is the one of nine that does best where each photograph is left out
    in turn. Features are (N, D) of photographs with labels (N, K), 1, 0 or NaN for
    none, and (M, D) of those asked about; returned are scores (M, K).
    """
    scores, penalties = [], np.logspace(0, 4, 9)
    for label in labels.T:
        there = ~np.isnan(label)
        line = make_pipeline(StandardScaler(), RidgeClassifierCV(penalties))
        line.fit(known[there], label[there])
        scores.append(line.decision_function(asked))
    return np.stack(scores, axis=1)
