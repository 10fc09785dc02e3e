"""Label-preserving augmentation of a whole batch (paper, Section 3.2, after RandAugment).

Each image receives at most `max_transforms` transformations, drawn uniformly with replacement. The geometric
ones compose into one affine map, so that an image is interpolated once however many it drew: repeated
interpolation would blur, and blur is a label here. The colour ones compose into one matrix.

Images are (N, 3, H, W) RGB in [0, 1], black outside the field of view. The names (N, T) of what happens to
each are positions in `TRANSFORMS`, in its order, or `NOTHING`; the strengths (N, T) are in units of the
interval that training draws from: -1 and 1 are its ends.
"""

import math

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional

LUMINANCE = (0.299, 0.587, 0.114)
TRANSFORMS = ("rotation", "horizontal_flip", "vertical_flip", "brightness", "contrast", "saturation")
NOTHING = -1  # no transformation where another image of the batch drew more


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Augmentation:
    """How far an image may be changed without changing its label."""

    max_transforms: int = Field(7, ge=0)  # at most so many per image, 0 for none (paper: 7)
    max_rotation: float = Field(15.0, ge=0, le=180)  # angles are drawn from [-this, this], degrees
    max_colour_change: float = Field(0.02, ge=0, lt=1)  # brightness, contrast, saturation: factors 1 +- this


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Transform each image of a batch by its own random draw; the surround stays black."""
    return augment_and_tell(images, augmentation, generator)[0]


def augment_and_tell(
    images: Tensor, augmentation: Augmentation, generator: torch.Generator, *, part: int = 0, n_parts: int = 1
) -> tuple[Tensor, Tensor]:
    """Do what `augment` does, and tell how each image was moved, by `compose_affine`: maps (N, 2, 2).

    If `images` are part of a batch, every `n_parts`-th of its images from number `part` on, the draw is
    that of the whole batch. The generator is one of the CPU.
    """
    if augmentation.max_transforms == 0:
        return images, torch.eye(2).repeat(len(images), 1, 1)
    drawn = draw_transforms(n_parts * len(images), augmentation.max_transforms, generator)
    names, strengths = (one[part::n_parts] for one in drawn)
    maps = compose_affine(names, strengths, augmentation)
    return apply_transforms(images, names, strengths, augmentation), maps


def draw_transforms(n: int, max_transforms: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw names and strengths of what happens to each of n images, (n, max_transforms) each."""
    how_many = torch.randint(max_transforms + 1, (n, 1), generator=generator)
    names = torch.randint(len(TRANSFORMS), (n, max_transforms), generator=generator)
    strengths = 2 * torch.rand((n, max_transforms), generator=generator) - 1
    return names.masked_fill(torch.arange(max_transforms) >= how_many, NOTHING), strengths


def apply_one(images: Tensor, name: str, strength: float, augmentation: Augmentation) -> Tensor:
    """Give every image the same transformation; beyond -1 and 1 it is stronger than in training."""
    if name not in TRANSFORMS:
        raise ValueError(f"transformation is {name!r}, must be one of {TRANSFORMS}")
    names = torch.full((len(images), 1), TRANSFORMS.index(name))
    return apply_transforms(images, names, torch.full((len(images), 1), float(strength)), augmentation)


def apply_transforms(images: Tensor, names: Tensor, strengths: Tensor, augmentation: Augmentation) -> Tensor:
    """Compose each image's transformations, then move its pixels once and change its colours once."""
    moved = _move(images, compose_affine(names, strengths, augmentation))
    return _recolour(moved, compose_colour(names, strengths, augmentation, mean_colours(images).cpu()))


def mean_colours(images: Tensor) -> Tensor:
    """Return the mean colour (N, 3) of each image (N, 3, H, W) inside its field of view."""
    n_inside = (images.amax(dim=1) > 0).sum((1, 2)).clamp(min=1)
    return images.sum((2, 3)) / n_inside[:, None]


