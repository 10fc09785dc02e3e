import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.labels import DETAILS
from riqa.phantom.degrade import DEFECTS, _line_kernel, degrade

from .conftest import make_fundus

LOCAL = ("vignette", "pupil_crescent", "flash_spot", "halo", "partial_defocus", "dust", "eyelash", "rainbow")


def spoil(fundus, severities, seed=5):
    return degrade(fundus.image, fundus.fov_mask, severities, np.random.default_rng(seed))


def damage(fundus, name, severity, seed=5):
    image, _ = spoil(fundus, {name: severity}, seed)
    return np.abs(image.astype(float) - fundus.image)[fundus.fov_mask].mean()


def test_every_defect_belongs_to_a_detail_or_is_an_artifact():
    assert set(DEFECTS.values()) == {*DETAILS, "artifact"}
    assert list(DEFECTS.values()).count("illumination") == 5


@pytest.mark.parametrize("name", DEFECTS)
def test_severity_zero_is_the_identity_and_the_faintest_changes_nearly_nothing(fundus, name):
    image, masks = spoil(fundus, {name: 0.0})
    assert np.array_equal(image, fundus.image)
    assert not masks
    assert damage(fundus, name, 0.005) < 1.0


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_damage_and_mask_grow_with_severity(fundus, name, seed):
    series = [damage(fundus, name, severity, seed) for severity in (0.05, 0.25, 0.45, 0.7, 1.0)]
    assert (np.diff(series) > 0).all(), series
    sums = [spoil(fundus, {name: severity}, seed)[1][name].sum() for severity in (0.1, 0.4, 0.7, 1.0)]
    assert sums == sorted(sums)
    assert sums[0] < sums[-1]


@given(name=st.sampled_from(list(DEFECTS)), severity=st.floats(0.02, 1.0), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_masks_bound_the_change(fundus, name, severity, seed):
    image, masks = spoil(fundus, {name: severity}, seed)
    mask = masks[name]
    assert mask.dtype == np.float32
    assert mask.shape == fundus.fov_mask.shape
    assert 0 <= mask.min() <= mask.max() <= 1
    assert not mask[~fundus.fov_mask].any()
    assert np.array_equal(image[mask == 0], fundus.image[mask == 0])


@pytest.mark.parametrize("name", DEFECTS)
def test_local_defects_leave_part_of_the_field_alone_and_no_other_does(fundus, name):
    masks = [spoil(fundus, {name: 0.45}, seed)[1][name][fundus.fov_mask] for seed in range(6)]
    if name in LOCAL:
        assert np.median([(mask < 0.02).mean() for mask in masks]) > 0.15
    else:
        assert np.min(masks) > 0.1


def test_motion_kernel_is_a_line_of_its_length():
    assert _line_kernel(0.0, 1.0).sum() == _line_kernel(0.0, 1.0).max() == pytest.approx(1)
    kernel = _line_kernel(12.0, 0.0)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    centre = kernel.shape[0] // 2
    assert kernel[centre].sum() == pytest.approx(1, abs=1e-5)
    spread = (kernel[centre] * (np.arange(kernel.shape[1]) - centre) ** 2).sum()
    assert np.sqrt(12 * spread) == pytest.approx(12, rel=0.08)  # standard deviation of a uniform line


def test_defocus_at_the_threshold_blurs_by_its_documented_width():
    # A bright line through a field, cut at top and bottom, spreads into a Gaussian of measurable width.
    y, x = np.mgrid[-100:101, -100:101]
    mask = (np.hypot(y, x) <= 100) & (np.abs(y) <= 70)
    image = np.full((201, 201, 3), 20, np.uint8)
    image[:, 98:103] = 220
    blurred, _ = degrade(image, mask, {"defocus": 0.45}, np.random.default_rng(0))
    profile = blurred[100, 60:141, 0].astype(float) - 20
    x = np.arange(-40, 41)
    variance = (profile * x**2).sum() / profile.sum() - 2.0  # minus that of the line, (5^2 - 1) / 12
    assert np.sqrt(variance) == pytest.approx(0.015 * 201, rel=0.12)


@pytest.mark.parametrize("name", ["defocus", "motion", "vignette", "halo", "haze"])
def test_a_severity_means_the_same_at_every_resolution(name):
    small, large = make_fundus(size=128), make_fundus(size=384)
    ratio = damage(large, name, 0.5) / damage(small, name, 0.5)
    assert 0.75 < ratio < 1.35


def test_defocus_lowers_sharpness_and_haze_contrast_and_under_exposure_brightness(fundus):
    def green(image):
        return image[..., 1].astype(float)

    def sharpness(plane):
        return np.hypot(*np.gradient(plane))[40:90, 40:90].mean()

    inner, clean = fundus.fov_mask, green(fundus.image)
    blurred, hazy, dark = (green(spoil(fundus, {n: 0.6})[0]) for n in ("defocus", "haze", "under_exposure"))
    assert sharpness(blurred) < 0.5 * sharpness(clean)
    assert hazy[inner].std() < 0.7 * clean[inner].std()
    assert dark[inner].mean() < 0.6 * clean[inner].mean()


def test_same_generator_same_bytes_and_another_place_with_another(fundus):
    first, again, other = (spoil(fundus, {"flash_spot": 0.5}, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("bad", [{"fog": 0.5}, {"haze": 1.2}, {"haze": -0.1}, {"haze": float("nan")}])
def test_bad_severities_and_wrong_arrays_are_named(fundus, bad):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fog" if "fog" in bad else f"haze.* {bad['haze']}"):
        spoil(fundus, bad)
    with pytest.raises(ValueError, match="float"):
        degrade(fundus.image / 255.0, fundus.fov_mask, {}, rng)
    with pytest.raises(ValueError, match="fov_mask"):
        degrade(fundus.image, fundus.fov_mask[1:], {}, rng)


def test_any_rgb_image_and_an_empty_field_work_and_each_defect_has_a_mask():
    rng = np.random.default_rng(0)
    image, everywhere = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), np.ones((60, 80), bool)
    full, masks = degrade(image, everywhere, dict.fromkeys(DEFECTS, 0.5) | {"motion": 0.0}, rng)
    assert full.shape == image.shape
    assert set(masks) == set(DEFECTS) - {"motion"}
    empty, masks = degrade(image, ~everywhere, {"haze": 1.0}, rng)
    assert np.array_equal(empty, image)
    assert not masks["haze"].any()
