"""Augmentation: what may change, what may not, and that every strength is alive."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import rotate

from riqa.learn.augment import (
    LUMINANCE,
    NOTHING,
    TRANSFORMS,
    Augmentation,
    apply_one,
    apply_transforms,
    augment,
    augment_and_tell,
    compose_affine,
    compose_colour,
    draw_transforms,
    mean_colours,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def a_disc(n=4, size=32):
    """Random colours inside a circle, black outside."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    return (0.2 + 0.6 * torch.rand(n, 3, size, size, generator=generator(1))) * (x**2 + y**2 < 0.8)


def test_flips_and_a_quarter_turn_equal_torchs_and_nothing_leaves_the_pixels():
    images, none = a_disc(), Augmentation(max_transforms=0)
    assert augment(images, none, generator()) is images
    both = [TRANSFORMS.index(f"{axis}_flip") for axis in ("horizontal", "vertical")]
    for names, expected in (
        ([NOTHING] * 3, images), (both[:1], images.flip(3)), (both[1:], images.flip(2)),
        (both, images.rot90(2, (2, 3))),
    ):  # fmt: skip
        names = torch.tensor([names] * 4)
        assert torch.equal(apply_transforms(images, names, torch.ones(names.shape), none), expected)
    turned = apply_one(images, "rotation", 1.0, Augmentation(max_rotation=90))
    assert torch.allclose(turned, images.rot90(1, (2, 3)), atol=1e-4)
    with pytest.raises(ValueError, match="sharpness"):
        apply_one(images, "sharpness", 1.0, none)


def test_a_turn_blurs_less_than_bilinear_interpolation_does():
    """Fine texture must survive a rotation: blur is a label."""
    image = functional.avg_pool2d(torch.rand(1, 3, 64, 64, generator=generator(3)), 3, 1, 1)
    there = apply_one(image, "rotation", 1.0, Augmentation())
    bilinear = rotate(image, Augmentation().max_rotation, InterpolationMode.BILINEAR)
    kept, blurred = (x[..., 16:48, 16:48].std() / image[..., 16:48, 16:48].std() for x in (there, bilinear))
    assert blurred < kept - 0.03
    assert kept == pytest.approx(1, abs=0.08)


def one_after_another(names, strengths, augmentation, mean):
    """Compose step by step in 2x2 and 4x4 matrices, for a single image: the definition, written plainly."""
    affine, colour, luminance = torch.eye(2), torch.eye(4), torch.tensor(LUMINANCE)
    for place, strength in zip(names.tolist(), strengths.tolist(), strict=True):
        name = TRANSFORMS[place] if place != NOTHING else None
        angle = torch.tensor(strength * augmentation.max_rotation).deg2rad()
        factor = 1 + strength * augmentation.max_colour_change
        step = torch.eye(4)
        if name == "rotation":
            affine = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]]) @ affine
        elif name == "horizontal_flip":
            affine = torch.tensor([[-1.0, 0.0], [0.0, 1.0]]) @ affine
        elif name == "vertical_flip":
            affine = torch.tensor([[1.0, 0.0], [0.0, -1.0]]) @ affine
        elif name == "brightness":
            step[:3, :3] *= factor
        elif name == "contrast":
            now = colour[:3, :3] @ mean + colour[:3, 3]
            step[:3, :3] *= factor
            step[:3, 3] = (1 - factor) * (luminance @ now)
        elif name == "saturation":
            step[:3, :3] = factor * torch.eye(3) + (1 - factor) * luminance
        colour = step @ colour
    return affine, colour[:3]


@settings(max_examples=50)
@given(st.integers(1, 9), st.integers(0, 10_000), st.floats(1, 180), st.floats(0.01, 0.4))
def test_a_composition_is_its_steps_one_after_another(most, seed, max_rotation, max_colour_change):
    augmentation = Augmentation(most, max_rotation, max_colour_change)
    names, strengths = draw_transforms(6, most, generator(seed))
    means = torch.rand(6, 3, generator=generator(seed + 1))
    affine = compose_affine(names, strengths, augmentation)
    colour = compose_colour(names, strengths, augmentation, means)
    for row in range(6):
        expected = one_after_another(names[row], strengths[row], augmentation, means[row])
        assert torch.allclose(affine[row], expected[0], atol=1e-5)
        assert torch.allclose(colour[row], expected[1], atol=1e-4)


@settings(max_examples=20)
@given(st.integers(1, 9), st.floats(0, 180), st.floats(0, 0.5), st.integers(0, 1000))
def test_range_and_black_surround_hold(max_transforms, max_rotation, max_colour_change, seed):
    images = a_disc()
    changed = augment(images, Augmentation(max_transforms, max_rotation, max_colour_change), generator(seed))
    assert changed.shape == images.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert max(changed[:, :, 0, :].abs().max(), changed[:, :, :, 0].abs().max()) == 0  # outside the circle


def test_the_generator_decides_and_parts_of_a_batch_are_changed_as_the_whole():
    images = a_disc(6)
    whole, again = (augment(images, Augmentation(), generator(5)) for _ in range(2))
    assert torch.equal(whole, again)
    assert not torch.equal(whole, augment(images, Augmentation(), generator(6)))
    for part in range(3):
        share = {"part": part, "n_parts": 3}
        changed, _ = augment_and_tell(images[part::3], Augmentation(), generator(5), **share)
        assert torch.allclose(changed, whole[part::3], atol=1e-6)
    assert not torch.allclose(augment(images[2::3], Augmentation(), generator(5)), whole[2::3], atol=1e-3)


@pytest.mark.parametrize(
    ("knob", "value", "wrong"),
    [("max_transforms", 2, -1), ("max_rotation", 45.0, 181), ("max_colour_change", 0.2, 1.0)],
)
def test_every_strength_is_alive_and_none_is_impossible(knob, value, wrong):
    images = a_disc(16)
    changed = augment(images, Augmentation(**{knob: value}), generator())
    assert not torch.allclose(changed, augment(images, Augmentation(), generator()))
    with pytest.raises(ValueError, match=knob):
        Augmentation(**{knob: wrong})


def test_numbers_names_and_strengths_are_uniform():
    names, strengths = draw_transforms(8000, 3, generator())
    drawn = names != NOTHING
    assert ((drawn.sum(1)[:, None] == torch.arange(4)).float().mean(0) - 1 / 4).abs().max() < 0.015
    assert drawn[:, 0].float().mean() >= drawn[:, 1].float().mean()  # nothing comes only after the last one
    shares = (names[drawn][:, None] == torch.arange(len(TRANSFORMS))).float().mean(0)
    assert (shares - 1 / len(TRANSFORMS)).abs().max() < 0.015
    assert -1 <= strengths.min() <= strengths.max() <= 1
    assert strengths.std().item() == pytest.approx(3**-0.5, abs=0.01)


def test_contrast_is_about_the_mean_of_the_field_in_bright_and_dark_images():
    images = torch.stack([0.08 * a_disc(1)[0], a_disc(1)[0], torch.zeros(3, 32, 32)])  # clamping touches none
    changed = apply_one(images, "contrast", 1.0, Augmentation(max_colour_change=0.05))
    for before, after in zip(images[:2], changed, strict=False):
        inside = before.amax(0) > 0
        assert torch.allclose(mean_colours(before[None])[0], before[:, inside].mean(1))
        grey = before[:, inside].mean(1) @ torch.tensor(LUMINANCE)
        assert torch.allclose(after[:, inside], grey + 1.05 * (before[:, inside] - grey), atol=1e-5)
    assert torch.equal(changed[2], images[2])
