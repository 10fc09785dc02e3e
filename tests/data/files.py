"""Image files as other programs write them: TIFF with any tags, chunks of PNG, EXIF of any type."""

import struct
import zlib

import numpy as np

LETTERS = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 11: "f"}  # of struct, by TIFF's type of a value


def directory(tags, offset, order="<"):
    """Return a TIFF directory of (tag, type, values) that begins at `offset`; bytes stand as they are."""
    head, beyond = struct.pack(f"{order}H", len(tags)), b""
    after = offset + 2 + 12 * len(tags) + 4
    for tag, kind, values in sorted(tags):
        content = values
        if not isinstance(values, bytes):
            content = struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values)
        number = len(values) // 8 if kind in (5, 10) else len(values)  # ratios: two numbers each
        head += struct.pack(f"{order}HHI", tag, kind, number)
        if len(content) > 4:
            head += struct.pack(f"{order}I", after + len(beyond))
            beyond += content + b"\0" * (len(content) % 2)
        else:
            head += content.ljust(4, b"\0")
    return head + bytes(4) + beyond


def tiff(pixels, *, bits, photometric=None, form=1, planes=1, extra=()):
    """Return an uncompressed little-endian TIFF of `pixels`, (H, W) or (H, W, 3) of a type of its own."""
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    content = (pixels.transpose(2, 0, 1) if planes == 2 else pixels).tobytes()
    strips = samples if planes == 2 else 1

    def with_data_at(start):
        each = len(content) // strips
        tags = [
            (256, 4, [pixels.shape[1]]),
            (257, 4, [pixels.shape[0]]),
            (258, 3, [bits] * samples),
            (259, 3, [1]),
            (262, 3, [(2 if samples == 3 else 1) if photometric is None else photometric]),
            (273, 4, [start + k * each for k in range(strips)]),
            (277, 3, [samples]),
            (278, 4, [pixels.shape[0]]),
            (279, 4, [each] * strips),
            (284, 3, [planes]),
            (339, 3, [form] * samples),
            *extra,
        ]
        return b"II*\0" + struct.pack("<I", 8) + directory(tags, 8)

    return with_data_at(len(with_data_at(0))) + content


def exif(*tags, order="<"):
    """Return EXIF as it stands in a JPEG, with a directory of (tag, type, values)."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return b"Exif\0\0" + head + directory(tags, 8, order)


def chunk(kind, content):
    """Return a chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def with_chunks(png, *chunks):
    """Return a PNG with chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def with_segments(jpeg, *segments):
    """Return a JPEG with (marker, content) after its first two bytes."""
    parts = [
        bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content for marker, content in segments
    ]
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


def in_bits(image, bits):
    """Return uint8 values brought to fewer or more bits, uint16, the largest at the top."""
    return np.round(image / image.max() * (2**bits - 1)).astype(np.uint16)
