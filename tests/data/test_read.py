import numpy as np
import pytest
from PIL import Image

from riqa.data.read import UnreadableError, read_photograph
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
