"""Label-preserving augmentation of a whole batch (paper, Section 3.2, after RandAugment).

Each image receives at most `max_transforms` transformations, drawn uniformly with replacement. The geometric
ones are composed into one affine map and sampled once, so that an image is interpolated once however many it
drew: repeated interpolation would blur, and blur is a label here. The colour ones compose into one matrix.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LUMINANCE = (0.299, 0.587, 0.114)
TRANSFORMS = ("rotation", "horizontal_flip", "vertical_flip", "brightness", "contrast", "saturation")
NOTHING = -1
"""Stands for no transformation where another image of the batch drew more."""


@dataclass(frozen=True)
class Augmentation:
    """How far an image may be changed without changing its label.

    Attributes:
        max_transforms: At most this many transformations per image; 0 switches augmentation off (paper: 7).
        max_rotation: A rotation draws its angle from [-max_rotation, max_rotation], degrees.
        max_colour_change: Brightness, contrast and saturation draw their factor from
            [1 - max_colour_change, 1 + max_colour_change].
    """

    max_transforms: int = 7
    max_rotation: float = 15.0
    max_colour_change: float = 0.02

    def __post_init__(self):
        """Refuse strengths that make no sense."""
        if self.max_transforms < 0:
            raise ValueError(f"max_transforms is {self.max_transforms}, must be 0 or more")
        if not 0 <= self.max_rotation <= 180:
            raise ValueError(f"max_rotation is {self.max_rotation}, must lie in [0, 180] degrees")
        if not 0 <= self.max_colour_change < 1:
            raise ValueError(f"max_colour_change is {self.max_colour_change}, must lie in [0, 1)")


def augment(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    *,
    part: int = 0,
    n_parts: int = 1,
) -> Tensor:
    """Transform each image of a batch by its own random draw.

    Args:
        images: (N, 3, H, W) RGB in [0, 1], black outside the field of view.
        augmentation: What may happen, and how strongly.
        generator: Source of all randomness, on the CPU.
        part: Number of the part of a batch that `images` are: every `n_parts`-th of its images, this one
            first. The draw is that of the whole batch, so that an image's own does not depend on the parts.
        n_parts: Number of parts, each of N images.

    Returns:
        (N, 3, H, W) in [0, 1]; the surround stays black.
    """
    if augmentation.max_transforms == 0:
        return images
    names, strengths = draw_transforms(n_parts * len(images), augmentation.max_transforms, generator)
    return apply_transforms(images, names[part::n_parts], strengths[part::n_parts], augmentation)


def draw_transforms(n: int, max_transforms: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw what happens to each of n images, one transformation after the other.

    Returns:
        names: (n, max_transforms) positions in `TRANSFORMS`, or `NOTHING` after an image's last one.
        strengths: (n, max_transforms) in [-1, 1].
    """
    how_many = torch.randint(max_transforms + 1, (n, 1), generator=generator)
    names = torch.randint(len(TRANSFORMS), (n, max_transforms), generator=generator)
    strengths = 2 * torch.rand((n, max_transforms), generator=generator) - 1
    return names.masked_fill(torch.arange(max_transforms) >= how_many, NOTHING), strengths


def apply_one(images: Tensor, name: str, strength: float, augmentation: Augmentation) -> Tensor:
    """Give every image the same transformation, to show or measure its effect.

    Args:
        images: (N, 3, H, W) RGB in [0, 1], black outside the field of view.
        name: One of `TRANSFORMS`.
        strength: In units of the interval that training draws from: -1 and 1 are its ends, anything outside
            them is beyond what training does. Flips have no strength.
        augmentation: The intervals.

    Returns:
        (N, 3, H, W) in [0, 1].

    Raises:
        ValueError: For an unknown transformation.
    """
    if name not in TRANSFORMS:
        raise ValueError(f"transformation is {name!r}, must be one of {TRANSFORMS}")
    names = torch.full((len(images), 1), TRANSFORMS.index(name))
    return apply_transforms(images, names, torch.full((len(images), 1), float(strength)), augmentation)


def apply_transforms(images: Tensor, names: Tensor, strengths: Tensor, augmentation: Augmentation) -> Tensor:
    """Compose each image's transformations, then move its pixels once and change its colours once.

    Args:
        images: (N, 3, H, W) RGB in [0, 1], black outside the field of view.
        names: (N, T) positions in `TRANSFORMS`, in the order in which they happen, or `NOTHING`.
        strengths: (N, T), 1 is the end of the interval that training draws from.
        augmentation: The intervals.

    Returns:
        (N, 3, H, W) in [0, 1]; what stays where it is, or keeps its colours, is left as it is.
    """
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
    """Return each image's map (n, 3, 4) of (R, G, B, 1) to RGB.

    Brightness multiplies a colour. Contrast moves it away from the grey of the image's mean luminance as it
    is by then, saturation away from the grey of its own luminance. (About mid-grey, two per cent of contrast
    would take a fifth of its light from a dark photograph.) Neither changes the mean luminance, and apart
    from that grey all commute, so only the products of their factors are composed.

    Args:
        names: See `apply_transforms`.
        strengths: See `apply_transforms`.
        augmentation: The intervals.
        means: (n, 3) mean colour of each image before any transformation.
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

    The interpolation is bicubic: a bilinear one blurs so much that a Teacher calls turned photographs
    unclear.
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
