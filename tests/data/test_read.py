import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from riqa.data.read import UnreadableError, read_photograph, read_with_shape
from tests.data.photographs import disc


def test_colour_png_is_read_exactly(tmp_path):
    image, _ = disc()
    Image.fromarray(image).save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png"), image)


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = disc()[0][..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png"), np.repeat(grey[..., None], 3, axis=2))


def test_transparent_margin_becomes_black(tmp_path):
    image, mask = disc()
    rgba = np.dstack([np.full_like(image, 255), np.where(mask, 255, 0).astype(np.uint8)])
    rgba[..., :3][mask] = image[mask]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png"), image * mask[..., None])


def test_sixteen_bits_keep_the_high_byte_instead_of_clipping(tmp_path):
    deep = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / "a.png")
    read = read_photograph(tmp_path / "a.png")
    assert read.dtype == np.uint8
    assert np.array_equal(read[..., 1], (deep >> 8).astype(np.uint8))


def test_palette_image(tmp_path):
    image, _ = disc()
    palette = Image.fromarray(image).quantize(32)
    palette.save(tmp_path / "a.png")
    assert np.array_equal(read_photograph(tmp_path / "a.png"), np.asarray(palette.convert("RGB")))


def test_exif_orientation_is_applied(tmp_path):
    image, _ = disc(40, 60)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(image).save(tmp_path / "a.jpeg", exif=exif, quality=95)
    read = read_photograph(tmp_path / "a.jpeg")
    assert read.shape == (60, 40, 3)
    assert np.abs(read.astype(int) - np.rot90(image, -1)).mean() < 12


def test_unreadable_files_have_a_reason(tmp_path):
    image, _ = disc()
    Image.fromarray(image).save(tmp_path / "whole.jpeg")
    content = (tmp_path / "whole.jpeg").read_bytes()
    (tmp_path / "cut.jpeg").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "text.jpeg").write_text("no image")
    (tmp_path / "empty.jpeg").touch()
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "float.tiff")
    reasons = {"cut": "truncated", "text": "not an image", "empty": "not an image", "gone": "missing"}
    for stem, reason in reasons.items():
        with pytest.raises(UnreadableError, match=reason):
            read_photograph(tmp_path / f"{stem}.jpeg")
    with pytest.raises(UnreadableError, match="floating"):
        read_photograph(tmp_path / "float.tiff")


@pytest.mark.parametrize(
    ("min_side", "shape"),
    [(37, (38, 50)), (38, (75, 100)), (75, (75, 100)), (76, (150, 200)), (151, (300, 400))],
)
def test_jpeg_is_read_at_the_smallest_scale_that_suffices(tmp_path, min_side, shape):
    image, _ = disc(300, 400, radius=120)
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95)
    read, whole = read_with_shape(tmp_path / "a.jpeg", min_side)
    assert read.shape == (*shape, 3)
    assert whole == (300, 400)
    smaller = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(read.astype(int) - smaller).mean() < 4


def test_other_formats_are_read_whole(tmp_path):
    image, _ = disc(300, 400, radius=120)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert read_photograph(tmp_path / "a.png", 20).shape == (300, 400, 3)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_has_the_values_that_pillow_decodes(tmp_path, mode):
    image, _ = disc(90, 130, noise=5)
    Image.fromarray(image).convert(mode).save(tmp_path / "a.jpeg", quality=90)
    with Image.open(tmp_path / "a.jpeg") as file:
        assert np.array_equal(read_photograph(tmp_path / "a.jpeg"), np.asarray(file.convert("RGB")))
    with Image.open(tmp_path / "a.jpeg") as file:
        file.draft(None, (65, 45))
        assert np.array_equal(read_photograph(tmp_path / "a.jpeg", 45), np.asarray(file.convert("RGB")))


# What has to be done to the stored pixels; EXIF 2.32, tag Orientation.
TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("min_side", [None, 40])
def test_every_orientation_at_every_scale(tmp_path, orientation, min_side):
    image, _ = disc(96, 160, center=(50, 40), radius=35)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(tmp_path / "plain.jpeg", quality=95)
    Image.fromarray(image).save(tmp_path / "turned.jpeg", quality=95, exif=exif)
    read, whole = read_with_shape(tmp_path / "turned.jpeg", min_side)
    assert np.array_equal(read, TURNS[orientation](read_photograph(tmp_path / "plain.jpeg", min_side)))
    assert whole == ((96, 160) if orientation < 5 else (160, 96))


@pytest.mark.parametrize("min_side", [None, 40])
def test_cmyk_of_adobe_is_not_inverted(tmp_path, min_side):
    image, mask = disc(96, 160, radius=35)
    Image.fromarray(image).convert("CMYK").save(tmp_path / "a.jpeg", quality=95)
    assert b"Adobe" in (tmp_path / "a.jpeg").read_bytes()
    read = read_photograph(tmp_path / "a.jpeg", min_side)
    step = 160 // read.shape[1]
    assert np.abs(read.astype(int) - image[::step, ::step]).mean() < 8
    assert read[mask[::step, ::step]].mean() > 80 > 20 > read[~mask[::step, ::step]].mean()


def test_sixteen_bit_colour_keeps_the_high_byte(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    assert np.array_equal(read_photograph(tmp_path / "a.png"), (deep >> 8).astype(np.uint8))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.floats(0.3, 0.999), min_side=st.sampled_from([None, 50]))
def test_jpeg_cut_anywhere_is_refused(tmp_path, kept, min_side):
    Image.fromarray(disc(200, 300, noise=4)[0]).save(tmp_path / "a.jpeg", quality=90)
    content = (tmp_path / "a.jpeg").read_bytes()
    (tmp_path / "cut.jpeg").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UnreadableError, match="truncated"):
        read_photograph(tmp_path / "cut.jpeg", min_side)
