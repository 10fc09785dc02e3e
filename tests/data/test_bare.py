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


PNG, JPEG = encoded("PNG"), encoded("JPEG", quality=95)


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "a").write_bytes(content)
        return read_photograph(tmp_path / "a")

    return read


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
ODD_TAGS = {
    "resolution": [(282, 2, b"72 dpi\0"), (283, 2, b"72 dpi\0"), (296, 3, [3])],
    "far EXIF": [(34665, 4, [4_000_000_000])],
    "EXIF before the file": [(34665, 8, [-7])],
    "GPS": [(34853, 2, b"GPS\0")],
    "ICC": [(34675, 7, b"no profile")],
    "largest": [(281, 2, b"white\0")],
    "unknown type": [(65000, 99, b"????")],
}
DEEP = IMAGE[..., 0].astype(np.uint16) * 257 + 32768
DRESSES = (
    {f"PNG {name}": (PNG, lambda *turn, b=beside: with_chunks(PNG, *turn, b)) for name, beside in BESIDE_PNG.items()}
    | {f"JPEG {name}": (JPEG, lambda *turn, b=beside: with_segments(JPEG, *turn, b)) for name, beside in BESIDE_JPEG.items()}
    | {
        f"TIFF {name} {bits}": (tiff(pixels, bits=bits), lambda *turn, t=tags, p=pixels, b=bits: tiff(p, bits=b, extra=[*turn, *t]))
        for name, tags in ODD_TAGS.items()
        for pixels, bits in ((IMAGE, 8), (DEEP, 16))
    }
)  # fmt: skip
TURN = {"PNG": chunk(b"eXIf", SIX[6:]), "JPEG": (0xE1, SIX), "TIFF": (274, 3, [6])}


@pytest.mark.parametrize("dress", DRESSES)
def test_nothing_beside_the_pixels_decides(read, dress):
    plain, dressed = DRESSES[dress]
    pixels = read(plain)
    assert np.array_equal(read(dressed()), pixels)
    assert np.array_equal(read(dressed(TURN[dress.split()[0]])), np.rot90(pixels, -1))


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_png_that_is_cut_short_stays_refused(read, kept):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    long, content = BESIDE_PNG["zTXt"], with_chunks(encoded("PNG", noise), BESIDE_PNG["zTXt"])
    with pytest.raises(UnreadableError):
        read(content[: len(long) + int(kept * (len(content) - len(long)))])


def test_what_is_left_is_the_pixels_with_their_palette_transparency_and_colours(read):
    text = PngImagePlugin.PngInfo()
    text.add_text("note", "secret")
    png = encoded("PNG", pnginfo=text, exif=SIX[6:], dpi=(72, 72))
    for content in (png, encoded("JPEG", comment=b"secret", exif=SIX)):
        for orientation in (True, False):
            bare = without_metadata(content, orientation)
            assert b"secret" not in bare
            with Image.open(io.BytesIO(bare)) as image, Image.open(io.BytesIO(content)) as whole:
                assert np.array_equal(np.asarray(image), np.asarray(whole))
                assert image.getexif().get(274) == (6 if orientation else None)
    assert without_metadata(encoded("BMP"), True) is None
    adobe = encoded("JPEG", Image.fromarray(IMAGE).convert("CMYK"), quality=95)
    assert without_metadata(adobe, False) == adobe  # its colours stay those of Adobe
    palette = encoded("PNG", Image.fromarray(IMAGE).quantize(16), transparency=3)
    assert np.array_equal(read(with_chunks(palette, BESIDE_PNG["zTXt"])), read(palette))
