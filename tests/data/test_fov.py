import itertools

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
from tests.data.expect import REAL, needs_data
from tests.data.files import exif
from tests.data.photographs import disc


@settings(max_examples=40)
@given(
    height=st.integers(100, 260),
    width=st.integers(100, 260),
    size=st.floats(0.3, 0.52),
    level=st.floats(25, 240),
    noise=st.floats(0, 2),
)
def test_disc_of_any_size_and_brightness_is_found(height, width, size, level, noise):
    image, mask = disc(height, width, radius=size * min(height, width), level=level, noise=noise)
    assert overlap(find_fov(image), mask) > 0.97


def test_circle_is_found_to_a_part_of_a_pixel_in_the_photographs_own_pixels():
    image, _ = disc(200, 240, center=(110.3, 97.6), radius=80.4)
    found = find_fov(image)
    assert np.allclose(found.center, (110.3, 97.6), atol=0.4)
    assert abs(found.radius - 80.4) < 0.6
    assert find_fov(image.copy()) == found
    assert crop_to_fov(image, found, 300)[150, 150].min() > 20  # enlarged
    image, mask = disc(900, 1300, center=(640, 450), radius=420)
    found = find_fov(image)
    assert np.allclose((*found.center, found.radius), (640, 450, 420), atol=3)
    assert overlap(found, mask) > 0.99


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (np.s_[:40], (0, 40, 200, 200)),
        (np.s_[160:], (0, 0, 200, 160)),
        (np.s_[:, :40], (40, 0, 200, 200)),
        (np.s_[:, 160:], (0, 0, 160, 200)),
    ],
)
def test_straight_bar_is_found_on_each_side(region, box):
    image, mask = disc(200, 200, radius=99.5)
    assert not find_fov(image).mask()[3, 3]  # it touches all borders, and keeps its corners
    image, mask = disc(200, 200, radius=90)
    image[region], mask[region] = 0, False
    found = find_fov(image)
    assert overlap(found, mask) > 0.985
    assert np.allclose(found.box, box, atol=1)


def spoilt():
    """Yield discs with something in or around them, their masks, and the overlap that is asked for."""
    yield *disc(150, 220, radius=100), 0.985  # cut by the photograph itself
    yield *disc(161, 161, radius=80.5), 0.98
    image, mask = disc(200, 240, radius=85)
    ys, xs = np.ogrid[:200, :240]
    yield cv2.rectangle(image.copy(), (185, 30), (200, 45), (150, 90, 60), -1), mask, 0.98  # a notch
    haze, crescent = mask & (ys < 90), (xs - 220) ** 2 + (ys - 100) ** 2 < 70**2
    yield np.where(haze[..., None], np.uint8(250), image), mask, 0.98
    yield np.where(crescent[..., None], image * 0.02, image).astype(np.uint8), mask, 0.97
    image, mask = disc(200, 240, radius=85, level=120)
    for margin in ((55, 0, 50), (250, 250, 250)):
        yield np.where(mask[..., None], image, np.uint8(margin)), mask, 0.98
    image, mask = disc(200, 240, radius=70, level=200)
    image[(np.random.default_rng(0).random(mask.shape) < 0.15) & ~mask] = 130
    yield image, mask, 0.97  # speckles, as after enhancement
    for level, brightest in itertools.product((20, 60), (2, 2.5)):  # noise as bright as the retina
        image, mask = disc(200, 240, radius=80, level=level)
        noise = np.random.default_rng(0).integers(0, int(brightest * level), image.shape)
        yield np.where(mask[..., None], image, noise.astype(np.uint8)), mask, 0.97


def test_what_lies_in_and_around_the_field_does_not_move_it():
    found = [(overlap(find_fov(image), mask), least) for image, mask, least in spoilt()]
    assert len(found) == 12
    assert [number for number, (value, least) in enumerate(found) if value <= least] == []


def test_nothing_that_is_no_field_is_returned():
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3)).astype(np.uint8)
    strip, square = np.zeros_like(noise), np.zeros_like(noise)
    strip[60:70], square[30:130, 30:130] = noise[60:70] // 2 + 60, 150
    black = np.zeros((120, 160, 3), np.uint8)
    for image in (black, ~black, noise[:120], strip, square, black[:5, :5]):
        assert find_fov(image) is None


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        find_fov(np.zeros((10, 10, 3)))
    fov = FieldOfView((10, 10), (5, 5), 4, (0, 0, 10, 10), 1.0)
    for shape, size, message in (((9, 10, 3), 8, "found on"), ((10, 10, 3), 0, "size")):
        with pytest.raises(ValueError, match=message):
            crop_to_fov(np.zeros(shape, np.uint8), fov, size)


def test_crop_keeps_the_aspect_ratio_and_blackens_the_outside():
    image = np.full((100, 200, 3), 200, np.uint8)
    crop = crop_to_fov(image, FieldOfView((100, 200), (100.0, 50.0), 60.0, (0, 0, 200, 100), 1.0), 121)
    assert crop.shape == (121, 121, 3)
    lit = crop[..., 0] > 100
    # The circle is 121 pixels wide and cut to the 100 rows of the photograph, which end up in the middle.
    assert abs(lit.any(axis=0).sum() - 121) <= 1
    assert abs(lit.any(axis=1).sum() - 100) <= 1
    assert abs(np.flatnonzero(lit.any(axis=1)).mean() - 60) <= 1
    assert (crop[0].max(), crop[60, 60, 0], crop[12, 2, 0]) == (0, 200, 0)


