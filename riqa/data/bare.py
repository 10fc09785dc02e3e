"""A file with its pixels alone: metadata must not decide whether they can be read."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}  # byte order
SIGNATURES = (_PNG, _JPEG, *_TIFF)
"""How the files begin that can be read without their metadata."""

_ORIENTATION = 274
# What TIFF 6.0 and its supplements need to decode the pixels: sizes, compression, colours, strips and tiles.
_PIXEL_TAGS = {
    *(254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 332, 338, 339, 347, *range(512, 522), 529, 530, 531, 532),
}


def without_metadata(content: bytes, orientation: bool) -> bytes | None:
    """Return a PNG, JPEG or TIFF file without texts, colour profiles, EXIF and the like; None for others.

    `orientation` leaves in what holds the orientation. A TIFF that ends too early raises `struct.error`.
    """
    if content.startswith(_PNG):
        return _bare_png(content, orientation)
    if content.startswith(_JPEG):
        return _bare_jpeg(content, orientation)
    if content[:4] in _TIFF:
        return _bare_tiff(content, _TIFF[content[:4]], orientation)
    return None


def _bare_png(content: bytes, orientation: bool) -> bytes:
    """Keep the chunks that a picture needs to be shown, and transparency."""
    parts, at = [_PNG], len(_PNG)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        start, at = at, at + 12 + length
        if kind[:1].isupper() or kind == b"tRNS" or (orientation and kind == b"eXIf"):
            parts.append(content[start:at])
    return b"".join(parts)


def _bare_jpeg(content: bytes, orientation: bool) -> bytes:
    """Drop comments and application segments before the first scan, except those about the colours."""
    parts, at = [content[:2]], 2
    needed = (b"JFIF", b"Adobe", *([b"Exif"] if orientation else []))
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] not in (b"\xda", b"\xff", b""):
        marker, end = content[at + 1], at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        segment, at = content[at:end], end
        is_whole = len(segment) >= 16  # bytes; the shortest of the three
        if (segment[4:].startswith(needed) and is_whole) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            parts.append(segment)
    return b"".join([*parts, content[at:]])


def _bare_tiff(content: bytes, order: str, orientation: bool) -> bytes:
    """Shorten the first directory in place, and drop the others."""
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (n_tags,) = struct.unpack_from(f"{order}H", content, start)
    kept = _PIXEL_TAGS | ({_ORIENTATION} if orientation else set())
    entries = [content[at : at + 12] for at in range(start + 2, start + 2 + 12 * n_tags, 12)]
    entries = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in kept]
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return content[:start] + directory + content[start + len(directory) :]
