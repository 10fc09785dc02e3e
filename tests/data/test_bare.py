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
SIX = exif((274, 3, [6]))
MEGABYTES = zlib.compress(bytes(3 << 20))


def encoded(kind, image=IMAGE, **options):
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, kind, **options)
    return content.getvalue()


def read(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    return read_photograph(tmp_path / "a")


# python-pillow/Pillow#8363 and #2445: intact PNG with more than 1 MB of metadata.
BESIDE_PNG = {
    "zTXt": chunk(b"zTXt", b"note\0\0" + MEGABYTES),
    "iTXt": chunk(b"iTXt", b"note\0\1\0\0\0" + MEGABYTES),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MEGABYTES),
    "long profile": chunk(b"iCCP", b"profile\0\0" + MEGABYTES),
    "no profile": chunk(b"iCCP", b"profile\0\7no profile"),
    "many": b"".join(chunk(b"tEXt", b"note%d\0" % k + b"x" * (1 << 20)) for k in range(70)),
    "checksum": chunk(b"tEXt", b"note\0text")[:-4] + b"\0\0\0\0",
    "pHYs": chunk(b"pHYs", b"\0"),
    "gAMA": chunk(b"gAMA", b""),
    "cHRM": chunk(b"cHRM", b"\0" * 5),
}


@pytest.mark.parametrize("beside", BESIDE_PNG.values(), ids=BESIDE_PNG)
def test_nothing_beside_the_pixels_of_a_png_decides(tmp_path, beside):
    assert np.array_equal(read(tmp_path, with_chunks(encoded("PNG"), beside)), IMAGE)
    turned = with_chunks(encoded("PNG"), chunk(b"eXIf", SIX[6:]), beside)
    assert np.array_equal(read(tmp_path, turned), np.rot90(IMAGE, -1))


def test_transparency_and_palette_of_a_png_stay(tmp_path):
    content = encoded("PNG", Image.fromarray(IMAGE).quantize(16), transparency=3)
    long = with_chunks(content, BESIDE_PNG["zTXt"])
    assert np.array_equal(read(tmp_path, long), read(tmp_path, content))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_png_that_is_cut_short_stays_refused(tmp_path, kept):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    long, content = BESIDE_PNG["zTXt"], with_chunks(encoded("PNG", noise), BESIDE_PNG["zTXt"])
    with pytest.raises(UnreadableError):
        read(tmp_path, content[: len(long) + int(kept * (len(content) - len(long)))])


BESIDE_JPEG = {
    "MPF": (0xE2, b"MPF\0" + b"II*\0\x08\0\0\0\xff\xff" + b"\7" * 40),
    "ICC": (0xE2, b"ICC_PROFILE\0\\9\\9no profile"),
    "Photoshop": (0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\xff" + b"\xff" * 9),
    "XMP": (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
    "EXIF": (0xE1, b"Exif\0\0nothing"),
    "JFIF": (0xE0, b"JFIF\0"),
    "Adobe": (0xEE, b"Ado"),
    "comment": (0xFE, b"\xff\xd9"),
}


@pytest.mark.parametrize("beside", BESIDE_JPEG.values(), ids=BESIDE_JPEG)
@pytest.mark.parametrize("turned", [False, True])
def test_nothing_beside_the_pixels_of_a_jpeg_decides(tmp_path, beside, turned):
    content = encoded("JPEG", quality=95)
    plain = read(tmp_path, content)
    odd = with_segments(content, *([(0xE1, SIX)] * turned), beside)
    assert np.array_equal(read(tmp_path, odd), np.rot90(plain, -1) if turned else plain)


ODD_TAGS = {
    "resolution": [(282, 2, b"72 dpi\0"), (283, 2, b"72 dpi\0"), (296, 3, [3])],
    "far EXIF": [(34665, 4, [4_000_000_000])],
    "EXIF before the file": [(34665, 8, [-7])],
    "GPS": [(34853, 2, b"GPS\0")],
    "ICC": [(34675, 7, b"no profile")],
    "largest": [(281, 2, b"white\0")],
    "unknown type": [(65000, 99, b"????")],
}


@pytest.mark.parametrize("tags", ODD_TAGS.values(), ids=ODD_TAGS)
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
    adobe = encoded("JPEG", Image.fromarray(IMAGE).convert("CMYK"), quality=95)
    assert without_metadata(adobe, False) == adobe  # its colours stay those of Adobe
