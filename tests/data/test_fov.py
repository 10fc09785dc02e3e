import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fov_accuracy import cases, overlap, photographs
from benchmarks.fov_margins import WIDEST, empty_margin
from riqa.data.fov import FieldOfView, NoFieldError, crop_to_fov, find_fov, read_and_crop
from riqa.data.read import UnreadableError, read_photograph
from tests.data.photographs import disc


def iou(image, mask):
    """Return intersection over union of the field found and the true mask; 0 when none is found."""
    found = find_fov(image)
    return 0.0 if found is None else (found.mask() & mask).sum() / (found.mask() | mask).sum()


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(100, 260),
    width=st.integers(100, 260),
    size=st.floats(0.3, 0.52),
    level=st.floats(25, 240),
    noise=st.floats(0, 2),
)
def test_disc_of_any_size_and_brightness_is_found(height, width, size, level, noise):
    image, mask = disc(height, width, radius=size * min(height, width), level=level, noise=noise)
    assert iou(image, mask) > 0.97


def test_circle_is_found_to_a_part_of_a_pixel():
    image, _ = disc(200, 240, center=(110.3, 97.6), radius=80.4)
    found = find_fov(image)
    assert np.allclose(found.center, (110.3, 97.6), atol=0.4)
    assert abs(found.radius - 80.4) < 0.6


def test_large_photograph_is_measured_in_its_own_pixels():
    image, mask = disc(900, 1300, center=(640, 450), radius=420)
    found = find_fov(image)
    assert np.allclose((*found.center, found.radius), (640, 450, 420), atol=3)
    assert iou(image, mask) > 0.99


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_straight_bar_is_found_on_each_side(side):
    image, mask = disc(200, 200, radius=90)
    keep = np.ones_like(mask)
    region = {"top": np.s_[:40], "bottom": np.s_[160:], "left": np.s_[:, :40], "right": np.s_[:, 160:]}[side]
    keep[region] = False
    image[~keep] = 0
    assert iou(image, mask & keep) > 0.985
    left, top, right, bottom = find_fov(image).box
    wanted = {"top": (0, 40, 200, 200), "bottom": (0, 0, 200, 160)}
    wanted |= {"left": (40, 0, 200, 200), "right": (0, 0, 160, 200)}
    assert np.allclose((left, top, right, bottom), wanted[side], atol=1)


def test_circle_cut_by_the_photograph_itself():
    image, mask = disc(150, 220, radius=100)
    assert iou(image, mask) > 0.985
    tight, tight_mask = disc(161, 161, radius=80.5)
    assert iou(tight, tight_mask) > 0.98


def test_notch_haze_and_dark_crescent_do_not_move_the_circle():
    image, mask = disc(200, 240, radius=85)
    notched = image.copy()
    cv2.rectangle(notched, (185, 30), (200, 45), (150, 90, 60), -1)
    assert iou(notched, mask) > 0.98
    hazy = image.copy()
    hazy[:90][mask[:90]] = 250
    assert iou(hazy, mask) > 0.98
    crescent = image.astype(float)
    ys, xs = np.ogrid[:200, :240]
    crescent[(xs - 220) ** 2 + (ys - 100) ** 2 < 70**2] *= 0.02
    assert iou(crescent.astype(np.uint8), mask) > 0.97


@pytest.mark.parametrize("margin", [(55, 0, 50), (250, 250, 250)])
def test_coloured_and_white_margins(margin):
    image, mask = disc(200, 240, radius=85, level=120)
    image[~mask] = margin
    assert iou(image, mask) > 0.98


def test_speckled_margin_as_after_enhancement():
    image, mask = disc(200, 240, radius=70, level=200)
    speckles = np.random.default_rng(0).random(mask.shape) < 0.15
    image[speckles & ~mask] = 130
    assert iou(image, mask) > 0.97


@pytest.mark.parametrize("level", [20, 60])
@pytest.mark.parametrize("brightest", [2, 2.5])
def test_noisy_margin_as_bright_as_the_retina(level, brightest):
    image, mask = disc(200, 240, radius=80, level=level)
    noise = np.random.default_rng(0).integers(0, int(brightest * level), image.shape)
    image[~mask] = noise[~mask]
    assert iou(image, mask) > 0.97


def test_nothing_that_is_no_field_is_returned():
    rng = np.random.default_rng(0)
    assert find_fov(np.zeros((120, 160, 3), np.uint8)) is None
    assert find_fov(np.full((120, 160, 3), 255, np.uint8)) is None
    assert find_fov(rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)) is None
    strip = np.zeros((160, 160, 3), np.uint8)
    strip[60:70] = rng.integers(60, 255, (10, 160, 3))
    assert find_fov(strip) is None
    square = np.zeros((160, 160, 3), np.uint8)
    square[30:130, 30:130] = 150
    assert find_fov(square) is None
    assert find_fov(np.zeros((5, 5, 3), np.uint8)) is None


