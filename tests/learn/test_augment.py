"""Augmentation: what may change, what may not, and that every strength is alive."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.learn.augment import (
    GEOMETRIC,
    TRANSFORMS,
    Augmentation,
    apply_one,
    apply_transforms,
    augment,
    colour_matrix,
    draw_transforms,
    geometric_matrix,
    mean_colours,
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


def test_a_turn_and_its_return_blur_less_than_bilinear_interpolation_does():
    """Fine texture must survive a rotation: blur is a label."""
    image = torch.rand(1, 3, 64, 64, generator=generator(3))
    image = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    augmentation = Augmentation(max_rotation=15)
    there = apply_one(image, "rotation", 1.0, augmentation)
    affine = geometric_matrix("rotation", torch.ones(1), augmentation)
    grid = torch.nn.functional.affine_grid(
        torch.cat([affine, torch.zeros(1, 2, 1)], dim=2), [1, 3, 64, 64], align_corners=False
    )
    bilinear = torch.nn.functional.grid_sample(image, grid, align_corners=False)
    kept, blurred = (x[..., 16:48, 16:48].std() / image[..., 16:48, 16:48].std() for x in (there, bilinear))
    assert blurred < kept - 0.03
    assert kept == pytest.approx(1, abs=0.08)


def test_colour_matrices_by_hand():
    augmentation = Augmentation(max_colour_change=0.5)
    grey = torch.tensor([0.4, 0.4, 0.4, 1.0])
    means = torch.tensor([[0.5, 0.5, 0.5]])

    def change(name, strength, colour):
        return colour_matrix(name, torch.tensor([strength]), augmentation, means)[0] @ colour

    brighter = change("brightness", 1.0, grey)
    assert torch.allclose(brighter, torch.tensor([0.6, 0.6, 0.6, 1.0]))
    # Contrast 1.5 about the image's mean, here mid-grey: 0.5 + 1.5 * (0.4 - 0.5) = 0.35.
    contrasted = change("contrast", 1.0, grey)
    assert torch.allclose(contrasted, torch.tensor([0.35, 0.35, 0.35, 1.0]))
    # A grey pixel has no saturation to change; full desaturation of red leaves its luminance.
    assert torch.allclose(change("saturation", 1.0, grey), grey, atol=1e-6)
    red = torch.tensor([1.0, 0.0, 0.0, 1.0])
    half = change("saturation", -1.0, red)
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
    affine, colour = draw_transforms(torch.full((8000, 3), 0.5), Augmentation(max_transforms=3), generator())
    untouched = (
        ((affine == torch.eye(2)).all((1, 2)) & (colour == torch.eye(4)[:3]).all((1, 2))).float().mean()
    )
    # Exactly one step twice the same flip: steps = 2 -> 2/36; steps = 3 -> none of an odd number cancel.
    assert untouched.item() == pytest.approx(1 / 4 + 1 / 4 * 2 / 36, abs=0.015)


@pytest.mark.parametrize("wrong", [{"max_transforms": -1}, {"max_rotation": 181}, {"max_colour_change": 1.0}])
def test_impossible_strengths_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)


def test_contrast_keeps_the_mean_of_bright_and_dark_images():
    images = torch.stack([0.08 * a_disc(1)[0], a_disc(1)[0]])  # clamping touches neither
    changed = apply_one(images, "contrast", 1.0, Augmentation(max_colour_change=0.05))
    luminance = torch.tensor([0.299, 0.587, 0.114])
    assert torch.allclose(mean_colours(changed) @ luminance, mean_colours(images) @ luminance, atol=1e-5)
    for before, after in zip(images, changed, strict=True):
        inside = before.amax(0) > 0
        assert torch.allclose(after[:, inside].std(1), 1.05 * before[:, inside].std(1), rtol=1e-3)


def test_means_are_of_the_field_alone():
    image = torch.zeros(1, 3, 32, 32)
    image[:, :, :8] = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
    assert torch.allclose(mean_colours(image), torch.tensor([[0.2, 0.4, 0.6]]))
    assert torch.equal(mean_colours(torch.zeros(1, 3, 32, 32)), torch.zeros(1, 3))


def test_the_mean_is_followed_through_a_chain_of_draws():
    """Contrast after brightness turns about the brightened mean, so that it treats dark and bright alike."""
    augmentation = Augmentation(max_transforms=9, max_colour_change=0.3)
    means = torch.rand(500, 3, generator=generator(2))
    _, colour = draw_transforms(means, augmentation, generator(3))
    luminance = torch.tensor([0.299, 0.587, 0.114])
    before = means @ luminance
    after = (torch.einsum("nij,nj->ni", colour[:, :, :3], means) + colour[:, :, 3]) @ luminance
    # Contrast and saturation keep it, brightness multiplies it by a factor out of [0.7, 1.3].
    assert (after / before).min() >= 0.7**9
    assert (after / before).max() <= 1.3**9
    _, scaled = draw_transforms(0.1 * means, augmentation, generator(3))
    dark = (torch.einsum("nij,nj->ni", scaled[:, :, :3], 0.1 * means) + scaled[:, :, 3]) @ luminance
    assert torch.allclose(dark, 0.1 * after, rtol=1e-3)  # dark photographs are treated like bright ones


@pytest.mark.parametrize("name", TRANSFORMS)
def test_one_transformation_is_what_a_draw_of_it_alone_does(name):
    images, augmentation = a_disc(), Augmentation(max_rotation=40, max_colour_change=0.3)
    strength = torch.full((4,), 0.7)
    affine, colour = torch.eye(2).repeat(4, 1, 1), torch.eye(4).repeat(4, 1, 1)
    if name in GEOMETRIC:
        affine = geometric_matrix(name, strength, augmentation)
    else:
        colour = colour_matrix(name, strength, augmentation, mean_colours(images))
    expected = apply_transforms(images, affine, colour[:, :3])
    one = apply_one(images, name, 0.7, augmentation)
    assert torch.equal(one, expected)
    assert not torch.allclose(one, images, atol=1e-3)


def test_an_unknown_transformation_is_refused():
    with pytest.raises(ValueError, match="sharpness"):
        apply_one(a_disc(), "sharpness", 1.0, Augmentation())
