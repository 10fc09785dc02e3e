import cv2
import numpy as np
import pytest
from PIL import Image

from riqa.data.read import UnreadableError, read_photograph
from tests.data.files import in_bits, tiff
from tests.data.photographs import disc

GREY = disc()[0][..., 0]
DEPTHS = (9, 10, 12, 14, 15)


def colours(grey):
    return np.dstack([grey, grey // 2, grey // 3])


def save(path, values):
    cv2.imwrite(str(path), values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]])
    return path


def reads_as(path, values, bits):
    """Check that the values are read, scaled from so many bits."""
    expected = values.astype(int) * 255 / (2**bits - 1)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert np.abs(read_photograph(path) - expected).max() <= 1


def is_refused(path, reason):
    with pytest.raises(UnreadableError, match=reason):
        read_photograph(path)


# python-pillow/Pillow#2610: values to 1023 in a 16-bit TIFF; #5403: a 10-bit PGM.
@pytest.mark.parametrize("bits", DEPTHS)
def test_values_that_leave_high_bits_empty_are_refused_unless_the_file_states_its_largest(tmp_path, bits):
    grey, reason = in_bits(GREY, bits), f"^uses {bits} of 16 bits$"
    opaque = np.dstack([colours(grey), np.full_like(grey, 65535)])
    for ending in ("png", "tif"):
        for values in (grey, colours(grey), opaque):
            is_refused(save(tmp_path / f"a.{ending}", values), reason)
    for values, letter in ((grey, b"5"), (colours(grey), b"6")):
        path, content = tmp_path / "a.pnm", values.astype(">u2").tobytes()
        path.write_bytes(b"P%s\n160 120\n65535\n" % letter + content)
        is_refused(path, reason)
        path.write_bytes(
            b"P%s\n160 120\n%d\n" % (letter, 2**bits - 1) + (values // 3).astype(">u2").tobytes()
        )
        reads_as(path, values // 3, bits)  # dark, which is no matter where the range is stated


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize("bits", [8, *DEPTHS])
def test_a_tiff_may_state_its_largest_value(tmp_path, tag, bits):
    grey, path = in_bits(GREY, bits) // 3, tmp_path / "a.tif"
    path.write_bytes(tiff(grey, bits=16, extra=[(tag, 3, [2**bits - 1])]))
    reads_as(path, grey, bits)
    path.write_bytes(tiff(grey, bits=16, extra=[(tag, 3, [int(grey.max())])]))
    is_refused(path, r"^uses \d+ of 16 bits$")  # that of this picture alone


def test_eight_bits_in_sixteen_and_dark_photographs_are_refused_and_black_is_black(tmp_path):
    path, eight = tmp_path / "a.png", in_bits(GREY, 8)
    is_refused(save(path, eight), r"^uses 8 of 16 bits$")
    is_refused(save(path, colours(eight)), r"^uses at most 8 of 16 bits$")
    is_refused(save(path, (in_bits(GREY, 16) // 64).astype(np.uint16)), r"^uses 10 of 16 bits$")
    assert not read_photograph(save(path, np.zeros((40, 50), np.uint16))).any()
    (tmp_path / "a.pgm").write_bytes(b"P5\n160 120\n255\n" + (GREY // 3).tobytes())
    reads_as(tmp_path / "a.pgm", GREY // 3, 8)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_all_bits_in_use_are_scaled_to_their_high_byte(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    for values in (in_bits(GREY, 16), colours(in_bits(GREY, 16)), in_bits(GREY, 16) // 2 + 1, noise):
        read = read_photograph(save(tmp_path / f"a.{ending}", values))
        assert np.array_equal(read, np.broadcast_to((values >> 8).T, read.T.shape).T)


def test_tiffs_of_twelve_bits_with_white_as_zero_and_with_signs(tmp_path):
    path, twelve, sixteen = tmp_path / "a.tif", in_bits(GREY, 12) // 3, in_bits(GREY, 16)
    first, second = (twelve.ravel()[k::2].astype(int) for k in (0, 1))
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    path.write_bytes(tiff(twelve, bits=12)[: -twelve.nbytes] + packed.tobytes())
    reads_as(path, twelve, 12)
    path.write_bytes(tiff(65535 - sixteen, bits=16, photometric=0))
    reads_as(path, sixteen, 16)
    signed = in_bits(GREY, 15).astype(np.int16)
    path.write_bytes(tiff(signed, bits=16, form=2))
    reads_as(path, signed, 15)
    path.write_bytes(tiff(signed // 8, bits=16, form=2))
    is_refused(path, r"^uses 12 of 15 bits$")


def test_what_has_no_known_range_is_refused(tmp_path):
    deep = in_bits(GREY, 16)
    (tmp_path / "planes.tif").write_bytes(tiff(colours(deep), bits=16, planes=2))
    (tmp_path / "ten.tif").write_bytes(tiff(deep, bits=10))
    Image.fromarray(deep.astype(np.int32)).save(tmp_path / "long.tif")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tif")
    is_refused(tmp_path / "planes.tif", "each apart")
    is_refused(tmp_path / "ten.tif", "of a kind that is not understood")
    is_refused(tmp_path / "long.tif", "32-bit pixels have no fixed range")
    is_refused(tmp_path / "float.tif", "floating-point pixels have no fixed range")


def test_colours_of_sixteen_bits_in_two_bytes_are_read(tmp_path):
    image = colours(GREY // 4)
    rows = (image[::-1] >> 3).astype("<u2")
    content = (rows[..., 0] << 10 | rows[..., 1] << 5 | rows[..., 2]).tobytes()
    header = b"BM" + np.array([54 + len(content), 0, 54, 40, 160, 120], "<u4").tobytes()
    header += np.array([1, 16], "<u2").tobytes() + np.array([0, len(content), 0, 0, 0, 0], "<u4").tobytes()
    (tmp_path / "a.bmp").write_bytes(header + content)
    assert np.abs(read_photograph(tmp_path / "a.bmp").astype(int) - image).max() <= 8