def test_same_photograph_gives_the_same_field():
    image, _ = disc(seed=4, noise=3)
    assert find_fov(image) == find_fov(image.copy())


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        find_fov(np.zeros((10, 10, 3)))
    fov = FieldOfView((10, 10), (5, 5), 4, (0, 0, 10, 10), 1.0)
    with pytest.raises(ValueError, match="found on"):
        crop_to_fov(np.zeros((9, 10, 3), np.uint8), fov, 8)
    with pytest.raises(ValueError, match="size"):
        crop_to_fov(np.zeros((10, 10, 3), np.uint8), fov, 0)


def test_crop_keeps_the_aspect_ratio_and_blackens_the_outside():
    image = np.full((100, 200, 3), 200, np.uint8)
    fov = FieldOfView((100, 200), (100.0, 50.0), 60.0, (0, 0, 200, 100), 1.0)
    crop = crop_to_fov(image, fov, 121)
    assert crop.shape == (121, 121, 3)
    lit = crop[..., 0] > 100
    # The circle is 121 pixels wide and cut to the 100 rows of the photograph, which end up in the middle.
    assert abs(lit.any(axis=0).sum() - 121) <= 1
    assert abs(lit.any(axis=1).sum() - 100) <= 1
    assert abs(np.flatnonzero(lit.any(axis=1)).mean() - 60) <= 1
    assert crop[0].max() == 0
    assert crop[60, 60, 0] == 200
    assert crop[12, 2, 0] == 0


def test_size_of_the_crop_is_alive_and_enlarging_works():
    image, _ = disc()
    fov = find_fov(image)
    assert crop_to_fov(image, fov, 32).shape == (32, 32, 3)
    assert crop_to_fov(image, fov, 300)[150, 150].min() > 20


def retina(height=300, width=300, seed=0):
    """Return a smooth reddish texture without any rim, uint8 (H, W, 3)."""
    grid = np.random.default_rng(seed).normal(0, 25, (8, 8)).astype(np.float32)
    texture = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return (np.array([170, 90, 50]) + texture * [1, 0.6, 0.4]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(300, 300), (200, 280)])
def test_photograph_without_a_margin_is_field_everywhere(shape):
    found = find_fov(retina(*shape))
    assert found.mask().all()
    assert found.bbox == (0, 0, shape[1], shape[0])
    assert np.array_equal(
        crop_to_fov(retina(*shape), found, 100).any(axis=2).all(axis=1).sum(), 100 * shape[0] // shape[1]
    )


def test_crop_whose_circle_touches_all_borders_keeps_its_circle():
    image, mask = disc(200, 200, radius=99.5)
    assert iou(image, mask) > 0.99
    assert not find_fov(image).mask()[3, 3]


def test_number_burnt_into_a_white_margin_is_no_field():
    image, mask = disc(300, 400, radius=130, level=140)
    image[~mask] = 255
    for place in ((4, 30), (300, 30), (300, 295)):
        numbered = image.copy()
        cv2.putText(numbered, "00271", place, cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 3)
        numbered[mask] = image[mask]
        assert iou(numbered, mask) > 0.985


@pytest.mark.parametrize("page", [0, 255])
@pytest.mark.parametrize("padding", [((60, 60), (20, 20)), ((60, 60), (60, 60))])
@pytest.mark.parametrize(("shape", "radius"), [((240, 320), 100), ((410, 614), 179), ((384, 512), 189)])
def test_photograph_framed_by_padding_or_a_page(shape, radius, padding, page):
    image, mask = disc(*shape, radius=radius, margin=12, noise=2)
    framed = np.pad(image, (*padding, (0, 0)), constant_values=page)
    assert iou(framed, np.pad(mask, padding)) > 0.98


def test_flat_padding_behind_dark_retina_is_no_part_of_the_field():
    image, mask = disc(300, 300, radius=150, level=160)
    image[:, 220:] = 0  # the sensor ended here; what follows was added
    image[100:220, 150:220] //= 30
    mask[:, 220:] = False
    assert abs(find_fov(image).box[2] - 220) <= 3
    assert iou(image, mask) > 0.97


def test_read_and_crop_is_reading_finding_and_cropping(tmp_path):
    image, _ = disc(300, 400, radius=120)
    Image.fromarray(image).save(tmp_path / "a.png")
    crop, fov = read_and_crop(tmp_path / "a.png", 64)
    assert fov == find_fov(image)
    assert np.array_equal(crop, crop_to_fov(image, fov, 64))
    again, same = read_and_crop(str(tmp_path / "a.png"), 64)
    assert fov == same
    assert again.tobytes() == crop.tobytes()


