import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from riqa.data.bare import without_metadata
from riqa.data.read import UnreadableError, read_photograph
from tests.data.files import chunk, exif, tiff, with_chunks, with_segments
from tests.data.photographs import disc

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow, of odd metadata

IMAGE = disc(40, 60, radius=18)[0]
TURNED = np.rot90(IMAGE, -1)
SIX = exif((274, 3, [6]))
MEGABYTES = bytes(3 << 20)


def encoded(kind, image=IMAGE, **options):
    content = io.BytesIO()
    Image.fromarray(image).save(content, kind, **options)
    return content.getvalue()


def read(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    return read_photograph(tmp_path / "a")


# python-pillow/Pillow#8363 and #2445: intact PNG with more than 1 MB of metadata.
@pytest.mark.parametrize(
    "beside",
    [
        chunk(b"zTXt", b"note\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iCCP", b"profile\0\7no profile"),
        b"".join(chunk(b"tEXt", b"note%d\0" % k + b"x" * (1 << 20)) for k in range(70)),
        chunk(b"tEXt", b"note\0text")[:-4] + b"\0\0\0\0",  # a wrong checksum
        chunk(b"pHYs", b"\0"),
        chunk(b"gAMA", b""),
        chunk(b"cHRM", b"\0" * 5),
    ],
    ids=["zTXt", "iTXt", "XMP", "long profile", "no profile", "many", "checksum", "pHYs", "gAMA", "cHRM"],
)
def test_nothing_beside_the_pixels_of_a_png_decides(tmp_path, beside):
    assert np.array_equal(read(tmp_path, with_chunks(encoded("PNG"), beside)), IMAGE)
    turned = with_chunks(encoded("PNG"), chunk(b"eXIf", SIX[6:]), beside)
    assert np.array_equal(read(tmp_path, turned), TURNED)


def test_transparency_and_palette_of_a_png_stay(tmp_path):
    content = io.BytesIO()
    Image.fromarray(IMAGE).quantize(16).save(content, "PNG", transparency=3)
    plain = read(tmp_path, content.getvalue())
    long = with_chunks(content.getvalue(), chunk(b"zTXt", b"note\0\0" + zlib.compress(MEGABYTES)))
    assert np.array_equal(read(tmp_path, long), plain)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_png_that_is_cut_short_stays_refused(tmp_path, kept):
    long = chunk(b"zTXt", b"note\0\0" + zlib.compress(MEGABYTES))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    content = with_chunks(encoded("PNG", noise), long)
    with pytest.raises(UnreadableError):
        read(tmp_path, content[: len(long) + int(kept * (len(content) - len(long)))])


@pytest.mark.parametrize(
    "beside",
    [
        (0xE2, b"MPF\0" + b"II*\0\x08\0\0\0\xff\xff" + b"\7" * 40),
        (0xE2, b"ICC_PROFILE\0\\9\\9no profile"),
        (0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\xff" + b"\xff" * 9),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
        (0xE1, b"Exif\0\0nothing"),
        (0xE0, b"JFIF\0"),
        (0xEE, b"Ado"),
        (0xFE, b"\xff\xd9"),
    ],
    ids=["MPF", "ICC", "Photoshop", "XMP", "EXIF", "JFIF", "Adobe", "comment"],
)
@pytest.mark.parametrize("turned", [False, True])
def test_nothing_beside_the_pixels_of_a_jpeg_decides(tmp_path, beside, turned):
    content = encoded("JPEG", quality=95)
    plain = read(tmp_path, content)
    odd = with_segments(content, *([(0xE1, SIX)] * turned), beside)
    assert np.array_equal(read(tmp_path, odd), np.rot90(plain, -1) if turned else plain)


@pytest.mark.parametrize(
    "tags",
    [
        [(282, 2, b"72 dpi\0"), (283, 2, b"72 dpi\0"), (296, 3, [3])],
        [(34665, 4, [4_000_000_000])],
        [(34665, 8, [-7])],
        [(34853, 2, b"GPS\0")],
        [(34675, 7, b"no profile")],
        [(281, 2, b"white\0")],
        [(65000, 99, b"????")],
    ],
    ids=["resolution", "far EXIF", "EXIF before the file", "GPS", "ICC", "largest", "unknown type"],
)
def test_no_odd_tag_of_a_tiff_decides(tmp_path, tags):
    for pixels, bits in ((IMAGE, 8), (IMAGE[..., 0].astype(np.uint16) * 257 + 32768, 16)):
        plain = read(tmp_path, tiff(pixels, bits=bits))
        assert np.array_equal(read(tmp_path, tiff(pixels, bits=bits, extra=tags)), plain)
        turned = read(tmp_path, tiff(pixels, bits=bits, extra=[(274, 3, [6]), *tags]))
        assert np.array_equal(turned, np.rot90(plain, -1))


def test_what_is_left_is_the_pixels():
    text = PngImagePlugin.PngInfo()
    text.add_text("note", "secret")
    png = encoded("PNG", pnginfo=text, exif=SIX[6:], dpi=(72, 72))
    jpeg = encoded("JPEG", comment=b"secret", exif=SIX)
    for content in (png, jpeg):
        for orientation in (True, False):
            bare = without_metadata(content, orientation)
            assert b"secret" not in bare
            with Image.open(io.BytesIO(bare)) as image, Image.open(io.BytesIO(content)) as whole:
                assert np.array_equal(np.asarray(image), np.asarray(whole))
                assert image.getexif().get(274) == (6 if orientation else None)
    assert without_metadata(encoded("BMP"), True) is None


def test_colours_of_adobe_stay_those_of_adobe():
    content = io.BytesIO()
    Image.fromarray(IMAGE).convert("CMYK").save(content, "JPEG", quality=95)
    bare = io.BytesIO(without_metadata(content.getvalue(), False))
    assert len(bare.getvalue()) == len(content.getvalue())
    with Image.open(content) as whole, Image.open(bare) as left:
        assert np.array_equal(np.asarray(left), np.asarray(whole))
