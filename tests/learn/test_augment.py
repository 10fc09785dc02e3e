"""Augmentation: what may change, what may not, and that every strength is alive."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.learn.augment import (
    Augmentation,
    apply_transforms,
    augment,
    colour_matrix,
    draw_transforms,
    geometric_matrix,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def a_disc(n=4, size=32):
    """Random colours inside a circle, black outside."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    inside = (x**2 + y**2 < 0.8).float()
    return (0.2 + 0.6 * torch.rand(n, 3, size, size, generator=generator(1))) * inside


def test_no_transformation_is_the_identity():
    images = a_disc()
    assert augment(images, Augmentation(max_transforms=0), generator()) is images


def test_a_draw_of_zero_transformations_leaves_the_pixels():
    images = a_disc()
    affine, colour = torch.eye(2).repeat(4, 1, 1), torch.eye(4)[:3].repeat(4, 1, 1)
    assert torch.allclose(apply_transforms(images, affine, colour), images, atol=1e-6)


@pytest.mark.parametrize(("name", "dim"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips_equal_torch_flip(name, dim):
    images = a_disc()
    affine = geometric_matrix(name, torch.zeros(4), Augmentation())
    flipped = apply_transforms(images, affine, torch.eye(4)[:3].repeat(4, 1, 1))
    assert torch.allclose(flipped, images.flip(dim), atol=1e-5)


def test_a_quarter_turn_equals_rot90():
    images = a_disc()
    affine = geometric_matrix("rotation", torch.ones(4), Augmentation(max_rotation=90))
    turned = apply_transforms(images, affine, torch.eye(4)[:3].repeat(4, 1, 1))
    assert torch.allclose(turned, images.rot90(1, (2, 3)), atol=1e-4)


def test_colour_matrices_by_hand():
    augmentation = Augmentation(max_colour_change=0.5)
    grey = torch.tensor([0.4, 0.4, 0.4, 1.0])
    brighter = colour_matrix("brightness", torch.ones(1), augmentation)[0] @ grey
    assert torch.allclose(brighter, torch.tensor([0.6, 0.6, 0.6, 1.0]))
    # Contrast 1.5 about mid-grey: 0.5 + 1.5 * (0.4 - 0.5) = 0.35.
    contrasted = colour_matrix("contrast", torch.ones(1), augmentation)[0] @ grey
    assert torch.allclose(contrasted, torch.tensor([0.35, 0.35, 0.35, 1.0]))
    # A grey pixel has no saturation to change; full desaturation of red leaves its luminance.
    assert torch.allclose(colour_matrix("saturation", torch.ones(1), augmentation)[0] @ grey, grey, atol=1e-6)
    red = torch.tensor([1.0, 0.0, 0.0, 1.0])
    half = colour_matrix("saturation", -torch.ones(1), augmentation)[0] @ red
    assert torch.allclose(half, torch.tensor([0.5 + 0.5 * 0.299, 0.1495, 0.1495, 1.0]), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.floats(0, 180), st.floats(0, 0.5), st.integers(0, 1000))
def test_range_and_black_surround_hold(max_transforms, max_rotation, max_colour_change, seed):
    images = a_disc()
    changed = augment(images, Augmentation(max_transforms, max_rotation, max_colour_change), generator(seed))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert changed[:, :, 0, :].abs().max() == 0  # corners and edges lie outside the circle
    assert changed[:, :, :, 0].abs().max() == 0


def test_same_generator_same_images():
    images = a_disc()
    first, second = (augment(images, Augmentation(), generator(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(images, Augmentation(), generator(6)))


@pytest.mark.parametrize(
    ("knob", "value"), [("max_transforms", 2), ("max_rotation", 45.0), ("max_colour_change", 0.2)]
)
def test_every_strength_is_alive(knob, value):
    images = a_disc(16)
    changed = augment(images, Augmentation(**{knob: value}), generator())
    assert not torch.allclose(changed, augment(images, Augmentation(), generator()))


def test_the_number_of_transformations_is_uniform_up_to_the_maximum():
    # With flips alone impossible to separate, count images whose two maps both stayed the identity:
    # 1/4 draw none of 3; the others keep the identity only if flips cancel, which 3 random draws seldom do.
    affine, colour = draw_transforms(8000, Augmentation(max_transforms=3), generator())
    untouched = (
        ((affine == torch.eye(2)).all((1, 2)) & (colour == torch.eye(4)[:3]).all((1, 2))).float().mean()
    )
    # Exactly one step twice the same flip: steps = 2 -> 2/36; steps = 3 -> none of an odd number cancel.
    assert untouched.item() == pytest.approx(1 / 4 + 1 / 4 * 2 / 36, abs=0.015)


@pytest.mark.parametrize("wrong", [{"max_transforms": -1}, {"max_rotation": 181}, {"max_colour_change": 1.0}])
def test_impossible_strengths_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)