def compose_affine(names: Tensor, strengths: Tensor, augmentation: Augmentation) -> Tensor:
    """Return each image's map (n, 2, 2) of output to input coordinates, about the centre."""
    angle = _where("rotation", names, strengths * math.radians(augmentation.max_rotation), 0.0)
    flip_x = _where("horizontal_flip", names, -1.0, 1.0)
    flip_y = _where("vertical_flip", names, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    steps = torch.stack([torch.stack([flip_x * cos, -sin], -1), torch.stack([sin, flip_y * cos], -1)], -2)
    affine = torch.eye(2).repeat(len(names), 1, 1)
    for step in steps.unbind(1):
        affine = step @ affine
    return affine


def compose_colour(names: Tensor, strengths: Tensor, augmentation: Augmentation, means: Tensor) -> Tensor:
    """Return each image's map (n, 3, 4) of (R, G, B, 1) to RGB; `means` (n, 3) are their colours before.

    Brightness multiplies a colour. Contrast moves it away from the grey of the image's mean luminance as
    it is by then (about mid-grey it would darken dark photographs), saturation away from the grey of its
    own luminance. Apart from that grey all commute, so the products of their factors are composed.
    """
    factors = 1 + strengths * augmentation.max_colour_change
    brightness, contrast, saturation = (
        _where(name, names, factors, 1.0).prod(1)[:, None]
        for name in ("brightness", "contrast", "saturation")
    )
    luminance = torch.tensor(LUMINANCE)
    grey = (1 - contrast) * brightness * (means @ luminance)[:, None]
    scale = (contrast * brightness)[..., None]
    own = saturation[..., None] * torch.eye(3) + (1 - saturation[..., None]) * luminance
    return torch.cat([scale * own, grey[..., None].expand(-1, 3, 1)], dim=2)


def _where(name: str, names: Tensor, then: Tensor | float, otherwise: float) -> Tensor:
    """Choose `then` at the steps (n, T) that are the transformation `name`."""
    return torch.where(names == TRANSFORMS.index(name), then, otherwise)


def _move(images: Tensor, affine: Tensor) -> Tensor:
    """Sample each image once through its affine map; those only mirrored need no sampling.

    Bilinear interpolation would blur so much that a Teacher calls turned photographs unclear.
    """
    images = images.contiguous()  # faster to sample than the channels-last view that a batch comes as
    moved = images.clone()
    upright = (affine[:, 0, 1] == 0) & (affine[:, 1, 0] == 0)
    for dims, x, y in (((3,), -1, 1), ((2,), 1, -1), ((2, 3), -1, -1)):
        rows = (upright & (affine[:, 0, 0] == x) & (affine[:, 1, 1] == y)).nonzero()[:, 0]
        moved[rows] = images[rows].flip(dims)
    rows = (~upright).nonzero()[:, 0]
    if len(rows):
        turned = images[rows]
        grid_map = torch.cat([affine[rows], torch.zeros(len(rows), 2, 1)], dim=2).to(images.device)
        grid = functional.affine_grid(grid_map, list(turned.shape), align_corners=False)
        # Cubic weights leave traces in the surround, which must stay black: the field is moved linearly.
        field = (turned.amax(dim=1, keepdim=True) > 0).float()
        field = functional.grid_sample(field, grid, align_corners=False) > 0
        turned = functional.grid_sample(turned, grid, mode="bicubic", align_corners=False)
        moved[rows] = turned.mul_(field).clamp_(0, 1)
    return moved


def _recolour(images: Tensor, colour: Tensor) -> Tensor:
    """Send the colours inside the field of view through each image's map, in place."""
    rows = (colour != torch.eye(3, 4)).any((1, 2)).nonzero()[:, 0]
    if len(rows):
        matrix, grey = colour[rows].to(images.device).split([3, 1], dim=2)
        pixels = images[rows].flatten(2)
        inside = (pixels.amax(dim=1, keepdim=True) > 0).float()
        coloured = torch.bmm(matrix, pixels).addcmul_(grey, inside).clamp_(0, 1)
        images[rows] = coloured.unflatten(2, images.shape[2:])
    return images