@pytest.mark.parametrize(("height", "width"), [(300, 300), (200, 280)])
def test_photograph_without_a_margin_is_field_everywhere(height, width):
    grid = np.random.default_rng(0).normal(0, 25, (8, 8)).astype(np.float32)
    texture = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    retina = (np.array([170, 90, 50]) + texture * [1, 0.6, 0.4]).clip(0, 255).astype(np.uint8)
    found = find_fov(retina)
    assert found.mask().all()
    assert found.bbox == (0, 0, width, height)
    crop = crop_to_fov(retina, found, 100)
    assert crop.any(axis=2).all(axis=1).sum() == 100 * height // width


@pytest.mark.parametrize("place", [(4, 30), (300, 30), (300, 295)])
def test_number_burnt_into_a_white_margin_is_no_field(place):
    image, mask = disc(300, 400, radius=130, level=140)
    numbered = np.where(mask[..., None], image, np.uint8(255))
    cv2.putText(numbered, "00271", place, cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 3)
    numbered[mask] = image[mask]
    assert overlap(find_fov(numbered), mask) > 0.985


@pytest.mark.parametrize("page", [0, 255])
@pytest.mark.parametrize("padding", [((60, 60), (20, 20)), ((60, 60), (60, 60))])
@pytest.mark.parametrize(("shape", "radius"), [((240, 320), 100), ((410, 614), 179), ((384, 512), 189)])
def test_photograph_framed_by_padding_or_a_page(shape, radius, padding, page):
    image, mask = disc(*shape, radius=radius, margin=12, noise=2)
    framed = np.pad(image, (*padding, (0, 0)), constant_values=page)
    assert overlap(find_fov(framed), np.pad(mask, padding)) > 0.98


def test_flat_padding_behind_dark_retina_is_no_part_of_the_field():
    image, mask = disc(300, 300, radius=150, level=160)
    image[:, 220:] = 0  # the sensor ended here; what follows was added
    image[100:220, 150:220] //= 30
    mask[:, 220:] = False
    found = find_fov(image)
    assert abs(found.box[2] - 220) <= 3
    assert overlap(found, mask) > 0.97


@pytest.mark.parametrize(("orientation", "center"), [(1, (700, 620)), (6, (1199 - 620, 700))])
def test_field_is_measured_in_the_whole_upright_photograph(tmp_path, orientation, center):
    image = cv2.GaussianBlur(disc(1200, 1600, center=(700, 620), radius=500)[0], (0, 0), 2)
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95, exif=exif((274, 3, [orientation])))
    crop, fov = read_and_crop(tmp_path / "a.jpeg", 100)
    upright = image if orientation == 1 else np.rot90(image, -1)
    assert read_photograph(tmp_path / "a.jpeg", 100).shape[0] * 8 == upright.shape[0]
    assert fov.shape == upright.shape[:2]
    assert np.allclose((*fov.center, fov.radius), (*center, 500), atol=6)
    whole = crop_to_fov(np.ascontiguousarray(upright), fov, 100)
    inside = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 46, 1, -1) > 0
    assert np.abs(crop.astype(int) - whole)[inside].mean() < 4


@pytest.mark.parametrize(
    ("shape", "radius", "size"),
    # At a quarter, whose 400 rows seem to suffice, the field would have 130 pixels; at a half 260. Of a small
    # photograph a quarter of the pixels are enough for the crop.
    [((1600, 1600), 260, 400), ((128, 192), 60, 32)],
)
def test_small_field_is_read_again_and_never_enlarged(tmp_path, shape, radius, size):
    image = cv2.GaussianBlur(disc(*shape, radius=radius, level=170)[0], (0, 0), 0.7)
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95)
    for path in (tmp_path / "a.jpeg", str(tmp_path / "a.jpeg")):
        crop, fov = read_and_crop(path, size)
        whole = read_photograph(path)
        assert fov == find_fov(whole)
        assert np.array_equal(crop, crop_to_fov(whole, fov, size))


def test_what_cannot_be_cropped_has_a_reason(tmp_path):
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(tmp_path / "dark.png")
    for name, size, kind, reason in (
        ("dark.png", 32, NoFieldError, r"^no field of view found$"),
        ("gone.png", 32, UnreadableError, "missing"),
        ("dark.png", 0, ValueError, "size"),
    ):
        with pytest.raises(kind, match=reason):
            read_and_crop(tmp_path / name, size)


def test_phantoms_of_every_camera_with_every_defect_are_found():
    # Looked at were seeds 7 to 9; benchmarks/fov_accuracy.py measures more of them, larger.
    shots = (shot for case in cases((1.0,)) for shot in photographs(31, 160, *case))
    scores = [overlap(find_fov(image), mask) for _, image, mask in shots]
    assert len(scores) == 8 * 13 * 2  # cameras, defects at their worst, dark and white margins
    assert min(scores) > 0
    assert np.median(scores) >= 0.99
    assert np.quantile(scores, 0.01) >= 0.95


@needs_data
def test_reduced_originals_have_the_field_of_the_whole_ones():
    files = sorted((REAL / "fullres").glob("*.jpeg"))
    assert files
    for path in files:
        assert overlap(read_and_crop(path, 224)[1], find_fov(read_photograph(path)).mask()) > 0.985


@needs_data
def test_no_real_photograph_keeps_a_wide_margin():
    files = sorted((REAL / "eyeq/train").glob("*.jpeg"))[::4] + list((REAL / "fullres").glob("*"))
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
