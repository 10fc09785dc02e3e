"""The one network of the book: a shared backbone and one linear head per task (hard parameter sharing)."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from riqa import __version__
from riqa.errors import InputError
from riqa.files import atomic_write, write_json
from riqa.labels import DETAILS
from riqa.learn.backbones import build_backbone

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
WEIGHTS = ("none", "imagenet")
BATCH_NORM_MOMENTUM = 0.1
"""Share of the newest batch in the running statistics of every backbone; torch's default. Some (EfficientNet-
Lite, MobileNet) come with 0.01, with which the few dozen steps of an epoch would not renew the statistics."""
LARGEST_SIDE = 4096  # pixels of an input; hardly a camera gives more


class QualityNet(nn.Module):
    """Backbone, global average pooling, and a linear head for each task (paper, Section 2.2, Eq. 2).

    Images (N, 3, H, W) are RGB in [0, 1]; normalisation happens inside.

    Args:
        backbone: See `riqa.learn.backbones.build_backbone`, also for what is raised.
        n_overall: Number of overall-quality classes, 2 or 3; 0 leaves the overall head out.
        n_details: Number of quality details; 0 leaves the details head out.
        weights: ``none`` for a random start, ``imagenet`` for pretrained weights.
        image_size: Side of the square input in pixels, recorded so that later images are brought to it.
        further: Name of a further task -> width of its head.
        n_auxiliary: Numbers that the heads get besides the features.
    """

    def __init__(
        self,
        backbone: str,
        n_overall: int,
        n_details: int,
        weights: str = "none",
        image_size: int = 224,
        further: Mapping[str, int] | None = None,
        n_auxiliary: int = 0,
    ):
        super().__init__()
        sizes = {"overall": n_overall, "details": n_details, **(further or {})}
        if not any(sizes.values()):
            raise ValueError("QualityNet needs at least one head: n_overall or n_details must be positive")
        if n_overall not in (0, 2, 3) or any(n < 0 for n in sizes.values()):
            raise ValueError(f"heads are {sizes}, must be 0, 2 or 3 for overall, and 0 or more")
        if weights not in WEIGHTS:
            raise ValueError(f"weights is {weights!r}, must be one of {WEIGHTS}")
        if not isinstance(image_size, int) or not 1 <= image_size <= LARGEST_SIDE:
            raise ValueError(f"image_size is {image_size!r}, must be a whole number from 1 to {LARGEST_SIDE}")
        self.architecture = {"backbone": backbone, "n_overall": n_overall, "n_details": n_details}
        self.architecture["image_size"] = image_size
        if further or n_auxiliary:
            self.architecture |= {"further": dict(further or {}), "n_auxiliary": n_auxiliary}
        self.backbone, n_features = build_backbone(backbone, weights, image_size)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = BATCH_NORM_MOMENTUM
        width = n_features + n_auxiliary
        self.heads = nn.ModuleDict({task: nn.Linear(width, n) for task, n in sizes.items() if n})
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor, *auxiliary: Tensor) -> dict[str, Tensor]:
        """Return the logits of every head, (N, width) by task, for images and (N, n_auxiliary) numbers."""
        known = torch.cat([self.features(images), *auxiliary], dim=1)
        return {task: head(known) for task, head in self.heads.items()}

    def features(self, images: Tensor) -> Tensor:
        """Return the features h (N, D) that every head reads (paper, Eq. 2)."""
        return self.backbone((images - self.mean) / self.std)


def with_heads(model: QualityNet, n_overall: int, n_details: int) -> QualityNet:
    """Copy a network, keeping heads of the same size and drawing the others afresh.

    The Student begins so: the single-task model with a randomly initialised
    details head (paper, Section 2.2, step 4 of Figure 2).
    """
    heads = {"n_overall": n_overall, "n_details": n_details}
    copy = QualityNet(**model.architecture | heads)
    fresh = copy.state_dict()
    kept = {
        name: value
        for name, value in model.state_dict().items()
        if name in fresh and fresh[name].shape == value.shape
    }
    copy.load_state_dict(kept, strict=False)
    return copy


@torch.no_grad()
def silence(model: QualityNet, details: Tensor) -> None:
    """Let a network answer NaN in details, bool (D,), that it has not learned; its files keep that."""
    for parameter in model.heads["details"].parameters():
        parameter[details] = torch.nan


def save_model(model: QualityNet, stem: Path, /, **description: object) -> None:
    """Write ``<stem>.safetensors`` and, with further entries, ``<stem>.json``; aside, then renamed."""
    told = {"riqa_version": __version__, "architecture": model.architecture, "details": list(DETAILS)}
    told["normalisation"] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    atomic_write(model_file(stem, "safetensors"), lambda aside: save_file(state, aside))
    write_json(model_file(stem, "json"), told | description)


def load_model(stem: Path) -> tuple[QualityNet, dict]:
    """Read what `save_model` wrote: the network in evaluation mode, and the description.

    An InputError tells of a file that is missing, cut short, or does not fit the other.
    """
    weights_file, description_file = model_file(stem, "safetensors"), model_file(stem, "json")
    for file in (weights_file, description_file):
        if not file.exists():
            raise InputError(f"{file}: no such model file; run the chapter that trains it first")
    file, wrong = description_file, "not a model description"
    try:
        description = json.loads(file.read_bytes())
        model = QualityNet(**description["architecture"])
        file, wrong = weights_file, "cut short or not of this architecture"
        model.load_state_dict(load_file(file))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}: {wrong} ({reason}); delete it and train the model again") from error
    return model.eval(), description


def model_file(stem: Path, extension: str) -> Path:
    """Return the path of a model's file; the stem may contain dots."""
    return Path(f"{stem}.{extension}")
