import cv2
import numpy as np
import pytest
from PIL import Image

from riqa.data.read import UnreadableError, read_photograph
from tests.data.files import in_bits, tiff
from tests.data.photographs import disc

GREY = disc()[0][..., 0]
DEPTHS = (9, 10, 12, 14, 15)


def save(path, values, order=slice(None, None, -1)):
    cv2.imwrite(str(path), values if values.ndim == 2 else values[..., order])
    return path


def colours(grey):
    return np.dstack([grey, grey // 2, grey // 3])


def reads_as(path, values, bits):
    """Check that the values are read, scaled from so many bits."""
    expected = values.astype(int) * 255 / (2**bits - 1)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert np.abs(read_photograph(path) - expected).max() <= 1


# python-pillow/Pillow#2610: values to 1023 in a 16-bit TIFF.
@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_values_that_leave_high_bits_empty_are_refused(tmp_path, bits, ending):
    grey = in_bits(GREY, bits)
    opaque = np.dstack([colours(grey), np.full_like(grey, 65535)])
    for values, order in ((grey, None), (colours(grey), slice(None, None, -1)), (opaque, [2, 1, 0, 3])):
        path = save(tmp_path / f"a.{ending}", values, order)
        with pytest.raises(UnreadableError, match=f"^uses {bits} of 16 bits$"):
            read_photograph(path)


def test_eight_bits_in_sixteen_are_refused(tmp_path):
    with pytest.raises(UnreadableError, match=r"^uses 8 of 16 bits$"):
        read_photograph(save(tmp_path / "a.png", in_bits(GREY, 8)))
    with pytest.raises(UnreadableError, match=r"^uses at most 8 of 16 bits$"):
        read_photograph(save(tmp_path / "a.png", colours(in_bits(GREY, 8))))


def test_a_dark_photograph_of_sixteen_bits_is_not_brightened(tmp_path):
    dark = (in_bits(GREY, 16) // 64).astype(np.uint16)
    with pytest.raises(UnreadableError, match=r"^uses 10 of 16 bits$"):
        read_photograph(save(tmp_path / "a.png", dark))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_all_bits_in_use_are_scaled_to_their_high_byte(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    for values in (in_bits(GREY, 16), colours(in_bits(GREY, 16)), in_bits(GREY, 16) // 2 + 1, noise):
        read = read_photograph(save(tmp_path / f"a.{ending}", values))
        assert np.array_equal(read, np.broadcast_to((values >> 8).T, read.T.shape).T)


def test_black_is_black_however_deep(tmp_path):
    assert not read_photograph(save(tmp_path / "a.png", np.zeros((40, 50), np.uint16))).any()


# python-pillow/Pillow#5403: a 10-bit PGM.
@pytest.mark.parametrize("bits", [8, *DEPTHS])
def test_a_portable_map_states_its_largest_value(tmp_path, bits):
    grey = in_bits(GREY, bits) // 3  # dark, which is no matter where the range is stated
    for letter, values in ((b"5", grey), (b"6", colours(grey))):
        content = values.astype(np.uint8 if bits == 8 else ">u2").tobytes()
        (tmp_path / "a.pnm").write_bytes(b"P%s\n160 120\n%d\n" % (letter, 2**bits - 1) + content)
        reads_as(tmp_path / "a.pnm", values, bits)


@pytest.mark.parametrize("bits", DEPTHS)
def test_a_portable_map_of_sixteen_bits_may_hold_fewer(tmp_path, bits):
    grey = in_bits(GREY, bits)
    for letter, values in ((b"5", grey), (b"6", colours(grey))):
        (tmp_path / "a.pnm").write_bytes(b"P%s\n160 120\n65535\n" % letter + values.astype(">u2").tobytes())
        with pytest.raises(UnreadableError, match=f"^uses {bits} of 16 bits$"):
            read_photograph(tmp_path / "a.pnm")


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("bits", [8, *DEPTHS])
def test_a_tiff_may_state_its_largest_value(tmp_path, tag, bits):
    grey = in_bits(GREY, bits) // 3
    (tmp_path / "a.tif").write_bytes(tiff(grey, bits=16, extra=[(tag, 3, [2**bits - 1])]))
    reads_as(tmp_path / "a.tif", grey, bits)
    (tmp_path / "a.tif").write_bytes(tiff(grey, bits=16, extra=[(tag, 3, [int(grey.max())])]))
    with pytest.raises(UnreadableError, match=r"^uses \d+ of 16 bits$"):  # that of this picture alone
        read_photograph(tmp_path / "a.tif")


def test_a_tiff_may_have_twelve_bits(tmp_path):
    grey = in_bits(GREY, 12) // 3
    first, second = (grey.ravel()[k::2].astype(int) for k in (0, 1))
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    content = tiff(grey, bits=12)
    (tmp_path / "a.tif").write_bytes(content[: -grey.nbytes] + packed.tobytes())
    reads_as(tmp_path / "a.tif", grey, 12)


def test_a_tiff_whose_white_is_zero(tmp_path):
    grey = in_bits(GREY, 16)
    (tmp_path / "a.tif").write_bytes(tiff(65535 - grey, bits=16, photometric=0))
    reads_as(tmp_path / "a.tif", grey, 16)


def test_signed_values_have_fifteen_bits(tmp_path):
    grey = in_bits(GREY, 15).astype(np.int16)
    (tmp_path / "a.tif").write_bytes(tiff(grey, bits=16, form=2))
    reads_as(tmp_path / "a.tif", grey, 15)
    (tmp_path / "a.tif").write_bytes(tiff(grey // 8, bits=16, form=2))
    with pytest.raises(UnreadableError, match=r"^uses 12 of 15 bits$"):
        read_photograph(tmp_path / "a.tif")


def test_what_has_no_known_range_is_refused(tmp_path):
    deep = in_bits(GREY, 16)
    (tmp_path / "planes.tif").write_bytes(tiff(colours(deep), bits=16, planes=2))
    (tmp_path / "ten.tif").write_bytes(tiff(deep, bits=10))
    Image.fromarray(deep.astype(np.int32)).save(tmp_path / "long.tif")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tif")
    for stem, reason in {
        "planes": "each apart",
        "ten": "of a kind that is not understood",
        "long": "32-bit pixels have no fixed range",
        "float": "floating-point pixels have no fixed range",
    }.items():
        with pytest.raises(UnreadableError, match=reason):
            read_photograph(tmp_path / f"{stem}.tif")


def test_colours_of_sixteen_bits_in_two_bytes_are_read(tmp_path):
    image = colours(GREY // 4)
    rows = (image[::-1] >> 3).astype("<u2")
    content = (rows[..., 0] << 10 | rows[..., 1] << 5 | rows[..., 2]).tobytes()
    header = b"BM" + np.array([54 + len(content), 0, 54, 40, 160, 120], "<u4").tobytes()
    header += np.array([1, 16], "<u2").tobytes() + np.array([0, len(content), 0, 0, 0, 0], "<u4").tobytes()
    (tmp_path / "a.bmp").write_bytes(header + content)
    assert np.abs(read_photograph(tmp_path / "a.bmp").astype(int) - image).max() <= 8
