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
GEOMETRIC = ("rotation", "horizontal_flip", "vertical_flip")
TRANSFORMS = (*GEOMETRIC, "brightness", "contrast", "saturation")


@dataclass(frozen=True)
class Augmentation:
    """How far an image may be changed without changing its label.

    Attributes:
        max_transforms: at most this many transformations an image; 0 switches augmentation off (paper: 7).
        max_rotation: a rotation draws its angle from [-max_rotation, max_rotation], degrees.
        max_colour_change: brightness, contrast and saturation draw their factor from
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


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Transform each image of a batch by its own random draw.

    Args:
        images: (N, 3, H, W) RGB in [0, 1], black outside the field of view.
        augmentation: what may happen, and how strongly.
        generator: source of all randomness, on the CPU.

    Returns:
        (N, 3, H, W) in [0, 1]; the surround stays black.
    """
    if augmentation.max_transforms == 0:
        return images
    images = images.contiguous()  # faster to sample than the channels-last view that a batch comes as
    affine, colour = draw_transforms(mean_colours(images).cpu(), augmentation, generator)
    return apply_transforms(images, affine.to(images.device), colour.to(images.device))


def mean_colours(images: Tensor) -> Tensor:
    """Return the mean colour (N, 3) of each image (N, 3, H, W) inside its field of view."""
    n_inside = (images.amax(dim=1) > 0).sum((1, 2)).clamp(min=1)
    return images.sum((2, 3)) / n_inside[:, None]


def draw_transforms(
    means: Tensor, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the composed transformation of each of n images.

    Args:
        means: (n, 3) mean colour of each image; it is followed through the transformations drawn.
        augmentation: what may happen, and how strongly.
        generator: source of all randomness.

    Returns:
        affine: (n, 2, 2) map of output to input coordinates, about the image centre.
        colour: (n, 3, 4) map of (R, G, B, 1) to RGB.
    """
    n = len(means)
    affine = torch.eye(2).repeat(n, 1, 1)
    colour = torch.eye(4).repeat(n, 1, 1)
    how_many = torch.randint(augmentation.max_transforms + 1, (n,), generator=generator)
    for step in range(augmentation.max_transforms):
        choice = torch.randint(len(TRANSFORMS), (n,), generator=generator)
        strength = 2 * torch.rand(n, generator=generator) - 1
        active = step < how_many
        for index, name in enumerate(TRANSFORMS):
            rows = active & (choice == index)
            if not rows.any():
                continue
            if name in GEOMETRIC:
                affine[rows] = geometric_matrix(name, strength[rows], augmentation) @ affine[rows]
            else:
                now = _map_colours(colour[rows], means[rows])
                colour[rows] = colour_matrix(name, strength[rows], augmentation, now) @ colour[rows]
    return affine, colour[:, :3]


def apply_one(images: Tensor, name: str, strength: float, augmentation: Augmentation) -> Tensor:
    """Give every image the same transformation, to see or to measure what it does.

    Args:
        images: (N, 3, H, W) RGB in [0, 1], black outside the field of view.
        name: one of `TRANSFORMS`.
        strength: in units of the interval that training draws from: -1 and 1 are its ends, anything outside
            them is beyond what training does. Flips have no strength.
        augmentation: the intervals.

    Returns:
        (N, 3, H, W) in [0, 1].

    Raises:
        ValueError: unknown transformation.
    """
    if name not in TRANSFORMS:
        raise ValueError(f"transformation is {name!r}, must be one of {TRANSFORMS}")
    n, strengths = len(images), torch.full((len(images),), float(strength))
    affine, colour = torch.eye(2).repeat(n, 1, 1), torch.eye(4).repeat(n, 1, 1)
    if name in GEOMETRIC:
        affine = geometric_matrix(name, strengths, augmentation)
    else:
        colour = colour_matrix(name, strengths, augmentation, mean_colours(images).cpu())
    return apply_transforms(images, affine.to(images.device), colour[:, :3].to(images.device))


def geometric_matrix(name: str, strength: Tensor, augmentation: Augmentation) -> Tensor:
    """Return (n, 2, 2) maps for one geometric transformation, strengths (n,) in [-1, 1]."""
    if name == "horizontal_flip":
        return torch.tensor([[-1.0, 0.0], [0.0, 1.0]]).repeat(len(strength), 1, 1)
    if name == "vertical_flip":
        return torch.tensor([[1.0, 0.0], [0.0, -1.0]]).repeat(len(strength), 1, 1)
    angle = strength * math.radians(augmentation.max_rotation)
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def colour_matrix(name: str, strength: Tensor, augmentation: Augmentation, means: Tensor) -> Tensor:
    """Return (n, 4, 4) maps of homogeneous colour for one colour transformation, strengths (n,) in [-1, 1].

    Contrast turns about the luminance of the image's mean colour (n, 3), saturation about the pixel's own.
    (About mid-grey, two per cent of contrast would take a fifth of its light from a dark photograph.)
    """
    factor = (1 + strength * augmentation.max_colour_change).view(-1, 1, 1)
    identity = torch.eye(4).repeat(len(strength), 1, 1)
    towards = torch.zeros(len(strength), 4, 4)
    if name == "contrast":
        towards[:, :3, 3] = (means @ torch.tensor(LUMINANCE))[:, None]
    elif name == "saturation":
        towards[:, :3, :3] = torch.tensor(LUMINANCE)
    mixed = factor * identity + (1 - factor) * towards
    mixed[:, 3] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    return mixed


def apply_transforms(images: Tensor, affine: Tensor, colour: Tensor) -> Tensor:
    """Sample each image once through its affine map and multiply its colours once.

    What stays where it is, or keeps its colours, is left as it is. The interpolation is bicubic: a bilinear
    one blurs so much that a Teacher calls turned photographs unclear.
    """
    changed, size = images.clone(), images.shape[2:]
    rows = (affine != torch.eye(2, device=affine.device)).any((1, 2))
    if rows.any():
        turned = images[rows]
        grid_map = torch.cat([affine[rows], turned.new_zeros(len(turned), 2, 1)], dim=2)
        grid = functional.affine_grid(grid_map, list(turned.shape), align_corners=False)
        # Cubic weights leave traces in the surround, which is to stay black: the field is moved linearly.
        field = (turned.amax(dim=1, keepdim=True) > 0).float()
        field = functional.grid_sample(field, grid, align_corners=False) > 0
        turned = functional.grid_sample(turned, grid, mode="bicubic", align_corners=False)
        changed[rows] = (turned * field).clamp_(0, 1)
    rows = (colour != torch.eye(3, 4, device=colour.device)).any((1, 2))
    if rows.any():
        pixels = changed[rows].flatten(2)
        coloured = torch.baddbmm(colour[rows, :, 3:], colour[rows, :, :3], pixels)
        inside = pixels.amax(dim=1, keepdim=True) > 0
        changed[rows] = (coloured * inside).clamp_(0, 1).unflatten(2, size)
    return changed


def _map_colours(colour: Tensor, colours: Tensor) -> Tensor:
    """Send colours (n, 3) through maps of homogeneous colour (n, 4, 4)."""
    return torch.einsum("nij,nj->ni", colour[:, :3, :3], colours) + colour[:, :3, 3]
