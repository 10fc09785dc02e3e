import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, _line_kernel, degrade
from riqa.phantom.repair import EVERYWHERE

from .conftest import photograph


def spoil(clean, severities, seed=5):
    return degrade(clean.image, clean.fov_mask, severities, np.random.default_rng(seed))


def damage(clean, image):
    return np.abs(image.astype(float) - clean.image)[clean.fov_mask].mean()


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_severity_zero_is_the_identity_and_damage_and_mask_grow_with_it(clean, name, seed):
    untouched, masks = spoil(clean, {name: 0.0}, seed)
    assert np.array_equal(untouched, clean.image)
    assert not masks
    series = [spoil(clean, {name: severity}, seed) for severity in (0.005, 0.05, 0.25, 0.45, 0.7, 1.0)]
    found = [damage(clean, image) for image, _ in series]
    assert found[0] < 1.0, "the faintest changes nearly nothing"
    assert (np.diff(found[1:]) > 0).all(), found
    sums = [masks[name].sum() for _, masks in series]
    assert sums == sorted(sums)
    assert sums[1] < sums[-1]


@given(name=st.sampled_from(list(DEFECTS)), severity=st.floats(0.02, 1.0), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_masks_bound_the_change(clean, name, severity, seed):
    image, masks = spoil(clean, {name: severity}, seed)
    mask = masks[name]
    assert (mask.dtype, mask.shape) == (np.float32, clean.fov_mask.shape)
    assert 0 <= mask.min() <= mask.max() <= 1
    assert not mask[~clean.fov_mask].any()
    assert np.array_equal(image[mask == 0], clean.image[mask == 0])


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_everywhere_or_leave_part_of_the_field_alone(clean, name):
    for severity in (0.5, 0.9):
        mask = spoil(clean, {name: severity}, 3)[1][name][clean.fov_mask]
        assert ((mask >= 0.5 * mask.max()).mean() > 0.99) == (name in EVERYWHERE)
    masks = [spoil(clean, {name: 0.45}, seed)[1][name][clean.fov_mask] for seed in range(6)]
    if name in EVERYWHERE:
        assert np.min(masks) > 0.1
    else:
        assert np.median([(mask < 0.02).mean() for mask in masks]) > 0.15


def test_motion_kernel_is_a_line_of_its_length():
    assert _line_kernel(0.0, 1.0).sum() == _line_kernel(0.0, 1.0).max() == pytest.approx(1)
    kernel = _line_kernel(12.0, 0.0)
    centre = kernel.shape[0] // 2
    assert [kernel.sum(), kernel[centre].sum()] == pytest.approx([1, 1], abs=1e-5)
    spread = (kernel[centre] * (np.arange(kernel.shape[1]) - centre) ** 2).sum()
    assert np.sqrt(12 * spread) == pytest.approx(12, rel=0.08)  # standard deviation of a uniform line


def test_defocus_at_the_threshold_blurs_by_its_documented_width():
    """A bright line through a field, cut at top and bottom, spreads into a Gaussian of measurable width."""
    y, x = np.mgrid[-100:101, -100:101]
    mask = (np.hypot(y, x) <= 100) & (np.abs(y) <= 70)
    image = np.full((201, 201, 3), 20, np.uint8)
    image[:, 98:103] = 220
    blurred, _ = degrade(image, mask, {"defocus": 0.45}, np.random.default_rng(0))
    profile = blurred[100, 60:141, 0].astype(float) - 20
    variance = (profile * np.arange(-40, 41) ** 2).sum() / profile.sum() - 2.0  # the line's is (5^2 - 1) / 12
    assert np.sqrt(variance) == pytest.approx(0.015 * 201, rel=0.12)


@pytest.mark.parametrize("name", ["defocus", "motion", "vignette", "halo", "haze"])
def test_a_severity_means_the_same_at_every_resolution(name):
    small, large = (damage(one, spoil(one, {name: 0.5})[0]) for one in (photograph(), photograph(size=384)))
    assert 0.75 < large / small < 1.35


def test_defocus_lowers_sharpness_and_haze_contrast_and_under_exposure_brightness(clean):
    def sharpness(plane):
        return np.hypot(*np.gradient(plane.astype(float)))[40:90, 40:90].mean()

    spoilt = [spoil(clean, {name: 0.6})[0] for name in ("defocus", "haze", "under_exposure")]
    before, blurred, hazy, dark = (image[..., 1] for image in (clean.image, *spoilt))
    inner = clean.fov_mask
    assert sharpness(blurred) < 0.5 * sharpness(before)
    assert hazy[inner].std() < 0.7 * before[inner].std()
    assert dark[inner].mean() < 0.6 * before[inner].mean()


@pytest.mark.parametrize("stays", ["flash_spot", "motion", "haze", "dust", "rainbow", "under_exposure"])
def test_the_random_numbers_of_a_defect_depend_on_the_generator_and_not_on_the_others(clean, stays):
    """The mask of what stays is the same to the bit, whatever else was there before it."""
    image, alone = spoil(clean, {stays: 0.7})
    assert not np.array_equal(spoil(clean, {stays: 0.7}, seed=6)[0], image)
    for removed in DEFECTS:
        _, both = spoil(clean, {removed: 0.6} | {stays: 0.7})
        assert both[stays].any()
        assert np.array_equal(both[stays], alone[stays]), removed
        assert np.array_equal(spoil(clean, {removed: 0.0} | {stays: 0.7})[0], image), removed


IMAGE, EVERYWHERE_SEEN = np.zeros((60, 80, 3), np.uint8), np.ones((60, 80), bool)


@pytest.mark.parametrize(
    ("image", "mask", "severities", "said"),
    [
        (IMAGE, EVERYWHERE_SEEN, {"fog": 0.5}, "fog"),
        (IMAGE, EVERYWHERE_SEEN, {"haze": 1.2}, "haze.* 1.2"),
        (IMAGE, EVERYWHERE_SEEN, {"haze": -0.1}, "haze.* -0.1"),
        (IMAGE, EVERYWHERE_SEEN, {"haze": float("nan")}, "haze.* nan"),
        (IMAGE / 255.0, EVERYWHERE_SEEN, {}, "float"),
        (IMAGE[..., 0], EVERYWHERE_SEEN, {}, "uint8"),
        (IMAGE, EVERYWHERE_SEEN[1:], {}, "fov_mask"),
    ],
)
def test_bad_severities_and_wrong_arrays_are_named(image, mask, severities, said):
    with pytest.raises(ValueError, match=said):
        degrade(image, mask, severities, np.random.default_rng(0))


def test_any_rgb_image_and_an_empty_field_work_and_each_defect_has_a_mask():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, IMAGE.shape, dtype=np.uint8)
    full, masks = degrade(image, EVERYWHERE_SEEN, dict.fromkeys(DEFECTS, 0.5) | {"motion": 0.0}, rng)
    assert full.shape == image.shape
    assert set(masks) == set(DEFECTS) - {"motion"}
    assert set(DEFECTS.values()) == {*DETAILS, "artifact"}
    empty, masks = degrade(image, ~EVERYWHERE_SEEN, {"haze": 1.0}, rng)
    assert np.array_equal(empty, image)
    assert not masks["haze"].any()