@pytest.mark.parametrize("orientation", [1, 6])
def test_field_is_measured_in_the_whole_upright_photograph(tmp_path, orientation):
    image, _ = disc(1200, 1600, center=(700, 620), radius=500)
    image = cv2.GaussianBlur(image, (0, 0), 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95, exif=exif)
    crop, fov = read_and_crop(tmp_path / "a.jpeg", 100)
    upright = image if orientation == 1 else np.rot90(image, -1)
    center = (700, 620) if orientation == 1 else (1199 - 620, 700)
    assert read_photograph(tmp_path / "a.jpeg", 100).shape[0] * 8 == upright.shape[0]
    assert fov.shape == upright.shape[:2]
    assert np.allclose((*fov.center, fov.radius), (*center, 500), atol=6)
    whole = crop_to_fov(np.ascontiguousarray(upright), fov, 100)
    inside = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 46, 1, -1) > 0
    assert np.abs(crop.astype(int) - whole)[inside].mean() < 4


def test_small_field_is_read_again_and_never_enlarged(tmp_path):
    image, _ = disc(1600, 1600, radius=260, level=170)
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95)
    crop, fov = read_and_crop(tmp_path / "a.jpeg", 400)
    # At a quarter, whose 400 rows seem to suffice, the field would have 130 pixels; at a half 260.
    whole = read_photograph(tmp_path / "a.jpeg")
    assert fov == find_fov(whole)
    assert np.array_equal(crop, crop_to_fov(whole, fov, 400))


def test_field_of_a_small_photograph_is_measured_in_all_its_pixels(tmp_path):
    image, mask = disc(128, 192, center=(94.3, 62.7), radius=70.4)
    Image.fromarray(cv2.GaussianBlur(image, (0, 0), 0.7)).save(tmp_path / "a.jpeg", quality=95)
    crop, fov = read_and_crop(tmp_path / "a.jpeg", 32)  # a quarter of the pixels are enough for the crop
    assert fov == find_fov(read_photograph(tmp_path / "a.jpeg"))
    assert crop.shape == (32, 32, 3)
    assert overlap(fov, mask) > 0.985


def test_what_cannot_be_cropped_has_a_reason(tmp_path):
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(tmp_path / "dark.png")
    with pytest.raises(NoFieldError, match=r"^no field of view found$"):
        read_and_crop(tmp_path / "dark.png", 32)
    with pytest.raises(UnreadableError, match="missing"):
        read_and_crop(tmp_path / "gone.png", 32)
    with pytest.raises(ValueError, match="size"):
        read_and_crop(tmp_path / "dark.png", 0)


def test_phantoms_of_every_camera_with_every_defect_are_found():
    # Looked at were seeds 7 to 9; benchmarks/fov_accuracy.py measures more of them, larger.
    shots = (shot for case in cases((1.0,)) for shot in photographs(31, 160, *case))
    scores = [overlap(find_fov(image), mask) for _, image, mask in shots]
    assert len(scores) == 8 * 13 * 2  # cameras, defects at their worst, dark and white margins
    assert min(scores) > 0
    assert np.median(scores) >= 0.99
    assert np.quantile(scores, 0.01) >= 0.95


DATA = os.environ.get("RIQA_DATA")


@pytest.mark.skipif(not DATA, reason="RIQA_DATA names no folder of real photographs")
def test_reduced_originals_have_the_field_of_the_whole_ones():
    files = sorted((Path(DATA) / "fullres").glob("*.jpeg"))
    assert files
    for path in files:
        whole = find_fov(read_photograph(path))
        _, reduced = read_and_crop(path, 224)
        assert overlap(reduced, whole.mask()) > 0.985


@pytest.mark.skipif(not DATA, reason="RIQA_DATA names no folder of real photographs")
def test_no_real_photograph_keeps_a_wide_margin():
    files = sorted((Path(DATA) / "eyeq/train").glob("*.jpeg"))[::4] + list((Path(DATA) / "fullres").glob("*"))
    assert len(files) > 100
    wide, aside = [], []
    for path in files:
        try:
            fov = read_and_crop(path, 256)[1]
        except NoFieldError:
            aside.append(path.name)
            continue
        if empty_margin(read_photograph(path), fov) > WIDEST:
            wide.append(path.name)
    assert wide == []
    assert len(aside) < 0.003 * len(files)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_turned_photograph_smaller_than_its_crop(tmp_path, ending):
    image, mask = disc(120, 200, center=(80, 60), radius=50)
    told = Image.Exif()
    told[0x0112] = 6
    Image.fromarray(image).save(tmp_path / f"a.{ending}", exif=told)
    crop, fov = read_and_crop(tmp_path / f"a.{ending}", 160)
    assert crop.shape == (160, 160, 3)
    assert fov.shape == (200, 120)
    assert (fov.mask() & np.rot90(mask, -1)).sum() / (fov.mask() | np.rot90(mask, -1)).sum() > 0.97
