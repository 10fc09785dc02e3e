import io
import os
import struct
import tempfile
import warnings
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from riqa.data.read import UnreadableError, read_photograph, read_with_shape
from tests.data.files import exif
from tests.data.photographs import disc

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow, of odd metadata


def told(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_colour_grey_palette_and_transparency(tmp_path):
    image, mask = disc()
    grey, palette = image[..., 0], Image.fromarray(image).quantize(32)
    clear = np.dstack([np.where(mask[..., None], image, np.uint8(255)), mask * np.uint8(255)])
    for stored, expected in (
        (Image.fromarray(image), image),
        (Image.fromarray(grey), np.repeat(grey[..., None], 3, axis=2)),
        (palette, np.asarray(palette.convert("RGB"))),
        (Image.fromarray(clear), image * mask[..., None]),  # transparent margins become black
    ):
        stored.save(tmp_path / "a.png")
        assert np.array_equal(read_photograph(tmp_path / "a.png"), expected)


@pytest.mark.parametrize(
    ("min_side", "shape"),
    [(37, (38, 50)), (38, (75, 100)), (75, (75, 100)), (76, (150, 200)), (151, (300, 400))],
)
def test_jpeg_is_read_at_the_smallest_scale_that_suffices_and_others_whole(tmp_path, min_side, shape):
    image, _ = disc(300, 400, radius=120)
    Image.fromarray(image).save(tmp_path / "a.jpeg", quality=95)
    read, whole = read_with_shape(tmp_path / "a.jpeg", min_side)
    assert (read.shape, whole) == ((*shape, 3), (300, 400))
    smaller = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(read.astype(int) - smaller).mean() < 4
    Image.fromarray(image).save(tmp_path / "a.png")
    assert read_photograph(tmp_path / "a.png", min_side).shape == (300, 400, 3)


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
@pytest.mark.parametrize("ending", ["jpeg", "png", "tif", "webp"])
def test_every_orientation_at_every_scale(tmp_path, orientation, min_side, ending):
    options = {"quality": 95} if ending == "jpeg" else {"lossless": True}
    image = Image.fromarray(disc(96, 160, center=(50, 40), radius=35)[0])
    image.save(tmp_path / f"plain.{ending}", **options)
    image.save(tmp_path / f"turned.{ending}", exif=told(orientation), **options)
    read, whole = read_with_shape(tmp_path / f"turned.{ending}", min_side)
    assert np.array_equal(read, TURNS[orientation](read_photograph(tmp_path / f"plain.{ending}", min_side)))
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


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.floats(0.3, 0.999), min_side=st.sampled_from([None, 50]))
def test_jpeg_cut_anywhere_is_refused(tmp_path, kept, min_side):
    Image.fromarray(disc(200, 300, noise=4)[0]).save(tmp_path / "a.jpeg", quality=90)
    content = (tmp_path / "a.jpeg").read_bytes()
    (tmp_path / "cut.jpeg").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UnreadableError, match="truncated"):
        read_photograph(tmp_path / "cut.jpeg", min_side)


def tagged(values, kind, order="<"):
    return exif((0x0112, kind, values), order=order)


def beside(*tags):
    return exif((0x0112, 3, [6]), *tags)


# python-pillow/Pillow#8965, #8605, #7839, #4665 and #3973: one odd tag stopped the turning of a photograph.
ODD = {
    "an inner directory before the file": beside((34665, 9, [-70000])),
    "an inner directory beyond the file": beside((34665, 4, [4_000_000_000])),
    "a ratio with nothing below": beside((282, 10, struct.pack("<ii", -1, 0))),
    "text for a number": beside((282, 2, b"high\0"), (34855, 2, b"200\0")),
    "a number for a text": beside((271, 4, [7]), (306, 9, [-7])),
    "bytes for a text": beside((305, 7, b"\xff\xfe\x00")),
    "more to come": beside((305, 2, b"x" * 40))[:-20],
    "an unknown type": beside((305, 99, b"????")),
    "a byte": tagged([6], 1),
    "a long": tagged([6], 4),
    "a signed number": tagged([6], 8),
    "a letter": tagged(b"6\0", 2),
    "a real number": tagged([6.0], 11),
    "two numbers": tagged([6, 6], 3),
    "the other order": tagged([6], 3, ">"),
}
UNTOLD = {
    "zero": tagged([0], 3),
    "nine": tagged([9], 3),
    "a word": tagged(b"right\0", 2),
    "less than nothing": tagged([-6], 8),
    "not a number": tagged([float("nan")], 11),
    "infinite": tagged([float("inf")], 11),
    "an unknown type": tagged(b"\6\0\0\0", 99),
    "no directory": b"Exif\0\0II*\0\x08\0\0\0",
    "no EXIF": b"Exif\0\0nothing of the kind",
    "nothing": b"Exif\0\0",
}


