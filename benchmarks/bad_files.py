"""Bytes that claim to be a photograph, and places that hold no plain file: one of them from a generator."""

import contextlib
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000", "MPO")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"sBIT", b"eXIf", b"tRNS", b"PLTE", b"gAMA")
HARDLY = (b"", b"<html></html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"RIFF\0\0\0\0WEBP")


def torn(rng: np.random.Generator, data: bytes, most: int, within: int = 2**62) -> bytes:
    """Change fewer than `most` of the first bytes."""
    changed = bytearray(data)
    for at in rng.integers(max(min(len(changed), within), 1), size=rng.integers(1, most)):
        if changed:
            changed[at] = rng.integers(256)
    return bytes(changed)


def saved(image: Image.Image, kind: str) -> bytes:
    """Return an image in a format."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def encoded(rng: np.random.Generator, image: Image.Image) -> tuple[bytes, str]:
    """Save an image in some mode and format; return the bytes and both names."""
    while True:
        kind, mode = str(rng.choice(FORMATS)), str(rng.choice(MODES))
        with contextlib.suppress(Exception):
            one = image.convert("L") if mode in ("I", "I;16", "F") else image
            return saved(one.convert(mode), kind), f"{kind} {mode}"


def _with_exif(jpeg: bytes, exif: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def broken_image(rng: np.random.Generator, path: Path) -> tuple[bytes, str]:
    """Make bytes that claim to be a photograph, from one; return them and what they are."""
    image, jpeg = Image.open(path), path.read_bytes()
    png = saved(image, "PNG")
    data, kind = encoded(rng, image)
    match rng.integers(13):
        case 0:
            return data[: rng.integers(len(data))], f"{kind}, truncated"
        case 1:
            return torn(rng, data, 200), f"{kind}, bytes changed"
        case 2:
            return torn(rng, data, 12, within=200), f"{kind}, header changed"
        case 3:
            return rng.bytes(rng.integers(0, 3000)), "random bytes"
        case 4:
            return HARDLY[rng.integers(6)], "hardly anything"
        case 5:
            start = rng.choice([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])
            return _with_exif(jpeg, b"Exif\0\0" + start + rng.bytes(rng.integers(200))), "random EXIF"
        case 6:
            kind, count = rng.integers(0, 14), rng.integers(0, 4)
            entries = struct.pack("<HHII", 0x0112, kind, count, rng.integers(2**32))
            tag, n, value = rng.integers(65536), rng.integers(2**32), rng.integers(2**32)
            entries += struct.pack("<HHII", tag, kind, n, value)
            exif = b"Exif\0\0II*\0\x08\0\0\0\2\0" + entries + b"\0\0\0\0"
            return _with_exif(jpeg, exif), f"EXIF type {kind}"
        case 7:
            name = rng.choice(CHUNKS)
            body = rng.choice([rng.bytes(rng.integers(40)), b"a\0\0" + zlib.compress(bytes(3_000_000))])
            checksum = zlib.crc32(name + body) if rng.random() < 0.7 else 0
            chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
            return png[:33] + chunk + png[33:], f"PNG with {name.decode()}"
        case 8:
            sides = struct.pack(">II", *rng.choice([0, 1, 100, 65_535, 200_000, 2**31 - 1], 2))
            header = b"IHDR" + sides + png[24:29]
            return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:], "PNG of other sides"
        case 9:
            sides = rng.choice([1, 2, 3, 5, 17, 3000], 2)
            odd = Image.fromarray(rng.integers(0, 256, (*sides, 3), np.uint8))
            return saved(odd, "PNG"), f"{sides[0]} x {sides[1]} pixels of noise"
        case 10:
            deep = (np.asarray(image.convert("L")).astype(np.uint16) << rng.integers(0, 9)).astype(np.uint16)
            kind = str(rng.choice(["PNG", "TIFF", "PPM"]))
            return saved(Image.fromarray(deep), kind), f"grey up to {deep.max()}"
        case 11:
            return jpeg + rng.bytes(rng.integers(5000)), "JPEG with something behind it"
        case _:
            return data, kind


def special_file(rng: np.random.Generator, path: Path) -> str:
    """Put something there that is no plain file, or that nobody may read."""
    match rng.integers(6):
        case 0:
            path.mkdir()
            return "a folder"
        case 1:
            os.mkfifo(path)
            return "a pipe"
        case 2:
            path.symlink_to("nowhere")
            return "a broken link"
        case 3:
            path.symlink_to(path.name)
            return "a link to itself"
        case 4:
            with socket.socket(socket.AF_UNIX) as end, contextlib.chdir(path.parent):
                end.bind("s")
            (path.parent / "s").rename(path)
            return "a socket"
        case _:
            path.write_bytes(b"x")
            path.chmod(0)
            return "no permission"