@pytest.mark.parametrize("ending", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("odd", [*ODD.values(), *UNTOLD.values()], ids=[*ODD, *UNTOLD])
def test_odd_exif_turns_if_it_can_be_told_and_never_stops(tmp_path, ending, odd):
    image, _ = disc(60, 90, center=(30, 25), radius=20)
    options = {"quality": 95} if ending == "jpeg" else {"lossless": True}
    Image.fromarray(image).save(tmp_path / f"plain.{ending}", **options)
    head = odd if ending == "jpeg" else odd[6:]
    Image.fromarray(image).save(tmp_path / f"odd.{ending}", exif=head, **options)
    turn = TURNS[6 if odd in ODD.values() else 1]
    for min_side in (None, 20):
        plain = read_photograph(tmp_path / f"plain.{ending}", min_side)
        read, whole = read_with_shape(tmp_path / f"odd.{ending}", min_side)
        assert np.array_equal(read, turn(plain))
        assert whole == turn(image).shape[:2]


def test_xmp_tells_the_orientation_too(tmp_path):
    image, _ = disc(60, 90, center=(30, 25), radius=20)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(image).save(tmp_path / "plain.jpeg", quality=95)
    Image.fromarray(image).save(tmp_path / "turned.jpeg", quality=95, xmp=xmp)
    turned, plain = (read_photograph(tmp_path / f"{stem}.jpeg") for stem in ("turned", "plain"))
    assert np.array_equal(turned, np.rot90(plain, -1))


def test_unreadable_files_have_a_reason_and_what_is_no_file_is_not_waited_for(tmp_path):
    Image.fromarray(disc()[0]).save(tmp_path / "whole.jpeg")
    content = (tmp_path / "whole.jpeg").read_bytes()
    (tmp_path / "cut.jpeg").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "text.jpeg").write_text("no image")
    (tmp_path / "empty.jpeg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    for name, reason in {
        "cut.jpeg": "truncated",
        "text.jpeg": "^not an image file$",
        "empty.jpeg": "^not an image file$",
        "gone.jpeg": "^file is missing$",
        "pipe.jpg": "^neither file nor folder$",
        "folder.jpg": "^a folder$",
        "round.jpg": r"^cannot be opened \(Too many levels of symbolic links\)$",
        "/dev/null": "^neither file nor folder$",
        "x" * 300: r"^cannot be opened \(File name too long\)$",
        "a\0b.jpg": "null",
    }.items():
        with pytest.raises(UnreadableError, match=reason):
            read_photograph(tmp_path / name)


def test_a_file_that_may_not_be_read_says_so_once():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path, me = Path(folder) / "a.jpeg", os.geteuid()
        Image.fromarray(disc()[0]).save(path)
        for changed, mode in ((path, 0), (Path(folder), 0o644)):
            os.chmod(changed, mode)
            os.seteuid(me or 65534)  # nobody, where the tests run as one who may read everything
            try:
                with pytest.raises(UnreadableError, match=r"^no permission to read it$"):
                    read_photograph(path)
            finally:
                os.seteuid(me)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (struct.error("unpack requires 4 bytes"), r"truncated or damaged \(unpack requires 4 bytes\)"),
        (OverflowError("too large\nsecond line"), r"truncated or damaged \(too large\)"),
        (RecursionError(), r"truncated or damaged \(RecursionError\)"),
        (ZeroDivisionError("a\x1b[31m"), "truncated or damaged \\(a\ufffd\\[31m\\)"),
        (cv2.error("bad"), r"truncated or damaged \(bad\)"),
        (MemoryError(), "not enough memory to read it"),
        (OSError(5, "Input/output error", "/long/path/a.png"), r"cannot be opened \(Input/output error\)"),
        (KeyboardInterrupt(), ""),  # who stops it stops it
        (SystemExit(), ""),
    ],
)
def test_whatever_a_decoder_raises_is_a_reason(tmp_path, monkeypatch, error, reason):
    Image.fromarray(disc()[0]).save(tmp_path / "a.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", Mock(side_effect=error))
    with pytest.raises(UnreadableError if reason else type(error), match=f"^{reason}$"):
        read_photograph(tmp_path / "a.png")


FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(FORMATS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    near=st.sampled_from([60, 400, None]),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_a_damaged_file_is_read_or_has_a_reason(tmp_path, form, changes, near, kept):
    exif, content = told(6), io.BytesIO()
    exif[305] = "a program"
    Image.fromarray(disc(60, 90, radius=25)[0]).save(content, form, exif=exif)
    damaged = bytearray(content.getvalue())
    for place, value in changes:
        damaged[int(place * (min(near or len(damaged), len(damaged)) - 1))] = value
    (tmp_path / "a").write_bytes(damaged[: int(kept * len(damaged))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read, whole = read_with_shape(tmp_path / "a", 20)
        except UnreadableError as error:
            read, reason = None, str(error)
    if read is None:
        assert reason.splitlines() == [reason]
        return
    assert read.dtype == np.uint8
    assert read.ndim == 3
    assert (read.shape[0] > read.shape[1]) == (whole[0] > whole[1]) or 1 in read.shape
